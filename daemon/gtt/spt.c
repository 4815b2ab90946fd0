/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shadows of the guest's page tables: found, made, counted and given up. */
#include <stdlib.h>
#include <string.h>

#include "gtt/state.h"

#define HASH_FIRST 64u
#define HASH_LOAD  2u /* tables for each bucket, at most */

/* --- finding ----------------------------------------------------------------------------- */

/* Multiply and shift by an odd number that nobody knows: whichever keys a guest takes, two of them
 * meet as seldom as any two. */
static uint32_t hash_of(const struct gtt *gtt, uint64_t key)
{
    return (uint32_t)(key * gtt->hash_key >> 32) & (gtt->hash_size - 1);
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

struct spt *spt_find(const struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    struct spt *spt = spt_of_gfn(gtt, gfn);
    while (spt && spt->kind != kind) {
        spt = spt_next_of_gfn(spt);
    }
    return spt;
}

struct spt *spt_of_table(const struct gtt *gtt, uint32_t table)
{
    struct spt *spt = gtt->hash_size ? gtt->by_table[hash_of(gtt, table)] : NULL;
    while (spt && spt->table != table) {
        spt = spt->next_table;
    }
    return spt;
}

static void hash_insert_gfn(struct gtt *gtt, struct spt *spt)
{
    struct spt **head = &gtt->by_gfn[hash_of(gtt, spt->gfn.v)];
    spt->next_gfn = *head;
    *head = spt;
}

static void hash_insert_table(struct gtt *gtt, struct spt *spt)
{
    struct spt **head = &gtt->by_table[hash_of(gtt, spt->table)];
    spt->next_table = *head;
    *head = spt;
}

/* A table that is dead, or is no page of the guest's, is not looked for by its gfn. */
static bool has_gfn(const struct spt *spt)
{
    return spt->refs && spt->kind != SPT_SPLIT;
}

static void hash_remove_gfn(struct gtt *gtt, struct spt *spt)
{
    struct spt **link = &gtt->by_gfn[hash_of(gtt, spt->gfn.v)];
    while (*link != spt) {
        link = &(*link)->next_gfn;
    }
    *link = spt->next_gfn;
}

static void hash_remove_table(struct gtt *gtt, struct spt *spt)
{
    struct spt **link = &gtt->by_table[hash_of(gtt, spt->table)];
    while (*link != spt) {
        link = &(*link)->next_table;
    }
    *link = spt->next_table;
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
        for (struct spt *spt = old[b], *next; spt; spt = next) {
            next = spt->next_table;
            hash_insert_table(gtt, spt);
            if (has_gfn(spt)) {
                hash_insert_gfn(gtt, spt);
            }
        }
    }
    free(old);
    gtt_charge(gtt, size * COST_LOOK);
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

static bool room_for_one(struct gtt *gtt)
{
    return gtt->stats.spt_tables < gtt->cfg.tables_max &&
           (gtt->stats.spt_tables / HASH_LOAD < gtt->hash_size || hash_grow(gtt));
}

static struct spt *make(struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn)
{
    struct spt *spt = NULL;
    gtt_charge(gtt, COST_TABLE);
    if (!room_for_one(gtt) || !(spt = calloc(1, sizeof(*spt))) ||
        batch_new_table(&gtt->batch, spt_level(kind), &spt->table)) {
        free(spt);
        gtt->starved++;
        gtt->retry = true;
        return NULL;
    }
    spt->kind = kind;
    spt->gfn = gfn;
    spt->page = XENGT_BFN_INVALID;
    spt->refs = 1;
    spt->batch = (uint16_t)(gtt->batch_number - 1);
    hash_insert_table(gtt, spt);
    gtt->stats.spt_tables++;
    gtt->stats.spt_allocs++;
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
    if (!batch_open_page(&gtt->batch, gfn, &page, &view)) {
        gtt->stats.bad_tables++;
        return NULL;
    }
    spt = make(gtt, kind, gfn);
    if (!spt) {
        batch_close_page(&gtt->batch, page);
        return NULL;
    }
    spt->page = page;
    spt->guest = view;
    hash_insert_gfn(gtt, spt);
    spt_begin(gtt, spt);
    return spt;
}

struct spt *spt_get_split(struct gtt *gtt, struct xengt_gfn first, uint64_t flags)
{
    struct spt *spt = make(gtt, SPT_SPLIT, first);
    if (spt) {
        spt->flags = (uint8_t)flags;
        memset(spt->dirty, 0xff, sizeof(spt->dirty));
        spt_queue(gtt, spt);
    }
    return spt;
}

/* --- giving up --------------------------------------------------------------------------- */

/*
 * Nothing points to a table without references any more, and the GPU has forgotten that something
 * did. It is found by nobody; what it leads to has its references from it until it is given up.
 */
void spt_put(struct gtt *gtt, struct spt *spt)
{
    if (spt->refs > 1) {
        spt->refs--;
        if (spt->loose_links) {
            spt_loosen_later(gtt, spt); /* of what still points to it not all stores are seen */
        }
        return;
    }
    if (spt->kind != SPT_SPLIT) {
        hash_remove_gfn(gtt, spt);
        spt_end(gtt, spt);
    }
    if (spt->queued) {
        TAILQ_REMOVE(&gtt->changed, spt, changed);
        spt->queued = false;
    }
    spt->refs = 0;
    TAILQ_INSERT_TAIL(&gtt->dead, spt, changed);
}

void spt_free(struct gtt *gtt, struct spt *spt)
{
    hash_remove_table(gtt, spt);
    gtt->stats.scratch -= spt->failures;
    gtt->stats.spt_tables--;
    free(spt);
}
