/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shadows of the guest's page tables: found, made, counted, tracked and given up. */
#include <stdlib.h>
#include <string.h>

#include <xengt/map.h>

#include "private.h"

/* Trapped stores between two syncs after which a page table goes out of sync. */
#define LOOSE_WRITES 2u

#define HASH_FIRST 64u
#define HASH_LOAD  2u /* tables for each bucket, at most */

/* --- finding ------------------------------------------------------------------------------- */

static uint32_t hash_of(const struct gtt *gtt, uint64_t key)
{
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (gtt->hash_size - 1);
}

struct spt *spt_of_gfn(const struct gtt *gtt, struct xengt_gfn gfn)
{
    struct spt *spt = gtt->hash_size ? gtt->by_gfn[hash_of(gtt, gfn.v)] : NULL;
    while (spt && spt->gfn.v != gfn.v) {
        spt = spt->next_gfn;
    }
    return spt;
}

/* The next one of the same page, which is used as a table of another kind, too. */
static struct spt *next_of_gfn(const struct spt *spt)
{
    struct spt *next = spt->next_gfn;
    while (next && next->gfn.v != spt->gfn.v) {
        next = next->next_gfn;
    }
    return next;
}

struct spt *spt_of_table(const struct gtt *gtt, uint32_t table)
{
    struct spt *spt = gtt->hash_size ? gtt->by_table[hash_of(gtt, table)] : NULL;
    while (spt && spt->table != table) {
        spt = spt->next_table;
    }
    return spt;
}

static void hash_insert(struct gtt *gtt, struct spt *spt)
{
    struct spt **head = &gtt->by_table[hash_of(gtt, spt->table)];
    spt->next_table = *head;
    *head = spt;
    if (spt->kind != SPT_SPLIT) {
        head = &gtt->by_gfn[hash_of(gtt, spt->gfn.v)];
        spt->next_gfn = *head;
        *head = spt;
    }
}

static void hash_remove(struct gtt *gtt, struct spt *spt)
{
    struct spt **link = &gtt->by_table[hash_of(gtt, spt->table)];
    while (*link != spt) {
        link = &(*link)->next_table;
    }
    *link = spt->next_table;
    if (spt->kind != SPT_SPLIT) {
        link = &gtt->by_gfn[hash_of(gtt, spt->gfn.v)];
        while (*link != spt) {
            link = &(*link)->next_gfn;
        }
        *link = spt->next_gfn;
    }
}

/* Without memory for it the chains get longer, and that is all; false: there is no hash at all. */
static bool hash_grow(struct gtt *gtt)
{
    uint32_t size = gtt->hash_size ? gtt->hash_size * 2 : HASH_FIRST;
    struct spt **by_gfn = calloc(size, sizeof(struct spt *));
    struct spt **by_table = calloc(size, sizeof(struct spt *));
    struct spt **old = gtt->by_table;
    uint32_t old_size = gtt->hash_size;
    if (!by_gfn || !by_table) {
        free(by_gfn);
        free(by_table);
        return old != NULL;
    }
    free(gtt->by_gfn);
    gtt->by_gfn = by_gfn;
    gtt->by_table = by_table;
    gtt->hash_size = size;
    for (uint32_t b = 0; b < old_size; b++) {
        for (struct spt *spt = old[b]; spt;) {
            struct spt *next = spt->next_table;
            hash_insert(gtt, spt);
            spt = next;
        }
    }
    free(old);
    return true;
}

void spt_queue(struct gtt *gtt, struct spt *spt)
{
    if (!spt->queued) {
        spt->queued = true;
        TAILQ_INSERT_TAIL(&gtt->changed, spt, changed);
    }
}

/* --- tracking ------------------------------------------------------------------------------ */

static int track(struct gtt *gtt, const struct xengt_gfn *gfn, size_t n, bool on)
{
    const struct gtt_tracker *t = &gtt->cfg.tracker;
    gtt->stats.track_calls++;
    return t->track(t->arg, gfn, n, on);
}

void spt_untrack_flush(struct gtt *gtt)
{
    if (gtt->untrack_count) {
        track(gtt, gtt->untrack, gtt->untrack_count, false);
        gtt->untrack_count = 0;
    }
}

static void untrack_later(struct gtt *gtt, struct xengt_gfn gfn)
{
    if (gtt->untrack_count == sizeof(gtt->untrack) / sizeof(gtt->untrack[0])) {
        spt_untrack_flush(gtt);
    }
    gtt->untrack[gtt->untrack_count++] = gfn;
}

static void free_copy(struct gtt *gtt, struct spt *spt)
{
    if (spt->copy) {
        free(spt->copy);
        spt->copy = NULL;
        gtt->stats.oos_copies--;
    }
}

static void become_tracked(struct gtt *gtt, struct spt *spt)
{
    TAILQ_REMOVE(&gtt->loose, spt, loose);
    free_copy(gtt, spt);
    spt->tracked = true;
    spt->writes = 0;
    gtt->stats.oos_tables--;
}

/*
 * Of a page that is a table of two kinds at most one is tracked, the one that was before there were
 * two: who stops tracking the page must not stop it for another.
 */
static bool may_be_tracked(const struct gtt *gtt, const struct spt *spt)
{
    const struct spt *first = spt_of_gfn(gtt, spt->gfn);
    return gtt->cfg.tracker.track && !spt->hopeless && first == spt && !next_of_gfn(spt);
}

void spt_tighten(struct gtt *gtt, struct spt *const *spt, size_t n)
{
    struct xengt_gfn gfn[SPT_TIGHTEN_MAX];
    struct spt *ready[SPT_TIGHTEN_MAX];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        spt[i]->quiet = 0;
        if (may_be_tracked(gtt, spt[i])) {
            ready[count] = spt[i];
            gfn[count++] = spt[i]->gfn;
        }
    }
    spt_untrack_flush(gtt); /* what is asked for last counts */
    if (!count || track(gtt, gfn, count, true)) {
        return; /* stays out of sync, which is as good */
    }
    for (size_t i = 0; i < count; i++) {
        spt_compare(gtt, ready[i]);
        become_tracked(gtt, ready[i]);
    }
}

/* A copy for a table that goes out of sync. The oldest that is gives up its own, if need be. */
static uint64_t *new_copy(struct gtt *gtt)
{
    struct spt *oldest;
    TAILQ_FOREACH(oldest, &gtt->loose, loose)
    {
        if (gtt->stats.oos_copies < gtt->cfg.oos_max) {
            break;
        }
        if (oldest->copy && may_be_tracked(gtt, oldest)) {
            spt_tighten(gtt, &oldest, 1);
            break;
        }
    }
    if (gtt->stats.oos_copies >= gtt->cfg.oos_max) {
        return NULL;
    }
    uint64_t *copy = malloc(XENGT_PAGE_SIZE);
    gtt->stats.oos_copies += copy != NULL;
    return copy;
}

static void become_loose(struct gtt *gtt, struct spt *spt)
{
    spt->tracked = false;
    spt->quiet = 0;
    TAILQ_INSERT_TAIL(&gtt->loose, spt, loose);
    gtt->stats.oos_tables++;
}

/* A store that is trapped after the copy was made is done like all others, and compared. */
bool spt_loosen(struct gtt *gtt, struct spt *spt)
{
    spt->copy = new_copy(gtt);
    if (!spt->copy && !spt->hopeless) {
        return false;
    }
    for (uint32_t i = 0; spt->copy && i < GPU_TABLE_ENTRIES; i++) {
        spt->copy[i] = spt->guest[i];
    }
    become_loose(gtt, spt);
    track(gtt, &spt->gfn, 1, false);
    return true;
}

/* --- making -------------------------------------------------------------------------------- */

/* The scratch tables: each level's points to the one below in all its entries. */
static int make_scratch_tables(struct gtt *gtt)
{
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;
    int ret = 0;
    for (unsigned level = 1; !ret && level < GTT_LEVELS; level++) {
        if (!gtt->scratch_table[level]) {
            ret = gpu->table_alloc(gtt->cfg.gpu, level, gtt_scratch_entry(gtt, level),
                                   &gtt->scratch_table[level]);
        }
    }
    return ret;
}

static bool room_for_one(struct gtt *gtt)
{
    while (gtt->stats.spt_tables >= gtt->cfg.tables_max) {
        if (!mm_reclaim(gtt)) {
            return false;
        }
    }
    return gtt->stats.spt_tables / HASH_LOAD < gtt->hash_size || hash_grow(gtt);
}

static struct spt *make(struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;
    unsigned level = spt_level(kind);
    struct spt *spt = NULL;
    if (!room_for_one(gtt) || make_scratch_tables(gtt) || !(spt = calloc(1, sizeof(*spt))) ||
        gpu->table_alloc(gtt->cfg.gpu, level, gtt_scratch_entry(gtt, level), &spt->table)) {
        free(spt);
        gtt->starved = true;
        gtt->retry = true;
        return NULL;
    }
    spt->kind = kind;
    spt->gfn = gfn;
    spt->refs = 1;
    gtt->stats.spt_tables++;
    gtt->stats.spt_allocs++;
    return spt;
}

/* The guest's page, mapped and readable for as long as it is a table. */
static bool open_page(struct gtt *gtt, struct xengt_gfn gfn, struct xengt_bfn *bfn, void **view)
{
    int err = 0;
    xengt_space_get(gtt->cfg.space, &gfn, bfn, &err, 1);
    if (!err && xengt_view(gtt->cfg.xengt, *bfn, view)) {
        xengt_space_put(gtt->cfg.space, bfn, 1);
        err = -1;
    }
    return !err;
}

static struct spt *find(const struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    struct spt *spt = spt_of_gfn(gtt, gfn);
    while (spt && spt->kind != kind) {
        spt = next_of_gfn(spt);
    }
    return spt;
}

/*
 * A new shadow is all scratch, which is what a table of zeroes means: compared with a copy of
 * zeroes, all that is in the guest's table is a change.
 */
static void first_sync(struct gtt *gtt, struct spt *spt)
{
    spt->copy = new_copy(gtt);
    if (spt->copy) {
        memset(spt->copy, 0, XENGT_PAGE_SIZE);
    }
    become_loose(gtt, spt);
    if (gtt->cfg.track_all) {
        spt_tighten(gtt, &spt, 1);
    }
    if (!spt->tracked) {
        spt_compare(gtt, spt);
    }
}

struct spt *spt_get(struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    struct xengt_bfn page;
    void *view;
    struct spt *spt = find(gtt, kind, gfn);
    if (spt) {
        spt->refs++;
        return spt;
    }
    if (!open_page(gtt, gfn, &page, &view)) {
        gtt->stats.bad_tables++;
        return NULL;
    }
    spt = make(gtt, kind, gfn);
    if (!spt) {
        xengt_space_put(gtt->cfg.space, &page, 1);
        return NULL;
    }
    spt->page = page;
    spt->guest = view;
    hash_insert(gtt, spt);
    first_sync(gtt, spt);
    return spt;
}

struct spt *spt_get_split(struct gtt *gtt, struct xengt_gfn first, uint64_t flags)
{
    struct spt *spt = make(gtt, SPT_SPLIT, first);
    if (spt) {
        spt->flags = (uint8_t)flags;
        memset(spt->dirty, 0xff, sizeof(spt->dirty));
        hash_insert(gtt, spt);
        spt_queue(gtt, spt);
    }
    return spt;
}

/* --- giving up ----------------------------------------------------------------------------- */

/* Lets go of what the table's entries led to; the table itself is gone. */
static void release_entries(struct gtt *gtt, const struct spt *spt, const uint64_t *entry)
{
    unsigned level = spt_level(spt->kind);
    uint64_t scratch = gtt_scratch_entry(gtt, level);
    struct xengt_bfn frame[GPU_TABLE_ENTRIES];
    uint32_t frames = 0;
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        uint64_t number = gtt_entry_frame(&gtt_gen8[GTT_PTE_4K], entry[i]);
        gtt->stats.scratch -= bit_get(spt->failed, i);
        if (entry[i] == scratch) {
            continue;
        }
        if (level == 1) {
            frame[frames++] = (struct xengt_bfn){number};
        } else {
            spt_put(gtt, spt_of_table(gtt, (uint32_t)number));
        }
    }
    gtt->stats.present -= frames;
    xengt_space_put(gtt->cfg.space, frame, frames);
}

static void take_out(struct gtt *gtt, struct spt *spt)
{
    hash_remove(gtt, spt);
    gtt->stats.spt_tables--;
    if (spt->queued) {
        TAILQ_REMOVE(&gtt->changed, spt, changed);
    }
    if (spt->tracked) {
        untrack_later(gtt, spt->gfn);
    } else if (spt->kind != SPT_SPLIT) {
        TAILQ_REMOVE(&gtt->loose, spt, loose);
        gtt->stats.oos_tables--;
        free_copy(gtt, spt);
    }
}

/*
 * Nothing points to a table without references any more, and the GPU has forgotten that something
 * did. The table goes first, then what it led to.
 */
void spt_put(struct gtt *gtt, struct spt *spt)
{
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;
    uint64_t entry[GPU_TABLE_ENTRIES];
    if (--spt->refs) {
        return;
    }
    take_out(gtt, spt);
    gpu->read_ptes(gtt->cfg.gpu, spt->table, 0, GPU_TABLE_ENTRIES, entry);
    gpu->table_free(gtt->cfg.gpu, spt->table);
    release_entries(gtt, spt, entry);
    if (spt->kind != SPT_SPLIT) {
        xengt_space_put(gtt->cfg.space, &spt->page, 1);
    }
    free(spt);
}

/* --- the guest's stores -------------------------------------------------------------------- */

/* As the guest's CPU would: an aligned store of its size is one store. */
static void store(uint8_t *to, uint64_t value, unsigned size)
{
    if (size == 8 && (uintptr_t)to % 8 == 0) {
        *(volatile uint64_t *)to = value;
    } else if (size == 4 && (uintptr_t)to % 4 == 0) {
        *(volatile uint32_t *)to = (uint32_t)value;
    } else {
        memcpy(to, &value, size);
    }
}

/* A table that is written often, or as no page table is written, is better compared. */
static void note_store(struct gtt *gtt, struct spt *spt, uint32_t offset, unsigned size)
{
    if (!spt->tracked) {
        return; /* came late: the comparison finds it */
    }
    if ((size != 4 && size != 8) || offset % size) {
        spt->hopeless = true;
        gtt->stats.odd_writes++;
    }
    for (uint32_t i = offset / 8; i <= (offset + size - 1) / 8; i++) {
        bit_set(spt->dirty, i);
    }
    spt_queue(gtt, spt);
    spt->writes++;
    bool often = spt_level(spt->kind) == 1 && spt->writes >= LOOSE_WRITES && !gtt->cfg.track_all;
    if (spt->hopeless || often) {
        spt_loosen(gtt, spt);
    }
}

/* size bytes, not beyond the end of the page */
static void write_page(struct gtt *gtt, struct xengt_gfn gfn, uint32_t offset, uint64_t value,
                       unsigned size)
{
    struct spt *spt = spt_of_gfn(gtt, gfn);
    struct xengt_bfn page;
    void *view;
    if (spt) {
        store((uint8_t *)(uintptr_t)spt->guest + offset, value, size);
    } else if (open_page(gtt, gfn, &page, &view)) {
        store((uint8_t *)view + offset, value, size); /* was a table until just now */
        xengt_space_put(gtt->cfg.space, &page, 1);
    }
    for (; spt; spt = next_of_gfn(spt)) {
        note_store(gtt, spt, offset, size);
    }
}

void gtt_table_write(struct gtt *gtt, uint64_t gpa, uint64_t value, unsigned size)
{
    gtt->stats.table_writes++;
    while (size) {
        uint32_t offset = gpa % XENGT_PAGE_SIZE;
        unsigned part = XENGT_PAGE_SIZE - offset < size ? XENGT_PAGE_SIZE - offset : size;
        write_page(gtt, (struct xengt_gfn){gpa >> XENGT_PAGE_SHIFT}, offset, value, part);
        gpa += part;
        size -= part;
        value = size ? value >> part * 8 : 0;
    }
    if (gtt->cfg.commit_each) {
        gtt_commit(gtt);
    }
}
