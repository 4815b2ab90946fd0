/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The batch: changes of the GPU's page tables that become real together. A change is a value
 * (tables and entries by number, frames as the guest names them) and its answer is one: nothing
 * points into anybody's structures. Here alone are bus frame numbers, GPU PTEs, and the order in
 * which they are written, forgotten by the GPU, and released.
 */
#ifndef XENGT_GTT_BATCH_H
#define XENGT_GTT_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/space.h>

#include "gpu/gpu.h"
#include "histogram.h"

/* Changes that become real together. A surface of 8 MiB is 2048 pages. */
#define GTT_BATCH_MAX 2048u

/* Tables that are given up together, and roots that are left together. */
#define GTT_BATCH_DROPS 16u
#define GTT_BATCH_ROOTS 64u

/* Entries of the global GTT that are passed by together when there is nothing in them. */
#define GTT_BLOCK 512u

#define GTT_LEVELS 4u

enum gtt_change_kind {
    GTT_TO_SCRATCH,
    GTT_TO_PAGE, /* the gfn is in the batch's array, in the order of such changes */
    GTT_TO_TABLE,
};

/* One entry that gets another value. No entry of a page table changes twice in a batch. */
struct gtt_change {
    uint32_t table; /* GPU_GGTT: the global GTT */
    uint32_t index; /* of the entry: in the table, or in the guest's windows put side by side */
    uint32_t child; /* GTT_TO_TABLE */
    uint8_t flags;  /* of the guest's entry; none that counts stands further up */
    uint8_t level;  /* of the table; 0: the global GTT */
    uint8_t kind;
    uint8_t error; /* the answer: 0, or the errno value of why a page became scratch */
};

/* The answer, too: what a table (0: a root) does not lead to any more, and the GPU has forgotten.
 */
struct gtt_loss {
    uint32_t table;
    uint32_t child;
};

/* A table that nothing leads to, to be given up with all it holds. */
struct gtt_drop {
    uint32_t table;
    uint32_t level;
    struct xengt_bfn page; /* of the guest's page; XENGT_BFN_INVALID: none */
};

struct gtt_batch_config {
    struct xengt *xengt;
    struct xengt_space *space;
    struct gpu *gpu;
    struct gpu_client *client;
    struct gpu_range mappable; /* these two are the places of the global GTT, in this order */
    struct gpu_range unmappable;
};

struct gtt_batch {
    /* What is asked for. */
    uint32_t n;
    uint32_t pages; /* of the changes: GTT_TO_PAGE */
    uint32_t drops;
    struct gtt_change change[GTT_BATCH_MAX];
    struct xengt_gfn gfn[GTT_BATCH_MAX];
    struct gtt_drop drop[GTT_BATCH_DROPS];

    /* What is answered besides. The first losses are roots, and asked for. */
    uint32_t failures; /* changes with an error */
    uint32_t losses;
    struct gtt_loss loss[GTT_BATCH_ROOTS + GTT_BATCH_MAX + GTT_BATCH_DROPS * GPU_TABLE_ENTRIES];

    uint32_t present;      /* entries that point to pages now */
    uint64_t map_failures; /* since the beginning, as these */
    uint64_t ptes;
    uint64_t runs;
    uint64_t calls; /* hypercalls made by them */
    struct histogram time;

    /* The batch's own. */
    struct gtt_batch_config cfg;
    uint32_t places;
    uint64_t *shadow;                   /* by place: what the GPU's entry holds */
    uint16_t *mapped;                   /* how many of each block of places point to pages */
    uint32_t scratch_table[GTT_LEVELS]; /* by level; [0] is not used, 0: not made yet */
    uint32_t frames;                    /* in old */
    struct xengt_bfn bfn[GTT_BATCH_MAX];
    int err[GTT_BATCH_MAX];
    struct gpu_pte_write write[GTT_BATCH_MAX];
    struct xengt_bfn old[GTT_BATCH_MAX];
};

/* -ENOMEM */
int batch_init(struct gtt_batch *b, const struct gtt_batch_config *config);
void batch_fini(struct gtt_batch *b); /* nothing is mapped any more, and no table is left */

/* Makes it real. What was asked for stays, with its answers, until batch_clear(). */
void batch_run(struct gtt_batch *b);
void batch_clear(struct gtt_batch *b);

/* A table of scratch, and the page of the guest's that it is to be the shadow of, to be read. */
int batch_new_table(struct gtt_batch *b, unsigned level, uint32_t *table);
bool batch_open_page(struct gtt_batch *b, struct xengt_gfn gfn, struct xengt_bfn *page,
                     void **view);
void batch_close_page(struct gtt_batch *b, struct xengt_bfn page);

/* The table that an entry of a table points to that leads nowhere. */
uint32_t batch_scratch_table(const struct gtt_batch *b, unsigned level);

/* What an entry of a PPGTT's table of that level holds that points to nothing of the guest's. */
uint64_t batch_scratch_entry(const struct gtt_batch *b, unsigned level);

/* The tables that the entries of a table of tables point to; 0: to none. */
void batch_children(const struct gtt_batch *b, uint32_t table, unsigned level,
                    uint32_t child[GPU_TABLE_ENTRIES]);
uint32_t batch_child(const struct gtt_batch *b, uint32_t table, unsigned level, uint32_t index);

/* A bit for each of 64 entries from first on that does not hold scratch. */
uint64_t batch_used(const struct gtt_batch *b, uint32_t table, unsigned level, uint32_t first);

static inline bool batch_is_mapped(const struct gtt_batch *b, uint32_t place)
{
    return b->shadow[place] != b->cfg.client->scratch_pte;
}

/* The page that a place of the global GTT points to. -EFAULT: none of the guest's */
int batch_view(const struct gtt_batch *b, uint32_t place, void **view);

/* The index in the GPU's global GTT. */
static inline uint32_t batch_index(const struct gtt_batch *b, uint32_t place)
{
    return place < b->cfg.mappable.count
               ? b->cfg.mappable.first + place
               : b->cfg.unmappable.first + (place - b->cfg.mappable.count);
}

#endif
