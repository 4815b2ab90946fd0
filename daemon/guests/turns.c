/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The turns: the GPU and what guests have left to do work in small portions between the guests'
 * requests, mappings kept for later expire, and guests that leave are taken apart.
 *
 * What a guest can make long is bounded for each round of the event loop, not for each turn: there
 * is a turn at the end of each guest's requests, and a round is over when all have had theirs.
 */
#include "guests/turns.h"

#include <errno.h>
#include <syslog.h>

#include "guests/guest.h"

/* How long the GPU may work in a round of the event loop. */
#define ROUND_NS INT64_C(1000000)

/* How soon to look again at an engine that waits for what a guest's processor will store. */
#define POLL_MS 1u

/* How soon to look again at one that waits for room in the window. */
#define STARVED_MS 20u

/* --- guests ------------------------------------------------------------------------------ */

static void notice_deaths(struct guests *guests)
{
    for (unsigned i = 0; i < guests->awake_n; i++) {
        struct guest *guest = guests->awake[i];

        if (guest->dead && !guest->leaving) {
            guests_log(guests, LOG_NOTICE, "domain '%s' (%u): is gone; vGPU %u detached",
                       guest->name, guest->domid, guest->slot + 1);
            guest_note(guest, GUESTS_EVENT_DIED, NULL);
            guest_leave(guest);
        }
    }
}

/*
 * All have the same part of a round, to go on with what their accesses have begun and for the
 * accesses to come. What does not fit waits, and so does whoever asked for it; nobody else.
 */
static bool work_for_guests(struct guests *guests)
{
    const struct host_ops *host = guests->config.host->ops;
    unsigned i = 0;
    bool more = false;

    while (i < guests->awake_n) {
        struct guest *guest = guests->awake[i];
        uint32_t units = GUESTS_ROUND_UNITS / guests->attached_n;

        if (guest->leaving) {
            bool gone = guest_go_on_leaving(guest, units);

            more |= !gone;
            i += !gone;
            continue;
        }
        guests_serve(guests, guest);
        more |= vgpu_work(guest->vgpu, units);
        guest->asks = host->resume(guest->host);
        more |= guest->asks;
        i++;
    }
    return more;
}

static void settle(struct guest *guest, uint64_t now)
{
    if (guest->settle_at_ms && now >= guest->settle_at_ms) {
        guest_wake(guest);
        guests_serve(guest->guests, guest);
        vgpu_settle(guest->vgpu);
        guest->settle_at_ms = 0;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* Each request puts its guest's date off: the next one is looked for when the last one has come. */
static void settle_guests(struct guests *guests, uint64_t now)
{
    uint64_t next = 0;

    if (!guests->turns.settle_at_ms || now < guests->turns.settle_at_ms) {
        return;
    }
    for (unsigned i = 0; i < guests->attached_n; i++) {
        struct guest *guest = guests->attached[i];

        if (!guest->leaving) {
            settle(guest, now);
            next = earlier(next, guest->settle_at_ms);
        }
    }
    guests->turns.settle_at_ms = next;
}

static void keep_dates(struct guests *guests)
{
    uint64_t now = wake_now_ms();
    int kept;

    settle_guests(guests, now);
    kept = xengt_expire(guests->config.xengt, now);
    guests->turns.expire_at_ms = kept < 0 ? 0 : now + (uint64_t)kept;
}

/* --- the GPU ----------------------------------------------------------------------------- */

static bool run_gpu(struct guests *guests)
{
    struct turns *turns = &guests->turns;
    struct gpu *gpu = guests->config.gpu;
    uint64_t budget = guests->config.gpu_budget;
    uint64_t start;
    bool more;

    guests_serve(guests, NULL); /* what it has, it loses when xengtd ends */
    start = wake_now_ns();
    more = gpu->ops->run(gpu, budget ? budget : (uint64_t)turns->left_ns);
    turns->left_ns -= (int64_t)(wake_now_ns() - start);
    return more;
}

static uint64_t submissions(const struct gpu *gpu)
{
    struct gpu_stats stats;

    gpu->ops->get_stats(gpu, &stats);
    return stats.submissions;
}

static void check(struct guest *guest)
{
    if (guest->leaving) {
        return;
    }
    guests_serve(guest->guests, guest);
    vgpu_check(guest->vgpu);
    guest_note_failsafe(guest);
    if (!guest->asks && vgpu_is_quiet(guest->vgpu)) {
        guest_sleep(guest);
    }
}

/*
 * The vGPUs look at their engines after the GPU worked, and may have more for it then. Turns of one
 * round share its time.
 */
static bool work_for_gpu(struct guests *guests)
{
    uint64_t before;
    bool more;

    if (guests->turns.left_ns <= 0) {
        return true; /* perhaps: the next round will tell */
    }
    more = run_gpu(guests);
    before = submissions(guests->config.gpu);
    for (unsigned i = guests->awake_n; i-- > 0;) {
        check(guests->awake[i]);
    }
    return more || submissions(guests->config.gpu) != before;
}

/* --- a turn ------------------------------------------------------------------------------ */

bool guests_turn(struct guests *guests)
{
    struct turns *turns = &guests->turns;
    bool more;

    notice_deaths(guests);
    if (wake_is_new_round(&turns->wake, &turns->round)) {
        turns->left_ns = ROUND_NS;
        turns->more = work_for_guests(guests);
    }
    more = work_for_gpu(guests);
    keep_dates(guests);
    guests_serve(guests, NULL);
    return more || turns->more;
}

/* When there is something to do next; 0: not before somebody asks. */
static uint64_t next_date(const struct guests *guests)
{
    const struct gpu *gpu = guests->config.gpu;
    uint64_t date = gpu->ops->waiting(gpu) ? wake_now_ms() + POLL_MS : 0;

    date = earlier(date, guests->turns.expire_at_ms);
    date = earlier(date, guests->turns.settle_at_ms);
    for (unsigned i = 0; i < guests->awake_n; i++) {
        const struct guest *guest = guests->awake[i];

        if (!guest->leaving && vgpu_is_starved(guest->vgpu)) {
            date = earlier(date, wake_now_ms() + STARVED_MS);
        }
    }
    return date;
}

static void take_turn(void *arg)
{
    struct guests *guests = arg;
    uint64_t at, now;

    if (guests_turn(guests)) {
        wake_in(&guests->turns.wake, 0);
        return;
    }
    at = next_date(guests);
    now = wake_now_ms();
    if (at) {
        wake_in(&guests->turns.wake, at > now ? at - now : 0);
    }
}

int turns_init(struct guests *guests)
{
    return wake_init(&guests->turns.wake, guests->config.base, take_turn, guests);
}

void turns_fini(struct guests *guests)
{
    wake_fini(&guests->turns.wake);
}
