/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MI (memory interface) commands, which every engine knows. */

#include <errno.h>

#include "gpu/soft.h"

#define SDI_GGTT  (1u << 22)
#define SDI_QWORD (1u << 21)

#define FLUSH_POST_SYNC(header) ((header) >> 14 & 3)
#define FLUSH_WRITE_IMMEDIATE   1u
#define FLUSH_STORE_INDEX       (1u << 21)
#define FLUSH_ADDRESS_GGTT      (1u << 2)

#define BBS_SECOND_LEVEL (1u << 22)
#define BBS_PREDICATED   (1u << 15)
#define BBS_PPGTT        (1u << 8)

static uint64_t address_at(const uint32_t *dw, uint32_t low_mask)
{
    return (uint64_t)dw[1] << 32 | (dw[0] & low_mask);
}

/* There is only the global GTT here: a command that means a PPGTT cannot be executed. */
static int no_ppgtt(struct cs_engine *engine)
{
    return cs_fail(engine, -EOPNOTSUPP, "PPGTT not present");
}

static int mi_nothing(struct cs_engine *engine, const uint32_t *dw)
{
    (void)engine;
    (void)dw;
    return CS_DONE;
}

static int mi_user_interrupt(struct cs_engine *engine, const uint32_t *dw)
{
    (void)dw;
    engine->user_interrupts++;
    return CS_DONE;
}

static int mi_store_data_imm(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t size = dw[0] & SDI_QWORD ? 8 : 4;

    if (!(dw[0] & SDI_GGTT)) {
        return no_ppgtt(engine);
    }
    if (engine->length != 3 + size / 4) {
        return cs_fail(engine, -EINVAL, "length of %u dwords for %u bytes", engine->length, size);
    }
    return mem_write(engine, address_at(dw + 1, ~3u), dw + 3, size);
}

/* A flush has nothing to wait for here: what remains of it is the write after it. */
static int mi_flush_dw(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t post_sync = FLUSH_POST_SYNC(dw[0]);

    if (post_sync == 0) {
        return CS_DONE;
    }
    if (post_sync != FLUSH_WRITE_IMMEDIATE) {
        return cs_fail(engine, -EOPNOTSUPP, "post-sync operation %u not supported", post_sync);
    }
    if (dw[0] & FLUSH_STORE_INDEX) {
        return cs_fail(engine, -EOPNOTSUPP, "no status page to store into");
    }
    if (engine->length < 4) {
        return cs_fail(engine, -EINVAL, "no data to write");
    }
    if (!(dw[1] & FLUSH_ADDRESS_GGTT)) {
        return no_ppgtt(engine);
    }
    return mem_write(engine, address_at(dw + 1, ~7u), dw + 3, (engine->length - 3) * 4);
}

static int mi_batch_buffer_start(struct cs_engine *engine, const uint32_t *dw)
{
    enum cs_level level = engine->level;

    if (dw[0] & BBS_PPGTT) {
        return no_ppgtt(engine);
    }
    if (dw[0] & BBS_PREDICATED) {
        return cs_fail(engine, -EOPNOTSUPP, "predication not supported");
    }
    /* From a batch it is a call when it says so, otherwise a jump. */
    if (level == CS_RING) {
        level = CS_BATCH;
    } else if (dw[0] & BBS_SECOND_LEVEL) {
        level++;
    }
    if (level == CS_LEVELS) {
        return cs_fail(engine, -EINVAL, "third level of batches");
    }
    cs_jump(engine, level, address_at(dw + 1, ~3u));
    return CS_STAY;
}

static int mi_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw)
{
    (void)dw;
    if (engine->level == CS_RING) {
        return CS_DONE;
    }
    cs_jump(engine, engine->level - 1, engine->pos[engine->level - 1]);
    cs_advance(engine, MI_BATCH_BUFFER_START_LENGTH);
    return CS_STAY;
}

const struct cs_command mi_commands[MI_OPCODES] = {
    [0x00] = {"MI_NOOP", 1, 1, 0, mi_nothing},
    [0x02] = {"MI_USER_INTERRUPT", 1, 1, 0, mi_user_interrupt},
    [0x05] = {"MI_ARB_CHECK", 1, 1, 0, mi_nothing},
    [0x08] = {"MI_ARB_ON_OFF", 1, 1, 0, mi_nothing},
    [0x0a] = {"MI_BATCH_BUFFER_END", 1, 1, 0, mi_batch_buffer_end},
    [0x20] = {"MI_STORE_DATA_IMM", 4, 5, 10, mi_store_data_imm},
    [0x26] = {"MI_FLUSH_DW", 3, 5, 6, mi_flush_dw},
    [0x31] = {"MI_BATCH_BUFFER_START", MI_BATCH_BUFFER_START_LENGTH, MI_BATCH_BUFFER_START_LENGTH,
              8, mi_batch_buffer_start},
};
