/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Register offsets in GTTMMADR, by their names in Intel's Broadwell PRM, vol. 2c. */
#ifndef XENGT_GEN_REGISTERS_H
#define XENGT_GEN_REGISTERS_H

#include <stdint.h>

/* --- of each engine, relative to its base ------------------------------------------------ */

#define ENGINE_REGS_SIZE 0x800u

#define RING_TAIL                 0x030u
#define RING_HEAD                 0x034u
#define RING_START                0x038u
#define RING_CTL                  0x03cu
#define RING_PSMI_CTL             0x050u
#define RING_ACTHD_UDW            0x05cu
#define RING_IPEIR                0x064u
#define RING_IPEHR                0x068u
#define RING_INSTDONE             0x06cu
#define RING_INSTPS               0x070u
#define RING_ACTHD                0x074u
#define RING_DMA_FADD             0x078u
#define RING_HWS_PGA              0x080u
#define RING_NOPID                0x094u
#define RING_HWSTAM               0x098u
#define RING_MI_MODE              0x09cu
#define RING_IMR                  0x0a8u
#define RING_EIR                  0x0b0u
#define RING_EMR                  0x0b4u
#define RING_ESR                  0x0b8u
#define RING_INSTPM               0x0c0u
#define RING_RESET_CTL            0x0d0u
#define RING_FF_SLICE_CS_CHICKEN1 0x0e0u /* and 2 */
#define RING_BB_STATE             0x110u
#define RING_SBB_ADDR             0x114u
#define RING_BB_ADDR              0x140u
#define RING_BB_ADDR_UDW          0x168u
#define RING_CCID                 0x180u
#define RING_BB_PER_CTX_PTR       0x1c0u
#define RING_INDIRECT_CTX         0x1c4u
#define RING_INDIRECT_OFFSET      0x1c8u
#define RING_SWCTRL               0x200u /* of the blitter */
#define RING_PREDICATE_RESULT_2   0x214u
#define RING_ELSP                 0x230u
#define RING_EXECLIST_STATUS      0x234u /* low, high */
#define RING_CTX_CONTROL          0x244u
#define RING_PDP0_LDW             0x270u /* PDPn, low and high, n up to 3 */
#define RING_PDP0_UDW             0x274u
#define RING_PDP3_UDW             0x28cu
#define RING_GPGPU_DISPATCHED     0x290u /* low, high */
#define RING_MODE                 0x29cu
#define RING_STATISTICS           0x300u /* eleven of two registers */
#define RING_TIMESTAMP            0x358u
#define RING_TIMESTAMP_UDW        0x35cu
#define RING_CSB                  0x370u /* six entries of two registers */
#define RING_CSB_PTR              0x3a0u
#define RING_CTX_TIMESTAMP        0x3a8u
#define RING_PREDICATE_SRC0       0x400u /* 64 bits, as are the next two */
#define RING_PREDICATE_SRC1       0x408u
#define RING_PREDICATE_DATA       0x410u
#define RING_PREDICATE_RESULT     0x418u
#define RING_PREDICATE_RESULT_1   0x41cu
#define RING_3DPRIM_END           0x420u
#define RING_3DPRIM               0x430u
#define RING_FORCE_TO_NONPRIV     0x4d0u /* twelve */
#define RING_GPGPU_DISPATCH       0x500u
#define RING_GPR                  0x600u /* RING_GPRS of two registers */
#define RING_GPRS                 16u

#define RING_TAIL_MASK      0x001ffff8u
#define RING_HEAD_MASK      0x001ffffcu
#define RING_START_MASK     0xfffff000u
#define RING_CTL_VALID      0x00000001u
#define RING_CTL_PAGES(ctl) ((((ctl) >> 12) & 0x1ff) + 1)

#define MI_MODE_STOP_RING      (1u << 8)
#define MI_MODE_IDLE           (1u << 9)
#define MI_MODE_ASYNC_FLIP_OFF (1u << 14)
#define RESET_CTL_REQUEST      (1u << 0)
#define RESET_CTL_READY        (1u << 1)
#define MODE_PRIVILEGE_CHECK   (1u << 0) /* off, when set */
#define MODE_RUN_LIST          (1u << 15)
#define ERROR_INSTRUCTION      (1u << 0) /* in EIR, EMR, ESR */

/* --- of the whole GPU -------------------------------------------------------------------- */

#define GAMW_ECO            0x004080u
#define RING_FAULT          0x004094u
#define PRIVATE_PAT         0x0040e0u
#define TLB_INVALIDATE      0x004260u /* one register per engine class, the last at 0x4270 */
#define FAULT_DATA          0x004b10u
#define SO_NUM_PRIMS        0x005200u /* four of two registers */
#define SO_PRIM_STORAGE     0x005240u
#define SO_WRITE_OFFSET     0x005280u /* four */
#define CACHE_MODE_0        0x007000u
#define CACHE_MODE_1        0x007004u
#define GT_MODE             0x007008u
#define L3CNTLREG           0x007034u
#define HDC_CHICKEN0        0x007300u
#define FUSE2               0x009120u
#define EU_DISABLE          0x009134u
#define GDRST               0x00941cu
#define FORCEWAKE_MT        0x00a188u
#define L3SQCREG4           0x00b118u
#define HALF_SLICE_CHICKEN3 0x00e184u
#define ROW_CHICKEN         0x00e4f0u
#define ROW_CHICKEN2        0x00e4f4u
#define FUSE_STRAP          0x042014u
#define FPGA_DBG            0x042300u
#define MASTER_IRQ          0x044200u
#define GT_IRQ(bank)        (0x044300u + 0x10 * (bank))
#define DISPLAY_IRQ         0x044400u
#define POWER_WELLS         0x045400u
#define FENCES              0x100000u
#define GFX_FLSH_CNTL       0x101008u /* written to make the GPU look at the GGTT anew */
#define EDRAM_CAP           0x120010u
#define LCPLL_CTL           0x130040u
#define FORCEWAKE_ACK       0x130044u
#define PCODE_MAILBOX       0x138124u
#define RC6_COUNTERS        0x138104u
#define RP_STATE_CAP        0x145998u
#define DCLK                0x145e04u
#define SDE_IRQ             0x0c4000u
#define SFUSE_STRAP         0x0c2014u
#define PCH_RAWCLK          0x0c6204u

#define FUSE_STRAP_NO_DISPLAY (1u << 30)
#define FUSE2_ONE_SLICE       (1u << 25)
#define LCPLL_LOCKED          (1u << 30)
#define PCODE_BUSY            (1u << 31)
#define POWER_WELL_REQUESTS   0xaaaaaaaau /* the bit below each is its state */
#define GDRST_FULL            (1u << 0)
#define MASTER_IRQ_ENABLE     (1u << 31)
#define FENCES_MAX            32u

/* --- PVINFO: the para-virtual page of GVT-g (Linux, drivers/gpu/drm/i915/i915_pvinfo.h) --- */

#define PVINFO_BASE 0x78000u
#define PVINFO_SIZE 0x1000u

#define PVINFO_MAGIC           0x000u
#define PVINFO_MAGIC_VALUE     UINT64_C(0x4776544776544776)
#define PVINFO_VERSION         0x008u /* u16 major, u16 minor */
#define PVINFO_VERSION_1_0     0x00000001u
#define PVINFO_VGT_ID          0x00cu
#define PVINFO_CAPS            0x010u
#define PVINFO_MAPPABLE_BASE   0x040u
#define PVINFO_MAPPABLE_SIZE   0x044u
#define PVINFO_UNMAPPABLE_BASE 0x048u
#define PVINFO_UNMAPPABLE_SIZE 0x04cu
#define PVINFO_FENCES          0x050u
#define PVINFO_DISPLAY_READY   0x804u
#define PVINFO_INSUFFICIENT    0x808u /* four registers */
#define PVINFO_NOTIFY          0x818u
#define PVINFO_RESERVED        0x81cu
#define PVINFO_CURSOR_HOT      0x830u /* x, y */
#define PVINFO_PDP             0x838u /* four of low and high */
#define PVINFO_CTX_DESC        0x858u /* low and high */
#define PVINFO_END             0x860u

#define PVINFO_CAP_FULL_PPGTT     (1u << 2)
#define PVINFO_CAP_HWSP_EMULATION (1u << 3)

#endif
