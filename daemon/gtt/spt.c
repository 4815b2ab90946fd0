/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shadows of the guest's page tables: found, made, counted and given up. */
#include <stdlib.h>
#include <string.h>

#include <xengt/map.h>

#include "gtt/state.h"

#define HASH_FIRST 64u
#define HASH_LOAD  2u /* tables for each bucket, at most */

/* --- finding ----------------------------------------------------------------------------- */

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
struct spt *spt_next_of_gfn(const struct spt *spt)
{
    struct spt *next = spt->next_gfn;
    while (next && next->gfn.v != spt->gfn.v) {
        next = next->next_gfn;
    }
    return next;
}

struct spt *spt_of_entry(const struct gtt *gtt, uint64_t entry)
{
    return spt_of_table(gtt, (uint32_t)gtt_entry_frame(&gtt_gen8[GTT_PDE], entry));
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

/* --- making ------------------------------------------------------------------------------ */

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
bool spt_open_page(struct gtt *gtt, struct xengt_gfn gfn, struct xengt_bfn *bfn, void **view)
{
    int err = 0;
    xengt_space_get(gtt->cfg.space, &gfn, bfn, &err, 1);
    if (!err && xengt_view(gtt->cfg.xengt, *bfn, view)) {
        xengt_space_put(gtt->cfg.space, bfn, 1);
        err = -1;
    }
    return !err;
}

struct spt *spt_find(const struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    struct spt *spt = spt_of_gfn(gtt, gfn);
    while (spt && spt->kind != kind) {
        spt = spt_next_of_gfn(spt);
    }
    return spt;
}

struct spt *spt_get(struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    struct xengt_bfn page;
    void *view;
    struct spt *spt = spt_find(gtt, kind, gfn);
    if (spt) {
        spt->refs++;
        return spt;
    }
    if (!spt_open_page(gtt, gfn, &page, &view)) {
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
    spt_begin(gtt, spt);
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

/* --- giving up --------------------------------------------------------------------------- */

/* Lets go of what the table's entries led to; the table itself is gone. */
static void release_entries(struct gtt *gtt, const struct spt *spt, const uint64_t *entry)
{
    unsigned level = spt_level(spt->kind);
    uint64_t scratch = gtt_scratch_entry(gtt, level);
    struct xengt_bfn frame[GPU_TABLE_ENTRIES];
    uint32_t frames = 0;
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        gtt->stats.scratch -= bit_get(spt->failed, i);
        if (entry[i] == scratch) {
            continue;
        }
        if (level == 1) {
            frame[frames++] = gtt_entry_bfn(&gtt_gen8[GTT_PTE_4K], entry[i]);
        } else {
            struct spt *child = spt_of_entry(gtt, entry[i]);
            spt_unlink(spt, child);
            spt_put(gtt, child);
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
    if (spt->kind != SPT_SPLIT) {
        spt_end(gtt, spt);
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
        if (spt->loose_links) {
            spt_loosen(gtt, spt, true); /* of what still points to it not all stores are seen */
        }
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
