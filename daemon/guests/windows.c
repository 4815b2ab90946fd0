/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows of the global GTT, placed first fit. */
#include "guests/windows.h"

#include <errno.h>
#include <stdbool.h>

#include "vgpu/models.h"

/* 512 MiB of the 4 GiB that GTTMMADR has room for: just what the types' names promise. */
#define APERTURE_SHARE 8u

/* One part of the GTT, and the vGPUs' windows in it. */
struct part {
    struct gpu_range all;
    bool mappable;
    const struct windows *taken;
    unsigned n;
};

struct windows_gpu windows_of_gpu(uint32_t gtt_entries)
{
    return (struct windows_gpu){
        .gtt_entries = gtt_entries,
        .aperture = gtt_entries / APERTURE_SHARE,
        .fences = vgpu_model(NULL)->fences,
    };
}

static struct part part_of(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                           bool mappable)
{
    struct part part = {.mappable = mappable, .taken = taken, .n = n};

    if (mappable) {
        part.all.count = gpu->aperture;
    } else {
        part.all.first = gpu->aperture;
        part.all.count = gpu->gtt_entries - gpu->aperture;
    }
    return part;
}

static const struct gpu_range *window(const struct part *part, unsigned i)
{
    return part->mappable ? &part->taken[i].mappable : &part->taken[i].unmappable;
}

/* The window that an entry is in. */
static const struct gpu_range *window_at(const struct part *part, uint32_t entry)
{
    for (unsigned i = 0; i < part->n; i++) {
        const struct gpu_range *w = window(part, i);

        if (entry >= w->first && entry - w->first < w->count) {
            return w;
        }
    }
    return NULL;
}

/* The first piece that is free from an entry on; count 0: there is none. */
static struct gpu_range next_free(const struct part *part, uint32_t entry)
{
    struct gpu_range piece = {.first = entry};
    const struct gpu_range *w;

    while ((w = window_at(part, piece.first))) {
        piece.first = w->first + w->count;
    }
    piece.count = part->all.first + part->all.count - piece.first;
    for (unsigned i = 0; i < part->n; i++) {
        w = window(part, i);
        if (w->count && w->first > piece.first && w->first - piece.first < piece.count) {
            piece.count = w->first - piece.first;
        }
    }
    return piece;
}

/* The first free piece of at least count entries, or of all the largest one. */
static struct gpu_range find_free(const struct part *part, uint32_t count)
{
    struct gpu_range piece = next_free(part, part->all.first);
    struct gpu_range largest = piece;

    while (piece.count && largest.count < count) {
        piece = next_free(part, piece.first + piece.count);
        if (piece.count > largest.count) {
            largest = piece;
        }
    }
    return largest;
}

static uint32_t fences_left(const struct windows_gpu *gpu, const struct windows *taken, unsigned n)
{
    uint32_t left = gpu->fences;

    for (unsigned i = 0; i < n; i++) {
        left -= taken[i].fences;
    }
    return left;
}

void windows_free(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                  struct windows *left)
{
    struct part low = part_of(gpu, taken, n, true);
    struct part high = part_of(gpu, taken, n, false);

    left->mappable = find_free(&low, UINT32_MAX);
    left->unmappable = find_free(&high, UINT32_MAX);
    left->fences = fences_left(gpu, taken, n);
}

int windows_place(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                  const struct vgpu_type *type, struct windows *place)
{
    struct part low = part_of(gpu, taken, n, true);
    struct part high = part_of(gpu, taken, n, false);
    struct gpu_range mappable = find_free(&low, type->mappable);
    struct gpu_range unmappable = find_free(&high, type->unmappable);

    if (mappable.count < type->mappable || unmappable.count < type->unmappable ||
        fences_left(gpu, taken, n) < type->fences) {
        return -ENOSPC;
    }
    mappable.count = type->mappable;
    unmappable.count = type->unmappable;
    *place = (struct windows){mappable, unmappable, type->fences};
    return 0;
}

/* Each entry is in a free piece that begins at or before it. */
static bool is_free(const struct part *part, const struct gpu_range *wanted)
{
    uint64_t end = (uint64_t)wanted->first + wanted->count;

    if (!wanted->count) {
        return true;
    }
    if (wanted->first < part->all.first || end > (uint64_t)part->all.first + part->all.count) {
        return false;
    }
    struct gpu_range piece = next_free(part, wanted->first);
    return piece.first == wanted->first && piece.count >= wanted->count;
}

bool windows_are_free(const struct windows_gpu *gpu, const struct windows *taken, unsigned n,
                      const struct windows *wanted)
{
    struct part low = part_of(gpu, taken, n, true);
    struct part high = part_of(gpu, taken, n, false);

    return is_free(&low, &wanted->mappable) && is_free(&high, &wanted->unmappable) &&
           wanted->fences <= fences_left(gpu, taken, n);
}

unsigned windows_available(const struct windows_gpu *gpu, struct windows *taken, unsigned n,
                           const struct vgpu_type *type, unsigned max)
{
    unsigned fit = n;

    while (fit < max && !windows_place(gpu, taken, fit, type, &taken[fit])) {
        fit++;
    }
    return fit - n;
}
