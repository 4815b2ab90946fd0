/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Failsafe: where a vGPU goes whose guest broke it. Any file may put it there; the engines are
 * stopped by whoever called into the vGPU, before he returns.
 */
#ifndef XENGT_VGPU_FAILSAFE_H
#define XENGT_VGPU_FAILSAFE_H

#include "vgpu/device.h"

/* Nothing is submitted any more, and why is kept for people. */
__attribute__((format(printf, 2, 3))) void vgpu_fail(struct vgpu *vgpu, const char *format, ...);

/* A line for people; when there were many of its level lately, it is left out and counted. */
__attribute__((format(printf, 3, 4))) void vgpu_log(struct vgpu *vgpu, int level,
                                                    const char *format, ...);

/* Does all of it lie in one of the guest's windows of the GGTT? In bytes. */
bool vgpu_owns(const struct vgpu *vgpu, uint64_t address, uint64_t size);

#endif
