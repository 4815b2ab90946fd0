/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vGPU's state: its registers, its engines, what each of them is at. */
#ifndef XENGT_VGPU_DEVICE_H
#define XENGT_VGPU_DEVICE_H

#include "gen/context.h"
#include "gen/engines.h"
#include "gen/registers.h"
#include "vgpu/budget.h"
#include "vgpu/config.h"
#include "vgpu/kept.h"

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
    bool absent;        /* there is no room to map its image: it is to be loaded yet */
    uint32_t timestamp; /* in its image */
    uint64_t loaded_at; /* ticks */
};

struct vgpu_engine {
    enum gpu_engine id;
    const struct engine_info *info;
    enum engine_state state;
    bool waiting;        /* idle, and its next workload waits: for page tables, or to be checked */
    bool starved;        /* it waits for room that others have: looked at now and then */
    struct audit *audit; /* of that workload; NULL: not begun */
    uint32_t tail;       /* of the ring: where the workload ends that is checked, or the GPU's */
    uint32_t done;       /* the GPU's counters, as far as they were acted upon */
    uint32_t user_interrupts;
    uint32_t notify_interrupts;
    struct vgpu_context context;
    struct engine_kept *kept;
};

/* --- the vGPU ---------------------------------------------------------------------------- */

#define REGISTER_KINDS  3u
#define VGPU_LOG_LEVELS 8u /* of syslog */

struct vgpu {
    struct vgpu_config cfg;
    const struct vgpu_model *model;
    struct vgpu_kept *kept;
    struct vgpu_kept *own_kept; /* the same; NULL: it is its maker's */
    struct vgpu_pci pci;
    void *ggtt_ram; /* the guest's GGTT, when it is RAM instead of being trapped */
    struct gtt *gtt;
    struct gtt_verify *verify;       /* that is under way; or NULL */
    uint32_t blocks[VGPU_REG_PAGES]; /* of the model: which have registers in a page, as bits */
    struct vgpu_engine engine[GPU_ENGINES];
    bool irq_raised;
    bool intx; /* its pin is asserted */
    struct vgpu_stats stats;
    bool held; /* the GPU gets nothing more: the process is about to end */
    bool failed;
    bool stopped; /* so are the engines */
    struct {
        struct budget budget;
        uint64_t left_out; /* lines since the last one */
    } log[VGPU_LOG_LEVELS];
    struct budget moves;  /* of the RAM in the place of the GGTT */
    struct budget resets; /* of the function */
    bool unknown_logged[REGISTER_KINDS];
};

/* The machine's; it stands still when that has none. */
static inline uint64_t vgpu_now_ns(const struct vgpu *vgpu)
{
    const struct vgpu_machine *machine = vgpu->cfg.machine;
    return machine->now_ns ? machine->now_ns(vgpu->cfg.machine_arg) : 0;
}

static inline uint32_t *vgpu_reg(struct vgpu *vgpu, uint32_t offset)
{
    return &vgpu->kept->reg[offset / sizeof(uint32_t)];
}

static inline uint32_t *engine_reg(struct vgpu *vgpu, const struct vgpu_engine *engine,
                                   uint32_t offset)
{
    return vgpu_reg(vgpu, engine->info->base + offset);
}

#endif
