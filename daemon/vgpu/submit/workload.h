/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the commands in a guest's ring to a workload of the GPU. */
#ifndef XENGT_VGPU_SUBMIT_WORKLOAD_H
#define XENGT_VGPU_SUBMIT_WORKLOAD_H

#include "vgpu/device.h"

/*
 * Copies, checks and submits the commands between head and tail of the engine's ring. When that
 * takes longer than the guest has time for, the engine waits, and it is to be called again.
 */
void workload_start(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Gives up what workload_start() has begun and not finished. */
void workload_forget(struct vgpu_engine *engine);

#endif
