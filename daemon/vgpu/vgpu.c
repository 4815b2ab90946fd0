/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vGPU as one thing: made, reset, looked at. */
#include "vgpu/vgpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/blocks/irq.h"
#include "vgpu/blocks/pvinfo.h"
#include "vgpu/device.h"
#include "vgpu/models.h"
#include "vgpu/registers.h"
#include "vgpu/submit/engine.h"
#include "vgpu/submit/workload.h"

/* Everything a guest can change, but for the GGTT. Registers that are not known hold 0 already. */
static void power_on(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_init(vgpu, e);
    }
    reg_reset_all(vgpu);
    pvinfo_init(vgpu);
    irq_reset(vgpu);
    vgpu->pv_aware = false;
    vgpu->failed = vgpu->stopped = false;
    vgpu->reason[0] = '\0';
}

int vgpu_create(const struct vgpu_config *config, struct vgpu **out)
{
    *out = NULL;
    const struct vgpu_model *model = vgpu_model(config->model);
    bool fits = model && config->fences <= model->fences;
    struct vgpu *vgpu = fits ? calloc(1, sizeof(*vgpu)) : NULL;
    if (vgpu) {
        vgpu->reg = calloc(1, VGPU_REGS_SIZE);
    }
    if (!vgpu || !vgpu->reg) {
        free(vgpu);
        gtt_destroy(config->gtt);
        return fits ? -ENOMEM : -EINVAL;
    }
    vgpu->cfg = *config;
    vgpu->model = model;
    vgpu->gtt = config->gtt;
    reg_init(vgpu);
    power_on(vgpu);
    *out = vgpu;
    return 0;
}

void vgpu_destroy(struct vgpu *vgpu)
{
    if (!vgpu) {
        return;
    }
    for (int e = 0; e < GPU_ENGINES; e++) {
        workload_forget(&vgpu->engine[e]);
    }
    gtt_destroy(vgpu->gtt);
    free(vgpu->reg);
    free(vgpu);
}

void vgpu_reset(struct vgpu *vgpu)
{
    gtt_reset(vgpu->gtt);
    memset(vgpu->reg, 0, VGPU_REGS_SIZE);
    power_on(vgpu);
}

void vgpu_guest_layout_changed(struct vgpu *vgpu)
{
    gtt_guest_layout_changed(vgpu->gtt);
}

void vgpu_check(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_check(vgpu, &vgpu->engine[e]);
    }
    engines_stop_failed(vgpu);
    irq_deliver(vgpu);
}

void vgpu_settle(struct vgpu *vgpu)
{
    gtt_settle(vgpu->gtt);
}

bool vgpu_ready(struct vgpu *vgpu)
{
    return gtt_ready(vgpu->gtt);
}

bool vgpu_work(struct vgpu *vgpu, uint32_t units)
{
    bool more = false;
    gtt_allow(vgpu->gtt, units);
    for (int e = 0; e < GPU_ENGINES; e++) {
        if (vgpu->engine[e].waiting) {
            vgpu->engine[e].waiting = false; /* held, it is run when it is let go */
            engine_run(vgpu, &vgpu->engine[e]);
        }
        more |= vgpu->engine[e].waiting;
    }
    engines_stop_failed(vgpu);
    return gtt_work(vgpu->gtt) || more;
}

void vgpu_end(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_init(vgpu, e);
    }
    vgpu->failed = vgpu->stopped = true;
    gtt_end(vgpu->gtt);
}

void vgpu_pause(struct vgpu *vgpu, bool paused)
{
    vgpu->paused = paused;
    gtt_pause(vgpu->gtt, paused);
}

bool vgpu_paused(const struct vgpu *vgpu)
{
    return vgpu->paused;
}

const char *vgpu_failsafe(const struct vgpu *vgpu)
{
    return vgpu->failed ? vgpu->reason : NULL;
}

void vgpu_get_stats(const struct vgpu *vgpu, struct vgpu_stats *stats)
{
    *stats = vgpu->stats;
}

struct gtt *vgpu_gtt(struct vgpu *vgpu)
{
    return vgpu->gtt;
}
