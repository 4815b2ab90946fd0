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

#include "gtt/state.h"

/* --- the two kinds of tables ------------------------------------------------------------- */

uint64_t gtt_scratch_entry(const struct gtt *gtt, unsigned level)
{
    return level == 1 ? gtt->cfg.gpu->scratch_pte | GPU_PTE_WRITABLE
                      : gpu_pte_of_table(gtt->scratch_table[level - 1]);
}

/* --- the steps --------------------------------------------------------------------------- */

static void map_new_frames(struct gtt *gtt)
{
    struct gtt_batch *b = &gtt->batch;
    if (b->pages) {
        /* With err given, the call itself does not fail: every entry has its answer. */
        xengt_space_get(gtt->cfg.space, b->gfn, b->bfn, b->err, b->pages);
    }
}

/* How far the changes of a batch have been gone through. */
struct progress {
    uint32_t answers;  /* of Xen's */
    uint32_t frames;   /* that are given up */
    uint32_t children; /* likewise */
};

/* The GPU's entry for a page, if it is one and can be had. */
static inline uint64_t page_or_scratch(struct gtt *gtt, enum gtt_entry_type type, uint64_t scratch,
                                       struct gtt_change *c, struct progress *p)
{
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
    return gtt_entry_make(&gtt_gen8[type], bfn.v, c->flags);
}

/* Notes the page that an entry held: it is given up once the GPU has forgotten it. */
static inline void keep_page(struct gtt *gtt, uint64_t old, uint64_t scratch, struct progress *p)
{
    if (old != scratch) {
        gtt->batch.old[p->frames++] = gtt_entry_bfn(&gtt_gen8[GTT_PTE_4K], old);
        gtt->stats.present--;
    }
}

/* failed: the marks of the table that the change is in. */
static inline void note_failed(struct gtt *gtt, uint64_t *failed, const struct gtt_change *c)
{
    bool before = bit_get(failed, c->index);
    if (c->failed != before) {
        (c->failed ? bit_set : bit_clear)(failed, c->index);
        gtt->stats.scratch += (uint32_t)c->failed - (uint32_t)before;
    }
}

/* n changes of the global GTT. */
static void make_global(struct gtt *gtt, struct gtt_change *c, struct gpu_pte_write *write,
                        uint32_t n, struct progress *p)
{
    uint64_t scratch = gtt->cfg.gpu->scratch_pte;
    for (uint32_t i = 0; i < n; i++, c++) {
        uint8_t *flags = &gtt->flags[c->index];
        uint64_t pte = page_or_scratch(gtt, GTT_GGTT_PTE, scratch, c, p);
        keep_page(gtt, gtt->shadow[c->index], scratch, p);
        gtt->mapped[c->index / GTT_BLOCK] -= gtt_is_mapped(gtt, c->index);
        gtt->shadow[c->index] = pte;
        gtt->mapped[c->index / GTT_BLOCK] += gtt_is_mapped(gtt, c->index);
        gtt->stats.scratch += (uint32_t)c->failed - (uint32_t)((*flags & GTT_FAILED) != 0);
        *flags = (*flags & GTT_HALF) | (c->failed ? GTT_FAILED : 0);
        write[i] = (struct gpu_pte_write){GPU_GGTT, gtt_index(gtt, c->index), pte};
    }
}

/* n changes of a page table, in the order of its entries, which held what is in now. */
static void make_pages(struct gtt *gtt, struct gtt_change *c, const uint64_t *now,
                       struct gpu_pte_write *write, uint32_t n, struct progress *progress)
{
    uint64_t scratch = gtt_scratch_entry(gtt, 1);
    uint32_t table = c->spt->table;
    uint64_t *failed = c->spt->failed;
    uint32_t first = c->index;
    struct progress p = *progress;
    for (uint32_t i = 0; i < n; i++, c++) {
        uint64_t pte = page_or_scratch(gtt, GTT_PTE_4K, scratch, c, &p);
        keep_page(gtt, now[c->index - first], scratch, &p);
        note_failed(gtt, failed, c);
        write[i] = (struct gpu_pte_write){table, c->index, pte};
    }
    *progress = p;
}

/* The same of a table of tables. */
static void make_links(struct gtt *gtt, struct gtt_change *c, const uint64_t *now,
                       struct gpu_pte_write *write, uint32_t n, struct progress *p)
{
    uint64_t scratch = gtt_scratch_entry(gtt, spt_level(c->spt->kind));
    uint32_t first = c->index;
    for (uint32_t i = 0; i < n; i++, c++) {
        uint64_t old = now[c->index - first];
        uint64_t pte = scratch;
        if (c->child) {
            pte = gpu_pte_of_table(c->child->table) | (c->flags & gtt_gen8[GTT_PDE].flags);
            spt_link(c->spt, c->child);
        }
        if (old != scratch) {
            struct spt *child = spt_of_entry(gtt, old);
            spt_unlink(c->spt, child);
            gtt->batch.old_child[p->children++] = child;
        }
        note_failed(gtt, c->spt->failed, c);
        write[i] = (struct gpu_pte_write){c->spt->table, c->index, pte};
    }
}

/* n changes of one table, none of them of the same entry. */
static void make_run(struct gtt *gtt, struct gtt_change *c, struct gpu_pte_write *write, uint32_t n,
                     struct progress *p)
{
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;
    uint64_t now[GPU_TABLE_ENTRIES];
    if (!c->spt) {
        make_global(gtt, c, write, n, p);
        return;
    }
    c->spt->in_batch = false;
    gpu->read_ptes(gtt->cfg.gpu, c->spt->table, c->index, c[n - 1].index - c->index + 1, now);
    if (spt_level(c->spt->kind) == 1) {
        make_pages(gtt, c, now, write, n, p);
    } else {
        make_links(gtt, c, now, write, n, p);
    }
}

static void make_ptes(struct gtt *gtt, uint32_t *frames, uint32_t *children)
{
    struct gtt_batch *b = &gtt->batch;
    struct progress p = {0};
    for (uint32_t first = 0, end; first < b->n; first = end) {
        for (end = first + 1; end < b->n && b->change[end].spt == b->change[first].spt;) {
            end++;
        }
        make_run(gtt, &b->change[first], &b->write[first], end - first, &p);
    }
    *frames = p.frames;
    *children = p.children;
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
    b->pages = 0;
}

/* --- when -------------------------------------------------------------------------------- */

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
