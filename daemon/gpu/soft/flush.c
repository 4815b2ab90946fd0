/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MI_FLUSH_DW and PIPE_CONTROL. There are no caches to flush and nothing to wait for; the TLB is
 * invalidated by whoever writes the page tables. What remains is the write afterwards, and the
 * interrupt.
 */

#include <errno.h>

#include "gpu/soft/mi.h"
#include "gpu/soft/soft.h"

/* Of MI_FLUSH_DW: header; address. */
#define FLUSH_STORE_INDEX (1u << 21)
#define FLUSH_NOTIFY      (1u << 8)
#define FLUSH_GGTT        (1u << 2)

/* Of PIPE_CONTROL: the dword after the header. */
#define PIPE_GGTT        (1u << 24)
#define PIPE_LRI         (1u << 23)
#define PIPE_STORE_INDEX (1u << 21)
#define PIPE_NOTIFY      (1u << 8)

#define INDEX_MASK 0xff8u /* qwords of the status page */

/* Bits 15:14 of either. */
enum operation {
    WRITE_NOTHING,
    WRITE_IMMEDIATE,
    WRITE_DEPTH_COUNT, /* of PIPE_CONTROL */
    WRITE_TIMESTAMP,
};

static enum operation operation_in(uint32_t flags)
{
    return (enum operation)(flags >> 14 & 3);
}

struct post_sync {
    enum operation operation;
    bool ggtt;
    bool index; /* the address is an offset in the status page */
    uint64_t address;
    const uint32_t *immediate;
    uint32_t size; /* of it, in bytes */
};

/* The interrupt is free for all; a write to what is the driver's is not. */
static int write_afterwards(struct cs_engine *engine, const struct post_sync *post)
{
    uint64_t address = post->address, value = 0;

    if (post->operation == WRITE_NOTHING) {
        return 0;
    }
    if ((post->ggtt || post->index) && !cs_privileged(engine)) {
        return cs_deny(engine);
    }
    if (post->index) {
        address = engine->work->status_page + (address & INDEX_MASK);
    }
    if (post->operation == WRITE_TIMESTAMP) {
        value = gpu_timestamp();
    }
    return mem_write(engine, post->ggtt || post->index ? MEM_GGTT : MEM_PPGTT, address,
                     post->operation == WRITE_IMMEDIATE ? (const void *)post->immediate : &value,
                     post->operation == WRITE_IMMEDIATE ? post->size : sizeof(value));
}

static int finish(struct cs_engine *engine, const struct post_sync *post, bool notify)
{
    int ret = write_afterwards(engine, post);

    if (ret == 0) {
        engine->notify_interrupts += notify;
    }
    return ret;
}

int mi_flush_dw(struct cs_engine *engine, const uint32_t *dw)
{
    const struct post_sync post = {
        .operation = operation_in(dw[0]),
        .ggtt = dw[1] & FLUSH_GGTT,
        .index = dw[0] & FLUSH_STORE_INDEX,
        .address = cs_address(dw + 1, ~7u),
        .immediate = dw + 3,
        .size = (engine->length - 3) * 4,
    };

    if (post.operation == WRITE_DEPTH_COUNT) {
        return cs_fail(engine, -EINVAL, "post-sync operation 2");
    }
    if (post.operation == WRITE_IMMEDIATE && post.size == 0) {
        return cs_fail(engine, -EINVAL, "no data to write");
    }
    return finish(engine, &post, dw[0] & FLUSH_NOTIFY);
}

/* Nothing is drawn, so the depth count is always 0. */
int cs_pipe_control(struct cs_engine *engine, const uint32_t *dw)
{
    const struct post_sync post = {
        .operation = operation_in(dw[1]),
        .ggtt = dw[1] & PIPE_GGTT,
        .index = dw[1] & PIPE_STORE_INDEX,
        .address = cs_address(dw + 2, ~3u),
        .immediate = dw + 4,
        .size = 8,
    };

    if (dw[1] & PIPE_LRI) {
        cs_reg_store(engine, dw[2], dw[4]);
    }
    return finish(engine, &post, dw[1] & PIPE_NOTIFY);
}
