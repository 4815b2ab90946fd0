/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register offsets in GTTMMADR, by their names in Intel's Broadwell PRM, vol. 2c. */
#ifndef XENGT_VGPU_REGS_H
#define XENGT_VGPU_REGS_H

#include <stdint.h>

#define BCS_RING_BASE 0x22000u

/* Relative to a ring base. */
#define RING_TAIL  0x30u
#define RING_HEAD  0x34u
#define RING_START 0x38u
#define RING_CTL   0x3cu
#define RING_IPEHR 0x68u

#define RING_TAIL_MASK      0x001ffff8u
#define RING_HEAD_MASK      0x001ffffcu
#define RING_START_MASK     0xfffff000u
#define RING_CTL_VALID      0x00000001u
#define RING_CTL_PAGES(ctl) ((((ctl) >> 12) & 0x1ff) + 1)

/* Written to make the GPU look at the GGTT anew. */
#define GFX_FLSH_CNTL 0x101008u

/* PVINFO: the para-virtual page of GVT-g (Linux, drivers/gpu/drm/i915/i915_pvinfo.h). */
#define PVINFO_BASE 0x78000u
#define PVINFO_SIZE 0x1000u

#define PVINFO_MAGIC            0x000u
#define PVINFO_MAGIC_VALUE      UINT64_C(0x4776544776544776)
#define PVINFO_VERSION          0x008u /* u16 major, u16 minor */
#define PVINFO_VERSION_1_0      0x00000001u
#define PVINFO_VGT_ID           0x00cu
#define PVINFO_CAPS             0x010u
#define PVINFO_MAPPABLE_BASE    0x040u
#define PVINFO_MAPPABLE_SIZE    0x044u
#define PVINFO_UNMAPPABLE_BASE  0x048u
#define PVINFO_UNMAPPABLE_SIZE  0x04cu
#define PVINFO_FENCES           0x050u
#define PVINFO_DISPLAY_READY    0x804u
#define PVINFO_INSUFFICIENT     0x808u /* four registers */
#define PVINFO_INSUFFICIENT_END 0x818u
#define PVINFO_CURSOR_HOT       0x830u
#define PVINFO_CTX_DESC_END     0x860u

#endif
