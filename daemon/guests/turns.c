/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests's turns: the GPU works in small portions between the guests' requests, mappings
 * kept for later expire, and guests that died are detached.
 */
#include <errno.h>
#include <syslog.h>
#include <time.h>

#include <event2/event.h>

#include "guests/guest.h"

/* How long one turn of the GPU should take; guests wait as long for an answer, at most. */
#define TURN_NS      UINT64_C(1000000)
#define BUDGET_MIN   1u
#define BUDGET_MAX   4096u
#define BUDGET_FIRST 64u

/* How soon to look again at an engine that waits for what a guest's processor will store. */
#define POLL_MS 1u

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ms(void)
{
    return now_ns() / 1000000u;
}

/* --- the parts of a turn ----------------------------------------------------------------- */

static void remove_dead_guests(struct guests *guests)
{
    unsigned i = 0;

    while (i < guests->attached_n) {
        struct guest *guest = guests->attached[i];

        if (!guest->dead) {
            i++;
            continue;
        }
        guests_log(guests, LOG_NOTICE, "domain '%s' (%u): is gone; vGPU %u detached", guest->name,
                   guest->domid, guest->slot + 1);
        guest_remove(guest);
    }
}

/*
 * What a command costs depends on what is behind the GPU: memory, or a device that takes 100 ms
 * for a transfer. The budget follows what was measured.
 */
static bool run_gpu(struct guests *guests)
{
    struct guests_turns *turns = &guests->turns;
    struct gpu *gpu = guests->config.gpu;
    uint64_t start = now_ns();
    bool more = gpu->ops->run(gpu, turns->budget);
    uint64_t took = now_ns() - start;

    if (took > TURN_NS && turns->budget > BUDGET_MIN) {
        turns->budget /= 2;
    } else if (more && took < TURN_NS / 4 && turns->budget < BUDGET_MAX) {
        turns->budget *= 2;
    }
    return more;
}

static uint64_t submissions(const struct gpu *gpu)
{
    struct gpu_stats stats;

    gpu->ops->get_stats(gpu, &stats);
    return stats.submissions;
}

/* The vGPUs look at their engines after the GPU worked, and may have more for it then. */
static bool work(struct guests *guests)
{
    bool more = run_gpu(guests);
    uint64_t before = submissions(guests->config.gpu);

    for (unsigned i = 0; i < guests->attached_n; i++) {
        vgpu_check(guests->attached[i]->vgpu);
    }
    return more || submissions(guests->config.gpu) != before;
}

/* What a guest's page tables may take of a turn, in the units of vgpu_work(): some 400 us. */
#define GUEST_WORK 4096u

/* What guests' accesses have begun is gone on with, and then what waits for it. */
static bool work_for_guests(struct guests *guests)
{
    const struct host_ops *host = guests->config.host->ops;
    bool more = false;

    for (unsigned i = 0; i < guests->attached_n; i++) {
        struct guest *guest = guests->attached[i];

        more |= vgpu_work(guest->vgpu, GUEST_WORK);
        more |= host->resume(guest->host);
    }
    return more;
}

/*
 * A guest with one vCPU makes one request a turn, so the end of a turn says nothing: committing
 * there would mean a hypercall for each entry it writes. What no access makes due is committed
 * when no guest has made a request for this long. Guests that never pause are committed by their
 * own accesses, or when their batch is full.
 */
#define SETTLE_MS 50u

static void settle_guests(struct guests *guests)
{
    struct guests_turns *turns = &guests->turns;

    if (!turns->settle_at_ms || now_ms() < turns->settle_at_ms) {
        return;
    }
    for (unsigned i = 0; i < guests->attached_n; i++) {
        vgpu_settle(guests->attached[i]->vgpu);
    }
    turns->settle_at_ms = 0;
}

static unsigned defer_ms(const struct guests *guests)
{
    unsigned ms = guests->config.space.defer_ms;

    return ms ? ms : XENGT_DEFER_MS_DEFAULT;
}

static bool anything_deferred(const struct guests *guests)
{
    struct xengt_space_stats stats;

    for (unsigned i = 0; i < guests->attached_n; i++) {
        xengt_space_get_stats(guests->attached[i]->space, &stats);
        if (stats.deferred) {
            return true;
        }
    }
    return false;
}

/* The clock runs only while something is kept. */
static void expire_mappings(struct guests *guests)
{
    struct guests_turns *turns = &guests->turns;
    uint64_t now = now_ms();

    if (turns->expire_at_ms && now >= turns->expire_at_ms) {
        for (unsigned i = 0; i < guests->attached_n; i++) {
            xengt_space_expire(guests->attached[i]->space);
        }
        turns->expire_at_ms = 0;
    }
    if (!anything_deferred(guests)) {
        turns->expire_at_ms = 0;
    } else if (!turns->expire_at_ms) {
        turns->expire_at_ms = now + defer_ms(guests);
    }
}

bool guests_turn(struct guests *guests)
{
    bool more;

    remove_dead_guests(guests);
    more = work(guests);
    settle_guests(guests);
    more |= work_for_guests(guests);
    expire_mappings(guests);
    return more;
}

/* --- the event loop ---------------------------------------------------------------------- */

/*
 * A timer, also when it is due at once: the loop looks at all descriptors before it comes back
 * to it, so that a busy GPU does not starve the guests' requests.
 */
static void arm(struct guests *guests, uint64_t ms)
{
    const struct timeval tv = {
        .tv_sec = (time_t)(ms / 1000),
        .tv_usec = (suseconds_t)(ms % 1000 * 1000),
    };

    if (guests->turns.timer) {
        event_add(guests->turns.timer, &tv);
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* When there is something to do next; 0: not before somebody asks. */
static uint64_t next_date(const struct guests *guests)
{
    const struct guests_turns *turns = &guests->turns;
    const struct gpu *gpu = guests->config.gpu;
    uint64_t poll = gpu->ops->waiting(gpu) ? now_ms() + POLL_MS : 0;

    return earlier(poll, earlier(turns->settle_at_ms, turns->expire_at_ms));
}

static void take_turn(struct guests *guests)
{
    uint64_t at, now;

    if (guests_turn(guests)) {
        arm(guests, 0);
        return;
    }
    at = next_date(guests);
    now = now_ms();
    if (at) {
        arm(guests, at > now ? at - now : 0);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    take_turn(arg);
}

void guests_kick(struct guests *guests)
{
    arm(guests, 0);
}

/* At once, and not by the timer: that would be a look at all descriptors for each request. */
void guests_after_requests(struct guests *guests)
{
    guests->turns.settle_at_ms = now_ms() + SETTLE_MS;
    if (guests->turns.timer) {
        take_turn(guests);
    }
}

int guests_turns_init(struct guests *guests)
{
    guests->turns.budget = BUDGET_FIRST;
    if (!guests->config.base) {
        return 0;
    }
    guests->turns.timer = evtimer_new(guests->config.base, on_timer, guests);
    return guests->turns.timer ? 0 : -ENOMEM;
}

void guests_turns_fini(struct guests *guests)
{
    if (guests->turns.timer) {
        event_free(guests->turns.timer);
    }
}
