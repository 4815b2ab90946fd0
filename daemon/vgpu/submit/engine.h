/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engines: each is idle, or the GPU has one workload of it, or it is stuck. */
#ifndef XENGT_VGPU_SUBMIT_ENGINE_H
#define XENGT_VGPU_SUBMIT_ENGINE_H

#include "vgpu/device.h"

void engine_init(struct vgpu *vgpu, enum gpu_engine id);

/*
 * From what was kept. An engine that had work when its process was killed, or whose lists make no
 * sense, is stuck with an error that its driver is told of, and lost: it takes no lists.
 */
void engine_take_up(struct vgpu *vgpu, enum gpu_engine id);
bool engine_is_lost(const struct vgpu_engine *engine);

/* The guest's stores are answered: none of them will be made a second time. */
void engine_answered(struct vgpu_engine *engine);

/* Stops what it does and forgets it. */
void engine_stop(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Stops all of them, once, when the vGPU went into failsafe. */
void engines_stop_failed(struct vgpu *vgpu);

/* Gives the GPU what there is to do, when the engine is free for it. */
void engine_run(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Acts upon what the GPU has done since. */
void engine_check(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Neither the GPU nor anything that waits will change it. */
bool engine_is_quiet(const struct vgpu_engine *engine);

bool engine_uses_execlists(struct vgpu *vgpu, const struct vgpu_engine *engine);

/* By its driver: it begins nothing. */
bool engine_is_held(struct vgpu *vgpu, const struct vgpu_engine *engine);

#endif
