/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a queue: made, squeezed, freed. */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>

int queue_init(struct queue *q, uint32_t max)
{
    uint32_t size = 64;
    while (size / 2 <= max) {
        size *= 2;
    }
    *q = (struct queue){.ring = malloc(size * sizeof(*q->ring)), .size = size};
    return q->ring ? 0 : -ENOMEM;
}

void queue_fini(struct queue *q)
{
    free(q->ring);
}

/* Closes the gaps. At least half of the ring is free after that. */
void queue_squeeze(struct queue *q, struct slot *slot)
{
    uint32_t mask = q->size - 1;
    uint32_t to = q->head;
    uint32_t mark = q->head;
    for (uint32_t from = q->head; from != q->tail; from++) {
        uint32_t s = q->ring[from & mask];
        if (s != SLOT_NONE) {
            q->ring[to & mask] = s;
            slot[s].use = (slot[s].use & ~USE_VALUE) | (to++ & mask);
        }
        if (from + 1 == q->mark) {
            mark = to;
        }
    }
    q->tail = to;
    q->mark = mark;
}
