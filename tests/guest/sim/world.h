/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A whole host in the process: the simulator's Xen, libxengt above it, the software GPU behind
 * the simulated IOMMU, and the daemon's guests. What tests, the demonstration and the fuzzers
 * put their guests into.
 */
#ifndef TESTS_GUEST_SIM_WORLD_H
#define TESTS_GUEST_SIM_WORLD_H

#include <xengt/sim.h>
#include <xengt/space.h>

#include "guests/guests.h"

#define WORLD_MMIO_BASE 0xe0000000u

struct world {
    struct xengt_sim *sim;
    struct xengt *xengt;
    struct gpu *gpu;
    struct host *host;
    struct guests *guests;
    bool mute;
};

struct world_options {
    struct xengt_space_options space;
    uint32_t mappable_pages;
    uint32_t unmappable_pages;
    enum guests_gtt_mode gtt_mode;
    uint32_t track_after;
    uint32_t window_pages; /* of the library; 0: its own choice */
    bool mute;             /* nobody hears what guests say, or why there is no world */
    uint32_t gtt_entries;  /* of the GPU; fewer make a faster world */
};

/* The GPU's TLB is eager and the simulator asks it at each unmap: mistakes of order show. */
int world_open(struct world *world, const struct world_options *options);
void world_close(struct world *world);

/* Creates a domain with a vGPU. */
int world_guest(struct world *world, const char *name, uint32_t pages, uint32_t *domid);

/* Lets the daemon work until there is nothing more to do. */
void world_run(struct world *world);

/* The memory of a stranger: a domain filled with a pattern, and whether it still is. */
int world_stranger(struct world *world, const char *name, uint32_t pages, uint64_t pattern,
                   uint32_t *domid);
uint64_t world_changed_bytes(struct world *world, uint32_t domid, uint64_t pattern);

#endif
