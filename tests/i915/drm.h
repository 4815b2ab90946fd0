/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* i915's interface to user programs, as much of it as the tests use: no libdrm. */
#ifndef TESTS_I915_DRM_H
#define TESTS_I915_DRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm.h>
#include <i915_drm.h>

/* A buffer object, mapped. */
struct bo {
    uint32_t handle;
    size_t size;
    void *map;
    uint64_t pinned; /* not 0: the GPU address it must have */
};

/* Commands for one request. */
#define BATCH_DWORDS 64u
#define BATCH_RELOCS 8u
struct batch {
    uint32_t dw[BATCH_DWORDS];
    unsigned n;
    struct drm_i915_gem_relocation_entry reloc[BATCH_RELOCS];
    unsigned relocs;
};

/* Each of these ends the program, with the reason, when i915 refuses. */
int drm_open(void);
int drm_param(int fd, int param);
void bo_create(int fd, struct bo *bo, size_t size);
void bo_destroy(int fd, struct bo *bo);
uint32_t context_create(int fd);
void context_destroy(int fd, uint32_t context);

/* How often a request of this context was thrown away by a reset while it ran. */
uint32_t context_resets(int fd, uint32_t context);

/* 0, -ETIME: not within that time, or another negative errno value. */
int bo_wait(int fd, const struct bo *bo, unsigned seconds);

void emit(struct batch *batch, uint32_t dword);
/* The 64-bit GPU address of an offset in a buffer object: i915 fills it in. */
void emit_address(struct batch *batch, const struct bo *bo, uint32_t offset, bool write);

void emit_store(struct batch *batch, const struct bo *bo, uint32_t offset, uint32_t value);
/* Rectangles of 32-bit pixels from the beginning of each buffer; pitch in bytes. */
void emit_fill(struct batch *batch, const struct bo *bo, uint32_t pitch, uint32_t rows,
               uint32_t colour);
void emit_copy(struct batch *batch, const struct bo *to, const struct bo *from, uint32_t pitch,
               uint32_t rows);
void emit_end(struct batch *batch);
/* Begins again, for ever. */
void emit_loop(struct batch *batch, const struct bo *self);

/*
 * Copies the commands into `code` and submits them to an engine (I915_EXEC_...). used: the other
 * buffers the commands name. 0 or a negative errno value.
 */
int submit(int fd, uint32_t context, uint64_t engine, const struct batch *batch,
           const struct bo *code, const struct bo *const *used, unsigned n);

#endif
