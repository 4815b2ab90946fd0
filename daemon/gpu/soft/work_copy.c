/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A workload's copy, which the engine keeps until it is done. */
#include "gpu/soft/work_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int check(const struct gpu_workload *from, size_t *dwords)
{
    bool any = false;

    *dwords = 0;
    for (size_t i = 0; i < from->buffers; i++) {
        if (from->buffer[i].address % sizeof(uint32_t)) {
            return -EINVAL;
        }
        *dwords += from->buffer[i].count;
        any |= from->buffer[i].run && from->buffer[i].count > 0;
    }
    return any ? 0 : -EINVAL;
}

int cs_workload_copy(const struct gpu_workload *from, struct workload **out)
{
    struct workload *work;
    uint32_t *dw;
    size_t dwords;
    int ret = check(from, &dwords);

    if (ret) {
        return ret;
    }
    work = malloc(sizeof(*work) + from->buffers * sizeof(work->buffer[0]) + dwords * sizeof(*dw));
    if (!work) {
        return -ENOMEM;
    }
    *work = (struct workload){
        .root = from->root,
        .status_page = from->status_page,
        .buffers = from->buffers,
    };
    dw = (uint32_t *)&work->buffer[from->buffers];
    for (size_t i = 0; i < from->buffers; i++) {
        const struct gpu_buffer *buffer = &from->buffer[i];

        work->buffer[i] = (struct workload_buffer){
            .address = buffer->address,
            .dw = dw,
            .count = buffer->count,
            .run = buffer->run,
        };
        if (buffer->count > 0) {
            memcpy(dw, buffer->dw, buffer->count * sizeof(*dw));
            dw += buffer->count;
        }
    }
    *out = work;
    return 0;
}

const struct workload_buffer *cs_workload_next(struct workload *work)
{
    while (work->next < work->buffers) {
        const struct workload_buffer *buffer = &work->buffer[work->next++];

        if (buffer->run && buffer->count > 0) {
            return buffer;
        }
    }
    return NULL;
}

const struct workload_buffer *cs_workload_find(const struct workload *work, uint64_t address)
{
    for (size_t i = 0; i < work->buffers; i++) {
        const struct workload_buffer *buffer = &work->buffer[i];

        if (address >= buffer->address && address - buffer->address < buffer->count * UINT64_C(4)) {
            return buffer;
        }
    }
    return NULL;
}
