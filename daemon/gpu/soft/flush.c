/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MI_FLUSH_DW and PIPE_CONTROL. There are no caches to flush and nothing to wait for; the TLB is
 * invalidated by whoever writes the page tables. What remains is the write afterwards, and the
 * interrupt.
 */

#include "gpu/soft/executors.h"
#include "gpu/soft/soft.h"

struct write {
    enum post_sync operation;
    bool ggtt;
    bool index; /* the address is an offset in the status page */
    uint64_t address;
    const uint32_t *immediate;
    uint32_t size; /* of it, in bytes */
};

/* The interrupt is free for all; a write to what is the driver's is not. */
static int write_afterwards(struct cs_engine *engine, const struct write *post)
{
    uint64_t address = post->address, value = 0;

    if (post->operation == POST_SYNC_NONE) {
        return 0;
    }
    if ((post->ggtt || post->index) && !cs_privileged(engine)) {
        return cs_deny(engine);
    }
    if (post->index) {
        address = engine->work->status_page + (address & POST_SYNC_INDEX);
    }
    if (post->operation == POST_SYNC_TIMESTAMP) {
        value = soft_ticks(engine->client);
    }
    return mem_write(engine, post->ggtt || post->index ? MEM_GGTT : MEM_PPGTT, address,
                     post->operation == POST_SYNC_IMMEDIATE ? (const void *)post->immediate
                                                            : &value,
                     post->operation == POST_SYNC_IMMEDIATE ? post->size : sizeof(value));
}

static int finish(struct cs_engine *engine, const struct write *post, bool notify)
{
    int ret = write_afterwards(engine, post);

    if (ret == 0) {
        engine->notify_interrupts += notify;
    }
    return ret;
}

int mi_flush_dw(struct cs_engine *engine, const uint32_t *dw)
{
    const struct write post = {
        .operation = POST_SYNC(dw[0]),
        .ggtt = dw[1] & FLUSH_USE_GGTT,
        .index = dw[0] & FLUSH_STORE_INDEX,
        .address = cs_address(dw + 1, ~7u),
        .immediate = dw + 3,
        .size = (engine->length - 3) * 4,
    };

    return finish(engine, &post, dw[0] & FLUSH_NOTIFY);
}

/* Nothing is drawn, so the depth count is always 0. */
int pipe_control(struct cs_engine *engine, const uint32_t *dw)
{
    const struct write post = {
        .operation = POST_SYNC(dw[1]),
        .ggtt = dw[1] & PIPE_USE_GGTT,
        .index = dw[1] & PIPE_STORE_INDEX,
        .address = cs_address(dw + 2, ~3u),
        .immediate = dw + 4,
        .size = 8,
    };

    if (dw[1] & PIPE_LOAD) {
        cs_reg_store(engine, dw[2], dw[4]);
    }
    return finish(engine, &post, dw[1] & PIPE_NOTIFY);
}
