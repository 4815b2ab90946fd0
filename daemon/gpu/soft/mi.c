/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The MI (memory interface) commands that decide what is executed next: batches, predicates,
 * semaphores.
 */

#include "gpu/soft/executors.h"

#include <errno.h>

#include "gpu/soft/soft.h"

int mi_nothing(struct cs_engine *engine, const uint32_t *dw)
{
    (void)engine;
    (void)dw;
    return CS_DONE;
}

int mi_user_interrupt(struct cs_engine *engine, const uint32_t *dw)
{
    (void)dw;
    engine->user_interrupts++;
    return CS_DONE;
}

int mi_update_gtt(struct cs_engine *engine, const uint32_t *dw)
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
int mi_batch_buffer_start(struct cs_engine *engine, const uint32_t *dw)
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

int mi_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw)
{
    (void)dw;
    return cs_return(engine);
}

/* --- predicates -------------------------------------------------------------------------- */

int mi_set_predicate(struct cs_engine *engine, const uint32_t *dw)
{
    bool result = cs_reg_get(engine, RING_PREDICATE_RESULT) & 1;
    bool result_2 = cs_reg_get(engine, RING_PREDICATE_RESULT_2) & 1;

    switch (SET_PREDICATE_MODE(dw[0])) {
    case SET_PREDICATE_RESULT_2_CLEAR:
    case SET_PREDICATE_RESULT_2_SET:
        engine->predicated = result_2 == (SET_PREDICATE_MODE(dw[0]) == SET_PREDICATE_RESULT_2_SET);
        break;
    case SET_PREDICATE_RESULT_CLEAR:
    case SET_PREDICATE_RESULT_SET:
        engine->predicated = result == (SET_PREDICATE_MODE(dw[0]) == SET_PREDICATE_RESULT_SET);
        break;
    default:
        engine->predicated = SET_PREDICATE_MODE(dw[0]) == SET_PREDICATE_ON;
    }
    return CS_DONE;
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

int mi_predicate(struct cs_engine *engine, const uint32_t *dw)
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
    return mem_read(engine, dw[0] & MI_USE_GGTT ? MEM_GGTT : MEM_PPGTT, cs_address(dw + 2, ~3u),
                    value, sizeof(*value));
}

/* The batch ends when the value in memory is not greater than the command's. */
int mi_conditional_batch_buffer_end(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t value = 0;
    int ret;

    if (dw[0] & CONDITION_COMPARE) {
        ret = load_value(engine, dw, &value);
        if (ret || value > dw[1]) {
            return ret ? ret : CS_DONE;
        }
    }
    return cs_return(engine);
}

/* Is the semaphore's condition met by the value in memory? */
static bool is_met(enum semaphore_operation operation, uint32_t value, uint32_t wanted)
{
    switch (operation) {
    case SEMAPHORE_GREATER:
        return value > wanted;
    case SEMAPHORE_GREATER_EQUAL:
        return value >= wanted;
    case SEMAPHORE_LESS:
        return value < wanted;
    case SEMAPHORE_LESS_EQUAL:
        return value <= wanted;
    case SEMAPHORE_EQUAL:
        return value == wanted;
    case SEMAPHORE_NOT_EQUAL:
        return value != wanted;
    }
    return false;
}

/*
 * In signal mode hardware sleeps until an MI_SEMAPHORE_SIGNAL makes it look again; this looks
 * again by itself, and sees the same.
 */
int mi_semaphore_wait(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t value = 0;
    int ret = load_value(engine, dw, &value);

    if (ret) {
        return ret;
    }
    return is_met((enum semaphore_operation)SEMAPHORE_OPERATION(dw[0]), value, dw[1]) ? CS_DONE
                                                                                      : CS_WAIT;
}
