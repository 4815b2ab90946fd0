/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vGPU's time. */
#ifndef XENGT_VGPU_TICKS_H
#define XENGT_VGPU_TICKS_H

#include "vgpu/device.h"

/* Units of the GPU's clock. */
uint64_t vgpu_ticks(struct vgpu *vgpu);

#endif
