/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The failsafe: a flag and a reason; and the lines a vGPU may write to the log. */
#include "vgpu/failsafe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <syslog.h>

#include <xengt/types.h>

#include "text.h"

/*
 * A guest can provoke lines at will. There are few of each level, so that many of one say nothing
 * against one of another.
 */
static const struct budget_rate line_rate = {.at_once = 20, .one_more_ns = UINT64_C(3000000000)};

void vgpu_log(struct vgpu *vgpu, int level, const char *format, ...)
{
    const struct vgpu_config *c = &vgpu->cfg;
    uint64_t *left_out = &vgpu->log[level].left_out;
    if (!budget_take(&vgpu->log[level].budget, &line_rate, vgpu_now_ns(vgpu))) {
        ++*left_out;
        return;
    }
    char line[256];
    va_list ap;
    va_start(ap, format);
    text_vline(line, sizeof(line), format, ap);
    va_end(ap);
    if (*left_out) {
        text_log(c->machine->log, c->machine_arg, level, "%s (%" PRIu64 " lines left out)", line,
                 *left_out);
    } else {
        text_log(c->machine->log, c->machine_arg, level, "%s", line);
    }
    *left_out = 0;
}

void vgpu_fail(struct vgpu *vgpu, const char *format, ...)
{
    if (vgpu->failed) {
        return;
    }
    va_list ap;
    va_start(ap, format);
    text_vline(vgpu->kept->reason, sizeof(vgpu->kept->reason), format, ap);
    va_end(ap);
    vgpu->failed = true;
    vgpu->kept->failed = true;
    vgpu_log(vgpu, LOG_WARNING, "vGPU %u is in failsafe: %s", vgpu->cfg.id, vgpu->kept->reason);
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
