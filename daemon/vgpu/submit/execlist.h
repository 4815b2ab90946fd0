/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lists of contexts of an engine. */
#ifndef XENGT_VGPU_SUBMIT_EXECLIST_H
#define XENGT_VGPU_SUBMIT_EXECLIST_H

#include "vgpu/device.h"

/* A list as it was written to the port. Failsafe: it makes no sense, or there is no room. */
void execlist_submit(struct vgpu *vgpu, struct vgpu_engine *engine,
                     const struct execlist_slot *slot);

/* Is there a command to run? Finishes contexts that have none left and goes to the next. */
bool execlist_next(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Turns of the GPU, of a millisecond at most each, for which a beginning alone is not told. */
#define EXECLIST_PATIENCE 4u

/* The interrupt for what was added to the context status buffer. */
void execlist_signal(struct vgpu *vgpu, struct vgpu_engine *engine);

/* The lists that were kept are gone on with. False: that cannot be. */
bool execlist_take_up(struct vgpu *vgpu, struct vgpu_engine *engine);

/* As EXECLIST_STATUS has it: the lower register, and the id of the context that runs. */
uint32_t execlist_status(const struct execlist *list);
uint32_t execlist_context_id(const struct execlist *list);

#endif
