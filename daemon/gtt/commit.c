/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commit: changes become the GPU's page tables. Nothing else writes GPU PTEs, and the order
 * below is what keeps the GPU out of memory that is not the guest's:
 *
 *   1 map         the new frames, one batch: from here on Xen holds them
 *   2 write       the GPU's PTEs, with bus frame numbers, or scratch where the map failed
 *   3 invalidate  the GPU's TLB, once: from here on the GPU has forgotten the old frames
 *   4 release     the old frames and tables; only now may Xen be asked to let go of them
 *   5 forward     the access that made the commit due (gtt_submit)
 */
#include <errno.h>
#include <inttypes.h>

#include "private.h"

/* --- the two kinds of tables --------------------------------------------------------------- */

uint64_t gtt_scratch_entry(const struct gtt *gtt, unsigned level)
{
    return level == 1 ? gtt->cfg.gpu->scratch_pte | GPU_PTE_WRITABLE
                      : gpu_pte_of_table(gtt->scratch_table[level - 1]);
}

static uint64_t scratch_of(const struct gtt *gtt, const struct gtt_change *c)
{
    return c->spt ? gtt_scratch_entry(gtt, spt_level(c->spt->kind)) : gtt->cfg.gpu->scratch_pte;
}

static uint64_t entry_now(const struct gtt *gtt, const struct gtt_change *c)
{
    return c->spt ? gtt->cfg.gpu->ops->read_pte(gtt->cfg.gpu, c->spt->table, c->index)
                  : gtt->shadow[c->index];
}

/* What the counters and marks say of an entry follows what it holds. */
static void note_entry(struct gtt *gtt, const struct gtt_change *c, bool frame)
{
    bool failed_before;
    if (c->spt) {
        failed_before = bit_get(c->spt->failed, c->index);
        (c->failed ? bit_set : bit_clear)(c->spt->failed, c->index);
    } else {
        failed_before = gtt->flags[c->index] & GTT_FAILED;
        gtt->flags[c->index] = (gtt->flags[c->index] & GTT_HALF) | (c->failed ? GTT_FAILED : 0);
    }
    gtt->stats.scratch += (uint32_t)c->failed - (uint32_t)failed_before;
    gtt->stats.present += frame;
}

/* --- the steps ----------------------------------------------------------------------------- */

static void map_new_frames(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    size_t n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->change[i].frame) {
            b->gfn[n++] = b->change[i].gfn;
        }
    }
    if (n) {
        /* With err given, the call itself does not fail: every entry has its answer. */
        xengt_space_get(gtt->cfg.space, b->gfn, b->bfn, b->err, n);
    }
}

/* What the GPU's entry will be; err and bfn are Xen's answer, if there was a question. */
static uint64_t new_entry(struct gtt *gtt, struct gtt_change *c, struct xengt_bfn bfn, int err)
{
    if (c->child) {
        return gpu_pte_of_table(c->child->table) | (c->flags & gtt_gen8[GTT_PDE].flags);
    }
    if (c->frame && !err) {
        return gtt_entry_make(&gtt_gen8[c->spt ? GTT_PTE_4K : GTT_GGTT_PTE], bfn.v, c->flags);
    }
    if (c->frame) {
        c->failed = true;
        gtt->stats.map_failures++;
        gtt->retry |= err != -EINVAL; /* anything else is not the guest's mistake */
    }
    return scratch_of(gtt, c);
}

/* Notes what an entry held that is given up once the GPU has forgotten it. */
static void keep_old(struct gtt *gtt, const struct gtt_change *c, uint32_t *frames,
                     uint32_t *children)
{
    uint64_t old = entry_now(gtt, c);
    if (old == scratch_of(gtt, c)) {
        return;
    }
    uint64_t frame = gtt_entry_frame(&gtt_gen8[GTT_PTE_4K], old);
    if (c->spt && spt_level(c->spt->kind) > 1) {
        gtt->batch.old_child[(*children)++] = spt_of_table(gtt, (uint32_t)frame);
    } else {
        gtt->batch.old[(*frames)++] = (struct xengt_bfn){frame};
        gtt->stats.present--;
    }
}

static void make_ptes(struct gtt *gtt, uint32_t *frames, uint32_t *children)
{
    struct gtt_batch *b = &gtt->batch;
    uint32_t answer = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        struct gtt_change *c = &b->change[i];
        keep_old(gtt, c, frames, children);
        uint64_t pte = new_entry(gtt, c, b->bfn[answer], b->err[answer]);
        answer += c->frame;
        note_entry(gtt, c, c->frame && !c->failed);
        if (c->spt) {
            b->write[i] = (struct gpu_pte_write){c->spt->table, c->index, pte};
        } else {
            gtt->shadow[c->index] = pte;
            b->write[i] = (struct gpu_pte_write){GPU_GGTT, gtt_index(gtt, c->index), pte};
        }
    }
}

void gtt_run_batch(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;
    uint32_t frames = 0;
    uint32_t children = 0;
    if (!b->n) {
        return;
    }

    map_new_frames(gtt);
    make_ptes(gtt, &frames, &children);
    gpu->write_ptes(gtt->cfg.gpu, b->write, b->n);
    gpu->invalidate(gtt->cfg.gpu);
    xengt_space_put(gtt->cfg.space, b->old, frames);
    for (uint32_t i = 0; i < children; i++) {
        spt_put(gtt, b->old_child[i]);
    }

    gtt->stats.ptes += b->n;
    gtt->stats.commits++;
    b->n = 0;
}

void gtt_change(struct gtt *gtt, const struct gtt_change *change)
{
    if (gtt->batch.n == GTT_BATCH_MAX) {
        gtt_run_batch(gtt);
    }
    gtt->batch.change[gtt->batch.n++] = *change;
}

/* --- when ---------------------------------------------------------------------------------- */

void gtt_commit_ggtt(struct gtt *gtt)
{
    gtt_sync_ggtt(gtt);
    gtt_run_batch(gtt);
}

void gtt_commit(struct gtt *gtt)
{
    mm_reap(gtt);
    gtt_sync_ggtt(gtt);
    gtt_sync_tables(gtt);
    gtt_run_batch(gtt);
    spt_untrack_flush(gtt);
}

void gtt_forward(struct gtt *gtt, const struct gtt_access *access)
{
    gtt_commit(gtt);
    if (access->kind == GTT_ACCESS_SUBMIT) {
        gtt->cfg.gpu->ops->submit(gtt->client, access->engine, &access->ring);
    }
}
