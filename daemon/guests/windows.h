/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Windows: the vGPUs' shares of the GPU. Its global GTT has two parts: below the aperture's end,
 * where processors reach what is mapped, and above it. A vGPU has a window in each, and some of the
 * fence registers. Nothing is kept back for a driver of the host, as GVT-g has to: there is none.
 */
#ifndef XENGT_GUESTS_WINDOWS_H
#define XENGT_GUESTS_WINDOWS_H

#include <stdbool.h>

#include "gpu/gpu.h"
#include "guests/types.h"

/* What there is to share. */
struct windows_gpu {
    uint32_t gtt_entries;
    uint32_t aperture; /* entries of these that are mappable, from the first on */
    uint32_t fences;
};

/* What a vGPU has of it. */
struct windows {
    struct gpu_range mappable;
    struct gpu_range unmappable;
    uint32_t fences;
};

struct windows_gpu windows_of_gpu(uint32_t gtt_entries);

/*
 * First fit: the lowest place for one more vGPU of a type beside those that are there. -ENOSPC:
 * there is none.
 */
int windows_place(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                  const struct vgpu_type *type, struct windows *place);

/* Whether a vGPU may have just these. */
bool windows_are_free(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                      const struct windows *wanted);

/*
 * How many more of a type fit, until there are max vGPUs. taken has room for max and may hold
 * anything behind its first n afterwards.
 */
unsigned windows_available(const struct windows_gpu *gpu, struct windows *taken, unsigned n,
                           const struct vgpu_type *type, unsigned max);

/* The largest free piece of each part, and the fences that are left. */
void windows_free(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                  struct windows *left);

#endif
