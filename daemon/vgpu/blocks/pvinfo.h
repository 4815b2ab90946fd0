/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PVINFO page as the vGPU's configuration fills it. */
#ifndef XENGT_VGPU_BLOCKS_PVINFO_H
#define XENGT_VGPU_BLOCKS_PVINFO_H

struct vgpu;

/* After a reset of all registers. */
void pvinfo_init(struct vgpu *vgpu);

#endif
