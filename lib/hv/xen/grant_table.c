/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries of a guest's grant table: taken, looked at, given back. */
#include "hv/xen/grant_table.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/grant_table.h>
#include <xen/xen.h>

#define USED          (GTF_reading | GTF_writing)
#define RESERVED_REFS 8u /* for the console and others */

_Static_assert(sizeof(grant_entry_v1_t) == sizeof(uint64_t), "an entry is exchanged at once");

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
    for (uint32_t f = 0; f < t->frames; f++) {
        t->from->unmap(t->from->arg, t->cookie[f]);
    }
    free(t);
}

static int grow(struct seed_table *t)
{
    uint32_t f = t->frames;
    if (f == t->frames_max) {
        return -ENOSPC;
    }
    void *page;
    int ret = t->from->map(t->from->arg, t->domid, t->limit - 1 - f, &page, &t->cookie[f]);
    if (ret) {
        return ret;
    }
    t->frame[f] = page;
    t->frames++;
    return 0;
}

/* NULL: in no frame that is mapped. */
static uint64_t *entry_of(const struct seed_table *t, uint32_t ref)
{
    uint32_t f = t->limit - 1 - ref / SEED_ENTRIES;
    return f < t->frames ? &t->frame[f][ref % SEED_ENTRIES] : NULL;
}

/* --- which are ours ---------------------------------------------------------------------- */

/* The place of a reference among those that may be used, or UINT32_MAX. */
static uint32_t place_of(const struct seed_table *t, uint32_t ref)
{
    uint32_t f = t->limit - 1 - ref / SEED_ENTRIES;
    bool usable = ref / SEED_ENTRIES < t->limit && f < t->frames_max;
    return usable ? f * SEED_ENTRIES + ref % SEED_ENTRIES : UINT32_MAX;
}

static bool is_used(const struct seed_table *t, uint32_t place)
{
    return t->used[place / 64] >> place % 64 & 1;
}

static void set_used(struct seed_table *t, uint32_t place)
{
    t->used[place / 64] |= UINT64_C(1) << place % 64;
}

void seed_keep(struct seed_table *t, uint32_t ref)
{
    uint32_t place = place_of(t, ref);
    if (place != UINT32_MAX && !is_used(t, place)) {
        set_used(t, place);
        t->ours++;
    }
}

int seed_ready(const struct seed_table *t)
{
    return t->ours ? 0 : t->from->version(t->from->arg, t->domid);
}

/* --- entries ----------------------------------------------------------------------------- */

static uint64_t entry_make(uint32_t self, struct xengt_gfn gfn, uint16_t flags)
{
    grant_entry_v1_t e = {.flags = flags, .domid = (domid_t)self, .frame = (uint32_t)gfn.v};
    uint64_t raw;
    memcpy(&raw, &e, sizeof(raw));
    return raw;
}

static uint16_t entry_flags(uint64_t raw)
{
    grant_entry_v1_t e;
    memcpy(&e, &raw, sizeof(e));
    return e.flags;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written, by the builtin */
static bool exchange(uint64_t *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(entry, &from, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* An entry that was given back, or one nobody has looked at. */
static int next_ref(struct seed_table *t, uint32_t *ref)
{
    if (t->free_count) {
        *ref = t->free[--t->free_count];
        return 0;
    }
    do {
        if (t->fresh == t->frames * SEED_ENTRIES) {
            int ret = grow(t);
            if (ret) {
                return ret;
            }
        }
    } while (is_used(t, t->fresh++));
    uint32_t place = t->fresh - 1;
    *ref = (t->limit - 1 - place / SEED_ENTRIES) * SEED_ENTRIES + place % SEED_ENTRIES;
    return 0;
}

int seed_choose(struct seed_table *t, struct xengt_gfn gfn, uint32_t *ref)
{
    if (gfn.v > UINT32_MAX) {
        return -EINVAL;
    }
    for (;;) {
        int ret = next_ref(t, ref);
        if (ret) {
            return ret;
        }
        set_used(t, place_of(t, *ref));
        if (*ref >= RESERVED_REFS && !__atomic_load_n(entry_of(t, *ref), __ATOMIC_RELAXED)) {
            return 0;
        }
        t->lost++;
    }
}

bool seed_write(struct seed_table *t, uint32_t ref, struct xengt_gfn gfn, bool read_only)
{
    uint16_t flags = GTF_permit_access | (read_only ? GTF_readonly : 0);
    if (!exchange(entry_of(t, ref), 0, entry_make(t->self, gfn, flags))) {
        t->lost++;
        return false;
    }
    t->ours++;
    return true;
}

enum seed_state seed_state(const struct seed_table *t, uint32_t ref, struct xengt_gfn gfn)
{
    const uint64_t *entry = entry_of(t, ref);
    uint64_t raw = entry ? __atomic_load_n(entry, __ATOMIC_ACQUIRE) : 0;
    uint16_t flags = entry_flags(raw);
    if ((flags & ~(GTF_readonly | USED)) != GTF_permit_access ||
        raw != entry_make(t->self, gfn, flags)) {
        return SEED_CHANGED;
    }
    return flags & USED ? SEED_IN_USE : SEED_UNUSED;
}

/* Zeroes an entry that grants the frame and is not in use; false: it is something else. */
static bool withdraw(struct seed_table *t, uint32_t ref, struct xengt_gfn gfn)
{
    uint64_t *entry = entry_of(t, ref);
    return entry &&
           (exchange(entry, entry_make(t->self, gfn, GTF_permit_access), 0) ||
            exchange(entry, entry_make(t->self, gfn, GTF_permit_access | GTF_readonly), 0));
}

bool seed_put(struct seed_table *t, uint32_t ref, struct xengt_gfn gfn)
{
    uint32_t place = place_of(t, ref);
    if (place == UINT32_MAX || !is_used(t, place)) {
        return false;
    }
    while (t->frames <= place / SEED_ENTRIES) {
        if (grow(t)) {
            return false;
        }
    }
    t->ours -= t->ours > 0;
    if (!withdraw(t, ref, gfn)) {
        t->lost++;
        return false;
    }
    t->used[place / 64] &= ~(UINT64_C(1) << place % 64);
    /* One that was kept is found when its turn comes. */
    if (place < t->fresh) {
        t->free[t->free_count++] = ref;
    }
    return true;
}
