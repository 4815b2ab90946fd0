/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests in one process. Each has a thread for its stack; one of them runs at a time, and hands
 * over when it waits. What the cases and the driver keep (GUEST_STATE) is exchanged with it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../platform.h"
#include "platform.h"

/* From the linker: the section with everything that is GUEST_STATE. */
extern char __start_guest_state[];
extern char __stop_guest_state[];

/* A turn at each so many stores and registers: a prime, so that it comes at different places. */
#define TURN_CALLS 61u

struct member {
    struct guest_instance instance;
    char *state;
    pthread_t thread;
    bool running; /* it has begun and is not through */
    const char *reason;
};

static struct {
    struct member member[GUESTS_AT_ONCE_MAX];
    unsigned count;
    unsigned now;
    unsigned calls;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} turns = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct guest_instance *guest_now(void)
{
    return &turns.member[turns.now].instance;
}

static size_t state_size(void)
{
    return (size_t)(__stop_guest_state - __start_guest_state);
}

static unsigned next_running(void)
{
    unsigned next = turns.now;

    do {
        next = (next + 1) % turns.count;
    } while (next != turns.now && !turns.member[next].running);
    return next;
}

/* The lock is held. */
static void hand_over(unsigned to)
{
    memcpy(turns.member[turns.now].state, __start_guest_state, state_size());
    memcpy(__start_guest_state, turns.member[to].state, state_size());
    turns.now = to;
    pthread_cond_broadcast(&turns.changed);
}

static void wait_for_turn(unsigned me)
{
    while (turns.now != me) {
        pthread_cond_wait(&turns.changed, &turns.lock);
    }
}

void guest_turn(void)
{
    unsigned me = turns.now, next;

    if (turns.count < 2) {
        return;
    }
    next = next_running();
    if (next != me) {
        hand_over(next);
        wait_for_turn(me);
    }
}

void guest_may_turn(void)
{
    if (turns.count > 1 && ++turns.calls % TURN_CALLS == 0) {
        guest_turn();
    }
}

static void *live(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg;
    struct member *member = &turns.member[me];
    unsigned next;

    pthread_mutex_lock(&turns.lock);
    wait_for_turn(me);
    member->reason = run_cases(member->instance.run->command_line);
    member->running = false;
    next = next_running();
    if (next != me) {
        hand_over(next);
    }
    pthread_mutex_unlock(&turns.lock);
    return NULL;
}

static void prepare(struct member *member, const struct guest_run *run)
{
    member->instance.run = run;
    member->instance.next_gfn = 16; /* as on a machine: the first pages are somebody else's */
    member->instance.now_us = 0;
    member->instance.free_count = 0;
}

const char *guest_run(const struct guest_run *run)
{
    turns.count = 1;
    turns.now = 0;
    prepare(&turns.member[0], run);
    memset(__start_guest_state, 0, state_size());
    return run_cases(run->command_line);
}

void guest_run_together(const struct guest_run *run, unsigned n, const char **reason)
{
    memset(__start_guest_state, 0, state_size());
    turns.count = n;
    turns.now = 0;
    pthread_mutex_lock(&turns.lock);
    for (unsigned i = 0; i < n; i++) {
        prepare(&turns.member[i], &run[i]);
        turns.member[i].state = calloc(1, state_size());
        turns.member[i].running = true;
        if (!turns.member[i].state ||
            pthread_create(&turns.member[i].thread, NULL, live, (void *)(uintptr_t)i)) {
            abort();
        }
    }
    pthread_mutex_unlock(&turns.lock);
    for (unsigned i = 0; i < n; i++) {
        pthread_join(turns.member[i].thread, NULL);
        free(turns.member[i].state);
        reason[i] = turns.member[i].reason;
    }
    turns.count = 1;
    turns.now = 0;
}
