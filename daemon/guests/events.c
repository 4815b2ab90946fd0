/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events: what became of guests lately, for whoever wants to follow. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guests/guest.h"
#include "text.h"

static uint64_t unix_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

void guest_note(struct guest *guest, enum guests_event_kind kind, const char *reason)
{
    struct events *events = &guest->guests->events;
    struct guests_event *event = &events->kept[events->count % GUESTS_EVENTS_KEPT];

    *event = (struct guests_event){
        .number = ++events->count,
        .unix_ms = unix_ms(),
        .kind = kind,
        .domid = guest->domid,
        .id = guest->slot + 1,
    };
    text_line(event->name, sizeof(event->name), "%s", guest->name);
    text_line(event->type, sizeof(event->type), "%s", guest->type->name);
    text_line(event->reason, sizeof(event->reason), "%s", reason ? reason : "");
    if (events->fn) {
        events->fn(events->arg);
    }
}

/* A guest can go there again and again, by resets: it does not fill the list with that. */
static const struct budget_rate failsafe_rate = {.at_once = 4,
                                                 .one_more_ns = UINT64_C(30000000000)};

void guest_note_failsafe(struct guest *guest)
{
    const char *reason = vgpu_failsafe(guest->vgpu);

    if (reason && !guest->failed && budget_take(&guest->failures, &failsafe_rate, wake_now_ns())) {
        guest_note(guest, GUESTS_EVENT_FAILSAFE, reason);
    }
    guest->failed = reason;
}

uint64_t guests_last_event(const struct guests *guests)
{
    return guests->events.count;
}

bool guests_event(const struct guests *guests, uint64_t number, struct guests_event *event)
{
    uint64_t count = guests->events.count;

    if (!number || number > count || count - number >= GUESTS_EVENTS_KEPT) {
        return false;
    }
    *event = guests->events.kept[(number - 1) % GUESTS_EVENTS_KEPT];
    return true;
}

void guests_on_event(struct guests *guests, void (*fn)(void *arg), void *arg)
{
    guests->events.fn = fn;
    guests->events.arg = arg;
}
