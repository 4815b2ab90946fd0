/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The formats of GTT entries, as data. gen8 and later: 64 bits, address in bits 45:12 (Intel,
 * Broadwell PRM vol. 5, "Page Tables"). gen7 (Ivy Bridge, Haswell): 32 bits, address bits 31:12
 * in place and the ones above 32 in bits 11:4 (Ivy Bridge PRM vol. 1 part 3, "GTT entries").
 *
 * The guest's entries hold guest frame numbers, the GPU's bus frame numbers or tables; what both
 * are is a frame here, and gtt_entry_gfn() and the like give it its type.
 */
#ifndef XENGT_GTT_FORMAT_H
#define XENGT_GTT_FORMAT_H

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
    uint64_t present;     /* the bit that says so */
    uint64_t address;     /* where address bits stand in place */
    uint64_t address_top; /* where further ones stand, to be moved up by top_shift */
    uint64_t flags;       /* carried from the guest's entry into the GPU's */
    uint64_t huge;        /* this bit makes it a page of 2 MiB or 1 GiB, not a table */
    uint64_t pages_64k;   /* this bit says that the table it points to holds 64 KiB pages */
    uint8_t size;         /* in bytes; 0: this generation has no such entry */
    uint8_t top_shift;
    uint8_t frames; /* log2 of how many 4 KiB frames the entry stands for, were it a page */
};

#define GTT_BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))
#define GTT_BIT(n)          (UINT64_C(1) << (n))

/* Write permission, PWT and PCD stand in the same bits of each entry; PAT does not. */
#define GTT_COMMON (GTT_BIT(1) | GTT_BIT(3) | GTT_BIT(4))

/*
 * By entry type. The one in use is here, where the compiler sees it: entries are decoded by the
 * hundred thousand.
 */
static const struct gtt_entry_format gtt_gen8[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = {.size = 8, .present = GTT_BIT(0), .address = GTT_BITS(45, 12)},
    [GTT_PTE_4K] = {.size = 8,
                    .present = GTT_BIT(0),
                    .address = GTT_BITS(45, 12),
                    .flags = GTT_COMMON | GTT_BIT(7)},
    [GTT_PTE_64K] = {.size = 8,
                     .present = GTT_BIT(0),
                     .address = GTT_BITS(45, 16),
                     .flags = GTT_COMMON | GTT_BIT(7),
                     .frames = 4},
    [GTT_PDE] = {.size = 8,
                 .present = GTT_BIT(0),
                 .address = GTT_BITS(45, 12),
                 .flags = GTT_COMMON,
                 .huge = GTT_BIT(7),
                 .pages_64k = GTT_BIT(11)},
    [GTT_PDE_2M] = {.size = 8,
                    .present = GTT_BIT(0),
                    .address = GTT_BITS(45, 21),
                    .flags = GTT_COMMON | GTT_BIT(12),
                    .huge = GTT_BIT(7),
                    .frames = 9},
    [GTT_PDPE] = {.size = 8,
                  .present = GTT_BIT(0),
                  .address = GTT_BITS(45, 12),
                  .flags = GTT_COMMON,
                  .huge = GTT_BIT(7)},
    [GTT_PML4E] = {.size = 8,
                   .present = GTT_BIT(0),
                   .address = GTT_BITS(45, 12),
                   .flags = GTT_COMMON},
};

extern const struct gtt_entry_format gtt_ivb[GTT_ENTRY_TYPES];
extern const struct gtt_entry_format gtt_hsw[GTT_ENTRY_TYPES];

static inline bool gtt_entry_present(const struct gtt_entry_format *f, uint64_t entry)
{
    return entry & f->present;
}

static inline uint64_t gtt_entry_frame(const struct gtt_entry_format *f, uint64_t entry)
{
    uint64_t top = (entry & f->address_top) << f->top_shift;
    return ((entry & f->address) | top) >> XENGT_PAGE_SHIFT;
}

/* A present entry; bits of the frame that the format has no room for are lost. */
static inline uint64_t gtt_entry_make(const struct gtt_entry_format *f, uint64_t frame,
                                      uint64_t flags)
{
    uint64_t address = frame << XENGT_PAGE_SHIFT;
    return (address & f->address) | (address >> f->top_shift & f->address_top) | f->present |
           (flags & f->flags);
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
