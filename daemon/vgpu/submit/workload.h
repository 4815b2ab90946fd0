/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the commands in a guest's ring to a workload of the GPU. */
#ifndef XENGT_VGPU_SUBMIT_WORKLOAD_H
#define XENGT_VGPU_SUBMIT_WORKLOAD_H

#include "vgpu/device.h"

/* Copies, checks and submits the commands between head and tail of the engine's ring. */
void workload_start(struct vgpu *vgpu, struct vgpu_engine *engine);

#endif
