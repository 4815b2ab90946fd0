/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wake-up, by libevent. */
#include "guests/wake.h"

#include <errno.h>
#include <time.h>

#include <event2/event.h>

uint64_t wake_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t wake_now_ms(void)
{
    return wake_now_ns() / 1000000u;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    wake_now(arg);
}

int wake_init(struct wake *wake, struct event_base *base, wake_fn *fn, void *arg)
{
    *wake = (struct wake){.base = base, .fn = fn, .arg = arg};
    if (!base) {
        return 0;
    }
    wake->timer = evtimer_new(base, on_timer, wake);
    return wake->timer ? 0 : -ENOMEM;
}

void wake_fini(struct wake *wake)
{
    if (wake->timer) {
        event_free(wake->timer);
    }
}

void wake_in(struct wake *wake, uint64_t ms)
{
    const struct timeval tv = {
        .tv_sec = (time_t)(ms / 1000),
        .tv_usec = (suseconds_t)(ms % 1000 * 1000),
    };

    if (wake->timer) {
        event_add(wake->timer, &tv);
    }
}

void wake_now(struct wake *wake)
{
    if (wake->timer) {
        wake->fn(wake->arg);
    }
}

/* The loop takes the time once, after it has looked, and keeps it until it looks again. */
bool wake_is_new_round(const struct wake *wake, uint64_t *last)
{
    struct timeval tv;
    uint64_t us;

    if (!wake->base || event_base_gettimeofday_cached(wake->base, &tv)) {
        return true;
    }
    us = (uint64_t)tv.tv_sec * 1000000u + (uint64_t)tv.tv_usec;
    if (us == *last) {
        return false;
    }
    *last = us;
    return true;
}
