/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commands of the pipelines behind the command streamers: drawing, media, video. None of them
 * is here; a driver's batches run, and draw nothing. All that matters of a command is its length.
 * (Intel's Broadwell PRM, vol. 2a; widths of length fields as GVT-g's parser has them.)
 */

#include <stddef.h>

#include "gpu/soft/mi.h"
#include "gpu/soft/soft.h"

#define SKIP(first, last, name, bits)                              \
    {                                                              \
        first, last,                                               \
        {                                                          \
            name, (bits) ? 2 : 1, UINT32_MAX, bits, false, 0, NULL \
        }                                                          \
    }

static const struct cs_range render[] = {
    {0x7a00, 0x7a00, {"PIPE_CONTROL", 6, 6, 8, false, 0, cs_pipe_control}},
    SKIP(0x6101, 0x6104, "STATE_BASE_ADDRESS", 8), /* and STATE_SIP, GPGPU_CSR_BASE_ADDRESS */
    SKIP(0x680b, 0x680b, "3DSTATE_VF_STATISTICS", 0),
    SKIP(0x6904, 0x6904, "PIPELINE_SELECT", 0),
    SKIP(0x7000, 0x7005, "MEDIA_STATE", 16),
    SKIP(0x7100, 0x7104, "MEDIA_OBJECT", 16),
    SKIP(0x7105, 0x7105, "GPGPU_WALKER", 8),
    SKIP(0x7106, 0x7106, "MEDIA_OBJECT_GRPID", 16),
    SKIP(0x780b, 0x780b, "3DSTATE_VF_STATISTICS", 0),
    SKIP(0x7839, 0x783a, "3DSTATE_DX9_CONSTANTF", 11),
    SKIP(0x7843, 0x7847, "3DSTATE_BINDING_TABLE_EDIT", 9),
    SKIP(0x7804, 0x7856, "3DSTATE", 8),
    SKIP(0x7917, 0x7917, "3DSTATE_SO_DECL_LIST", 9),
    SKIP(0x7900, 0x7921, "3DSTATE", 8),
    SKIP(0x7b00, 0x7b00, "3DPRIMITIVE", 8),
    {0},
};

static const struct cs_range video[] = {
    SKIP(0x6800, 0x6800, "MFX_WAIT", 0),
    SKIP(0x7200, 0x72ff, "MFX", 16),
    SKIP(0x7600, 0x76ff, "MFX", 16),
    SKIP(0x7000, 0x77ff, "MFX", 12),
    {0},
};

static const struct cs_range video_enhancement[] = {
    SKIP(0x7400, 0x7403, "VEBOX", 12),
    {0},
};

/* The first range that fits. */
static const struct cs_range *const ranges_of[GPU_ENGINES] = {
    [GPU_RCS] = render,
    [GPU_VCS0] = video,
    [GPU_VECS] = video_enhancement,
};

const struct cs_command *cs_pipeline_command(enum gpu_engine engine, uint32_t header)
{
    const struct cs_range *range = ranges_of[engine];
    uint32_t opcode = header >> 16;

    for (; range && range->command.name; range++) {
        if (opcode >= range->first && opcode <= range->last) {
            return &range->command;
        }
    }
    return NULL;
}
