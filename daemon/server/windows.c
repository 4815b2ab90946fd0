/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server/windows.h"

unsigned windows_slots(const struct windows *w, unsigned max)
{
    uint64_t per_slot = (uint64_t)w->mappable + w->unmappable;
    uint64_t fit = per_slot ? w->gtt_entries / per_slot : 0;

    return fit < max ? (unsigned)fit : max;
}

void windows_of_slot(const struct windows *w, unsigned slots, unsigned slot,
                     struct gpu_range *mappable, struct gpu_range *unmappable)
{
    uint32_t upper = w->gtt_entries - slots * w->unmappable;

    *mappable = (struct gpu_range){.first = slot * w->mappable, .count = w->mappable};
    *unmappable = (struct gpu_range){
        .first = upper + slot * w->unmappable,
        .count = w->unmappable,
    };
}
