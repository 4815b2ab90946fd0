/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stack: a whole host in the process. The simulator's Xen, libxengt above it, the software GPU
 * behind the simulated IOMMU, the simulated host, and the daemon's guests. The one way in which
 * tests, fuzzers, benchmarks and the demonstration open it.
 */
#ifndef TESTS_SUPPORT_STACK_H
#define TESTS_SUPPORT_STACK_H

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/xengt.h>

#include "guests/guests.h"

#define STACK_MMIO_BASE 0xe0000000u

/* Zero is the default of every member. */
struct stack_options {
    struct event_base *base; /* becomes the stack's; NULL: the caller drives the turns */
    uint32_t gtt_entries;    /* of the GPU; fewer make a faster stack. 0: 1 GiB of addresses */
    uint32_t window_pages;   /* of the library; 0: its own choice */
    struct xengt_space_options space;
    uint32_t mappable_pages; /* of a custom vGPU */
    uint32_t unmappable_pages;
    enum guests_gtt_mode gtt_mode;
    uint32_t track_after;
    uint64_t mmio_base; /* 0: STACK_MMIO_BASE */
    bool lazy_ggtt;
    const char *state_dir;       /* of the guests; NULL: nothing of them outlives the daemon */
    uint64_t (*gpu_clock)(void); /* NULL: the GPU has its own time, the same in every run */
    bool unwatched;              /* no check that takes time: for measuring it */
    bool mute;                   /* nobody hears what guests say, or why there is no stack */
    text_log_fn *log;
    void *log_arg;
};

struct stack {
    struct stack_options options;
    struct event_base *base;
    struct xengt_sim *sim;
    struct xengt *xengt;
    struct gpu *gpu;
    struct host *host;
    struct guests *guests;
    char error[384]; /* why something failed, for people */
};

/* The GPU's TLB is eager and the simulator asks it at each unmap, if it is watched: mistakes of
 * order show. */
int stack_open(struct stack *stack, const struct stack_options *options);

/* The lower half, for tests that make GTT and vGPU themselves: simulator, library, GPU. */
int stack_open_gpu(struct stack *stack, const struct stack_options *options);

/* All of either. */
void stack_close(struct stack *stack);

/* Creates a domain, filled with a pattern of eight bytes that nothing else has; 0: with zeroes. */
int stack_domain(struct stack *stack, const char *name, uint32_t pages, uint64_t pattern,
                 uint32_t *domid);

/* How many bytes of a domain's memory are not the pattern's. */
uint64_t stack_changed_bytes(struct stack *stack, uint32_t domid, uint64_t pattern);

/* Creates a domain with a vGPU. */
int stack_guest(struct stack *stack, const char *name, uint32_t pages, uint32_t *domid);

/*
 * The daemon ends, and another one takes its guests up. killed: it has no time for anything before.
 * In between, fn may look at the state directory; or NULL.
 */
int stack_restart(struct stack *stack, bool killed, void (*fn)(const char *state_dir));

/* Lets the daemon work until there is nothing more to do. */
void stack_run(struct stack *stack);

#endif
