/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format.h"

#define BITS(high, low) ((~UINT64_C(0) >> (63 - (high))) & (~UINT64_C(0) << (low)))
#define BIT(n)          (UINT64_C(1) << (n))

/* Write permission, PWT and PCD stand in the same bits of each entry; PAT does not. */
#define COMMON (BIT(1) | BIT(3) | BIT(4))

const struct gtt_entry_format gtt_gen8[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = {.size = 8, .present = BIT(0), .address = BITS(45, 12)},
    [GTT_PTE_4K] = {.size = 8,
                    .present = BIT(0),
                    .address = BITS(45, 12),
                    .flags = COMMON | BIT(7)},
    [GTT_PTE_64K] = {.size = 8,
                     .present = BIT(0),
                     .address = BITS(45, 16),
                     .flags = COMMON | BIT(7),
                     .frames = 4},
    [GTT_PDE] = {.size = 8,
                 .present = BIT(0),
                 .address = BITS(45, 12),
                 .flags = COMMON,
                 .huge = BIT(7),
                 .pages_64k = BIT(11)},
    [GTT_PDE_2M] = {.size = 8,
                    .present = BIT(0),
                    .address = BITS(45, 21),
                    .flags = COMMON | BIT(12),
                    .huge = BIT(7),
                    .frames = 9},
    [GTT_PDPE] =
        {.size = 8, .present = BIT(0), .address = BITS(45, 12), .flags = COMMON, .huge = BIT(7)},
    [GTT_PML4E] = {.size = 8, .present = BIT(0), .address = BITS(45, 12), .flags = COMMON},
};

/* 40 bits of address: 39:32 in bits 11:4. Cacheability in 2:1. */
#define IVB_ENTRY                                                                          \
    {                                                                                      \
        .size = 4, .present = BIT(0), .address = BITS(31, 12), .address_top = BITS(11, 4), \
        .top_shift = 28, .flags = BITS(2, 1)                                               \
    }

const struct gtt_entry_format gtt_ivb[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = IVB_ENTRY,
    [GTT_PTE_4K] = IVB_ENTRY,
    [GTT_PDE] = {.size = 4,
                 .present = BIT(0),
                 .address = BITS(31, 12),
                 .address_top = BITS(11, 4),
                 .top_shift = 28},
};

/* 39 bits of address: 38:32 in bits 10:4. Cacheability in 3:1 and 11. */
#define HSW_ENTRY                                                                          \
    {                                                                                      \
        .size = 4, .present = BIT(0), .address = BITS(31, 12), .address_top = BITS(10, 4), \
        .top_shift = 28, .flags = BITS(3, 1) | BIT(11)                                     \
    }

const struct gtt_entry_format gtt_hsw[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = HSW_ENTRY,
    [GTT_PTE_4K] = HSW_ENTRY,
    [GTT_PDE] = {.size = 4,
                 .present = BIT(0),
                 .address = BITS(31, 12),
                 .address_top = BITS(10, 4),
                 .top_shift = 28},
};
