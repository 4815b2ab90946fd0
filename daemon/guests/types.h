/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The types of vGPU there are: which GPU one of each is, and how much of the real one it gets. */
#ifndef XENGT_GUESTS_TYPES_H
#define XENGT_GUESTS_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define VGPU_TYPE_NAME_MAX 32u

struct vgpu_type {
    char name[VGPU_TYPE_NAME_MAX];
    uint32_t mappable;   /* entries of the global GTT; GVT-g's low graphics memory */
    uint32_t unmappable; /* its high graphics memory */
    uint32_t fences;
    uint32_t weight;   /* of its turns at the GPU: what it may use while others want it, too */
    const char *model; /* by its name in vgpu/models.c; NULL: the first one */
};

#define VGPU_TYPES_MAX   16u
#define VGPU_TYPE_CUSTOM "custom"

#define GTT_ENTRIES_PER_MIB 256u

struct vgpu_types {
    struct vgpu_type type[VGPU_TYPES_MAX];
    unsigned n;
};

/* Custom is of these sizes. */
void types_init(struct vgpu_types *types, uint32_t mappable, uint32_t unmappable);

/*
 * One of the administrator's own, or GVT-g's with other fences or another weight: in place of the
 * one of that name, or besides. -ENOSPC: there are as many as can be.
 */
int types_add(struct vgpu_types *types, const struct vgpu_type *type);

/* NULL: there is none of that name. */
const struct vgpu_type *types_find(const struct vgpu_types *types, const char *name);

/* All names, for people: "a, b, c". */
void types_names(const struct vgpu_types *types, char *text, size_t size);

#endif
