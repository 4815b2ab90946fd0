/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine: it is idle, or the GPU has one workload of it. What the next one is depends on how the
 * guest submits: by a ring's registers (ring.c) or by lists of contexts (execlist.c).
 */
#include <syslog.h>

#include "vgpu/device.h"

void engine_init(struct vgpu *vgpu, enum gpu_engine id)
{
    vgpu->engine[id] = (struct vgpu_engine){.id = id, .info = &engine_info[id]};
}

void engine_stop(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    gtt_engine_reset(vgpu->gtt, engine->id);
    engine_init(vgpu, engine->id);
}

void engine_reset(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    engine_stop(vgpu, engine);
    reg_reset_engine(vgpu, engine);
}

bool engine_uses_execlists(struct vgpu *vgpu, const struct vgpu_engine *engine)
{
    return *engine_reg(vgpu, engine, RING_MODE) & MODE_RUN_LIST;
}

static bool is_held(struct vgpu *vgpu, const struct vgpu_engine *engine)
{
    return *engine_reg(vgpu, engine, RING_MI_MODE) & MI_MODE_STOP_RING;
}

void engine_run(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    if (vgpu->failed || engine->state != ENGINE_IDLE || is_held(vgpu, engine)) {
        return;
    }
    bool lists = engine_uses_execlists(vgpu, engine);
    if (lists ? execlist_next(vgpu, engine) : ring_next(vgpu, engine)) {
        workload_start(vgpu, engine);
    }
}

/* --- what the GPU has done --------------------------------------------------------------- */

static void report_interrupts(struct vgpu *vgpu, struct vgpu_engine *engine,
                              const struct gpu_engine_state *state)
{
    if (state->user_interrupts != engine->user_interrupts) {
        engine->user_interrupts = state->user_interrupts;
        irq_event(vgpu, engine, EVENT_USER);
    }
    if (state->notify_interrupts != engine->notify_interrupts) {
        engine->notify_interrupts = state->notify_interrupts;
        irq_event(vgpu, engine, EVENT_NOTIFY);
    }
}

/* The guest's driver is told, as by a real GPU, and resets the engine. */
static void report_error(struct vgpu *vgpu, struct vgpu_engine *engine, const char *reason)
{
    engine->state = ENGINE_STUCK;
    vgpu->stats.engine_errors++;
    vgpu_log(vgpu, LOG_NOTICE, "%s stopped: %s", engine->info->name, reason);
    *engine_reg(vgpu, engine, RING_ESR) |= ERROR_INSTRUCTION;
    if (!(*engine_reg(vgpu, engine, RING_EMR) & ERROR_INSTRUCTION)) {
        *engine_reg(vgpu, engine, RING_EIR) |= ERROR_INSTRUCTION;
        irq_event(vgpu, engine, EVENT_ERROR);
    }
}

static void look(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, engine->id, &state);
    report_interrupts(vgpu, engine, &state);
    if (state.done != engine->done) {
        engine->state = ENGINE_IDLE;
        engine->context.ring.head = engine->tail;
        *engine_reg(vgpu, engine, RING_HEAD) = engine->tail;
        engine_run(vgpu, engine);
    } else if (state.error) {
        report_error(vgpu, engine, state.reason);
    }
}

/*
 * What a list has begun with is told here, too, not at its submission: most work is done by now,
 * and beginning and end are one interrupt, which spares the guest's driver a third of its accesses.
 */
void engine_check(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    if (!vgpu->failed && engine->state == ENGINE_BUSY) {
        look(vgpu, engine);
    }
    execlist_signal(vgpu, engine);
}

/* --- registers --------------------------------------------------------------------------- */

/* Batches have addresses of their own; while one runs, the ring stands where it started. */
uint32_t engine_read_head(struct vgpu *vgpu, const struct reg_at *at)
{
    const struct ring *ring = &at->engine->context.ring;
    if (at->engine->state != ENGINE_IDLE) {
        struct gpu_engine_state state;
        gtt_engine_state(vgpu->gtt, at->engine->id, &state);
        uint64_t in_ring = state.acthd - ring->start;
        if (in_ring < 2 * (uint64_t)ring->size) { /* commands behind the ring's end are its first */
            return in_ring % ring->size;
        }
    }
    return *vgpu_reg(vgpu, at->offset);
}

uint32_t engine_read_acthd(struct vgpu *vgpu, const struct reg_at *at)
{
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, at->engine->id, &state);
    bool upper = at->offset - at->engine->info->base == RING_ACTHD_UDW;
    return upper ? state.acthd >> 32 : (uint32_t)state.acthd;
}

uint32_t engine_read_ipehr(struct vgpu *vgpu, const struct reg_at *at)
{
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, at->engine->id, &state);
    return state.ipehr;
}

uint32_t engine_read_mi_mode(struct vgpu *vgpu, const struct reg_at *at)
{
    bool idle = (at->engine->state == ENGINE_IDLE && !at->engine->waiting) ||
                is_held(vgpu, at->engine);
    return *vgpu_reg(vgpu, at->offset) | (idle ? MI_MODE_IDLE : 0);
}

void engine_write_mi_mode(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    if (old & ~now & MI_MODE_STOP_RING) {
        engine_run(vgpu, at->engine);
    }
}

void engine_write_mode(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    if (now & MODE_PRIVILEGE_CHECK) {
        vgpu_fail(vgpu, "%s: mode 0x%x would let batches do what only the ring may",
                  at->engine->info->name, now);
    } else if (now & ~old & MODE_RUN_LIST && !vgpu->pv_aware) {
        vgpu_fail(vgpu, "%s: execlists by a driver that does not know that it has a vGPU",
                  at->engine->info->name);
    } else if ((now ^ old) & MODE_RUN_LIST) {
        engine_stop(vgpu, at->engine);
    }
}

/* Ready to be reset as soon as it is asked. */
void engine_write_reset_ctl(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    bool ready = now & RESET_CTL_REQUEST;
    *vgpu_reg(vgpu, at->offset) = (now & ~RESET_CTL_READY) | (ready ? RESET_CTL_READY : 0);
}

void engine_write_status_page(struct vgpu *vgpu, const struct reg_at *at, uint32_t old,
                              uint32_t now)
{
    if (!vgpu_owns(vgpu, now, STATUS_PAGE_SIZE)) {
        *vgpu_reg(vgpu, at->offset) = old;
        vgpu->stats.dropped++;
    }
}

/* Which registers batches may write besides: only the one that is no register is accepted. */
void engine_write_force_to_nonpriv(struct vgpu *vgpu, const struct reg_at *at, uint32_t old,
                                   uint32_t now)
{
    if (now && now != at->engine->info->base + RING_NOPID) {
        *vgpu_reg(vgpu, at->offset) = old;
        vgpu->stats.dropped++;
    }
}
