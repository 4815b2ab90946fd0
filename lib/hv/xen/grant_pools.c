/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests' grant tables and the pools of slots for their entries. */
#include "hv/xen/grant_pools.h"

#include <errno.h>

#include "hot.h"

/* --- the guests' tables ------------------------------------------------------------------ */

static int table_op(struct hv_grant *g, unsigned cmd, void *arg)
{
    return g->env.calls.call(g->env.calls.arg, __HYPERVISOR_grant_table_op, cmd, (uintptr_t)arg, 1);
}

static int table_version(void *arg, uint32_t domid)
{
    struct hv_grant *g = arg;
    struct gnt_area *a = g->hv.journal->area;
    struct gnttab_get_version *version = (void *)a->unmap; /* memory that Xen can reach */
    *version = (struct gnttab_get_version){.dom = (domid_t)domid};
    int ret = table_op(g, GNTTABOP_get_version, version);
    return ret ? ret : version->version > 1 ? -EOPNOTSUPP : 0;
}

static int table_limit(void *arg, uint32_t domid, uint32_t *frames)
{
    struct hv_grant *g = arg;
    struct gnt_area *a = g->hv.journal->area;
    struct gnttab_query_size *size = (void *)a->unmap;
    *size = (struct gnttab_query_size){.dom = (domid_t)domid};
    int ret = table_op(g, GNTTABOP_query_size, size);
    *frames = size->max_nr_frames;
    return ret ? ret : gnt_errno(size->status);
}

static int table_map(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie)
{
    struct hv_grant *g = arg;
    return g->env.table_map(g->env.arg, domid, frame, page, cookie);
}

static void table_unmap(void *arg, void *cookie)
{
    struct hv_grant *g = arg;
    g->env.table_unmap(g->env.arg, cookie);
}

/* One process at a time writes into a guest's table. */
static int open_table(struct hv_grant *g, uint32_t domid, struct table *t)
{
    int ret = g->env.claim(g->env.arg, domid);
    if (ret) {
        return ret;
    }
    ret = seed_open(&g->frames, domid, DOM0, g->frames_max, &t->seed);
    if (ret) {
        g->env.unclaim(g->env.arg, domid);
    }
    return ret;
}

static void close_table(struct hv_grant *g, struct table *t)
{
    if (t->seed) {
        g->env.unclaim(g->env.arg, t->seed->domid);
        seed_close(t->seed);
        *t = (struct table){0};
    }
}

int pools_table(struct hv_grant *g, uint32_t domid, struct table **out)
{
    struct table *place = NULL;
    for (size_t i = 0; i < TABLES_MAX; i++) {
        struct table *t = &g->table[i];
        if (t->seed && t->seed->domid == domid) {
            *out = t;
            return 0;
        }
        place = place || t->seed ? place : t;
    }
    *out = place;
    return place ? open_table(g, domid, place) : -ENOSPC;
}

/* Entries that were left for another time, of slots that are free, from one on that has an owner.
 */
static void scrub_pool(struct hv_grant *g, struct pool *pool, struct seed_table *t)
{
    struct record *record = g->hv.journal->record;
    for (uint32_t s = pool->first; s < pool->fresh; s++) {
        uint64_t past = record[s].held;
        if (record[s].what || !(past & RECORD_HAS_PAST)) {
            continue;
        }
        if (t) {
            seed_clear(t, s - pool->first, (struct xengt_gfn){past >> 32}, false);
        }
        record[s].held = past & SLOT_NONE;
    }
}

/* The pages of a grant table are the domain's: holding them would keep it as a zombie. */
void pools_forget(struct hv *hv, uint32_t domid)
{
    struct hv_grant *g = grant_of(hv);
    for (size_t i = 0; i < TABLES_MAX; i++) {
        struct table *t = &g->table[i];
        if (t->seed && t->seed->domid == domid) {
            if (t->pool) {
                scrub_pool(g, t->pool, t->seed);
            }
            close_table(g, t);
        }
    }
}

/* Those that were opened to clear entries of what is no target, or not used as one yet. */
void pools_close_others(struct hv_grant *g)
{
    for (size_t i = 0; i < TABLES_MAX; i++) {
        if (!g->table[i].pool) {
            close_table(g, &g->table[i]);
        }
    }
}

/* --- slots ------------------------------------------------------------------------------- */

/* Whose entries the slots of a pool stand for, as its records say; UINT32_MAX: nobody's. */
static uint32_t domid_of(const struct slots *journal, const struct pool *pool)
{
    for (uint32_t s = pool->first; s < pool->fresh; s++) {
        if (slots_state(journal, s) == SLOT_MAPPED) {
            return slots_domid(journal, s);
        }
    }
    return UINT32_MAX;
}

static bool has_table(const struct hv_grant *g, const struct pool *pool)
{
    bool has = false;
    for (size_t i = 0; i < TABLES_MAX; i++) {
        has |= g->table[i].pool == pool;
    }
    return has;
}

/* The pool that has what was adopted of a guest, or one that nobody has. */
static struct pool *find_pool(struct hv_grant *g, uint32_t domid)
{
    struct pool *empty = NULL;
    for (size_t p = 0; p < TABLES_MAX; p++) {
        struct pool *pool = &g->hv.journal->pool[p];
        if (has_table(g, pool)) {
            continue;
        }
        uint32_t owner = domid_of(g->hv.journal, pool);
        if (owner == domid) {
            return pool;
        }
        empty = empty || owner != UINT32_MAX ? empty : pool;
    }
    return empty;
}

static int ready_table(struct hv_grant *g, uint32_t domid, struct table **out)
{
    struct table *t;
    int ret = pools_table(g, domid, &t);
    if (ret) {
        return ret;
    }
    if (!t->pool) {
        t->pool = find_pool(g, domid);
        if (!t->pool) {
            return -ENOSPC;
        }
        slots_refill(g->hv.journal, t->pool);
        slots_set_owner(g->hv.journal, t->pool, domid);
    }
    *out = t;
    return seed_ready(t->seed);
}

/* What the entry of a slot that is free has to be: nothing, or what was left there. */
static inline uint64_t left_of(const struct seed_table *t, uint64_t held)
{
    return held & RECORD_HAS_PAST ? seed_make(t, (struct xengt_gfn){held >> 32}, false) : 0;
}

/*
 * Slots from s on, one free list, whose entries are as they were left, as long as they are in the
 * frame of the first one; how many, and *next is where it ended. What a slot with a past holds, but
 * for the link, differs from its entry in the same bits for all. Of one without it is said that
 * nothing was left, unless the guest has put there what nobody would: that Xen then refuses.
 */
static HOT_LOOP uint32_t take_run(const struct record *record, const uint64_t *entry, uint64_t bits,
                                  uint32_t s, uint32_t *next, uint32_t *slot, uint32_t n)
{
    uint32_t first = s & ~(SEED_ENTRIES - 1);
    uint32_t count = 0;
    HOT_UNROLL
    for (; count < n; count++) {
        if (s - first >= SEED_ENTRIES) {
            break;
        }
        uint64_t held = record[s].held;
        if (__atomic_load_n(&entry[s - first], __ATOMIC_RELAXED) !=
            ((held & ~(uint64_t)SLOT_NONE) ^ bits)) {
            break;
        }
        slot[count] = s;
        s = (uint32_t)held & SLOT_NONE;
    }
    *next = s;
    return count;
}

/* The same, as many as there are in a row in all frames. */
static uint32_t take_free(const struct slots *journal, const struct table *table, uint32_t *slot,
                          uint32_t n)
{
    const struct seed_table *t = table->seed;
    uint64_t bits = RECORD_HAS_PAST ^ left_of(t, RECORD_HAS_PAST);
    uint32_t *free = &table->pool->free;
    uint32_t count = 0, run = 1;
    while (count < n && run && *free != SLOT_NONE) {
        const uint64_t *entry = t->frame[place_of(journal, *free) / SEED_ENTRIES];
        run = entry ? take_run(journal->record, entry, bits, *free, free, slot + count, n - count)
                    : 0;
        count += run;
    }
    return count;
}

/* What is found to be the guest's, by its slot's turn, is not tried again. */
static int take_entries(struct slots *journal, const struct table *t, uint32_t *slot, uint32_t n,
                        uint32_t *got)
{
    for (*got = 0; *got < n;) {
        *got += take_free(journal, t, slot + *got, n - *got);
        uint32_t s = *got < n ? slots_take(journal, t->pool) : SLOT_NONE;
        if (s == SLOT_NONE) {
            break;
        }
        int ret =
            seed_look(t->seed, place_of(journal, s), left_of(t->seed, journal->record[s].held));
        if (!ret) {
            slot[(*got)++] = s;
        } else if (ret != -EEXIST) {
            slots_untake(journal, s);
            return ret;
        }
    }
    return *got < n ? -ENOSPC : 0;
}

static int take_offered(struct slots *journal, uint32_t *slot, uint32_t n, uint32_t *got)
{
    for (uint32_t p = TABLES_MAX; p < POOLS; p++) {
        *got += slots_take_some(journal, &journal->pool[p], slot + *got, n - *got);
    }
    return *got ? 0 : -ENOSPC;
}

int pools_take(struct hv *hv, uint32_t domid, bool offered, uint32_t *slot, uint32_t n,
               uint32_t *got)
{
    if (offered) {
        return take_offered(hv->journal, slot, n, got);
    }
    struct table *t;
    int ret = ready_table(grant_of(hv), domid, &t);
    ret = ret ? ret : take_entries(hv->journal, t, slot, n, got);
    return *got ? 0 : ret;
}

/* What a predecessor had left in the tables for another time. */
void pools_scrub_all(struct hv_grant *g)
{
    struct slots *journal = g->hv.journal;
    for (uint32_t p = 0; p < TABLES_MAX && p < journal->pools; p++) {
        struct pool *pool = &journal->pool[p];
        uint32_t domid = slots_owner(journal, pool);
        struct table *t;
        if (pool->fresh > pool->first) {
            scrub_pool(g, pool, domid && !pools_table(g, domid, &t) ? t->seed : NULL);
        }
    }
    pools_close_others(g);
}

/*
 * Entries of slots in flight whose records do not say what the entries are: the slot has got or
 * lost its record, or its past. Those that Xen has mapped are in use, and left.
 */
void pools_scrub_flight(struct hv_grant *g, const struct flight *flight)
{
    struct slots *journal = g->hv.journal;
    for (uint32_t i = 0; i < flight->n && i < XENGT_BATCH_MAX; i++) {
        uint32_t s = flight->slot[i];
        struct table *t;
        if (s >= journal->count || s >= slots_pool(journal, s)->end ||
            (slots_state(journal, s) != SLOT_FREE && slots_sound(journal, s))) {
            continue;
        }
        const struct pool *pool = slots_pool(journal, s);
        uint32_t domid = slots_owner(journal, pool);
        if (pool < &journal->pool[TABLES_MAX] && domid && !pools_table(g, domid, &t)) {
            seed_scrub(t->seed, place_of(journal, s));
        }
    }
}

/* --- life -------------------------------------------------------------------------------- */

void pools_init(struct hv_grant *g)
{
    g->frames = (struct seed_frames){g, table_version, table_limit, table_map, table_unmap};
}

void pools_close(struct hv_grant *g)
{
    for (size_t i = 0; i < TABLES_MAX; i++) {
        close_table(g, &g->table[i]);
    }
}
