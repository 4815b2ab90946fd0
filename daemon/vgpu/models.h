/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Models: which GPU a vGPU is. One is a row here, and what the row names. */
#ifndef XENGT_VGPU_MODELS_H
#define XENGT_VGPU_MODELS_H

#include <stddef.h>
#include <stdint.h>

struct engine_info;
struct reg_block;

struct vgpu_model {
    const char *name;
    uint32_t pci_id;         /* device << 16 | vendor */
    uint32_t class_revision; /* as configuration space has them */
    uint32_t gtt_entries;    /* up to so many; a power of two */
    uint32_t fences;
    const struct engine_info *engine;     /* GPU_ENGINES of them */
    const struct reg_block *const *block; /* up to 32; the last is NULL */
};

/* The nth; NULL: there are no more. */
const struct vgpu_model *vgpu_model_at(size_t n);

/* By name; NULL: the first one, or there is none. */
const struct vgpu_model *vgpu_model(const char *name);

#endif
