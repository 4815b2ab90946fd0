/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "gpu/ggtt.h"

#include <errno.h>
#include <stdlib.h>

int ggtt_init(struct ggtt *ggtt, uint32_t entries, uint64_t scratch_pte, bool eager)
{
    ggtt->pte = malloc(entries * sizeof(*ggtt->pte));
    if (!ggtt->pte) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < entries; i++) {
        ggtt->pte[i] = scratch_pte;
    }
    ggtt->entries = entries;
    ggtt->eager = eager;
    return 0;
}

void ggtt_free(struct ggtt *ggtt)
{
    free(ggtt->pte);
    ggtt->pte = NULL;
}

void ggtt_write(struct ggtt *ggtt, uint32_t index, uint64_t pte)
{
    if (index < ggtt->entries) {
        ggtt->pte[index] = pte;
    }
}

/*
 * Real hardware may fetch a translation again at any time after an invalidate, and the earliest
 * such time is the one that shows an invalidate that came before the PTEs were written.
 */
void ggtt_invalidate(struct ggtt *ggtt)
{
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *entry = &ggtt->tlb[i];

        if (ggtt->eager && (entry->pte & GPU_PTE_PRESENT)) {
            entry->pte = ggtt->pte[entry->index];
        } else {
            entry->pte = 0;
        }
    }
}

uint64_t ggtt_lookup(struct ggtt *ggtt, uint32_t index)
{
    struct tlb_entry *entry = &ggtt->tlb[index % TLB_ENTRIES];

    if ((entry->pte & GPU_PTE_PRESENT) && entry->index == index) {
        return entry->pte;
    }
    if (ggtt->pte[index] & GPU_PTE_PRESENT) {
        entry->index = index;
        entry->pte = ggtt->pte[index];
    }
    return ggtt->pte[index];
}

static bool refers_to(uint64_t pte, uint64_t frame)
{
    return (pte & GPU_PTE_PRESENT) && (pte & GPU_PTE_ADDR_MASK) >> 12 == frame;
}

bool ggtt_holds(const struct ggtt *ggtt, uint64_t frame)
{
    for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
        if (refers_to(ggtt->tlb[i].pte, frame)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < ggtt->entries; i++) {
        if (refers_to(ggtt->pte[i], frame)) {
            return true;
        }
    }
    return false;
}
