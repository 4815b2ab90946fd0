/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wake-up: when the guests' next turn is. A timer of the event loop, also for a turn that is
 * due at once: the loop looks at all descriptors before it comes back to the timer, so that work of
 * one guest does not keep the requests of another.
 */
#ifndef XENGT_GUESTS_WAKE_H
#define XENGT_GUESTS_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;

typedef void wake_fn(void *arg);

struct wake {
    struct event_base *base; /* NULL: somebody else sees to the turns */
    struct event *timer;
    wake_fn *fn;
    void *arg;
};

/* fn: what there is to do then. -ENOMEM. */
int wake_init(struct wake *wake, struct event_base *base, wake_fn *fn, void *arg);
void wake_fini(struct wake *wake);

/* In so many milliseconds, and not at another time that was set before. */
void wake_in(struct wake *wake, uint64_t ms);

/* Now, within this call: at the end of a guest's requests, for it to have its answer soon. */
void wake_now(struct wake *wake);

/* Milliseconds and nanoseconds of a clock that never goes back. */
uint64_t wake_now_ms(void);
uint64_t wake_now_ns(void);

/*
 * Has the loop looked at its descriptors since the time that is in *last? That is kept there.
 * Always true without a loop.
 */
bool wake_is_new_round(const struct wake *wake, uint64_t *last);

#endif
