/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Power and clocks: nothing is saved here, and every request is granted when the store is done. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"

static void write_forcewake(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)at;
    (void)old;
    *vgpu_reg(vgpu, FORCEWAKE_ACK) = now;
}

/* The power control unit's answer to everything: done, no error. */
static void write_pcode(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    if (now & PCODE_BUSY) {
        *vgpu_reg(vgpu, at->offset) = 0;
    }
}

static void write_power_well(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    uint32_t requests = now & POWER_WELL_REQUESTS;
    *vgpu_reg(vgpu, at->offset) = requests | requests >> 1;
}

static const struct reg rows[] = {
    {0x009400, 1, 0, 0, 0, NULL, NULL},  /* UCGCTL1 */
    {0x009424, 4, 0, 0, 0, NULL, NULL},  /* clock gating */
    {0x00a000, 98, 0, 0, 0, NULL, NULL}, /* RPS, RC6 */
    {FORCEWAKE_MT, 1, 0, 0, 0, NULL, write_forcewake},
    {POWER_WELLS, 4, 0, 0, 0, NULL, write_power_well},
    {EDRAM_CAP, 1, REG_RO, 0, 0, NULL, NULL},
    {LCPLL_CTL, 1, REG_RO, LCPLL_LOCKED, 0, NULL, NULL},
    {FORCEWAKE_ACK, 1, REG_RO, 0, 0, NULL, NULL},
    {RC6_COUNTERS, 4, REG_RO, 0, 0, NULL, NULL},
    {PCODE_MAILBOX, 1, 0, 0, 0, NULL, write_pcode},
    {PCODE_MAILBOX + 0x4, 2, 0, 0, 0, NULL, NULL}, /* its data */
    {RP_STATE_CAP, 1, REG_RO, 0, 0, NULL, NULL},
    {DCLK, 1, REG_RO, 0, 0, NULL, NULL},
};

REG_BLOCK(block_power, "power", rows);
