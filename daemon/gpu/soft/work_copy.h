/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A workload as an engine keeps it: a private copy of what gpu_ops.execute() was given. */
#ifndef XENGT_GPU_SOFT_WORK_COPY_H
#define XENGT_GPU_SOFT_WORK_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/gpu.h"

struct workload_buffer {
    uint64_t address;
    const uint32_t *dw;
    uint32_t count;
    bool run;
};

struct workload {
    struct gpu_root root;
    uint64_t status_page;
    size_t next; /* the buffer to look at when the one in work ends */
    size_t buffers;
    struct workload_buffer buffer[]; /* their dwords follow */
};

/* -EINVAL: none is to be run, or one is not at a dword; -ENOMEM. free() is for the caller. */
int cs_workload_copy(const struct gpu_workload *from, struct workload **out);

/* The next buffer to run; NULL: that was all. */
const struct workload_buffer *cs_workload_next(struct workload *work);

/* The buffer that an address lies in, or NULL. */
const struct workload_buffer *cs_workload_find(const struct workload *work, uint64_t address);

#endif
