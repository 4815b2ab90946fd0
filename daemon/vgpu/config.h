/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts a vGPU is made from, the machine it is put into, and its counters. */
#ifndef XENGT_VGPU_CONFIG_H
#define XENGT_VGPU_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "gtt/gtt.h"
#include "vgpu/pci.h"

struct vgpu_kept;

/* Function level resets that a guest may make at once, then one a second: the next is a failsafe.
 */
#define VGPU_RESETS_AT_ONCE 16u

/*
 * What a vGPU asks of the machine it is in; arg is vgpu_config.machine_arg. Addresses are guest
 * physical, frames their numbers. A negative errno value is a refusal.
 */
struct vgpu_machine {
    /*
     * Accesses to these addresses come to the BAR from now on, and to those it had before do not.
     * size 0: to none. -EBUSY: the guest has RAM there.
     */
    int (*claim)(void *arg, enum vgpu_bar bar, uint64_t base, uint64_t size);

    /*
     * RAM without a trap from a frame on, and a view of it that is one piece and stays when it is
     * moved. -EBUSY: something is there. Needed with vgpu_config.lazy_ggtt only. VGPU_RAM_APART: a
     * frame beyond all that the guest has.
     */
#define VGPU_RAM_APART UINT64_MAX
    int (*add_ram)(void *arg, uint64_t first, uint32_t pages, void **view);
    int (*move_ram)(void *arg, uint64_t first);

    /* From within the calls below. NULL: nobody listens. */
    void (*inject_msi)(void *arg, uint64_t address, uint32_t data);
    void (*set_intx)(void *arg, bool asserted); /* in a guest with firmware only */

    /* As gtt_tracker's. NULL: stores into page tables cannot be told. */
    int (*track)(void *arg, const struct xengt_gfn *gfn, size_t n, bool on);

    void (*log)(void *arg, int level, const char *line); /* NULL: nobody listens */

    /* By it a guest gets back what it has used up of lines, resets and moves. NULL: it does not. */
    uint64_t (*now_ns)(void *arg);
};

struct vgpu_config {
    const char *model;     /* NULL: the first one there is */
    uint32_t id;           /* vgt_id in PVINFO */
    uint32_t fences;       /* up to as many as the model has */
    struct gtt_config gtt; /* of the GTT that it makes: all but lazy and the tracker */
    bool lazy_ggtt;        /* the guest's GTT is RAM, compared at each commit, not trapped */
    bool firmware;         /* of the guest's own: where an address is 0 it is still to choose one */
    uint64_t mmio_base;    /* where firmware has put the registers */
    uint64_t aperture_base; /* and the aperture; 0 without firmware: a place that fits */
    uint64_t aperture_size; /* a power of two; 0: none */
    struct vgpu_kept *kept; /* of vgpu_kept_size(), outlives the vGPU; NULL: nothing is kept */
    bool take_up;           /* it is of a vGPU before, which this one goes on with; else zero */
    const struct vgpu_machine *machine;
    void *machine_arg;
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

#endif
