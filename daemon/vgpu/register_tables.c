/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The registers of a Broadwell GPU that a driver cares about. What stands here without flags and
 * handlers is storage: the driver writes it, and nothing in this GPU depends on it.
 */
#include "vgpu/device.h"

/* Columns: offset, count, flags, reset, fixed bits, read, write */
/* clang-format off */

const struct reg engine_regs[] = {
    {RING_TAIL,             1,  0, 0, 0, NULL, ring_write_tail},
    {RING_HEAD,             1,  0, 0, 0, engine_read_head, NULL},
    {RING_START,            1,  0, 0, 0, NULL, NULL},
    {RING_CTL,              1,  0, 0, 0, NULL, ring_write_ctl},
    {RING_PSMI_CTL,         1,  REG_MASKED, 0, 0, NULL, NULL},
    {RING_ACTHD_UDW,        1,  REG_RO, 0, 0, engine_read_acthd, NULL},
    {RING_IPEIR,            1,  REG_RO, 0, 0, NULL, NULL},
    {RING_IPEHR,            1,  REG_RO, 0, 0, engine_read_ipehr, NULL},
    {RING_INSTDONE,         1,  REG_RO, UINT32_MAX, 0, NULL, NULL},
    {RING_INSTPS,           1,  REG_RO, 0, 0, NULL, NULL},
    {RING_ACTHD,            1,  REG_RO, 0, 0, engine_read_acthd, NULL},
    {RING_DMA_FADD,         1,  REG_RO, 0, 0, NULL, NULL},
    {RING_HWS_PGA,          1,  0, 0, 0xfff, NULL, engine_write_status_page},
    {RING_NOPID,            1,  0, 0, 0, NULL, NULL},
    {RING_HWSTAM,           1,  0, UINT32_MAX, 0, NULL, NULL},
    {RING_MI_MODE,          1,  REG_MASKED | REG_LOAD, 0, MI_MODE_IDLE, engine_read_mi_mode,
                                engine_write_mi_mode},
    {0x0a0,                 1,  0, 0, 0, NULL, NULL}, /* FF_THREAD_MODE of the render engine */
    {RING_IMR,              1,  0, UINT32_MAX, 0, NULL, NULL},
    {RING_EIR,              1,  REG_W1C, 0, 0, NULL, NULL},
    {RING_EMR,              1,  0, UINT32_MAX, 0, NULL, NULL},
    {RING_ESR,              1,  REG_RO, 0, 0, NULL, NULL},
    {RING_INSTPM,           1,  REG_MASKED | REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {RING_RESET_CTL,        1,  REG_MASKED, 0, RESET_CTL_READY, NULL, engine_write_reset_ctl},
    {RING_BB_STATE,         1,  REG_RO, 0, 0, NULL, NULL},
    {RING_SBB_ADDR,         3,  REG_RO, 0, 0, NULL, NULL},
    {RING_BB_ADDR,          1,  REG_RO, 0, 0, NULL, NULL},
    {0x15c,                 1,  REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {RING_BB_ADDR_UDW,      1,  REG_RO, 0, 0, NULL, NULL},
    {RING_CCID,             1,  0, 0, 0, NULL, NULL},
    {RING_BB_PER_CTX_PTR,   1,  0, 0, 0, NULL, NULL},
    {RING_INDIRECT_CTX,     1,  0, 0, 0, NULL, NULL},
    {RING_INDIRECT_OFFSET,  1,  0, 0, 0, NULL, NULL},
    {0x1f0,                 1,  REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {RING_ELSP,             1,  0, 0, 0, NULL, execlist_write_port},
    {RING_EXECLIST_STATUS,  2,  REG_RO, 0, 0, execlist_read_status, NULL},
    {RING_CTX_CONTROL,      1,  REG_MASKED, 0, 0, NULL, NULL},
    {RING_PDP0_LDW,         8,  0, 0, 0, NULL, NULL},
    {RING_MODE,             1,  REG_MASKED, 0, 0, NULL, engine_write_mode},
    {RING_TIMESTAMP,        2,  REG_RO | REG_STORE, 0, 0, gt_read_timestamp, NULL},
    {RING_CSB,   2*CSB_ENTRIES, REG_RO, 0, 0, NULL, NULL},
    {RING_CSB_PTR,          1,  REG_MASKED, CSB_PTR_NONE_YET, 0, NULL, NULL},
    {RING_CTX_TIMESTAMP,    1,  REG_STORE, 0, 0, NULL, NULL},
    {RING_PREDICATE_SRC0,   8,  REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {RING_3DPRIM,           5,  REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {RING_FORCE_TO_NONPRIV, 12, 0, 0, 0, NULL, engine_write_force_to_nonpriv},
    {RING_GPGPU_DISPATCH,   3,  REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {RING_GPR,              32, REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
};

/* A bank of interrupt registers: ISR, IMR, IIR, IER. Nothing stays in its ISR. */
#define GT_BANK(bank) \
    {GT_IRQ(bank),        1, REG_RO,  0, 0, NULL, NULL}, \
    {GT_IRQ(bank) + 0x4,  1, 0, UINT32_MAX, 0, NULL, NULL}, \
    {GT_IRQ(bank) + 0x8,  1, REG_W1C, 0, 0, NULL, irq_write_iir}, \
    {GT_IRQ(bank) + 0xc,  1, 0,       0, 0, NULL, irq_write_ier}

/* One in which nothing ever happens. */
#define QUIET_BANK(offset) \
    {(offset),            1, REG_RO,  0, 0, NULL, NULL}, \
    {(offset) + 0x4,      1, 0, UINT32_MAX, 0, NULL, NULL}, \
    {(offset) + 0x8,      1, REG_RO,  0, 0, NULL, NULL}, \
    {(offset) + 0xc,      1, 0,       0, 0, NULL, NULL}

#define PVINFO(name) (PVINFO_BASE + PVINFO_##name)
#define PVINFO_ROW(from, to) PVINFO(from), (PVINFO_##to - PVINFO_##from) / 4

const struct reg gpu_regs[] = {
    {GAMW_ECO,            1,  0, 0, 0, NULL, NULL},
    {0x004090,            1,  0, 0, 0, NULL, NULL}, /* GAM_ECOCHK */
    {RING_FAULT,          1,  REG_RO, 0, 0, NULL, NULL},
    {PRIVATE_PAT,         2,  0, 0, 0, NULL, NULL},
    {TLB_INVALIDATE,      5,  0, 0, 0, NULL, gt_write_flush},
    {FAULT_DATA,          2,  REG_RO, 0, 0, NULL, NULL},
    {CACHE_MODE_0,        1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {CACHE_MODE_1,        1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {GT_MODE,             1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {HDC_CHICKEN0,        1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {FUSE2,               1,  REG_RO, FUSE2_ONE_SLICE, 0, NULL, NULL},
    {EU_DISABLE,          3,  REG_RO, 0, 0, NULL, NULL},
    {0x009400,            1,  0, 0, 0, NULL, NULL}, /* UCGCTL1 */
    {GDRST,               1,  0, 0, 0, NULL, gt_write_reset},
    {0x009424,            4,  0, 0, 0, NULL, NULL}, /* clock gating */
    {0x00a000,           98,  0, 0, 0, NULL, NULL}, /* RPS, RC6: nothing to save here */
    {FORCEWAKE_MT,        1,  REG_MASKED, 0, 0, NULL, gt_write_forcewake},
    {0x00b020,           56,  0, 0, 0, NULL, NULL}, /* L3 */
    {0x00b100,            6,  0, 0, 0, NULL, NULL}, /* L3 */
    {L3SQCREG4,           1,  REG_LOAD | REG_STORE, 0, 0, NULL, NULL},
    {HALF_SLICE_CHICKEN3, 1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {ROW_CHICKEN,         1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {ROW_CHICKEN2,        1,  REG_MASKED | REG_LOAD, 0, 0, NULL, NULL},
    {FUSE_STRAP,          1,  REG_RO, FUSE_STRAP_NO_DISPLAY, 0, NULL, NULL},
    {0x042080,            1,  0, 0, 0, NULL, NULL}, /* display chicken bits */
    {0x042090,            1,  0, 0, 0, NULL, NULL},
    {0x0420b0,            3,  0, 0, 0, NULL, NULL},
    {FPGA_DBG,            1,  REG_W1C, 0, 0, NULL, NULL},
    {MASTER_IRQ,          1,  0, 0, ~MASTER_IRQ_ENABLE, irq_read_master, irq_write_master},
    GT_BANK(0),
    GT_BANK(1),
    GT_BANK(2),
    GT_BANK(3),
    QUIET_BANK(DISPLAY_IRQ), /* pipes */
    QUIET_BANK(DISPLAY_IRQ + 0x10),
    QUIET_BANK(DISPLAY_IRQ + 0x20),
    QUIET_BANK(DISPLAY_IRQ + 0x40), /* port */
    QUIET_BANK(DISPLAY_IRQ + 0x60), /* miscellaneous */
    QUIET_BANK(DISPLAY_IRQ + 0xe0), /* PCU */
    {POWER_WELLS,         4,  0, 0, 0, NULL, gt_write_power_well},
    {0x046408,            1,  0, 0, 0, NULL, NULL}, /* handshake with the PCH before a reset */
    {PVINFO_ROW(MAGIC, DISPLAY_READY),    REG_RO, 0, 0, pvinfo_read, NULL},
    {PVINFO(DISPLAY_READY), 1, 0, 0, 0, pvinfo_read, NULL},
    {PVINFO_ROW(INSUFFICIENT, NOTIFY),    0, 0, 0, pvinfo_read, pvinfo_write_insufficient},
    {PVINFO(NOTIFY),      1,  0, 0, 0, pvinfo_read, pvinfo_write_notify},
    {PVINFO_ROW(RESERVED, CURSOR_HOT),    REG_RO, 0, 0, pvinfo_read, NULL},
    {PVINFO_ROW(CURSOR_HOT, PDP),         0, UINT32_MAX, 0, pvinfo_read, NULL},
    {PVINFO_ROW(PDP, END),                0, 0, 0, pvinfo_read, NULL},
    {PVINFO_ROW(END, SIZE),               REG_RO, 0, 0, pvinfo_read, NULL},
    {SFUSE_STRAP,         1,  REG_RO, 0, 0, NULL, NULL},
    {0x0c2020,            1,  0, 0, 0, NULL, NULL}, /* clock gating of the PCH */
    QUIET_BANK(SDE_IRQ),
    {PCH_RAWCLK,          1,  0, 0, 0, NULL, NULL},
    {0x0f0060,            1,  0, 0, 0, NULL, NULL}, /* clock gating of the PCH */
    {FENCES, 2 * FENCES_MAX,  0, 0, 0, gt_read_fence, gt_write_fence},
    {GFX_FLSH_CNTL,       1,  0, 0, 0, NULL, gt_write_flush},
    {EDRAM_CAP,           1,  REG_RO, 0, 0, NULL, NULL},
    {LCPLL_CTL,           1,  REG_RO, LCPLL_LOCKED, 0, NULL, NULL},
    {FORCEWAKE_ACK,       1,  REG_RO, 0, 0, NULL, NULL},
    {RC6_COUNTERS,        4,  REG_RO, 0, 0, NULL, NULL},
    {PCODE_MAILBOX,       1,  0, 0, 0, NULL, gt_write_pcode},
    {PCODE_MAILBOX + 0x4, 2,  0, 0, 0, NULL, NULL}, /* its data */
    {RP_STATE_CAP,        1,  REG_RO, 0, 0, NULL, NULL},
    {DCLK,                1,  REG_RO, 0, 0, NULL, NULL},
};

/* clang-format on */

const size_t engine_regs_count = sizeof(engine_regs) / sizeof(engine_regs[0]);
const size_t gpu_regs_count = sizeof(gpu_regs) / sizeof(gpu_regs[0]);
