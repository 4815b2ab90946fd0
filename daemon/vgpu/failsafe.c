/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The failsafe: a flag and a reason; and the lines a vGPU may write to the log. */
#include "vgpu/failsafe.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include <xengt/types.h>

/* A guest can provoke lines at will, and there is no use in many. */
#define LINES_MAX 200u

static void log_line(struct vgpu *vgpu, int level, const char *line)
{
    if (vgpu->cfg.machine->log) {
        vgpu->cfg.machine->log(vgpu->cfg.machine_arg, level, line);
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
    return in_range(&vgpu->cfg.gtt.mappable, address, size) ||
           in_range(&vgpu->cfg.gtt.unmappable, address, size);
}
