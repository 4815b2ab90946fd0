/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contexts as execlists have them: the descriptor that names one, its image in memory, and the
 * context status buffer by which an engine tells what became of it. Intel's Broadwell PRM, vol. 7,
 * "Context Descriptor Format", "Context Image", "Context Status".
 */
#ifndef XENGT_GEN_CONTEXT_H
#define XENGT_GEN_CONTEXT_H

#include <stdint.h>

/* --- the descriptor ---------------------------------------------------------------------- */

#define DESCRIPTOR_VALID     UINT64_C(0x001)
#define DESCRIPTOR_PRIVILEGE UINT64_C(0x100) /* there is a PPGTT */
#define DESCRIPTOR_MODE(d)   ((d) >> 3 & 3)
#define DESCRIPTOR_LRCA(d)   ((d)&UINT64_C(0xfffff000))
#define DESCRIPTOR_ID(d)     ((uint32_t)((d) >> 32))

#define MODE_LEGACY_32 1u /* four page directories */
#define MODE_LEGACY_64 3u /* four levels */

/* --- the image --------------------------------------------------------------------------- */

/*
 * The first page is the context's status page, the second holds its registers as the GPU loads
 * them: pairs of a register's offset and its value. Dwords of the second page at which values
 * stand, each one behind its offset.
 */
#define IMAGE_CTX_CONTROL   0x03u
#define IMAGE_RING_HEAD     0x05u
#define IMAGE_RING_TAIL     0x07u
#define IMAGE_RING_START    0x09u
#define IMAGE_RING_CTL      0x0bu
#define IMAGE_PER_CONTEXT   0x19u
#define IMAGE_INDIRECT      0x1bu
#define IMAGE_TIMESTAMP     0x23u
#define IMAGE_PDP3_UDW      0x25u
#define IMAGE_PDP0_LDW      0x33u
#define IMAGE_DWORDS        0x50u
#define IMAGE_CHECKED_PAGES 2u

#define CTX_CONTROL_NO_RESTORE (1u << 0)

#define PER_CONTEXT_VALID 1u
#define INDIRECT_ADDRESS  0xffffffc0u
#define INDIRECT_LINES    0x3fu
#define CACHE_LINE        64u

/* --- the context status buffer ----------------------------------------------------------- */

#define CSB_ENTRIES        6u
#define CSB_PTR_WRITE(ptr) ((ptr)&7u)
#define CSB_PTR_WRITE_MASK 0x007u
#define CSB_PTR_READ_MASK  0x700u
#define CSB_PTR_NONE_YET   7u

#define CSB_IDLE_TO_ACTIVE 0x0001u
#define CSB_PREEMPTED      0x0002u
#define CSB_ELEMENT_SWITCH 0x0004u
#define CSB_ACTIVE_TO_IDLE 0x0008u
#define CSB_COMPLETE       0x0010u
#define CSB_LITE_RESTORE   0x8000u

/* Its copy in the hardware status page, in bytes. */
#define HWSP_CSB         0x40u
#define HWSP_CSB_WRITE   0x7cu
#define STATUS_PAGE_SIZE 0x1000u
#define STATUS_PAGE_FREE 0x00c0u /* from here on the GPU writes nothing by itself */

#endif
