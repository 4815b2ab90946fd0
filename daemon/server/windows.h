/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the GPU's global GTT is shared out. It is cut into slots, one per vGPU; a slot is a mappable
 * window in the low part, where the aperture reaches, and an unmappable one in the upper part.
 */
#ifndef XENGT_SERVER_WINDOWS_H
#define XENGT_SERVER_WINDOWS_H

#include "gpu/gpu.h"

struct windows {
    uint32_t gtt_entries;
    uint32_t mappable; /* entries per window */
    uint32_t unmappable;
};

/* How many slots fit, at most max. */
unsigned windows_slots(const struct windows *w, unsigned max);

void windows_of_slot(const struct windows *w, unsigned slots, unsigned slot,
                     struct gpu_range *mappable, struct gpu_range *unmappable);

#endif
