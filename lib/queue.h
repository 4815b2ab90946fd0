/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A queue of slots: first-in first-out, linked through the slots; also left from the middle. */
#ifndef XENGT_LIB_QUEUE_H
#define XENGT_LIB_QUEUE_H

#include "slots.h"

struct queue {
    uint32_t head;
    uint32_t tail;
    uint32_t count;
};

#define QUEUE_EMPTY ((struct queue){SLOT_NONE, SLOT_NONE, 0})

static inline void queue_push(struct slot *slot, struct queue *q, uint32_t s)
{
    slot[s].prev = q->tail;
    slot[s].next = SLOT_NONE;
    if (q->tail == SLOT_NONE) {
        q->head = s;
    } else {
        slot[q->tail].next = s;
    }
    q->tail = s;
    q->count++;
}

static inline void queue_remove(struct slot *slot, struct queue *q, uint32_t s)
{
    if (slot[s].prev == SLOT_NONE) {
        q->head = slot[s].next;
    } else {
        slot[slot[s].prev].next = slot[s].next;
    }
    if (slot[s].next == SLOT_NONE) {
        q->tail = slot[s].prev;
    } else {
        slot[slot[s].next].prev = slot[s].prev;
    }
    q->count--;
}

#endif
