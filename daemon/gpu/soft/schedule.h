/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The schedule: whose turn it is at the software GPU, and for how long. Clients have shares of its
 * time, whatever their commands cost: what one takes is measured, and one that took more than its
 * turn, because a command cannot be stopped, waits until the others have had as much.
 */
#ifndef XENGT_GPU_SOFT_SCHEDULE_H
#define XENGT_GPU_SOFT_SCHEDULE_H

#include "gpu/soft/soft.h"

/* Finds out what a look at the clock costs. */
void schedule_init(struct soft_gpu *soft);

/* As gpu_ops.run and gpu_ops.waiting. */
bool schedule_run(struct gpu *gpu, uint64_t budget);
bool schedule_waiting(const struct gpu *gpu);

/* The client is not in the list any more. */
void schedule_forget(struct soft_gpu *soft, const struct soft_client *client);

#endif
