/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Base addresses: where the vGPU answers, and where the RAM is that stands for its GGTT. */
#ifndef XENGT_VGPU_BARS_H
#define XENGT_VGPU_BARS_H

#include "vgpu/device.h"

/* The PCI function as firmware leaves it. */
void bars_init(struct vgpu *vgpu);

/* RAM in the place of the GGTT, before the BARs are claimed. Errors: add_ram()'s. */
int bars_add_ggtt_ram(struct vgpu *vgpu);

/* Tells the machine where the BARs are now. Errors: claim()'s and move_ram()'s. */
int bars_claim(struct vgpu *vgpu);

#endif
