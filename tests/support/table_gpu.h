/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A GPU that has page tables and a TLB and no engines: a workload runs until the test says that
 * it is done, and the test makes its accesses. One client only by each set of windows, unchecked.
 */
#ifndef TESTS_SUPPORT_TABLE_GPU_H
#define TESTS_SUPPORT_TABLE_GPU_H

#include "gpu/gpu.h"
#include "gpu/soft/pages.h"

struct table_gpu_client {
    struct gpu_client base;
    struct table_gpu_client *next;
    struct gpu_root root[GPU_ENGINES]; /* of the last workload */
    bool busy[GPU_ENGINES];
};

struct table_gpu {
    struct gpu base;
    struct tables tables;
    uint64_t scratch_pte; /* of all clients */
    struct gpu_stats stats;
    uint64_t table_allocs_left;       /* table_alloc() fails when it is 0 */
    struct table_gpu_client *clients; /* the last one opened first */
};

/* scratch is the bus address of a page. -ENOMEM */
int table_gpu_init(struct table_gpu *gpu, uint32_t gtt_entries, uint64_t scratch, bool eager);
void table_gpu_fini(struct table_gpu *gpu);

#endif
