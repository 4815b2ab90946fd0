/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The global GTT of the software GPU: PTEs, and the TLB in front of them. The TLB never watches
 * the PTEs: between a write and the next invalidate, a translation may be the old one.
 */
#ifndef XENGT_GPU_GGTT_H
#define XENGT_GPU_GGTT_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/gpu.h"

#define TLB_ENTRIES 256u /* direct-mapped */

/* Valid when the PTE is present: a translation that failed is not cached. */
struct tlb_entry {
    uint32_t index;
    uint64_t pte;
};

struct ggtt {
    uint64_t *pte;
    uint32_t entries;
    bool eager; /* see gpu_soft_options */
    struct tlb_entry tlb[TLB_ENTRIES];
};

int ggtt_init(struct ggtt *ggtt, uint32_t entries, uint64_t scratch_pte, bool eager);
void ggtt_free(struct ggtt *ggtt);

void ggtt_write(struct ggtt *ggtt, uint32_t index, uint64_t pte);
void ggtt_invalidate(struct ggtt *ggtt);

/* The PTE the GPU uses for an index below entries; it may not be present. */
uint64_t ggtt_lookup(struct ggtt *ggtt, uint32_t index);

bool ggtt_holds(const struct ggtt *ggtt, uint64_t frame);

#endif
