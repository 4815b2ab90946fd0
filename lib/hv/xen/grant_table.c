/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of a guest's grant table: looked at, written, zeroed. */
#include "hv/xen/grant_table.h"

#include <stdlib.h>
#include <string.h>

#define USED (GTF_reading | GTF_writing)

_Static_assert(sizeof(grant_entry_v1_t) == sizeof(uint64_t), "an entry is exchanged at once");
_Static_assert(offsetof(grant_entry_v1_t, domid) == 2 && offsetof(grant_entry_v1_t, frame) == 4,
               "as seed_make() has it");

int seed_open(const struct seed_frames *from, uint32_t domid, uint32_t self, uint32_t frames_max,
              struct seed_table **out)
{
    uint32_t limit;
    int ret = from->version(from->arg, domid);
    ret = ret ? ret : from->limit(from->arg, domid, &limit);
    if (ret) {
        return ret;
    }
    struct seed_table *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->from = from;
    t->domid = domid;
    t->self = self;
    t->limit = limit;
    t->frames_max = frames_max < SEED_FRAMES_MAX ? frames_max : SEED_FRAMES_MAX;
    if (t->frames_max > limit) {
        t->frames_max = limit;
    }
    t->kept = (limit - 1) * SEED_ENTRIES;
    *out = t;
    return 0;
}

void seed_close(struct seed_table *t)
{
    if (!t) {
        return;
    }
    for (uint32_t f = 0; f < SEED_FRAMES_MAX; f++) {
        if (t->frame[f]) {
            t->from->unmap(t->from->arg, t->cookie[f]);
        }
    }
    free(t);
}

int seed_reach(struct seed_table *t, uint32_t place)
{
    uint32_t f = place / SEED_ENTRIES;
    if (f >= t->frames_max) {
        return -ENOSPC;
    }
    if (t->frame[f]) {
        return 0;
    }
    void *page;
    int ret = t->from->map(t->from->arg, t->domid, t->limit - 1 - f, &page, &t->cookie[f]);
    if (!ret) {
        t->frame[f] = page;
    }
    return ret;
}

int seed_ready(const struct seed_table *t)
{
    return t->ours ? 0 : t->from->version(t->from->arg, t->domid);
}

enum seed_state seed_state(const struct seed_table *t, uint32_t place, struct xengt_gfn gfn)
{
    uint64_t raw = __atomic_load_n(seed_entry(t, place), __ATOMIC_ACQUIRE);
    uint64_t as_written = raw & ~(uint64_t)USED;
    if (as_written != seed_make(t, gfn, false) && as_written != seed_make(t, gfn, true)) {
        return SEED_CHANGED;
    }
    return raw & USED ? SEED_IN_USE : SEED_UNUSED;
}

void seed_scrub(struct seed_table *t, uint32_t place)
{
    if (seed_reach(t, place)) {
        return;
    }
    uint64_t raw = __atomic_load_n(seed_entry(t, place), __ATOMIC_RELAXED);
    const struct xengt_gfn gfn = {raw >> 32};
    if (raw == seed_make(t, gfn, false) || raw == seed_make(t, gfn, true)) {
        seed_exchange(seed_entry(t, place), raw, 0);
    }
}
