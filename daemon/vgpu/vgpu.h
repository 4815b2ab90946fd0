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
#include <stdint.h>

#include "gtt/gtt.h"

struct vgpu;

/* GTTMMADR: registers in the lower half, the GGTT in the upper. */
#define VGPU_MMIO_SIZE  (16u << 20)
#define VGPU_GTT_OFFSET (8u << 20)

typedef void vgpu_log_fn(void *arg, int level, const char *line);

/* Raise the vGPU's interrupt, once: the guest's message-signalled interrupt is an edge. */
typedef void vgpu_interrupt_fn(void *arg);

struct vgpu_config {
    const char *model;         /* NULL: the first one there is */
    uint32_t id;               /* vgt_id in PVINFO */
    struct gtt *gtt;           /* becomes the vGPU's, destroyed with it; also when create fails */
    struct gpu_range mappable; /* what PVINFO tells the guest, in GTT entries */
    struct gpu_range unmappable;
    uint32_t fences;  /* up to as many as the model has */
    vgpu_log_fn *log; /* may be NULL */
    void *log_arg;
    vgpu_interrupt_fn *interrupt; /* may be NULL; called from within the calls below */
    void *interrupt_arg;
};

struct vgpu_stats {
    uint64_t reads; /* of registers and of the GGTT */
    uint64_t writes;
    uint64_t aperture_reads;
    uint64_t aperture_writes;
    uint64_t submissions;      /* workloads given to the GPU */
    uint64_t execlists;        /* lists of contexts submitted by the guest */
    uint64_t context_switches; /* contexts loaded */
    uint64_t interrupts;       /* raised */
    uint64_t notifications;    /* by way of PVINFO */
    uint64_t resets;           /* of engines, by the guest */
    uint64_t engine_errors;    /* engines that stopped on a command, or got none */
    uint64_t refusals;         /* by the audit of privileged commands */
    uint64_t ppgtt_failures;   /* notifications that could not be followed */
    uint64_t unknown;          /* accesses to registers nothing is known about */
    uint64_t dropped;          /* stores the guest may not make */
};

int vgpu_create(const struct vgpu_config *config, struct vgpu **out);
void vgpu_destroy(struct vgpu *vgpu); /* NULL is allowed */

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
 * The guest is no more: its engines stop, no access comes any more, its memory that the host gave
 * it (gtt_config.lazy, the tracker) is not touched. When vgpu_work() has nothing left to do,
 * the GPU has none of its pages, and vgpu_destroy() does not take long.
 */
void vgpu_end(struct vgpu *vgpu);

/*
 * One access of 1, 2, 4 or 8 bytes at an offset in GTTMMADR. Reads that make no sense give
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
 * As after power-on: a function level reset, or the guest's reboot. Its work is dropped, its GGTT
 * empty, failsafe over. Statistics go on.
 */
void vgpu_reset(struct vgpu *vgpu);

void vgpu_pause(struct vgpu *vgpu, bool paused);
bool vgpu_paused(const struct vgpu *vgpu);

/* NULL, or why the vGPU is in failsafe. */
const char *vgpu_failsafe(const struct vgpu *vgpu);

void vgpu_get_stats(const struct vgpu *vgpu, struct vgpu_stats *stats);
struct gtt *vgpu_gtt(struct vgpu *vgpu); /* for statistics and verify */

#endif
