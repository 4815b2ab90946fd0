/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The blitter fed by execlists, as i915 does it: contexts with an image and a ring each, submitted
 * by the port, followed by the events in the context status buffer.
 */
#ifndef TESTS_GUEST_EXECLIST_H
#define TESTS_GUEST_EXECLIST_H

#include "gpu.h"

/* Long, because a host that emulates everything may be busy besides. */
#define EXECLIST_TIMEOUT_US 300000000ull

struct context {
    struct page image[2]; /* its status page; its registers */
    struct page ring;
    uint32_t image_entry;
    uint32_t ring_entry;
    uint32_t tail;
    uint32_t id;
    uint32_t seqno;
};

/* Finds the GPU and switches the blitter to execlists. NULL, or what is wrong. */
const char *execlist_init(void);

/* Its engine says that it has stopped, since the last reset. */
bool execlist_has_stopped(void);

/* Resets it. What was submitted and is not complete is forgotten; contexts are as they were. */
void execlist_reset(void);

/* A context without a PPGTT; -1: out of memory. */
int context_create(struct context *context);
void context_free(struct context *context);

/* The PML4 of its PPGTT, a guest physical address. */
void context_set_root(struct context *context, uint64_t pml4);

/* What is in its ring and was not run to its end, as its image tells, is forgotten. */
void context_rewind(struct context *context);

/* Commands for its ring. */
void context_emit(struct context *context, uint32_t dword);
void context_start_batch(struct context *context, uint64_t va); /* in its PPGTT */

/*
 * Submits one context, or two in one list, with a sequence number behind their commands, and waits
 * until the status buffer and memory say that all is done. NULL, or what was not as it has to be.
 */
const char *execlist_run(struct context *first, struct context *second, uint64_t timeout_us);

#endif
