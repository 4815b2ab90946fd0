/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the commands in a guest's ring to a workload of the GPU: copied, checked, submitted. */
#include "vgpu/submit/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include "gen/registers.h"
#include "vgpu/audit/audit.h"
#include "vgpu/failsafe.h"

/* In the order in which they are run. */
static bool copy_commands(struct audit *a, const struct vgpu_context *context)
{
    if (context->fresh && context->indirect_size &&
        !audit_add(a, AUDIT_RING, context->indirect, context->indirect_size)) {
        return false;
    }
    if (context->fresh && context->has_per_context &&
        !audit_add(a, AUDIT_WHOLE, context->per_context, 0)) {
        return false;
    }
    return audit_add_ring(a, &context->ring);
}

/* From here on the GPU's counters tell what has become of it. */
static void remember_counters(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct gpu_engine_state state;
    gtt_engine_state(vgpu->gtt, engine->id, &state);
    engine->done = state.done;
    engine->user_interrupts = state.user_interrupts;
    engine->notify_interrupts = state.notify_interrupts;
    engine->tail = engine->context.ring.tail;
}

static int submit(struct vgpu *vgpu, struct vgpu_engine *engine, const struct audit *a)
{
    const struct vgpu_context *context = &engine->context;
    const struct gtt_workload workload = {
        .engine = engine->id,
        .root = context->root,
        .context = context->image,
        .status_page =
            context->has_image ? context->image : *engine_reg(vgpu, engine, RING_HWS_PGA),
        .buffer = a->piece,
        .buffers = a->pieces,
    };
    remember_counters(vgpu, engine);
    return gtt_submit(vgpu->gtt, &workload);
}

/* What cannot be run hangs: the guest's driver notices, and resets the engine. */
static void submission_failed(struct vgpu *vgpu, struct vgpu_engine *engine, int error)
{
    if (error == -EFAULT) {
        vgpu_fail(vgpu, "%s: the PPGTT 0x%" PRIx64 " is not in the guest's memory",
                  engine->info->name, engine->context.root.pdp[0]);
        return;
    }
    engine->state = ENGINE_STUCK;
    vgpu->stats.engine_errors++;
    vgpu_log(vgpu, LOG_WARNING, "%s: a workload could not be submitted: %s", engine->info->name,
             strerror(-error));
}

void workload_start(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct audit audit;
    int ret = gtt_prepare(vgpu->gtt, engine->id, &engine->context.root);
    engine->waiting = ret == -EAGAIN;
    if (ret) {
        if (!engine->waiting) {
            submission_failed(vgpu, engine, ret);
        }
        return;
    }
    audit_begin(&audit, vgpu, engine, engine->context.root.levels != 0);
    if (copy_commands(&audit, &engine->context) &&
        audit_check(&audit, AUDIT_AT_ONCE) == AUDIT_PASSED) {
        ret = submit(vgpu, engine, &audit);
        if (!ret) {
            engine->state = ENGINE_BUSY;
            engine->context.fresh = false;
            vgpu->stats.submissions++;
        } else {
            submission_failed(vgpu, engine, ret);
        }
    }
    audit_end(&audit);
}
