/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Contexts, read out of what the guest has: an image in memory, or a ring's registers. */
#ifndef XENGT_VGPU_SUBMIT_CONTEXT_H
#define XENGT_VGPU_SUBMIT_CONTEXT_H

#include "vgpu/device.h"

bool context_descriptor_is_ok(const struct vgpu *vgpu, uint64_t descriptor);

/* These read the image that a descriptor names. False, and failsafe: it makes no sense. */
bool context_descriptor_ok(struct vgpu *vgpu, struct vgpu_engine *engine, uint64_t descriptor);
bool context_load(struct vgpu *vgpu, struct vgpu_engine *engine, uint64_t descriptor);
bool context_reload_tail(struct vgpu *vgpu, struct vgpu_engine *engine);

/* The context of an engine that has none: its ring is in registers. False: there is no ring. */
bool context_from_registers(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Where the next workload of the context begins. */
void context_set_head(struct vgpu_engine *engine, uint32_t head);

/* What the GPU leaves in an image when it switches away. */
void context_save(struct vgpu *vgpu, struct vgpu_engine *engine);

#endif
