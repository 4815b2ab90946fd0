/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gen8 GGTT entries: bit 0 present, frame number in bits 45:12 (the driver uses 38:12), the rest
 * ignored. The guest's hold guest frame numbers, the GPU's hold bus frame numbers.
 */
#ifndef XENGT_GTT_PTE_H
#define XENGT_GTT_PTE_H

#include <xengt/types.h>

#include "gpu/gpu.h"

static inline bool pte_present(uint64_t pte)
{
    return pte & GPU_PTE_PRESENT;
}

static inline struct xengt_gfn pte_gfn(uint64_t guest_pte)
{
    return (struct xengt_gfn){(guest_pte & GPU_PTE_ADDR_MASK) >> XENGT_PAGE_SHIFT};
}

static inline struct xengt_bfn pte_bfn(uint64_t gpu_pte)
{
    return (struct xengt_bfn){(gpu_pte & GPU_PTE_ADDR_MASK) >> XENGT_PAGE_SHIFT};
}

static inline uint64_t pte_to_bfn(struct xengt_bfn bfn)
{
    return xengt_bfn_to_addr(bfn) | GPU_PTE_PRESENT;
}

#endif
