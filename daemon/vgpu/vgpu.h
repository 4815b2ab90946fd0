/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtual GPU as its guest sees it: registers, PVINFO, engines. Guest frame numbers pass
 * through here into the GTT and nothing comes back: this side never learns where a page is.
 *
 * Whatever a guest writes is data. The worst it can reach is failsafe: its vGPU accepts
 * register accesses as plain storage and submits nothing more, until it is reset.
 */
#ifndef XENGT_VGPU_VGPU_H
#define XENGT_VGPU_VGPU_H

#include <stdbool.h>
#include <stdint.h>

#include "gtt/gtt.h"

struct vgpu;

/* GTTMMADR of gen8: registers in the lower half, the GGTT in the upper. */
#define VGPU_MMIO_SIZE  (16u << 20)
#define VGPU_GTT_OFFSET (8u << 20)

typedef void vgpu_log_fn(void *arg, int level, const char *line);

struct vgpu_config {
    uint32_t id;               /* vgt_id in PVINFO */
    struct gtt *gtt;           /* becomes the vGPU's, destroyed with it; also when create fails */
    struct gpu_range mappable; /* what PVINFO tells the guest, in GTT entries */
    struct gpu_range unmappable;
    uint32_t fences;
    vgpu_log_fn *log; /* may be NULL */
    void *log_arg;
};

struct vgpu_stats {
    uint64_t reads;
    uint64_t writes;
    uint64_t submissions;
    uint64_t unknown; /* accesses to registers nothing is known about */
};

int vgpu_create(const struct vgpu_config *config, struct vgpu **out);
void vgpu_destroy(struct vgpu *vgpu); /* NULL is allowed */

/*
 * One access of 1, 2, 4 or 8 bytes at an offset in GTTMMADR. Reads that make no sense give
 * all-ones; writes that make none are dropped and counted.
 */
uint64_t vgpu_mmio_read(struct vgpu *vgpu, uint64_t offset, unsigned size);
void vgpu_mmio_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size);

/* The guest's memory layout changed (IOREQ_TYPE_INVALIDATE). */
void vgpu_guest_layout_changed(struct vgpu *vgpu);

/* To be called when the GPU has worked: an engine may have stopped on an error. */
void vgpu_check(struct vgpu *vgpu);

/*
 * Commits what the guest has recorded, due or not. To be called when the guest has been quiet for
 * some time, so that frames it has taken out of its table are not kept for ever.
 */
void vgpu_settle(struct vgpu *vgpu);

void vgpu_pause(struct vgpu *vgpu, bool paused);
bool vgpu_paused(const struct vgpu *vgpu);

/* NULL, or why the vGPU is in failsafe. */
const char *vgpu_failsafe(const struct vgpu *vgpu);

void vgpu_get_stats(const struct vgpu *vgpu, struct vgpu_stats *stats);
struct gtt *vgpu_gtt(struct vgpu *vgpu); /* for statistics and verify */

#endif
