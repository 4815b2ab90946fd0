/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the vGPU share. */
#ifndef XENGT_VGPU_DEVICE_H
#define XENGT_VGPU_DEVICE_H

#include "vgpu/vgpu.h"

#include "gen/context.h"
#include "gen/engines.h"
#include "gen/registers.h"
#include "vgpu/registers.h"

#define VGPU_REGS_SIZE (2u << 20)

/* --- engines ----------------------------------------------------------------------------- */

enum engine_state {
    ENGINE_IDLE,
    ENGINE_BUSY,  /* the GPU has a workload of it */
    ENGINE_STUCK, /* stopped by an error; nothing but a reset helps */
};

/* A ring: addresses and sizes in bytes, start in the global GTT, head and tail offsets in it. */
struct ring {
    uint32_t start;
    uint32_t size;
    uint32_t head;
    uint32_t tail;
};

/* A context as its image describes it, checked. A ring of the old kind is one without image. */
struct vgpu_context {
    bool has_image;
    uint64_t image;   /* GGTT address of its first page */
    struct ring ring; /* head: where the next workload begins */
    struct gtt_root root;
    uint64_t indirect; /* commands to run when it is loaded */
    uint32_t indirect_size;
    uint64_t per_context; /* a batch to run when it is loaded */
    bool has_per_context;
    bool fresh;         /* loaded, and nothing of it has run since */
    uint32_t timestamp; /* in its image */
    uint64_t loaded_at; /* ticks */
};

/* One write to the execlist submit port: up to two contexts, 0 where there is none. */
struct execlist_slot {
    uint64_t element[2];
};

struct execlist {
    uint32_t port[4]; /* what was written to the port so far */
    unsigned ports;
    struct execlist_slot running;
    struct execlist_slot pending;
    unsigned current; /* element of running */
    unsigned index;   /* slots take turns: which one is running */
    bool events;      /* entries were added to the context status buffer: an interrupt is due */
};

struct vgpu_engine {
    enum gpu_engine id;
    const struct engine_info *info;
    enum engine_state state;
    bool waiting;  /* idle, and its next workload waits until the page tables are up to date */
    uint32_t tail; /* of the ring: where the workload ends that the GPU has */
    uint32_t done; /* the GPU's counters, as far as they were acted upon */
    uint32_t user_interrupts;
    uint32_t notify_interrupts;
    struct vgpu_context context;
    struct execlist execlist;
};

/* --- the vGPU ---------------------------------------------------------------------------- */

#define GT_IRQ_BANKS   4u
#define REGISTER_KINDS 3u

struct vgpu {
    struct vgpu_config cfg;
    struct gtt *gtt;
    uint32_t *reg; /* VGPU_REGS_SIZE bytes: what registers hold */
    struct vgpu_engine engine[GPU_ENGINES];
    uint32_t irq_again[GT_IRQ_BANKS]; /* events that came while their IIR bit was set */
    bool irq_raised;
    bool pv_aware; /* the guest has read PVINFO */
    struct vgpu_stats stats;
    bool paused;
    bool failed;
    unsigned lines; /* logged so far: a guest may not fill the log */
    bool unknown_logged[REGISTER_KINDS];
    char reason[160]; /* of the failsafe */
};

static inline uint32_t *vgpu_reg(struct vgpu *vgpu, uint32_t offset)
{
    return &vgpu->reg[offset / sizeof(uint32_t)];
}

static inline uint32_t *engine_reg(struct vgpu *vgpu, const struct vgpu_engine *engine,
                                   uint32_t offset)
{
    return vgpu_reg(vgpu, engine->info->base + offset);
}

/* Does all of it lie in one of the guest's windows of the GGTT? In bytes. */
bool vgpu_owns(const struct vgpu *vgpu, uint64_t address, uint64_t size);

/* The GPU's clock: units of 80 ns. */
uint64_t vgpu_ticks(void);

__attribute__((format(printf, 3, 4))) void vgpu_log(struct vgpu *vgpu, int level,
                                                    const char *format, ...);

/* The guest broke its vGPU: nothing is submitted any more, and why is kept for people. */
__attribute__((format(printf, 2, 3))) void vgpu_fail(struct vgpu *vgpu, const char *format, ...);

/* --- engine.c ---------------------------------------------------------------------------- */

void engine_init(struct vgpu *vgpu, enum gpu_engine id);

/* Stops what it does and forgets it. */
void engine_stop(struct vgpu *vgpu, struct vgpu_engine *engine);

/* And its registers are as after power-on. */
void engine_reset(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Gives the GPU what there is to do, when the engine is free for it. */
void engine_run(struct vgpu *vgpu, struct vgpu_engine *engine);

/* Acts upon what the GPU has done since. */
void engine_check(struct vgpu *vgpu, struct vgpu_engine *engine);

bool engine_uses_execlists(struct vgpu *vgpu, const struct vgpu_engine *engine);

reg_read_fn engine_read_head, engine_read_acthd, engine_read_ipehr, engine_read_mi_mode;
reg_write_fn engine_write_mi_mode, engine_write_mode, engine_write_reset_ctl;
reg_write_fn engine_write_status_page, engine_write_force_to_nonpriv;

/* --- ring.c: rings by registers ---------------------------------------------------------- */

/* Is there a command to run? Describes the ring in the engine's context. */
bool ring_next(struct vgpu *vgpu, struct vgpu_engine *engine);
reg_write_fn ring_write_tail, ring_write_ctl;

/* What a ring's registers come to, wherever they were found; false, and failsafe: nonsense. */
bool ring_describe(struct vgpu *vgpu, const struct vgpu_engine *engine, const uint32_t regs[4],
                   struct ring *ring);

/* --- execlist.c -------------------------------------------------------------------------- */

/* Is there a command to run? Finishes contexts that have none left and goes to the next. */
bool execlist_next(struct vgpu *vgpu, struct vgpu_engine *engine);

/* The interrupt for what was added to the context status buffer. */
void execlist_signal(struct vgpu *vgpu, struct vgpu_engine *engine);

reg_read_fn execlist_read_status;
reg_write_fn execlist_write_port;

/* --- context.c --------------------------------------------------------------------------- */

/* These read the image that a descriptor names. False, and failsafe: it makes no sense. */
bool context_descriptor_ok(struct vgpu *vgpu, struct vgpu_engine *engine, uint64_t descriptor);
bool context_load(struct vgpu *vgpu, struct vgpu_engine *engine, uint64_t descriptor);
bool context_reload_tail(struct vgpu *vgpu, struct vgpu_engine *engine);

/* What the GPU leaves in an image when it switches away. */
void context_save(struct vgpu *vgpu, struct vgpu_engine *engine);

/* --- workload.c -------------------------------------------------------------------------- */

/* Copies, checks and submits the commands between head and tail of the engine's ring. */
void workload_start(struct vgpu *vgpu, struct vgpu_engine *engine);

/* --- irq.c ------------------------------------------------------------------------------- */

/* It is noted; the guest hears of all that came together by one irq_deliver(). */
void irq_event(struct vgpu *vgpu, const struct vgpu_engine *engine, enum engine_event event);
void irq_deliver(struct vgpu *vgpu);
void irq_reset(struct vgpu *vgpu);
reg_read_fn irq_read_master;
reg_write_fn irq_write_master, irq_write_iir, irq_write_ier;

/* --- gt.c -------------------------------------------------------------------------------- */

reg_read_fn gt_read_timestamp, gt_read_fence;
reg_write_fn gt_write_flush, gt_write_reset, gt_write_forcewake, gt_write_pcode;
reg_write_fn gt_write_power_well, gt_write_fence;

/* --- pvinfo.c ---------------------------------------------------------------------------- */

void pvinfo_init(struct vgpu *vgpu);
reg_read_fn pvinfo_read;
reg_write_fn pvinfo_write_insufficient, pvinfo_write_notify;

#endif
