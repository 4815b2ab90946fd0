/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupts: events of engines come in, the guest hears of them. */
#ifndef XENGT_VGPU_BLOCKS_IRQ_H
#define XENGT_VGPU_BLOCKS_IRQ_H

#include "vgpu/device.h"

/* It is noted; the guest hears of all that came together by one irq_deliver(). */
void irq_event(struct vgpu *vgpu, const struct vgpu_engine *engine, enum engine_event event);
void irq_deliver(struct vgpu *vgpu);
void irq_reset(struct vgpu *vgpu);

/* After a vGPU before this one, whose pin may be asserted still. */
void irq_take_up(struct vgpu *vgpu);

#endif
