/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <xengt/types.h>

#include "vgpu/device.h"

/* A guest can provoke lines at will, and there is no use in many. */
#define LINES_MAX 200u

static void log_line(struct vgpu *vgpu, int level, const char *line)
{
    if (vgpu->cfg.log) {
        vgpu->cfg.log(vgpu->cfg.log_arg, level, line);
    }
}

void vgpu_log(struct vgpu *vgpu, int level, const char *format, ...)
{
    char line[256];
    va_list ap;
    if (vgpu->lines >= LINES_MAX) {
        return;
    }
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    log_line(vgpu, level, line);
    if (++vgpu->lines == LINES_MAX) {
        snprintf(line, sizeof(line), "vGPU %u: this was its last line here", vgpu->cfg.id);
        log_line(vgpu, LOG_NOTICE, line);
    }
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
        engine_stop(vgpu, &vgpu->engine[e]);
    }
    vgpu_log(vgpu, LOG_WARNING, "vGPU %u is in failsafe: %s", vgpu->cfg.id, vgpu->reason);
}

static bool in_range(const struct gpu_range *r, uint64_t address, uint64_t size)
{
    uint64_t first = (uint64_t)r->first << XENGT_PAGE_SHIFT;
    uint64_t all = (uint64_t)r->count << XENGT_PAGE_SHIFT;
    return address >= first && size <= all && address - first <= all - size;
}

bool vgpu_owns(const struct vgpu *vgpu, uint64_t address, uint64_t size)
{
    return in_range(&vgpu->cfg.mappable, address, size) ||
           in_range(&vgpu->cfg.unmappable, address, size);
}

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
    vgpu->failed = false;
    vgpu->reason[0] = '\0';
}

int vgpu_create(const struct vgpu_config *config, struct vgpu **out)
{
    *out = NULL;
    struct vgpu *vgpu = config->fences <= FENCES_MAX ? calloc(1, sizeof(*vgpu)) : NULL;
    if (vgpu) {
        vgpu->reg = calloc(1, VGPU_REGS_SIZE);
    }
    if (!vgpu || !vgpu->reg) {
        free(vgpu);
        gtt_destroy(config->gtt);
        return config->fences <= FENCES_MAX ? -ENOMEM : -EINVAL;
    }
    vgpu->cfg = *config;
    vgpu->gtt = config->gtt;
    power_on(vgpu);
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
    return gtt_work(vgpu->gtt) || more;
}

void vgpu_end(struct vgpu *vgpu)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        engine_init(vgpu, e);
    }
    vgpu->failed = true;
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
