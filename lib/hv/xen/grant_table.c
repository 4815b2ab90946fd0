/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of a guest's grant table: looked at, written, zeroed. */
#include "hv/xen/grant_table.h"

#include <stdlib.h>
#include <string.h>

#define USED       (GTF_reading | GTF_writing)
#define FIRST_FREE 8u /* references below are kept for the console and others */

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

/* The frame of a place is mapped after that. */
static int reach(struct seed_table *t, uint32_t place)
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

int seed_look(struct seed_table *t, uint32_t place)
{
    int ret = reach(t, place);
    if (ret) {
        return ret;
    }
    bool has_it = seed_ref(t, place) < FIRST_FREE ||
                  __atomic_load_n(seed_entry(t, place), __ATOMIC_RELAXED) != 0;
    return has_it ? -EEXIST : 0;
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

bool seed_clear(struct seed_table *t, uint32_t place, struct xengt_gfn gfn, bool read_only)
{
    if (reach(t, place)) {
        return false;
    }
    t->ours -= t->ours > 0;
    return seed_exchange(seed_entry(t, place), seed_make(t, gfn, read_only), 0);
}
