/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A subscription: events become notifications, one after the other. */
#include "control/subscription.h"

#include <json-c/json.h>

#include "control/documents.h"
#include "guests/guests.h"

typedef struct json_object json;

static uint64_t first_kept(const struct guests *guests)
{
    uint64_t last = guests_last_event(guests);

    return last > GUESTS_EVENTS_KEPT ? last - GUESTS_EVENTS_KEPT + 1 : 1;
}

void subscription_begin(struct subscription *subscription, const struct guests *guests, bool recent)
{
    subscription->on = true;
    subscription->next = recent ? first_kept(guests) : guests_last_event(guests) + 1;
}

json *subscription_next(struct subscription *subscription, const struct guests *guests)
{
    uint64_t first = first_kept(guests), dropped = 0;
    struct guests_event event;

    if (!subscription->on) {
        return NULL;
    }
    if (subscription->next < first) {
        dropped = first - subscription->next;
        subscription->next = first;
    }
    if (!guests_event(guests, subscription->next, &event)) {
        return NULL;
    }
    subscription->next++;
    json *notification = json_object_new_object();
    json_object_object_add(notification, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(notification, "method", json_object_new_string("event"));
    json_object_object_add(notification, "params", document_event(&event, dropped));
    return notification;
}
