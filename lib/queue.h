/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue of a space's deferred mappings: slots in the order in which they are to be unmapped, in
 * a ring. The use of a deferred slot says its place in the ring, so that one that is wanted again
 * leaves it from the middle; the place stays empty until the queue comes to it, or is squeezed.
 *
 * Those before the mark are old: deferred before the last expiry, or of no use to anybody.
 */
#ifndef XENGT_LIB_QUEUE_H
#define XENGT_LIB_QUEUE_H

#include "slots.h"

/* Deferred mappings at a time: half of the ring at most, whose places have the bits of USE_VALUE.
 */
#define QUEUE_MAX ((USE_VALUE + 1) / 2 - 1)

struct queue {
    uint32_t *ring; /* slots; SLOT_NONE: one that has left */
    uint32_t size;  /* of the ring, a power of two */
    uint32_t head;  /* these count on and on; modulo the size they are places */
    uint32_t mark;
    uint32_t tail;
    uint32_t count; /* in it */
    uint32_t old;   /* of these: before the mark */
};

int queue_init(struct queue *q, uint32_t max); /* so many at a time at most; -ENOMEM */
void queue_fini(struct queue *q);
void queue_squeeze(struct queue *q, struct slot *slot);

static inline void queue_put(struct queue *q, struct slot *slot, uint32_t s, uint32_t at)
{
    uint32_t place = at & (q->size - 1);
    q->ring[place] = s;
    slot[s].use = (slot[s].use & (USE_SPACE | USE_GENERATION)) | USE_DEFERRED | place;
    q->count++;
}

/* The last to go. */
static inline void queue_push(struct queue *q, struct slot *slot, uint32_t s)
{
    if (q->tail - q->head == q->size) {
        queue_squeeze(q, slot);
    }
    queue_put(q, slot, s, q->tail++);
}

/* The next to go, and old. */
static inline void queue_push_first(struct queue *q, struct slot *slot, uint32_t s)
{
    if (q->tail - q->head == q->size) {
        queue_squeeze(q, slot);
    }
    queue_put(q, slot, s, --q->head);
    q->old++;
}

/* One from the middle. Leaves the use of the slot as that of no users. */
static inline void queue_remove(struct queue *q, struct slot *slot, uint32_t s)
{
    uint32_t place = slot[s].use & USE_VALUE;
    q->ring[place] = SLOT_NONE;
    q->count--;
    q->old -= ((place - q->head) & (q->size - 1)) < q->mark - q->head;
    slot[s].use &= ~(USE_DEFERRED | USE_VALUE);
}

/* The next n to go, which there are. Leaves their use as it is. */
static inline void queue_pop(struct queue *q, uint32_t *out, uint32_t n)
{
    const uint32_t *ring = q->ring;
    uint32_t mask = q->size - 1;
    uint32_t head = q->head;
    for (uint32_t i = 0; i < n; head++) {
        uint32_t s = ring[head & mask];
        out[i] = s;
        i += s != SLOT_NONE;
    }
    q->head = head;
    q->count -= n;
    q->old = q->old > n ? q->old - n : 0;
    if (!q->old) {
        q->mark = head; /* none that is left was deferred before it */
    }
}

/* All that is in it is old from now on. */
static inline void queue_age(struct queue *q)
{
    q->mark = q->tail;
    q->old = q->count;
}

#endif
