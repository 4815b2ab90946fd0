/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The five steps. Nothing else writes GPU PTEs, and the order below is what keeps the GPU out of
 * memory that is not the guest's:
 *
 *   1 map         the new frames, one batch: from here on Xen holds them
 *   2 write       the GPU's PTEs, with bus frame numbers, or scratch where the map failed
 *   3 invalidate  the GPU's TLB, once: from here on the GPU has forgotten the old frames
 *   4 release     the old frames and tables; only now may Xen be asked to let go of them
 *   5 forward     the access that made the commit due (gtt_submit)
 */
#include "gtt/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/map.h>

#include "gen/pte.h"

/* --- tables ------------------------------------------------------------------------------ */

uint64_t batch_scratch_entry(const struct gtt_batch *b, unsigned level)
{
    return level == 1 ? b->cfg.client->scratch_pte | GPU_PTE_WRITABLE
                      : gpu_pte_of_table(b->scratch_table[level - 1]);
}

uint32_t batch_scratch_table(const struct gtt_batch *b, unsigned level)
{
    return b->scratch_table[level];
}

/* The scratch tables: each level's points to the one below in all its entries. */
static int make_scratch_tables(struct gtt_batch *b)
{
    const struct gpu_ops *gpu = b->cfg.gpu->ops;
    int ret = 0;
    for (unsigned level = 1; !ret && level < GTT_LEVELS; level++) {
        if (!b->scratch_table[level]) {
            ret = gpu->table_alloc(b->cfg.gpu, level, batch_scratch_entry(b, level),
                                   &b->scratch_table[level]);
        }
    }
    return ret;
}

int batch_new_table(struct gtt_batch *b, unsigned level, uint32_t *table)
{
    int ret = make_scratch_tables(b);
    if (ret) {
        return ret;
    }
    return b->cfg.gpu->ops->table_alloc(b->cfg.gpu, level, batch_scratch_entry(b, level), table);
}

static uint32_t table_of(uint64_t entry)
{
    return (uint32_t)gtt_entry_frame(&gtt_formats[GTT_PDE], entry);
}

uint32_t batch_child(const struct gtt_batch *b, uint32_t table, unsigned level, uint32_t index)
{
    uint64_t entry = gpu_read_pte(b->cfg.gpu, table, index);
    return entry == batch_scratch_entry(b, level) ? 0 : table_of(entry);
}

void batch_children(const struct gtt_batch *b, uint32_t table, unsigned level,
                    uint32_t child[GPU_TABLE_ENTRIES])
{
    uint64_t scratch = batch_scratch_entry(b, level);
    uint64_t entry[GPU_TABLE_ENTRIES];
    b->cfg.gpu->ops->read_ptes(b->cfg.gpu, table, 0, GPU_TABLE_ENTRIES, entry);
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        child[i] = entry[i] == scratch ? 0 : table_of(entry[i]);
    }
}

uint64_t batch_used(const struct gtt_batch *b, uint32_t table, unsigned level, uint32_t first)
{
    uint64_t scratch = batch_scratch_entry(b, level);
    uint64_t entry[64];
    uint64_t used = 0;
    b->cfg.gpu->ops->read_ptes(b->cfg.gpu, table, first, 64, entry);
    for (uint32_t i = 0; i < 64; i++) {
        used |= (uint64_t)(entry[i] != scratch) << i;
    }
    return used;
}

/* --- pages ------------------------------------------------------------------------------- */

bool batch_open_page(struct gtt_batch *b, struct xengt_gfn gfn, struct xengt_bfn *page, void **view)
{
    int err = 0;
    xengt_space_get(b->cfg.space, &gfn, page, &err, 1);
    if (!err && xengt_view(b->cfg.xengt, *page, view)) {
        xengt_space_put(b->cfg.space, page, 1);
        err = -1;
    }
    return !err;
}

void batch_close_page(struct gtt_batch *b, struct xengt_bfn page)
{
    xengt_space_put(b->cfg.space, &page, 1);
}

int batch_view(const struct gtt_batch *b, uint32_t place, void **view)
{
    if (!batch_is_mapped(b, place)) {
        return -EFAULT;
    }
    return xengt_view(b->cfg.xengt, gtt_entry_bfn(&gtt_formats[GTT_GGTT_PTE], b->shadow[place]),
                      view)
               ? -EFAULT
               : 0;
}

/* --- the steps --------------------------------------------------------------------------- */

static void map_new_frames(struct gtt_batch *b)
{
    if (b->pages) {
        /* With err given, the call itself does not fail: every entry has its answer. */
        xengt_space_get(b->cfg.space, b->gfn, b->bfn, b->err, b->pages);
    }
}

/* How far the changes of a batch have been gone through. */
struct progress {
    uint32_t answers; /* of Xen's */
    uint32_t frames;  /* that are given up */
};

/* The GPU's entry for a page, if it is one and can be had. */
static inline uint64_t page_or_scratch(struct gtt_batch *b, enum gtt_entry_type type,
                                       uint64_t scratch, struct gtt_change *c, struct progress *p)
{
    if (c->kind != GTT_TO_PAGE) {
        return scratch;
    }
    struct xengt_bfn bfn = b->bfn[p->answers];
    int err = b->err[p->answers++];
    if (err) {
        c->error = (uint8_t)-err;
        b->failures++;
        return scratch;
    }
    b->present++;
    return gtt_entry_make(&gtt_formats[type], bfn.v, c->flags);
}

/* Notes the page that an entry held: it is given up once the GPU has forgotten it. */
static inline void keep_page(struct gtt_batch *b, uint64_t old, uint64_t scratch,
                             struct progress *p)
{
    if (old != scratch) {
        b->old[p->frames++] = gtt_entry_bfn(&gtt_formats[GTT_PTE_4K], old);
        b->present--;
    }
}

/* n changes of the global GTT. */
static void make_global(struct gtt_batch *b, struct gtt_change *c, struct gpu_pte_write *write,
                        uint32_t n, struct progress *p)
{
    uint64_t scratch = b->cfg.client->scratch_pte;
    for (uint32_t i = 0; i < n; i++, c++) {
        uint64_t pte = page_or_scratch(b, GTT_GGTT_PTE, scratch, c, p);
        keep_page(b, b->shadow[c->index], scratch, p);
        b->mapped[c->index / GTT_BLOCK] -= batch_is_mapped(b, c->index);
        b->shadow[c->index] = pte;
        b->mapped[c->index / GTT_BLOCK] += batch_is_mapped(b, c->index);
        write[i] = (struct gpu_pte_write){GPU_GGTT, batch_index(b, c->index), pte};
    }
}

/* n changes of a page table, in the order of its entries, which held what is in now. */
static void make_pages(struct gtt_batch *b, struct gtt_change *c, const uint64_t *now,
                       struct gpu_pte_write *write, uint32_t n, struct progress *progress)
{
    uint64_t scratch = batch_scratch_entry(b, 1);
    uint32_t table = c->table;
    uint32_t first = c->index;
    struct progress p = *progress;
    for (uint32_t i = 0; i < n; i++, c++) {
        uint64_t pte = page_or_scratch(b, GTT_PTE_4K, scratch, c, &p);
        keep_page(b, now[c->index - first], scratch, &p);
        write[i] = (struct gpu_pte_write){table, c->index, pte};
    }
    *progress = p;
}

/* The same of a table of tables. */
static void make_links(struct gtt_batch *b, const struct gtt_change *c, unsigned level,
                       const uint64_t *now, struct gpu_pte_write *write, uint32_t n)
{
    uint64_t scratch = batch_scratch_entry(b, level);
    uint32_t first = c->index;
    for (uint32_t i = 0; i < n; i++, c++) {
        uint64_t old = now[c->index - first];
        uint64_t pte = scratch;
        if (c->kind == GTT_TO_TABLE) {
            pte = gpu_pte_of_table(c->child) | (c->flags & gtt_formats[GTT_PDE].flags);
        }
        if (old != scratch) {
            b->loss[b->losses++] = (struct gtt_loss){c->table, table_of(old)};
        }
        write[i] = (struct gpu_pte_write){c->table, c->index, pte};
    }
}

/* n changes of one table, in the order of its entries unless it is the global GTT. */
static void make_run(struct gtt_batch *b, struct gtt_change *c, struct gpu_pte_write *write,
                     uint32_t n, struct progress *p)
{
    uint64_t now[GPU_TABLE_ENTRIES];
    if (!c->level) {
        make_global(b, c, write, n, p);
        return;
    }
    b->cfg.gpu->ops->read_ptes(b->cfg.gpu, c->table, c->index, c[n - 1].index - c->index + 1, now);
    if (c->level == 1) {
        make_pages(b, c, now, write, n, p);
    } else {
        make_links(b, c, c->level, now, write, n);
    }
}

static void make_ptes(struct gtt_batch *b)
{
    struct progress p = {0};
    for (uint32_t first = 0, end; first < b->n; first = end) {
        for (end = first + 1; end < b->n && b->change[end].table == b->change[first].table;) {
            end++;
        }
        make_run(b, &b->change[first], &b->write[first], end - first, &p);
    }
    b->frames = p.frames;
}

/* The frames that a table's entries hold are released; what its links led to is a loss. */
static void release_entries(struct gtt_batch *b, const struct gtt_drop *drop,
                            const uint64_t entry[GPU_TABLE_ENTRIES])
{
    uint64_t scratch = batch_scratch_entry(b, drop->level);
    struct xengt_bfn frame[GPU_TABLE_ENTRIES];
    uint32_t frames = 0;
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        if (entry[i] == scratch) {
            continue;
        }
        if (drop->level == 1) {
            frame[frames++] = gtt_entry_bfn(&gtt_formats[GTT_PTE_4K], entry[i]);
        } else {
            b->loss[b->losses++] = (struct gtt_loss){drop->table, table_of(entry[i])};
        }
    }
    b->present -= frames;
    xengt_space_put(b->cfg.space, frame, frames);
}

/* The table goes first, then what it led to. */
static void drop_tables(struct gtt_batch *b)
{
    const struct gpu_ops *gpu = b->cfg.gpu->ops;
    for (uint32_t i = 0; i < b->drops; i++) {
        const struct gtt_drop *drop = &b->drop[i];
        uint64_t entry[GPU_TABLE_ENTRIES];
        gpu->read_ptes(b->cfg.gpu, drop->table, 0, GPU_TABLE_ENTRIES, entry);
        gpu->table_free(b->cfg.gpu, drop->table);
        release_entries(b, drop, entry);
        if (drop->page.v != XENGT_BFN_INVALID.v) {
            xengt_space_put(b->cfg.space, &drop->page, 1);
        }
    }
}

static uint64_t calls(const struct gtt_batch *b)
{
    struct xengt_space_stats stats;
    xengt_space_get_stats(b->cfg.space, &stats);
    return stats.map_calls + stats.unmap_calls;
}

void batch_run(struct gtt_batch *b)
{
    const struct gpu_ops *gpu = b->cfg.gpu->ops;
    uint64_t before = calls(b);
    uint64_t began_ns = histogram_now_ns();

    map_new_frames(b);
    make_ptes(b);
    gpu->write_ptes(b->cfg.gpu, b->write, b->n);
    gpu->invalidate(b->cfg.gpu);
    xengt_space_put(b->cfg.space, b->old, b->frames);
    drop_tables(b);

    b->map_failures += b->failures;
    b->ptes += b->n;
    b->runs++;
    b->calls += calls(b) - before;
    histogram_add_since(&b->time, began_ns);
}

void batch_clear(struct gtt_batch *b)
{
    b->n = 0;
    b->pages = 0;
    b->drops = 0;
    b->losses = 0;
    b->failures = 0;
}

/* --- beginning and end ------------------------------------------------------------------- */

int batch_init(struct gtt_batch *b, const struct gtt_batch_config *config)
{
    b->cfg = *config;
    b->places = config->mappable.count + config->unmappable.count;
    b->shadow = malloc(b->places * sizeof(*b->shadow));
    b->mapped = calloc(b->places / GTT_BLOCK + 1, sizeof(*b->mapped));
    if (!b->shadow || !b->mapped) {
        return -ENOMEM;
    }
    for (uint32_t place = 0; place < b->places; place++) {
        b->shadow[place] = config->client->scratch_pte;
    }
    return 0;
}

void batch_fini(struct gtt_batch *b)
{
    for (unsigned level = 1; level < GTT_LEVELS; level++) {
        if (b->scratch_table[level]) {
            b->cfg.gpu->ops->table_free(b->cfg.gpu, b->scratch_table[level]);
        }
    }
    free(b->shadow);
    free(b->mapped);
}
