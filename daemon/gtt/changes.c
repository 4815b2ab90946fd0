/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes between those who find them and the batch that makes them real: its answers become what
 * is known of entries and tables. Tables that have lost their last reference are given up here.
 */
#include <errno.h>

#include "gtt/state.h"

/* --- the answers ------------------------------------------------------------------------- */

/* Anything but the guest's mistake may have passed when it is tried again. */
static void note_retry(struct gtt *gtt, const struct gtt_change *c)
{
    gtt->retry |= c->error && c->error != EINVAL && c->error != ENOENT;
}

static void note_global(struct gtt *gtt, const struct gtt_change *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++, c++) {
        uint8_t *flags = &gtt->flags[c->index];
        uint32_t grown = (uint32_t)(c->error != 0) - (uint32_t)((*flags & GTT_FAILED) != 0);
        gtt->failed[c->index / GTT_BLOCK] += grown;
        gtt->stats.scratch += grown;
        *flags = (*flags & GTT_HALF) | (c->error ? GTT_FAILED : 0) |
                 (c->error == EDQUOT ? GTT_OVER : 0) |
                 (c->error == ENOSPC || c->error == ENOMEM ? GTT_FULL : 0) |
                 (c->kind == GTT_TO_PAGE && !c->error ? GTT_MAPPED : 0);
        note_retry(gtt, c);
    }
}

static void note_entry(struct gtt *gtt, struct spt *spt, const struct gtt_change *c)
{
    bool before = bit_get(spt->failed, c->index);
    if ((c->error != 0) != before) {
        uint32_t grown = before ? UINT32_MAX : 1;
        (before ? bit_clear : bit_set)(spt->failed, c->index);
        spt->failures += grown;
        gtt->stats.scratch += grown;
    }
    note_retry(gtt, c);
}

/* n changes of one table. */
static void note_table(struct gtt *gtt, const struct gtt_change *c, uint32_t n)
{
    struct spt *spt = spt_of_table(gtt, c->table);
    bool links = c->level > 1;
    if (!links && !gtt->batch.failures && !spt->failures) {
        return;
    }
    for (uint32_t i = 0; i < n; i++, c++) {
        note_entry(gtt, spt, c);
        if (c->kind == GTT_TO_TABLE) {
            spt_link(spt, spt_of_table(gtt, c->child));
        }
    }
}

static void note_changes(struct gtt *gtt)
{
    const struct gtt_batch *b = &gtt->batch;
    for (uint32_t first = 0, end; first < b->n; first = end) {
        const struct gtt_change *c = &b->change[first];
        for (end = first + 1; end < b->n && b->change[end].table == c->table;) {
            end++;
        }
        if (c->level) {
            note_table(gtt, c, end - first);
        } else {
            note_global(gtt, c, end - first);
        }
    }
}

static void take_losses(struct gtt *gtt)
{
    const struct gtt_batch *b = &gtt->batch;
    for (uint32_t i = 0; i < b->losses; i++) {
        struct spt *child = spt_of_table(gtt, b->loss[i].child);
        if (b->loss[i].table) {
            spt_unlink(spt_of_table(gtt, b->loss[i].table), child);
        }
        spt_put(gtt, child);
    }
    for (uint32_t i = 0; i < b->drops; i++) {
        spt_free(gtt, spt_of_table(gtt, b->drop[i].table));
    }
}

/* --- the batch --------------------------------------------------------------------------- */

void gtt_run_batch(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    if (!b->n && !b->losses && !b->drops) {
        return;
    }
    uint64_t before = b->calls;
    batch_run(b);
    gtt_charge(gtt, COST_BATCH + b->losses * COST_LOSS);
    gtt_charge(gtt, (uint32_t)(b->calls - before) * COST_HYPERCALL);
    gtt->batch_number++;
    note_changes(gtt);
    take_losses(gtt);
    batch_clear(b);
}

/* The roots are in no table: the GPU must have forgotten them before their tables go. */
void gtt_leave_root(struct gtt *gtt, struct spt *spt)
{
    struct gtt_batch *b = &gtt->batch;
    if (!spt) {
        return;
    }
    if (b->losses == GTT_BATCH_ROOTS) {
        gtt_run_batch(gtt);
    }
    b->loss[b->losses++] = (struct gtt_loss){.child = spt->table};
}

/* --- tables that are no more ------------------------------------------------------------- */

/* A dead page table lets go of its pages, some at a time. True: it has none. */
static bool empty_some(struct gtt *gtt, struct spt *spt)
{
    while (spt_level(spt->kind) == 1 && spt->emptied < GPU_TABLE_ENTRIES / 64) {
        if (!gtt_may_work(gtt)) {
            return false;
        }
        uint32_t first = spt->emptied * 64u;
        uint64_t used = batch_used(&gtt->batch, spt->table, 1, first);
        gtt_room(gtt, 64);
        for (; used; used &= used - 1) {
            const struct gtt_change change = {
                .table = spt->table, .index = first + (uint32_t)__builtin_ctzll(used), .level = 1};
            gtt_change(gtt, &change, (struct xengt_gfn){0});
        }
        gtt_charge(gtt, COST_LOOK);
        spt->emptied++;
    }
    return true;
}

/* What they led to may be dead after that, too. */
static void drop_some(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    struct spt *spt;
    while (b->drops < GTT_BATCH_DROPS && gtt_may_work(gtt) && (spt = TAILQ_FIRST(&gtt->dead)) &&
           empty_some(gtt, spt)) {
        TAILQ_REMOVE(&gtt->dead, spt, changed);
        b->drop[b->drops++] = (struct gtt_drop){
            .table = spt->table, .level = spt_level(spt->kind), .page = spt->page};
        gtt_charge(gtt, COST_DROP);
        if (spt_level(spt->kind) > 1) {
            break; /* what it leads to is charged when it is known */
        }
    }
    gtt_run_batch(gtt);
}

/* Each of the two may lead to more of the other. */
bool gtt_tidy(struct gtt *gtt)
{
    bool done;
    gtt_run_batch(gtt);
    while (!(done = TAILQ_EMPTY(&gtt->loosening) && TAILQ_EMPTY(&gtt->dead)) && gtt_may_work(gtt)) {
        if (!TAILQ_EMPTY(&gtt->loosening)) {
            spt_loosen_some(gtt);
        } else {
            drop_some(gtt);
        }
    }
    spt_untrack_flush(gtt);
    return done;
}
