/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An engine: it is idle, or the GPU has one workload of it. What the next one is depends on how the
 * guest submits: by a ring's registers or by lists of contexts.
 */
#include "vgpu/submit/engine.h"

#include <syslog.h>

#include "gen/registers.h"
#include "vgpu/blocks/irq.h"
#include "vgpu/failsafe.h"
#include "vgpu/models.h"
#include "vgpu/submit/context.h"
#include "vgpu/submit/execlist.h"
#include "vgpu/submit/workload.h"

static void begin(struct vgpu *vgpu, enum gpu_engine id)
{
    vgpu->engine[id] = (struct vgpu_engine){
        .id = id,
        .info = &vgpu->model->engine[id],
        .kept = &vgpu->kept->engine[id],
    };
}

void engine_init(struct vgpu *vgpu, enum gpu_engine id)
{
    workload_forget(&vgpu->engine[id]);
    begin(vgpu, id);
    *vgpu->engine[id].kept = (struct engine_kept){0};
}

void engine_stop(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    gtt_engine_reset(vgpu->gtt, engine->id);
    engine_init(vgpu, engine->id);
}

void engines_stop_failed(struct vgpu *vgpu)
{
    if (!vgpu->failed || vgpu->stopped) {
        return;
    }
    vgpu->stopped = true;
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_stop(vgpu, &vgpu->engine[e]);
    }
}

bool engine_uses_execlists(struct vgpu *vgpu, const struct vgpu_engine *engine)
{
    return *engine_reg(vgpu, engine, RING_MODE) & MODE_RUN_LIST;
}

bool engine_is_held(struct vgpu *vgpu, const struct vgpu_engine *engine)
{
    return *engine_reg(vgpu, engine, RING_MI_MODE) & MI_MODE_STOP_RING;
}

/* Is there a command to run? It is in the ring of the engine's context then. */
static bool find_next(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    if (engine_uses_execlists(vgpu, engine)) {
        return execlist_next(vgpu, engine);
    }
    const struct ring *ring = &engine->context.ring;
    return context_from_registers(vgpu, engine) && ring->head != ring->tail;
}

void engine_run(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    engine->waiting = engine->starved = false;
    if (vgpu->failed || vgpu->held || engine->state != ENGINE_IDLE) {
        return;
    }
    if (!engine_is_held(vgpu, engine) && find_next(vgpu, engine)) {
        workload_start(vgpu, engine);
    } else {
        workload_forget(engine); /* other commands may come in the same place */
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
        *engine_reg(vgpu, engine, RING_HEAD) = engine->tail;
        context_set_head(engine, engine->tail);
        engine->kept->busy = false;
        engine_run(vgpu, engine);
    } else if (state.error) {
        report_error(vgpu, engine, state.reason);
    }
}

void engine_check(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    if (!vgpu->failed && engine->state == ENGINE_BUSY) {
        look(vgpu, engine);
    }
    execlist_signal(vgpu, engine);
}

bool engine_is_quiet(const struct vgpu_engine *engine)
{
    return engine->state != ENGINE_BUSY && !engine->waiting && !engine->kept->execlist.events;
}

/* --- over the end of a process ----------------------------------------------------------- */

bool engine_is_lost(const struct vgpu_engine *engine)
{
    return engine->state == ENGINE_STUCK && engine->kept->unsure;
}

void engine_answered(struct vgpu_engine *engine)
{
    engine->kept->unsure = engine_is_lost(engine);
}

/* What the GPU had is gone; what the lists say may be one thing or the next. */
static bool can_go_on(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    const struct engine_kept *kept = engine->kept;
    if (kept->busy || kept->moving || kept->unsure) {
        return false;
    }
    return !engine_uses_execlists(vgpu, engine) || execlist_take_up(vgpu, engine);
}

void engine_take_up(struct vgpu *vgpu, enum gpu_engine id)
{
    struct vgpu_engine *engine = &vgpu->engine[id];
    begin(vgpu, id);
    if (vgpu->failed) {
        return;
    }
    engine->waiting = can_go_on(vgpu, engine);
    if (!engine->waiting && !vgpu->failed) {
        engine->kept->unsure = true; /* it listens to nothing before it is reset */
        report_error(vgpu, engine, "the process that ran it has ended");
    }
}
