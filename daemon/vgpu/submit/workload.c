/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the commands in a guest's ring to a workload of the GPU: copied, checked, submitted. */
#include "vgpu/submit/workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "gen/registers.h"
#include "vgpu/audit/audit.h"
#include "vgpu/failsafe.h"

/* Dwords that are checked, and that are only copied, for a unit of gtt_allow(). */
#define DWORDS_PER_UNIT 5u
#define COPIED_PER_UNIT 50u

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
}

static int submit(struct vgpu *vgpu, struct vgpu_engine *engine, const struct audit *a)
{
    const struct vgpu_context *context = &a->context;
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
    engine->kept->busy = true;
    int ret = gtt_submit(vgpu->gtt, &workload);
    engine->kept->busy = !ret;
    return ret;
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

/* Copies the commands: what the guest adds to its ring from now on is the next workload. */
static int begin(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct audit *audit = malloc(sizeof(*audit));
    if (!audit) {
        return -ENOMEM;
    }
    audit_begin(audit, vgpu, engine, engine->context.root.levels != 0);
    engine->audit = audit;
    engine->tail = engine->context.ring.tail;
    bool copied = copy_commands(audit, &engine->context);
    gtt_spend(vgpu->gtt, audit->total / COPIED_PER_UNIT);
    return copied ? 0 : audit->starved ? -ENOBUFS : -EINVAL;
}

void workload_forget(struct vgpu_engine *engine)
{
    if (engine->audit) {
        audit_end(engine->audit);
        free(engine->audit);
    }
    engine->audit = NULL;
}

/* A guest may have another context run in the meantime: by a tail that it takes back. */
static bool is_of(const struct audit *a, const struct vgpu_context *context)
{
    const struct gtt_root *root = &context->root;
    const struct ring *ring = &context->ring;
    for (unsigned i = 0; i < 4; i++) {
        if (a->context.root.pdp[i] != root->pdp[i]) {
            return false;
        }
    }
    return a->context.root.levels == root->levels && a->context.image == context->image &&
           a->context.has_image == context->has_image && a->context.ring.start == ring->start &&
           a->context.ring.size == ring->size && a->context.ring.head == ring->head;
}

/* As far as the guest's share of the time reaches. */
static enum audit_result check(struct vgpu *vgpu, struct audit *audit)
{
    uint64_t dwords = (uint64_t)gtt_left(vgpu->gtt) * DWORDS_PER_UNIT;
    uint64_t before = audit->checked;
    enum audit_result result =
        audit_check(audit, dwords < AUDIT_AT_ONCE ? (uint32_t)dwords : AUDIT_AT_ONCE);
    gtt_spend(vgpu->gtt, (uint32_t)((audit->checked - before) / DWORDS_PER_UNIT));
    return result;
}

/* -EAGAIN: it waits. -ENOBUFS: it waits, for room that others have. -EINVAL: the vGPU has failed,
 * and says why. */
static int try_to_start(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    if (engine->audit && !is_of(engine->audit, &engine->context)) {
        workload_forget(engine);
    }
    if (!engine->audit) { /* else it is prepared, and its time is for the audit alone */
        int ret = gtt_prepare(vgpu->gtt, engine->id, &engine->context.root);
        ret = ret ? ret : begin(vgpu, engine);
        if (ret) {
            return ret;
        }
    }
    switch (check(vgpu, engine->audit)) {
    case AUDIT_MORE:
        return -EAGAIN;
    case AUDIT_REFUSED:
        return engine->audit->starved ? -ENOBUFS : -EINVAL;
    default:
        return submit(vgpu, engine, engine->audit);
    }
}

void workload_start(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    int ret = try_to_start(vgpu, engine);
    if (ret == -EAGAIN) {
        engine->waiting = true;
        return;
    }
    workload_forget(engine);
    if (ret == -ENOBUFS) {
        engine->waiting = engine->starved = true; /* and is copied anew */
    } else if (!ret) {
        engine->state = ENGINE_BUSY;
        engine->context.fresh = false;
        engine->kept->fresh = false;
        vgpu->stats.submissions++;
    } else if (!vgpu->failed) {
        submission_failed(vgpu, engine, ret);
    }
}
