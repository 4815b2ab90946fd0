/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command streamer of an engine: where it stands, how it works, what commands compute with. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"
#include "vgpu/failsafe.h"
#include "vgpu/submit/engine.h"

static uint32_t read_acthd(struct vgpu *vgpu, const struct reg_at *at)
{
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, at->engine->id, &state);
    bool upper = at->offset - at->engine->info->base == RING_ACTHD_UDW;
    return upper ? state.acthd >> 32 : (uint32_t)state.acthd;
}

static uint32_t read_ipehr(struct vgpu *vgpu, const struct reg_at *at)
{
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, at->engine->id, &state);
    return state.ipehr;
}

static uint32_t read_timestamp(struct vgpu *vgpu, const struct reg_at *at)
{
    uint64_t ticks = gtt_ticks(vgpu->gtt);
    return at->index ? ticks >> 32 : (uint32_t)ticks;
}

static uint32_t read_mi_mode(struct vgpu *vgpu, const struct reg_at *at)
{
    const struct vgpu_engine *engine = at->engine;
    bool idle = (engine->state == ENGINE_IDLE && !engine->waiting) || engine_is_held(vgpu, engine);
    return *vgpu_reg(vgpu, at->offset) | (idle ? MI_MODE_IDLE : 0);
}

static void write_mi_mode(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    if (old & ~now & MI_MODE_STOP_RING) {
        engine_run(vgpu, at->engine);
    }
}

static void write_mode(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    const char *name = at->engine->info->name;
    if (now & MODE_PRIVILEGE_CHECK) {
        vgpu_fail(vgpu, "%s: mode 0x%x would let batches do what only the ring may", name, now);
    } else if (now & ~old & MODE_RUN_LIST && !vgpu->kept->pv_aware) {
        vgpu_fail(vgpu, "%s: execlists by a driver that does not know that it has a vGPU", name);
    } else if ((now ^ old) & MODE_RUN_LIST) {
        engine_stop(vgpu, at->engine);
    }
}

static void write_status_page(struct vgpu *vgpu, const struct reg_at *at, uint32_t old,
                              uint32_t now)
{
    if (!vgpu_owns(vgpu, now, STATUS_PAGE_SIZE)) {
        *vgpu_reg(vgpu, at->offset) = old;
        vgpu->stats.dropped++;
    }
}

/* Which registers batches may write besides: only the one that is no register is accepted. */
static void write_force_to_nonpriv(struct vgpu *vgpu, const struct reg_at *at, uint32_t old,
                                   uint32_t now)
{
    if (now && now != at->engine->info->base + RING_NOPID) {
        *vgpu_reg(vgpu, at->offset) = old;
        vgpu->stats.dropped++;
    }
}

static const struct reg rows[] = {
    {RING_PSMI_CTL, 1, 0, 0, 0, NULL, NULL},
    {RING_ACTHD_UDW, 1, REG_RO, 0, 0, read_acthd, NULL},
    {RING_IPEIR, 1, REG_RO, 0, 0, NULL, NULL},
    {RING_IPEHR, 1, REG_RO, 0, 0, read_ipehr, NULL},
    {RING_INSTDONE, 1, REG_RO, UINT32_MAX, 0, NULL, NULL},
    {RING_INSTPS, 1, REG_RO, 0, 0, NULL, NULL},
    {RING_ACTHD, 1, REG_RO, 0, 0, read_acthd, NULL},
    {RING_DMA_FADD, 1, REG_RO, 0, 0, NULL, NULL},
    {RING_HWS_PGA, 1, 0, 0, 0xfff, NULL, write_status_page},
    {RING_NOPID, 1, 0, 0, 0, NULL, NULL},
    {RING_HWSTAM, 1, 0, UINT32_MAX, 0, NULL, NULL},
    {RING_MI_MODE, 1, 0, 0, MI_MODE_IDLE, read_mi_mode, write_mi_mode},
    {0x0a0, 1, 0, 0, 0, NULL, NULL}, /* FF_THREAD_MODE of the render engine */
    {RING_INSTPM, 1, 0, 0, 0, NULL, NULL},
    {RING_BB_STATE, 1, REG_RO, 0, 0, NULL, NULL},
    {RING_SBB_ADDR, 3, REG_RO, 0, 0, NULL, NULL},
    {RING_BB_ADDR, 1, REG_RO, 0, 0, NULL, NULL},
    {0x15c, 1, 0, 0, 0, NULL, NULL},
    {RING_BB_ADDR_UDW, 1, REG_RO, 0, 0, NULL, NULL},
    {0x1f0, 1, 0, 0, 0, NULL, NULL},
    {RING_MODE, 1, 0, 0, 0, NULL, write_mode},
    {RING_TIMESTAMP, 2, REG_RO, 0, 0, read_timestamp, NULL},
    {RING_PREDICATE_SRC0, 8, 0, 0, 0, NULL, NULL},
    {RING_3DPRIM, 5, 0, 0, 0, NULL, NULL},
    {RING_FORCE_TO_NONPRIV, 12, 0, 0, 0, NULL, write_force_to_nonpriv},
    {RING_GPGPU_DISPATCH, 3, 0, 0, 0, NULL, NULL},
    {RING_GPR, 2 * RING_GPRS, 0, 0, 0, NULL, NULL},
};

REG_BLOCK_OF_ENGINE(block_streamer, "command streamer", rows);
