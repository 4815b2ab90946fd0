/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a space's hash: made, grown, freed. */
#include "gfns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 1024u

/* Empty buckets; NULL: no memory. */
static uint32_t *buckets(uint32_t n)
{
    uint32_t *head = malloc(n * sizeof(*head));
    if (head) {
        memset(head, 0xff, n * sizeof(*head));
    }
    return head;
}

static void take(struct gfns *gfns, uint32_t *head, uint32_t size)
{
    gfns->head = head;
    gfns->size = size;
    gfns->shift = 64 - (unsigned)__builtin_ctz(size);
}

int gfns_init(struct gfns *gfns, const struct slots *slots, uint64_t key, uint32_t load)
{
    *gfns = (struct gfns){.slots = slots, .key = key, .load = load};
    take(gfns, buckets(SIZE_MIN), SIZE_MIN);
    return gfns->head ? 0 : -ENOMEM;
}

void gfns_free(struct gfns *gfns)
{
    free(gfns->head);
}

void gfns_grow(struct gfns *gfns)
{
    uint32_t *old = gfns->head;
    uint32_t old_size = gfns->size;
    uint32_t *head = buckets(old_size * 2);
    if (!head) {
        return;
    }
    take(gfns, head, old_size * 2);
    for (uint32_t b = 0; b < old_size; b++) {
        for (uint32_t s = old[b]; s != SLOT_NONE;) {
            uint32_t next = gfns->slots->slot[s].next;
            gfns_insert(gfns, slots_gfn(gfns->slots, s), s);
            s = next;
        }
    }
    free(old);
}
