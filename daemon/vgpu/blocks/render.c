/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The render pipeline: modes and workarounds a driver sets, L3, and how many units there are. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"

static const struct reg rows[] = {
    {CACHE_MODE_0, 1, 0, 0, 0, NULL, NULL},
    {CACHE_MODE_1, 1, 0, 0, 0, NULL, NULL},
    {GT_MODE, 1, 0, 0, 0, NULL, NULL},
    {HDC_CHICKEN0, 1, 0, 0, 0, NULL, NULL},
    {FUSE2, 1, REG_RO, FUSE2_ONE_SLICE, 0, NULL, NULL},
    {EU_DISABLE, 3, REG_RO, 0, 0, NULL, NULL},
    {0x00b020, 56, 0, 0, 0, NULL, NULL}, /* L3 */
    {0x00b100, 6, 0, 0, 0, NULL, NULL},  /* L3 */
    {L3SQCREG4, 1, 0, 0, 0, NULL, NULL},
    {HALF_SLICE_CHICKEN3, 1, 0, 0, 0, NULL, NULL},
    {ROW_CHICKEN, 1, 0, 0, 0, NULL, NULL},
    {ROW_CHICKEN2, 1, 0, 0, 0, NULL, NULL},
};

REG_BLOCK(block_render, "render pipeline", rows);
