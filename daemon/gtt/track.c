/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which of the guest's tables are tracked, and what is done with the stores that are trapped. */
#include <stdlib.h>
#include <string.h>

#include <xengt/map.h>

#include "gtt/state.h"

/* Trapped stores between two syncs after which a page table goes out of sync. */
#define LOOSE_WRITES 2u

/* It is waited 64 times as long, at most, before a table that is written again is tracked again. */
#define PATIENCE_MAX 6u

/* --- the tracker ------------------------------------------------------------------------- */

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

/* Calls fn for each entry of a table of tables that points to one. */
static void for_each_child(struct gtt *gtt, struct spt *spt,
                           void (*fn)(struct gtt *gtt, struct spt *spt, struct spt *child))
{
    unsigned level = spt_level(spt->kind);
    uint64_t entry[GPU_TABLE_ENTRIES];
    if (level == 1) {
        return;
    }
    gtt->cfg.gpu->ops->read_ptes(gtt->cfg.gpu, spt->table, 0, GPU_TABLE_ENTRIES, entry);
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        if (entry[i] != gtt_scratch_entry(gtt, level)) {
            fn(gtt, spt, spt_of_entry(gtt, entry[i]));
        }
    }
}

static void child_is_safer(struct gtt *gtt, struct spt *spt, struct spt *child)
{
    (void)gtt;
    (void)spt;
    child->loose_links--;
}

static void become_tracked(struct gtt *gtt, struct spt *spt)
{
    TAILQ_REMOVE(&gtt->loose, spt, loose);
    free_copy(gtt, spt);
    spt->tracked = true;
    spt->writes = 0;
    gtt->stats.oos_tables--;
    for_each_child(gtt, spt, child_is_safer);
}

/*
 * Of a page that is a table of two kinds at most one is tracked, the one that was before there were
 * two: who stops tracking the page must not stop it for another.
 */
static bool may_be_tracked(const struct gtt *gtt, const struct spt *spt)
{
    const struct spt *first = spt_of_gfn(gtt, spt->gfn);
    return gtt->cfg.tracker.track && !spt->hopeless && !spt->loose_links && first == spt &&
           !spt_next_of_gfn(spt);
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

/*
 * A copy for a table that goes out of sync. The oldest page table that is quiet gives up its own,
 * if need be. Not one of a higher level: its last comparison may find that it has lost a table.
 */
static uint64_t *new_copy(struct gtt *gtt)
{
    struct spt *oldest;
    TAILQ_FOREACH(oldest, &gtt->loose, loose)
    {
        if (gtt->stats.oos_copies < gtt->cfg.oos_max) {
            break;
        }
        if (oldest->copy && oldest->quiet && spt_level(oldest->kind) == 1 &&
            may_be_tracked(gtt, oldest)) {
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

static void child_is_less_safe(struct gtt *gtt, struct spt *spt, struct spt *child)
{
    (void)spt;
    child->loose_links++;
    spt_loosen(gtt, child, true);
}

/*
 * Lets the guest store freely, into what is below, too. Without a copy everything is found changed
 * each time, so that it had better stay tracked unless it must not. A store that is trapped after
 * the copy was made is done like all others, and compared.
 */
void spt_loosen(struct gtt *gtt, struct spt *spt, bool must)
{
    if (!spt->tracked) {
        return;
    }
    spt->copy = new_copy(gtt);
    if (!spt->copy && !must) {
        return;
    }
    for (uint32_t i = 0; spt->copy && i < GPU_TABLE_ENTRIES; i++) {
        spt->copy[i] = spt->guest[i];
    }
    become_loose(gtt, spt);
    for_each_child(gtt, spt, child_is_less_safe);
    untrack_later(gtt, spt->gfn);
}

/* --- beginning and end ------------------------------------------------------------------- */

/*
 * A new shadow is all scratch, which is what a table of zeroes means: compared with a copy of
 * zeroes, all that is in the guest's table is a change.
 */
void spt_begin(struct gtt *gtt, struct spt *spt)
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

void spt_end(struct gtt *gtt, struct spt *spt)
{
    if (spt->tracked) {
        untrack_later(gtt, spt->gfn);
        return;
    }
    TAILQ_REMOVE(&gtt->loose, spt, loose);
    gtt->stats.oos_tables--;
    free_copy(gtt, spt);
}

/* --- the guest's stores ------------------------------------------------------------------ */

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
    spt->patience += often && spt->patience < PATIENCE_MAX;
    if (spt->hopeless || often) {
        spt_loosen(gtt, spt, spt->hopeless);
    }
}

static bool still_leads_to(const struct spt *spt, uint32_t index, const struct spt *child)
{
    const struct gtt_entry_format *f = &gtt_gen8[GTT_PDE];
    uint64_t entry = spt->guest[index];
    return gtt_entry_present(f, entry) && gtt_entry_gfn(f, entry).v == child->gfn.v;
}

/*
 * Entries that the guest has just stored to, and that led to tables until then, are scratch from
 * now on: the guest may count on it that these tables' pages are as any other when its store is
 * done. What the entries point to instead is for the commit, as always.
 */
static void take_links(struct gtt *gtt, struct spt *spt, uint32_t offset, unsigned size)
{
    unsigned level = spt_level(spt->kind);
    uint64_t scratch = gtt_scratch_entry(gtt, level);
    bool any = false;
    for (uint32_t i = offset / 8; level > 1 && i <= (offset + size - 1) / 8; i++) {
        uint64_t entry = gpu_read_pte(gtt->cfg.gpu, spt->table, i);
        const struct spt *child = entry == scratch ? NULL : spt_of_entry(gtt, entry);
        if (child && child->kind != SPT_SPLIT && !still_leads_to(spt, i, child)) {
            gtt_change(gtt, &(struct gtt_change){.spt = spt, .index = i}, (struct xengt_gfn){0});
            bit_set(spt->dirty, i); /* out of sync, it may get its old value back unseen */
            any = true;
        }
    }
    if (any) {
        spt_queue(gtt, spt);
        gtt_run_batch(gtt);
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
    } else if (spt_open_page(gtt, gfn, &page, &view)) {
        store((uint8_t *)view + offset, value, size); /* was a table until just now */
        xengt_space_put(gtt->cfg.space, &page, 1);
    }
    for (; spt; spt = spt_next_of_gfn(spt)) {
        note_store(gtt, spt, offset, size);
    }
    for (enum spt_kind kind = SPT_PD; kind <= SPT_PML4; kind++) {
        if ((spt = spt_find(gtt, kind, gfn))) { /* the one before may have led to this one */
            take_links(gtt, spt, offset, size);
        }
    }
    spt_untrack_flush(gtt);
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
