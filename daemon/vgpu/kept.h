/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of a vGPU that outlives the process that presents it: all that the guest has written and
 * would not write again. It is where the vGPU itself keeps it, in memory that its maker gives and
 * may have in a file, so that nothing has to be saved: a process that is killed has saved it.
 *
 * So it may have been left between any two stores. Whoever makes a vGPU from it looks at all of it
 * anew, and what cannot be gone on with is said to the guest: an engine that had work stops with an
 * error, and the guest's own driver resets it. Flags are bytes: of any value.
 */
#ifndef XENGT_VGPU_KEPT_H
#define XENGT_VGPU_KEPT_H

#include "gpu/gpu.h"
#include "gtt/gtt.h"
#include "vgpu/pci.h"

#define VGPU_REGS_SIZE (2u << 20)
#define VGPU_REG_PAGE  0x1000u
#define VGPU_REG_PAGES (VGPU_REGS_SIZE / VGPU_REG_PAGE)
#define GT_IRQ_BANKS   4u

/* One write to the execlist submit port: up to two contexts, 0 where there is none. */
struct execlist_slot {
    uint64_t element[2];
};

struct execlist {
    uint32_t port[4]; /* what was written to the port so far */
    uint32_t ports;
    struct execlist_slot running;
    struct execlist_slot pending;
    uint32_t current;  /* element of running */
    uint32_t index;    /* slots take turns: which one is running */
    uint32_t patience; /* for so many looks more an interrupt may wait */
    uint8_t events;    /* entries were added to the context status buffer: an interrupt is due */
};

struct engine_kept {
    struct execlist execlist;
    uint32_t head;  /* in the ring of the context that is loaded: where its next workload begins */
    uint8_t fresh;  /* it is loaded, and nothing of it has run since */
    uint8_t busy;   /* the GPU has a workload of it */
    uint8_t moving; /* the lists are being changed */
    uint8_t unsure; /* a store that submits is being made, or not known to be answered */
};

struct vgpu_kept {
    uint32_t reg[VGPU_REGS_SIZE / sizeof(uint32_t)]; /* what registers hold */
    uint8_t stored[VGPU_REG_PAGES]; /* to registers of the page that no row describes */
    uint8_t config[VGPU_PCI_SPACE];
    uint64_t mmio_base; /* where the registers are, or were when they were decoded last */
    struct engine_kept engine[GPU_ENGINES];
    uint32_t irq_again[GT_IRQ_BANKS]; /* events that came while their IIR bit was set */
    uint8_t pv_aware;                 /* the guest has read PVINFO */
    uint8_t paused;
    uint8_t failed;
    char reason[160];    /* of the failsafe */
    struct gtt_kept gtt; /* with its entries behind it */
};

#endif
