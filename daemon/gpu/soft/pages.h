/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The software GPU's page tables, and the TLB in front of them. The TLB never watches the
 * tables: between a write and the next invalidate, a translation may be the old one.
 */
#ifndef XENGT_GPU_SOFT_PAGES_H
#define XENGT_GPU_SOFT_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/gpu.h"

#define TLB_ENTRIES 1024u /* direct-mapped */

/* Valid when the PTE is present: a translation that failed is not cached. */
struct tlb_entry {
    uint32_t space; /* which page table tree: its first table, GPU_GGTT for the global GTT */
    uint64_t page;
    uint64_t pte;
    struct gpu_root root; /* to fetch it again: see eager */
};

/* A page table of a PPGTT. */
struct soft_table {
    uint64_t *pte; /* NULL: the number is free */
    unsigned level;
};

struct tables {
    uint64_t *ggtt;
    uint32_t ggtt_entries;

    struct soft_table *table; /* by number; 0 is not in use: it is the global GTT's */
    uint32_t tables;          /* how many the array has room for */
    uint32_t next;            /* where the search for a free number starts */

    bool eager;                                             /* see gpu_soft_options */
    bool (*in_use)(void *arg, const struct gpu_root *root); /* is an engine at work there? */
    void *in_use_arg;
    uint32_t *usage; /* eager only: how many entries point to frames of a hash value */
    struct tlb_entry tlb[TLB_ENTRIES];
};

int tables_init(struct tables *tables, uint32_t ggtt_entries, uint64_t scratch_pte, bool eager);
void tables_free(struct tables *tables);

int tables_alloc(struct tables *tables, unsigned level, uint64_t pte, uint32_t *number);
void tables_release(struct tables *tables, uint32_t number);
void tables_write(struct tables *tables, uint32_t table, uint32_t index, uint64_t pte);
uint64_t tables_read(const struct tables *tables, uint32_t table, uint32_t index);
void tables_read_many(const struct tables *tables, uint32_t table, uint32_t first, uint32_t n,
                      uint64_t *pte);
void tables_write_all(struct tables *tables, const struct gpu_pte_write *write, size_t n);

void tables_invalidate(struct tables *tables);

/* The PTE the GPU uses for a page of the global GTT, below its size; it may not be present. */
uint64_t tables_lookup_ggtt(struct tables *tables, uint64_t page);

/* The PTE for a page of a PPGTT, by a walk from its root; not present where the walk ends early. */
uint64_t tables_lookup_ppgtt(struct tables *tables, const struct gpu_root *root, uint64_t page);

#define USAGE_SIZE (1u << 16)

/* Is the frame in any entry that points to a page, or in the TLB? */
bool tables_hold(const struct tables *tables, uint64_t frame);

#endif
