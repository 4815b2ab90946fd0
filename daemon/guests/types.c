/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The types of vGPU: GVT-g's four, and one of the administrator's own sizes. */
#include "guests/types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MIB(n) ((n)*GTT_ENTRIES_PER_MIB)

/*
 * GVT-g's types of gen8: vgpu_types[] in Linux' drivers/gpu/drm/i915/gvt/vgpu.c. The number in the
 * name is how many of the type fill a GPU with 512 MiB of aperture.
 *
 * Custom is as small as its user likes. 16 of them have the fences and the weight that the one
 * GVTg_V4_1, or eight GVTg_V4_8, would have.
 */
static const struct vgpu_type all_types[] = {
    {"GVTg_V4_1", MIB(512), MIB(2048), 4, 16},
    {"GVTg_V4_2", MIB(256), MIB(1024), 4, 8},
    {"GVTg_V4_4", MIB(128), MIB(512), 4, 4},
    {"GVTg_V4_8", MIB(64), MIB(384), 4, 2},
    {VGPU_TYPE_CUSTOM, 0, 0, 2, 1},
};

void types_init(struct vgpu_types *types, uint32_t mappable, uint32_t unmappable)
{
    _Static_assert(sizeof(all_types) <= sizeof(types->type), "more types than there is room for");
    types->n = sizeof(all_types) / sizeof(all_types[0]);
    for (unsigned i = 0; i < types->n; i++) {
        struct vgpu_type *type = &types->type[i];

        *type = all_types[i];
        if (!strcmp(type->name, VGPU_TYPE_CUSTOM)) {
            type->mappable = mappable;
            type->unmappable = unmappable;
        }
    }
}

int types_add(struct vgpu_types *types, const struct vgpu_type *type)
{
    const struct vgpu_type *known = types_find(types, type->name);

    if (!known && types->n == VGPU_TYPES_MAX) {
        return -ENOSPC;
    }
    types->type[known ? (unsigned)(known - types->type) : types->n++] = *type;
    return 0;
}

const struct vgpu_type *types_find(const struct vgpu_types *types, const char *name)
{
    for (unsigned i = 0; i < types->n; i++) {
        if (!strcmp(types->type[i].name, name)) {
            return &types->type[i];
        }
    }
    return NULL;
}

void types_names(const struct vgpu_types *types, char *text, size_t size)
{
    size_t len = 0;

    for (unsigned i = 0; i < types->n && len < size; i++) {
        len += (size_t)snprintf(text + len, size - len, "%s%s", i ? ", " : "", types->type[i].name);
    }
}
