/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The MI (memory interface) commands, which every engine knows: the table of all of them, and
 * those that decide what is executed next: batches, predicates, semaphores.
 */

#include "gpu/soft/mi.h"

#include <errno.h>

#include "gpu/soft/soft.h"

#define BBS_SECOND_LEVEL (1u << 22)
#define BBS_PREDICATED   (1u << 15)
#define BBS_PPGTT        (1u << 8)

#define COND_COMPARE (1u << 21)

#define ALL_BITS UINT32_MAX

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

static int mi_update_gtt(struct cs_engine *engine, const uint32_t *dw)
{
    (void)dw;
    return cs_fail(engine, -EPERM, "page tables are written by stores only");
}

/* --- batches ----------------------------------------------------------------------------- */

/* A privileged batch is one that came with the workload. */
static int find_batch(struct cs_engine *engine, struct cs_place *place)
{
    place->buffer = cs_workload_find(engine->work, place->address);
    if (!place->buffer) {
        return cs_fail(engine, -EFAULT, "no privileged batch at 0x%llx",
                       (unsigned long long)place->address);
    }
    return 0;
}

/* A batch without privilege cannot get it by saying so: what it starts is in the PPGTT, too. */
static int mi_batch_buffer_start(struct cs_engine *engine, const uint32_t *dw)
{
    bool user = (dw[0] & BBS_PPGTT) || !cs_privileged(engine);
    struct cs_place place = {
        .space = user ? MEM_PPGTT : MEM_GGTT,
        .address = cs_address(dw + 1, ~3u),
    };
    enum cs_level level = engine->level;
    int ret = 0;

    if ((dw[0] & BBS_PREDICATED) && !(cs_reg_get(engine, RING_PREDICATE_RESULT_1) & 1)) {
        return CS_DONE;
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
    if (!user) {
        ret = find_batch(engine, &place);
    }
    if (ret == 0) {
        cs_jump(engine, level, &place);
    }
    return ret ? ret : CS_STAY;
}

static int mi_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw)
{
    (void)dw;
    return cs_return(engine);
}

/* --- predicates -------------------------------------------------------------------------- */

static int mi_set_predicate(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t mode = dw[0] & 15;

    switch (mode) {
    case 0:
        engine->predicated = false;
        return CS_DONE;
    case 1:
    case 2:
        engine->predicated = (cs_reg_get(engine, RING_PREDICATE_RESULT_2) & 1) == (mode == 2);
        return CS_DONE;
    case 3:
    case 4:
        engine->predicated = (cs_reg_get(engine, RING_PREDICATE_RESULT) & 1) == (mode == 4);
        return CS_DONE;
    case 15:
        engine->predicated = true;
        return CS_DONE;
    default:
        return cs_fail(engine, -EOPNOTSUPP, "mode %u", mode);
    }
}

static bool compare_sources(const struct cs_engine *engine, uint32_t operation)
{
    uint64_t src0 = cs_reg_get64(engine, RING_PREDICATE_SRC0);
    uint64_t src1 = cs_reg_get64(engine, RING_PREDICATE_SRC1);

    switch (operation) {
    case 0:
        return true;
    case 1:
        return false;
    case 2:
        return src0 == src1;
    default:
        return src0 - src1 == cs_reg_get64(engine, RING_PREDICATE_DATA);
    }
}

static bool combine(bool state, bool value, uint32_t operation)
{
    switch (operation) {
    case 0:
        return value;
    case 1:
        return state && value;
    case 2:
        return state || value;
    default:
        return state != value;
    }
}

static int mi_predicate(struct cs_engine *engine, const uint32_t *dw)
{
    enum { KEEP, LOAD = 2, LOAD_INVERTED = 3 };
    uint32_t load = dw[0] >> 6 & 3;
    bool value = combine(cs_reg_get(engine, RING_PREDICATE_RESULT) & 1,
                         compare_sources(engine, dw[0] & 3), dw[0] >> 3 & 3);

    if (load == LOAD || load == LOAD_INVERTED) {
        cs_reg_set(engine, RING_PREDICATE_RESULT, value != (load == LOAD_INVERTED));
    }
    return CS_DONE;
}

/* --- values in memory -------------------------------------------------------------------- */

static int load_value(struct cs_engine *engine, const uint32_t *dw, uint32_t *value)
{
    return mem_read(engine, dw[0] & MI_GGTT ? MEM_GGTT : MEM_PPGTT, cs_address(dw + 2, ~3u), value,
                    sizeof(*value));
}

/* The batch ends when the value in memory is not greater than the command's. */
static int mi_conditional_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t value = 0;
    int ret;

    if (dw[0] & COND_COMPARE) {
        ret = load_value(engine, dw, &value);
        if (ret || value > dw[1]) {
            return ret ? ret : CS_DONE;
        }
    }
    return cs_return(engine);
}

/*
 * In signal mode hardware sleeps until an MI_SEMAPHORE_SIGNAL makes it look again; this looks
 * again by itself, and sees the same.
 */
static int mi_semaphore_wait(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t operation = dw[0] >> 12 & 7;
    uint32_t wanted = dw[1], value = 0;
    int ret = load_value(engine, dw, &value);
    bool met;

    if (ret) {
        return ret;
    }
    switch (operation) {
    case 0:
        met = value > wanted;
        break;
    case 1:
        met = value >= wanted;
        break;
    case 2:
        met = value < wanted;
        break;
    case 3:
        met = value <= wanted;
        break;
    case 4:
        met = value == wanted;
        break;
    case 5:
        met = value != wanted;
        break;
    default:
        return cs_fail(engine, -EINVAL, "compare operation %u", operation);
    }
    return met ? CS_DONE : CS_WAIT;
}

/* --- all of them ------------------------------------------------------------------------- */

/*
 * There is no display: its events have always just happened, and what would change it does not.
 * Caches have nothing in them to flush. The head is where the guest's copy of it is kept up to
 * date by whoever runs the ring.
 */
const struct cs_command mi_commands[MI_OPCODES] = {
    /* name, dwords from, to, length bits, unpredicated, privileged */
    [0x00] = {"MI_NOOP", 1, 1, 0, false, 0, mi_nothing},
    [0x01] = {"MI_SET_PREDICATE", 1, 1, 0, true, 0, mi_set_predicate},
    [0x02] = {"MI_USER_INTERRUPT", 1, 1, 0, false, 0, mi_user_interrupt},
    [0x03] = {"MI_WAIT_FOR_EVENT", 1, 1, 0, false, 0, NULL},
    [0x04] = {"MI_FLUSH", 1, 1, 0, false, 0, NULL},
    [0x05] = {"MI_ARB_CHECK", 1, 1, 0, false, 0, NULL},
    [0x06] = {"MI_RS_CONTROL", 1, 1, 0, false, 0, NULL},
    [0x07] = {"MI_REPORT_HEAD", 1, 1, 0, false, 0, NULL},
    [0x08] = {"MI_ARB_ON_OFF", 1, 1, 0, false, 0, NULL},
    [0x09] = {"MI_URB_ATOMIC_ALLOC", 1, 1, 0, false, 0, NULL},
    [0x0a] = {"MI_BATCH_BUFFER_END", 1, 1, 0, true, 0, mi_batch_buffer_end},
    [0x0b] = {"MI_SUSPEND_FLUSH", 1, 1, 0, false, 0, NULL},
    [0x0c] = {"MI_PREDICATE", 1, 1, 0, false, 0, mi_predicate},
    [0x0d] = {"MI_TOPOLOGY_FILTER", 1, 1, 0, false, 0, NULL},
    [0x0e] = {"MI_SET_APPID", 1, 1, 0, false, 0, NULL},
    [0x0f] = {"MI_RS_CONTEXT", 1, 1, 0, false, 0, NULL},
    [0x12] = {"MI_LOAD_SCAN_LINES_INCL", 2, 2, 8, false, 0, NULL},
    [0x13] = {"MI_LOAD_SCAN_LINES_EXCL", 2, 2, 8, false, 0, NULL},
    [0x14] = {"MI_DISPLAY_FLIP", 3, 4, 8, false, 0, NULL},
    [0x18] = {"MI_SET_CONTEXT", 2, 2, 8, false, 0, NULL},
    [0x1a] = {"MI_MATH", 2, 257, 8, false, 0, mi_math},
    [0x1b] = {"MI_SEMAPHORE_SIGNAL", 2, 2, 8, false, 0, NULL},
    [0x1c] = {"MI_SEMAPHORE_WAIT", 4, 4, 8, false, MI_GGTT, mi_semaphore_wait},
    [0x20] = {"MI_STORE_DATA_IMM", 4, CS_COMMAND_MAX, 10, false, MI_GGTT, mi_store_data_imm},
    [0x21] = {"MI_STORE_DATA_INDEX", 3, 4, 8, false, ALL_BITS, mi_store_data_index},
    [0x22] = {"MI_LOAD_REGISTER_IMM", 3, 257, 8, false, 0, mi_load_register_imm},
    [0x23] = {"MI_UPDATE_GTT", 3, CS_COMMAND_MAX, 10, false, ALL_BITS, mi_update_gtt},
    [0x24] = {"MI_STORE_REGISTER_MEM", 4, 4, 8, false, MI_GGTT, mi_store_register_mem},
    [0x26] = {"MI_FLUSH_DW", 3, 5, 6, false, 0, mi_flush_dw},
    [0x27] = {"MI_CLFLUSH", 3, CS_COMMAND_MAX, 10, false, 0, NULL},
    [0x28] = {"MI_REPORT_PERF_COUNT", 4, 4, 6, false, 0, NULL},
    [0x29] = {"MI_LOAD_REGISTER_MEM", 4, 4, 8, false, MI_GGTT, mi_load_register_mem},
    [0x2a] = {"MI_LOAD_REGISTER_REG", 3, 3, 8, false, 0, mi_load_register_reg},
    [0x2b] = {"MI_RS_STORE_DATA_IMM", 4, 4, 8, false, 0, NULL},
    [0x2c] = {"MI_LOAD_URB_MEM", 4, 4, 8, false, 0, NULL},
    [0x2d] = {"MI_STORE_URB_MEM", 4, 4, 8, false, 0, NULL},
    [0x2e] = {"MI_COPY_MEM_MEM", 5, 5, 8, false, MI_GGTT | 1u << 21, mi_copy_mem_mem},
    [0x2f] = {"MI_ATOMIC", 3, 11, 8, false, MI_GGTT, mi_atomic},
    [0x31] = {"MI_BATCH_BUFFER_START", MI_BATCH_BUFFER_START_LENGTH, MI_BATCH_BUFFER_START_LENGTH,
              8, false, 0, mi_batch_buffer_start},
    [0x36] = {"MI_CONDITIONAL_BATCH_BUFFER_END", 4, 4, 8, false, MI_GGTT,
              mi_conditional_batch_buffer_end},
};
