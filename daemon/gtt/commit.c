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

/* Of the table that a change is in. */
static uint64_t scratch_of(const struct gtt *gtt, const struct spt *spt)
{
    return spt ? gtt_scratch_entry(gtt, spt_level(spt->kind)) : gtt->cfg.gpu->scratch_pte;
}

/* What the counters and marks say of an entry follows what it holds. */
static void note_entry(struct gtt *gtt, const struct gtt_change *c)
{
    bool failed_before;
    if (c->spt) {
        failed_before = bit_get(c->spt->failed, c->index);
        if (c->failed != failed_before) {
            (c->failed ? bit_set : bit_clear)(c->spt->failed, c->index);
        }
    } else {
        failed_before = gtt->flags[c->index] & GTT_FAILED;
        gtt->flags[c->index] = (gtt->flags[c->index] & GTT_HALF) | (c->failed ? GTT_FAILED : 0);
    }
    gtt->stats.scratch += (uint32_t)c->failed - (uint32_t)failed_before;
}

/* --- the steps ----------------------------------------------------------------------------- */

/* How far a batch has come. */
struct progress {
    uint32_t answers;  /* of Xen's: used */
    uint32_t frames;   /* to be released */
    uint32_t children; /* likewise */
};

static void map_new_frames(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    if (b->pages) {
        /* With err given, the call itself does not fail: every entry has its answer. */
        xengt_space_get(gtt->cfg.space, b->gfn, b->bfn, b->err, b->pages);
    }
}

/* What the GPU's entry will be. */
static uint64_t new_entry(struct gtt *gtt, struct gtt_change *c, uint64_t scratch,
                          struct progress *p)
{
    if (c->child) {
        return gpu_pte_of_table(c->child->table) | (c->flags & gtt_gen8[GTT_PDE].flags);
    }
    if (!c->frame) {
        return scratch;
    }
    struct xengt_bfn bfn = gtt->batch.bfn[p->answers];
    int err = gtt->batch.err[p->answers++];
    if (err) {
        c->failed = true;
        gtt->stats.map_failures++;
        gtt->retry |= err != -EINVAL; /* anything else is not the guest's mistake */
        return scratch;
    }
    gtt->stats.present++;
    return gtt_entry_make(&gtt_gen8[c->spt ? GTT_PTE_4K : GTT_GGTT_PTE], bfn.v, c->flags);
}

/* Notes what an entry held that is given up once the GPU has forgotten it. */
static void keep_old(struct gtt *gtt, const struct spt *spt, uint64_t old, struct progress *p)
{
    uint64_t frame = gtt_entry_frame(&gtt_gen8[GTT_PTE_4K], old);
    if (spt && spt_level(spt->kind) > 1) {
        gtt->batch.old_child[p->children++] = spt_of_table(gtt, (uint32_t)frame);
    } else {
        gtt->batch.old[p->frames++] = (struct xengt_bfn){frame};
        gtt->stats.present--;
    }
}

/*
 * How many changes from here on are in one table and change no entry of it twice, so that what
 * they replace can be read before any of them is written.
 */
static uint32_t run_length(const struct gtt_batch *b, uint32_t first)
{
    const struct gtt_change *c = &b->change[first];
    uint32_t n = 1;
    while (first + n < b->n && c[n].spt == c->spt && (!c->spt || c[n].index > c[n - 1].index)) {
        n++;
    }
    return n;
}

static void write_run(struct gtt *gtt, uint32_t first, uint32_t n, struct progress *p)
{
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;
    struct gtt_change *c = &gtt->batch.change[first];
    struct gpu_pte_write *write = &gtt->batch.write[first];
    const struct spt *spt = c->spt;
    uint64_t scratch = scratch_of(gtt, spt);
    uint64_t now[GPU_TABLE_ENTRIES];
    if (spt) {
        gpu->read_ptes(gtt->cfg.gpu, spt->table, c->index, c[n - 1].index - c->index + 1, now);
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = c[i].index;
        uint64_t old = spt ? now[index - c->index] : gtt->shadow[index];
        uint64_t pte = new_entry(gtt, &c[i], scratch, p);
        if (old != scratch) {
            keep_old(gtt, spt, old, p);
        }
        note_entry(gtt, &c[i]);
        if (spt) {
            write[i] = (struct gpu_pte_write){spt->table, index, pte};
        } else {
            gtt->shadow[index] = pte;
            write[i] = (struct gpu_pte_write){GPU_GGTT, gtt_index(gtt, index), pte};
        }
    }
    gpu->write_ptes(gtt->cfg.gpu, write, n);
}

void gtt_run_batch(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    struct progress p = {0};
    if (!b->n) {
        return;
    }

    map_new_frames(gtt);
    for (uint32_t i = 0, n; i < b->n; i += n) {
        n = run_length(b, i);
        write_run(gtt, i, n, &p);
    }
    gtt->cfg.gpu->ops->invalidate(gtt->cfg.gpu);
    xengt_space_put(gtt->cfg.space, b->old, p.frames);
    for (uint32_t i = 0; i < p.children; i++) {
        spt_put(gtt, b->old_child[i]);
    }

    gtt->stats.ptes += b->n;
    gtt->stats.commits++;
    b->n = 0;
    b->pages = 0;
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
