/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "private.h"

void vgpu_log(struct vgpu *vgpu, int level, const char *format, ...)
{
    if (!vgpu->cfg.log) {
        return;
    }
    char line[200];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    vgpu->cfg.log(vgpu->cfg.log_arg, level, line);
}

void vgpu_fail(struct vgpu *vgpu, const char *format, ...)
{
    if (vgpu->failed) {
        return;
    }
    va_list ap;
    va_start(ap, format);
    vsnprintf(vgpu->reason, sizeof(vgpu->reason), format, ap);
    va_end(ap);
    vgpu->failed = true;
    for (int e = 0; e < GPU_ENGINES; e++) {
        gtt_engine_reset(vgpu->gtt, e);
    }
    vgpu_log(vgpu, LOG_WARNING, "vGPU %u is in failsafe: %s", vgpu->cfg.id, vgpu->reason);
}

int vgpu_create(const struct vgpu_config *config, struct vgpu **out)
{
    *out = NULL;
    struct vgpu *vgpu = calloc(1, sizeof(*vgpu));
    if (vgpu) {
        vgpu->reg = calloc(1, VGPU_REGS_SIZE);
    }
    if (!vgpu || !vgpu->reg) {
        free(vgpu);
        gtt_destroy(config->gtt);
        return -ENOMEM;
    }
    vgpu->cfg = *config;
    vgpu->gtt = config->gtt;
    pvinfo_init(vgpu);
    *out = vgpu;
    return 0;
}

void vgpu_destroy(struct vgpu *vgpu)
{
    if (!vgpu) {
        return;
    }
    gtt_destroy(vgpu->gtt);
    free(vgpu->reg);
    free(vgpu);
}

void vgpu_guest_layout_changed(struct vgpu *vgpu)
{
    gtt_guest_layout_changed(vgpu->gtt);
}

void vgpu_check(struct vgpu *vgpu)
{
    ring_check(vgpu);
}

void vgpu_settle(struct vgpu *vgpu)
{
    gtt_commit(vgpu->gtt);
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
