/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hash from BFNs to slots, for back ends where Xen chooses the BFN. */
#include "bfns.h"

#include <errno.h>
#include <sys/mman.h>

#define LOAD 4u /* mappings for each bucket, at most */

/* Memory that is taken page by page, when it is first used. */
static uint32_t *table(uint32_t n)
{
    void *t = mmap(NULL, n * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return t == MAP_FAILED ? NULL : t;
}

int bfns_init(struct bfns *bfns, const struct slots *slots, uint32_t mappings)
{
    *bfns = (struct bfns){.slots = slots, .buckets = 1024};
    while (bfns->buckets < mappings / LOAD) {
        bfns->buckets *= 2;
    }
    bfns->head = table(bfns->buckets);
    bfns->next = table(slots->count);
    return bfns->head && bfns->next ? 0 : -ENOMEM;
}

void bfns_free(struct bfns *bfns)
{
    if (bfns->head) {
        munmap(bfns->head, bfns->buckets * sizeof(uint32_t));
    }
    if (bfns->next) {
        munmap(bfns->next, bfns->slots->count * sizeof(uint32_t));
    }
}

static uint32_t *bucket(const struct bfns *bfns, uint64_t bfn)
{
    return &bfns->head[(bfn * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (bfns->buckets - 1)];
}

void bfns_insert(struct bfns *bfns, uint32_t s)
{
    uint32_t *head = bucket(bfns, slots_bfn(bfns->slots, s));
    bfns->next[s] = *head;
    *head = s + 1;
}

void bfns_remove(struct bfns *bfns, uint32_t s)
{
    uint32_t *link = bucket(bfns, slots_bfn(bfns->slots, s));
    while (*link && *link != s + 1) {
        link = &bfns->next[*link - 1];
    }
    if (*link) {
        *link = bfns->next[s];
    }
}

/* The first in a chain that has the BFN. */
static uint32_t in_chain(const struct bfns *bfns, uint32_t link, uint64_t bfn)
{
    while (link && slots_bfn(bfns->slots, link - 1) != bfn) {
        link = bfns->next[link - 1];
    }
    return link ? link - 1 : SLOT_NONE;
}

uint32_t bfns_first(const struct bfns *bfns, struct xengt_bfn bfn)
{
    return in_chain(bfns, *bucket(bfns, bfn.v), bfn.v);
}

uint32_t bfns_next(const struct bfns *bfns, uint32_t s)
{
    return in_chain(bfns, bfns->next[s], slots_bfn(bfns->slots, s));
}
