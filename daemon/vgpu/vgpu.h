/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtual GPU as its guest sees it: a model of Intel's with its registers, PVINFO, engines. Guest
 * frame numbers pass through here into the GTT and nothing comes back: this side never learns
 * where a page is.
 *
 * Whatever a guest writes is data. The worst it can reach is failsafe: its vGPU accepts
 * register accesses as plain storage and submits nothing more, until it is reset.
 */
#ifndef XENGT_VGPU_VGPU_H
#define XENGT_VGPU_VGPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpu/config.h"

struct vgpu;

/* Of vgpu_config.kept: what may outlive the process. */
size_t vgpu_kept_size(const struct vgpu_config *config);

/* -EINVAL: no such model, or too many fences; -ENOMEM; others as gtt_create() and add_ram(). */
int vgpu_create(const struct vgpu_config *config, struct vgpu **out);
void vgpu_destroy(struct vgpu *vgpu); /* NULL is allowed */

/* The BARs answer where firmware has put them, if it has. Until then no access is made. Errors:
 * claim()'s. */
int vgpu_plug_in(struct vgpu *vgpu);

/*
 * Work in portions: what a guest can make long is charged to it, in units of some tenth of a
 * microsecond, and is done as far as its last vgpu_work() reaches; before the first one it reaches
 * for everything. An access may have begun something that is not finished when it returns.
 * vgpu_ready() goes on with it. False: not now, ask again after the next vgpu_work(). It is to be
 * asked before an access is made, and after it before it is answered.
 */
#define VGPU_WORK_ALL GTT_WORK_ALL
bool vgpu_ready(struct vgpu *vgpu);

/* A turn of the guest's: goes on with everything that waits. True: it is not all done. */
bool vgpu_work(struct vgpu *vgpu, uint32_t units);

/*
 * Until the guest makes an access, or the caller does anything to the vGPU, vgpu_work(), with the
 * same units, and vgpu_check() would do nothing.
 */
bool vgpu_is_quiet(const struct vgpu *vgpu);

/* Work of it waits for room that others have: vgpu_work() looks whether there is some now. */
bool vgpu_is_starved(const struct vgpu *vgpu);

/*
 * The guest is no more: its engines stop, no access comes any more, its memory that the host gave
 * it (lazy_ggtt, tracked pages) is not touched. When vgpu_work() has nothing left to do,
 * the GPU has none of its pages, and vgpu_destroy() does not take long.
 */
void vgpu_end(struct vgpu *vgpu);

/*
 * One access of 1, 2, 4 or 8 bytes at an offset in GTTMMADR, also across registers: what Xen makes
 * of wider ones, and of those across pages, is at any offset. Reads that make no sense give
 * all-ones; writes that make none are dropped and counted.
 */
uint64_t vgpu_mmio_read(struct vgpu *vgpu, uint64_t offset, unsigned size);
void vgpu_mmio_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size);

/*
 * The same in the aperture (BAR2), which shows what the GGTT maps from its entry 0 on. Where
 * nothing of the guest is mapped, reads give all-ones and writes are dropped.
 */
uint64_t vgpu_aperture_read(struct vgpu *vgpu, uint64_t offset, unsigned size);
void vgpu_aperture_write(struct vgpu *vgpu, uint64_t offset, uint64_t value, unsigned size);

/*
 * Configuration space: of the vGPU's function, and of the host bridge, for any other devfn. 1, 2 or
 * 4 bytes, not across a dword. A function level reset is one of these stores.
 */
uint32_t vgpu_config_read(const struct vgpu *vgpu, unsigned devfn, unsigned reg, unsigned size);
void vgpu_config_write(struct vgpu *vgpu, unsigned devfn, unsigned reg, uint32_t value,
                       unsigned size);

/* A store of the guest's into a tracked page, at a guest physical address: done here. */
void vgpu_tracked_write(struct vgpu *vgpu, uint64_t gpa, uint64_t value, unsigned size);

/* The guest's memory layout changed (IOREQ_TYPE_INVALIDATE). */
void vgpu_guest_layout_changed(struct vgpu *vgpu);

/*
 * To be called when the GPU has worked: what is complete is reported to the guest, and the next
 * work is given to the GPU, so that there may be more for it to do when this returns.
 */
void vgpu_check(struct vgpu *vgpu);

/*
 * Commits what the guest has recorded, due or not. To be called when the guest has been quiet for
 * some time, so that frames it has taken out of its table are not kept for ever.
 */
void vgpu_settle(struct vgpu *vgpu);

/*
 * As after power-on: what a function level reset does to what is behind the function. Its work is
 * dropped, its GGTT empty, failsafe over. Statistics go on, and so do the guest's budgets.
 */
void vgpu_reset(struct vgpu *vgpu);

void vgpu_pause(struct vgpu *vgpu, bool paused);
bool vgpu_paused(const struct vgpu *vgpu);

/*
 * Before the process ends and another goes on with what is kept: the GPU gets no new work. True:
 * it has none any more; else to be asked again. What it has when the process ends is lost, and its
 * engine has to be reset by the guest.
 */
bool vgpu_hold(struct vgpu *vgpu);

/* No request of the guest waits for an answer: none will be made again by another process. */
void vgpu_answered(struct vgpu *vgpu);

/* Failsafe, for a reason that is not the guest's. */
void vgpu_refuse(struct vgpu *vgpu, const char *reason);

/* NULL, or why the vGPU is in failsafe. */
const char *vgpu_failsafe(const struct vgpu *vgpu);

/* --- for reports: inspect.c -------------------------------------------------------------- */

void vgpu_get_stats(const struct vgpu *vgpu, struct vgpu_stats *stats);
void vgpu_get_gtt_stats(const struct vgpu *vgpu, struct gtt_stats *stats);
void vgpu_get_gpu_stats(const struct vgpu *vgpu, struct gpu_stats *stats);

/* As gtt_verify(). */
unsigned vgpu_verify(const struct vgpu *vgpu, char *error, size_t error_size);

/*
 * The same in portions of so many entries. -EAGAIN: to be called again, later; -ENOMEM. One that is
 * not gone on with is dropped with the vGPU.
 */
int vgpu_verify_some(struct vgpu *vgpu, uint32_t units, char *error, size_t error_size);

/* As gtt_next_mapping(). */
bool vgpu_next_mapping(const struct vgpu *vgpu, uint32_t *index, uint64_t *gfn, uint64_t *bfn);

#endif
