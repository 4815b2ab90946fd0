/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the vGPU share. */
#ifndef XENGT_VGPU_PRIVATE_H
#define XENGT_VGPU_PRIVATE_H

#include "vgpu.h"

#include "regs.h"

#define VGPU_REGS_SIZE (2u << 20)

struct vgpu {
    struct vgpu_config cfg;
    struct gtt *gtt;
    uint32_t *reg; /* VGPU_REGS_SIZE bytes: what registers hold */
    struct vgpu_stats stats;
    bool paused;
    bool failed;
    bool unknown_logged;
    char reason[128]; /* of the failsafe */
};

static inline uint32_t *vgpu_reg(struct vgpu *vgpu, uint32_t offset)
{
    return &vgpu->reg[offset / sizeof(uint32_t)];
}

__attribute__((format(printf, 3, 4))) void vgpu_log(struct vgpu *vgpu, int level,
                                                    const char *format, ...);

/* The guest broke its vGPU: nothing is submitted any more, and why is kept for people. */
__attribute__((format(printf, 2, 3))) void vgpu_fail(struct vgpu *vgpu, const char *format, ...);

void pvinfo_init(struct vgpu *vgpu);
void pvinfo_write(struct vgpu *vgpu, uint32_t offset, uint32_t value);

uint32_t ring_read(struct vgpu *vgpu, uint32_t offset);
void ring_write(struct vgpu *vgpu, uint32_t offset, uint32_t value);

/* Notices an engine that stopped on a command it could not execute. */
void ring_check(struct vgpu *vgpu);

#endif
