/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gtt/format.h"

/* 40 bits of address: 39:32 in bits 11:4. Cacheability in 2:1. */
#define IVB_ENTRY                                                                \
    {                                                                            \
        .size = 4, .present = GTT_BIT(0), .address = GTT_BITS(31, 12),           \
        .address_top = GTT_BITS(11, 4), .top_shift = 28, .flags = GTT_BITS(2, 1) \
    }

const struct gtt_entry_format gtt_ivb[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = IVB_ENTRY,
    [GTT_PTE_4K] = IVB_ENTRY,
    [GTT_PDE] = {.size = 4,
                 .present = GTT_BIT(0),
                 .address = GTT_BITS(31, 12),
                 .address_top = GTT_BITS(11, 4),
                 .top_shift = 28},
};

/* 39 bits of address: 38:32 in bits 10:4. Cacheability in 3:1 and 11. */
#define HSW_ENTRY                                                                              \
    {                                                                                          \
        .size = 4, .present = GTT_BIT(0), .address = GTT_BITS(31, 12),                         \
        .address_top = GTT_BITS(10, 4), .top_shift = 28, .flags = GTT_BITS(3, 1) | GTT_BIT(11) \
    }

const struct gtt_entry_format gtt_hsw[GTT_ENTRY_TYPES] = {
    [GTT_GGTT_PTE] = HSW_ENTRY,
    [GTT_PTE_4K] = HSW_ENTRY,
    [GTT_PDE] = {.size = 4,
                 .present = GTT_BIT(0),
                 .address = GTT_BITS(31, 12),
                 .address_top = GTT_BITS(10, 4),
                 .top_shift = 28},
};
