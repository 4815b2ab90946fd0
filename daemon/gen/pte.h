/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The formats of GTT entries, as data: 64 bits, address in bits 45:12. Intel's Broadwell PRM,
 * vol. 5, "Page Tables".
 *
 * The guest's entries hold guest frame numbers, the GPU's bus frame numbers or tables; what both
 * are is a frame here, and gtt_entry_gfn() and the like give it its type.
 */
#ifndef XENGT_GEN_PTE_H
#define XENGT_GEN_PTE_H

#include <stdbool.h>
#include <stdint.h>

#include <xengt/types.h>

enum gtt_entry_type {
    GTT_GGTT_PTE,
    GTT_PTE_4K,
    GTT_PTE_64K, /* every 16th of a table that its PDE says holds these */
    GTT_PDE,
    GTT_PDE_2M, /* a PDE that is a page itself */
    GTT_PDPE,
    GTT_PML4E,
    GTT_ENTRY_TYPES,
};

struct gtt_entry_format {
    uint64_t present;   /* the bit that says so */
    uint64_t address;   /* where address bits stand in place */
    uint64_t flags;     /* carried from the guest's entry into the GPU's */
    uint64_t huge;      /* this bit makes it a page of 2 MiB or 1 GiB, not a table */
    uint64_t pages_64k; /* this bit says that the table it points to holds 64 KiB pages */
    uint8_t frames;     /* log2 of how many 4 KiB frames the entry stands for, were it a page */
};

#define GTT_BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))
#define GTT_BIT(n)          (UINT64_C(1) << (n))

/* An entry that points to a page of 4 KiB, or to a table. */
#define GPU_PTE_PRESENT   UINT64_C(1)
#define GPU_PTE_WRITABLE  UINT64_C(2) /* PPGTT only */
#define GPU_PTE_ADDR_MASK GTT_BITS(45, 12)

/* Write permission, PWT and PCD stand in the same bits of each entry; PAT does not. */
#define GTT_COMMON (GPU_PTE_WRITABLE | GTT_BIT(3) | GTT_BIT(4))

/*
 * By entry type. It is here, where the compiler sees it: entries are decoded by the hundred
 * thousand.
 */
static const struct gtt_entry_format gtt_formats[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = {.present = GPU_PTE_PRESENT, .address = GPU_PTE_ADDR_MASK},
    [GTT_PTE_4K] = {.present = GPU_PTE_PRESENT,
                    .address = GPU_PTE_ADDR_MASK,
                    .flags = GTT_COMMON | GTT_BIT(7)},
    [GTT_PTE_64K] = {.present = GPU_PTE_PRESENT,
                     .address = GTT_BITS(45, 16),
                     .flags = GTT_COMMON | GTT_BIT(7),
                     .frames = 4},
    [GTT_PDE] = {.present = GPU_PTE_PRESENT,
                 .address = GPU_PTE_ADDR_MASK,
                 .flags = GTT_COMMON,
                 .huge = GTT_BIT(7),
                 .pages_64k = GTT_BIT(11)},
    [GTT_PDE_2M] = {.present = GPU_PTE_PRESENT,
                    .address = GTT_BITS(45, 21),
                    .flags = GTT_COMMON | GTT_BIT(12),
                    .huge = GTT_BIT(7),
                    .frames = 9},
    [GTT_PDPE] = {.present = GPU_PTE_PRESENT,
                  .address = GPU_PTE_ADDR_MASK,
                  .flags = GTT_COMMON,
                  .huge = GTT_BIT(7)},
    [GTT_PML4E] = {.present = GPU_PTE_PRESENT, .address = GPU_PTE_ADDR_MASK, .flags = GTT_COMMON},
};

static inline bool gtt_entry_present(const struct gtt_entry_format *f, uint64_t entry)
{
    return entry & f->present;
}

static inline uint64_t gtt_entry_frame(const struct gtt_entry_format *f, uint64_t entry)
{
    return (entry & f->address) >> XENGT_PAGE_SHIFT;
}

/* A present entry; bits of the frame that the format has no room for are lost. */
static inline uint64_t gtt_entry_make(const struct gtt_entry_format *f, uint64_t frame,
                                      uint64_t flags)
{
    return (frame << XENGT_PAGE_SHIFT & f->address) | f->present | (flags & f->flags);
}

static inline struct xengt_gfn gtt_entry_gfn(const struct gtt_entry_format *f, uint64_t guest)
{
    return (struct xengt_gfn){gtt_entry_frame(f, guest)};
}

static inline struct xengt_bfn gtt_entry_bfn(const struct gtt_entry_format *f, uint64_t shadow)
{
    return (struct xengt_bfn){gtt_entry_frame(f, shadow)};
}

#endif
