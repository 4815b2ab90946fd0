/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tracking: tables whose stores are trapped, and the copies that the others are compared with. */
#include <stdlib.h>
#include <string.h>

#include "gtt/state.h"

/* Tables that are asked for their copy before a new one goes without. */
#define COPY_TRIES 16u

/* --- the tracker ------------------------------------------------------------------------- */

/* Without a tracker (a guest that is taken apart has none any more) nothing is tracked. */
static int track(struct gtt *gtt, const struct xengt_gfn *gfn, size_t n, bool on)
{
    const struct gtt_tracker *t = &gtt->cfg.tracker;
    gtt->stats.track_calls++;
    gtt_charge(gtt, (uint32_t)n * COST_TRACK);
    return t->track ? t->track(t->arg, gfn, n, on) : 0;
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

/* --- copies ------------------------------------------------------------------------------ */

static void free_copy(struct gtt *gtt, struct spt *spt)
{
    if (spt->copy) {
        free(spt->copy);
        spt->copy = NULL;
        gtt->stats.oos_copies--;
    }
}

/* Copies 64 entries, each read once; a bit for each that was another. */
static uint64_t take_over(uint64_t *copy, const volatile uint64_t *guest)
{
    uint64_t changed = 0;
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t value = guest[i];
        changed |= (uint64_t)(value != copy[i]) << i;
        copy[i] = value;
    }
    return changed;
}

bool spt_compare(struct gtt *gtt, struct spt *spt)
{
    gtt->stats.oos_syncs++;
    gtt_charge(gtt, COST_COMPARE);
    if (!spt->copy) {
        memset(spt->dirty, 0xff, sizeof(spt->dirty)); /* nothing to compare with */
        spt_queue(gtt, spt);
        return true;
    }
    if (!memcmp(spt->copy, (const void *)spt->guest, XENGT_PAGE_SIZE)) {
        return false;
    }
    for (uint32_t word = 0; word < GPU_TABLE_ENTRIES / 64; word++) {
        uint64_t changed = take_over(spt->copy + word * 64, spt->guest + word * 64);
        spt->dirty[word] |= changed;
        gtt->stats.oos_changes += (uint32_t)__builtin_popcountll(changed);
    }
    spt_queue(gtt, spt);
    return true;
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

/*
 * A copy for a table that goes out of sync. One of the oldest page tables that is quiet gives up
 * its own, if need be. Not one of a higher level: its last comparison may find that it has lost a
 * table.
 */
static uint64_t *new_copy(struct gtt *gtt)
{
    struct spt *oldest = TAILQ_FIRST(&gtt->loose);
    for (unsigned i = 0; oldest && i < COPY_TRIES && gtt->stats.oos_copies >= gtt->cfg.oos_max;
         i++) {
        struct spt *next = TAILQ_NEXT(oldest, loose);
        if (oldest->copy && oldest->quiet && spt_level(oldest->kind) == 1 &&
            may_be_tracked(gtt, oldest)) {
            spt_tighten(gtt, &oldest, 1);
            break;
        }
        oldest = next;
    }
    if (gtt->stats.oos_copies >= gtt->cfg.oos_max) {
        return NULL;
    }
    uint64_t *copy = malloc(XENGT_PAGE_SIZE);
    gtt->stats.oos_copies += copy != NULL;
    return copy;
}

/* --- from out of sync to tracked --------------------------------------------------------- */

/* Calls fn for each entry of a table of tables that points to one. */
static void for_each_child(struct gtt *gtt, struct spt *spt,
                           void (*fn)(struct gtt *gtt, struct spt *child))
{
    unsigned level = spt_level(spt->kind);
    uint32_t child[GPU_TABLE_ENTRIES];
    if (level == 1) {
        return;
    }
    gtt_charge(gtt, COST_CHILDREN);
    batch_children(&gtt->batch, spt->table, level, child);
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        if (child[i]) {
            fn(gtt, spt_of_table(gtt, child[i]));
        }
    }
}

static void child_is_safer(struct gtt *gtt, struct spt *child)
{
    (void)gtt;
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

/* Nothing begins to be tracked while something above it may be about to be tracked no more. */
void spt_tighten(struct gtt *gtt, struct spt *const *spt, size_t n)
{
    struct xengt_gfn gfn[SPT_TIGHTEN_MAX];
    struct spt *ready[SPT_TIGHTEN_MAX];
    size_t count = 0;
    for (size_t i = 0; TAILQ_EMPTY(&gtt->loosening) && i < n; i++) {
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

/* --- and back ---------------------------------------------------------------------------- */

static void become_loose(struct gtt *gtt, struct spt *spt)
{
    spt->tracked = false;
    spt->quiet = 0;
    TAILQ_INSERT_TAIL(&gtt->loose, spt, loose);
    gtt->stats.oos_tables++;
}

static void child_is_less_safe(struct gtt *gtt, struct spt *child)
{
    (void)gtt;
    child->loose_links++;
}

/*
 * What is stored from now on is found by comparison with the copy, or, without one, everything is
 * found changed each time. A store that is trapped after the copy was made is done like all others,
 * and compared.
 */
static void loosen(struct gtt *gtt, struct spt *spt, uint64_t *copy)
{
    spt->copy = copy;
    for (uint32_t i = 0; copy && i < GPU_TABLE_ENTRIES; i++) {
        copy[i] = spt->guest[i];
    }
    become_loose(gtt, spt);
    for_each_child(gtt, spt, child_is_less_safe);
    untrack_later(gtt, spt->gfn);
}

/* Without a copy it had better stay tracked. */
void spt_loosen_page_table(struct gtt *gtt, struct spt *spt)
{
    uint64_t *copy = spt->loosening ? NULL : new_copy(gtt);
    if (copy) {
        loosen(gtt, spt, copy);
    }
}

/* The first in the list is the next one. */
void spt_loosen_later(struct gtt *gtt, struct spt *spt)
{
    if (!spt->tracked) {
        return;
    }
    if (spt->loosening) {
        TAILQ_REMOVE(&gtt->loosening, spt, loose);
    }
    spt->loosening = true;
    TAILQ_INSERT_HEAD(&gtt->loosening, spt, loose);
}

/*
 * One step. The guest may store into a table out of sync unseen, and so may take away what is
 * below: that must not be tracked any more then, and comes first.
 */
void spt_loosen_some(struct gtt *gtt)
{
    struct spt *spt = TAILQ_FIRST(&gtt->loosening);
    for_each_child(gtt, spt, spt_loosen_later);
    if (TAILQ_FIRST(&gtt->loosening) != spt) {
        return;
    }
    TAILQ_REMOVE(&gtt->loosening, spt, loose);
    spt->loosening = false;
    gtt_charge(gtt, COST_COMPARE);
    loosen(gtt, spt, new_copy(gtt));
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
    if (!spt->tracked) {
        TAILQ_REMOVE(&gtt->loose, spt, loose);
        gtt->stats.oos_tables--;
        free_copy(gtt, spt);
        return;
    }
    if (spt->loosening) {
        TAILQ_REMOVE(&gtt->loosening, spt, loose);
        spt->loosening = false;
    }
    untrack_later(gtt, spt->gfn);
}
