/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A subscription to the guests' events: a place in their list, so that what a client has not read
 * takes no memory. One that is too slow hears how many it missed.
 */
#ifndef XENGT_CONTROL_SUBSCRIPTION_H
#define XENGT_CONTROL_SUBSCRIPTION_H

#include <stdbool.h>
#include <stdint.h>

struct guests;
struct json_object;

struct subscription {
    bool on;
    uint64_t next; /* number of the event that it is to hear of next */
};

/* recent: those first that happened before and are still kept. */
void subscription_begin(struct subscription *subscription, const struct guests *guests,
                        bool recent);

/* The next notification, or NULL. */
struct json_object *subscription_next(struct subscription *subscription,
                                      const struct guests *guests);

#endif
