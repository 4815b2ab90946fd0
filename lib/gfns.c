/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a space's hash: made, grown, freed. */
#include "gfns.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_MIN 1024u

#define QUOTIENT_MAX 8u
#define QUOTIENTS    24u /* up to denominators of some millions, as many as there are mappings */

/*
 * Do frames that follow each other, as most of a guest's do, fall evenly by such a factor? They do
 * if no fraction of small numbers is near to factor / 2^64: if the quotients of its continued
 * fraction are all small.
 */
static bool is_even(uint64_t factor)
{
    uint64_t a = UINT64_MAX;
    uint64_t b = factor;
    for (unsigned i = 0; i < QUOTIENTS && b; i++) {
        uint64_t quotient = a / b;
        uint64_t rest = a % b;
        if (quotient > QUOTIENT_MAX) {
            return false;
        }
        a = b;
        b = rest;
    }
    return true;
}

/* About one in a hundred is. */
uint64_t gfns_key(uint64_t random)
{
    uint64_t key = random | 1;
    for (unsigned i = 0; i < 10000 && !is_even(key); i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        key = (random ^ random >> 29) | 1;
    }
    return key;
}

/* Empty buckets; NULL: no memory. */
static uint32_t *buckets(uint32_t n)
{
    uint32_t *head = malloc(n * sizeof(*head));
    for (uint32_t i = 0; head && i < n; i++) {
        head[i] = SLOT_NONE;
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
    const struct record *record = gfns->slots->record;
    struct slot *slot = gfns->slots->slot;
    uint64_t key = gfns->key;
    unsigned shift = gfns->shift;
    for (uint32_t b = 0; b < old_size; b++) {
        for (uint32_t s = old[b]; s != SLOT_NONE;) {
            uint32_t next = slot[s].next;
            gfns_insert(slot, &head[(record[s].what & RECORD_GFN_MASK) * key >> shift], s);
            s = next;
        }
    }
    free(old);
}
