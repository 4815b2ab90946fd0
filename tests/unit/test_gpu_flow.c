/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The MI commands that decide what is executed: predicates, conditions, semaphores. */

#include "support/gpu_fixture.h"

#define RCS_SRC0     0x2400u
#define RCS_SRC1     0x2408u
#define RCS_DATA     0x2410u
#define RCS_RESULT   0x2418u
#define RCS_RESULT_1 0x241cu
#define RCS_RESULT_2 0x2214u
#define SEMAPHORE    0x0e408002u /* in the GGTT, polling */
#define COND_END     0x1b600002u /* in the GGTT, compare */

/* --- predicates -------------------------------------------------------------------------- */

#define PREDICATE(load, combine, compare) \
    (0x06000000u | (uint32_t)(load) << 6 | (uint32_t)(combine) << 3 | (compare))

static uint32_t predicate_result(struct fixture *fx)
{
    EMIT(fx, SRM | GGTT_ADDRESS, RCS_RESULT, DATA, 0);
    execute(fx);
    return get(fx, DATA);
}

TEST(predicate)
{
    static const struct {
        uint32_t load, combine, compare, before, src0, src1, data, result;
    } cases[] = {
        {2, 0, 0, 0, 0, 0, 0, 1}, {2, 0, 1, 1, 0, 0, 0, 0}, {3, 0, 0, 0, 0, 0, 0, 0},
        {3, 0, 1, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0, 1, 1, 0, 0, 0, 1},
        {2, 0, 2, 0, 7, 7, 0, 1}, {2, 0, 2, 1, 7, 8, 0, 0}, {3, 0, 2, 0, 7, 8, 0, 1},
        {2, 0, 3, 0, 9, 4, 5, 1}, {2, 0, 3, 1, 9, 4, 4, 0}, {2, 1, 0, 0, 0, 0, 0, 0},
        {2, 1, 0, 1, 0, 0, 0, 1}, {2, 2, 1, 1, 0, 0, 0, 1}, {2, 2, 1, 0, 0, 0, 0, 0},
        {2, 3, 0, 1, 0, 0, 0, 0}, {2, 3, 0, 0, 0, 0, 0, 1},
    };
    struct fixture *fx = *state;

    fx->engine = GPU_RCS;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        EMIT(fx, LRI(7), RCS_RESULT, cases[i].before, RCS_SRC0, cases[i].src0, RCS_SRC0 + 4, 0,
             RCS_SRC1, cases[i].src1, RCS_SRC1 + 4, 0, RCS_DATA, cases[i].data, RCS_DATA + 4, 0);
        EMIT(fx, PREDICATE(cases[i].load, cases[i].combine, cases[i].compare));
        assert_int_equal(predicate_result(fx), cases[i].result);
    }
}

TEST(predicated_commands)
{
    struct fixture *fx = *state;

    fx->engine = GPU_RCS;
    PUT(fx, A_BATCH, MI_STORE_DWORD, DATA, 0, 1, MI_BATCH_END);
    EMIT(fx, LRI(2), RCS_RESULT_1, 0, RCS_RESULT, 0);
    EMIT(fx, MI_BATCH_START | 1u << 15, A_BATCH, 0);
    EMIT(fx, SRM | GGTT_ADDRESS | 1u << 21, RCS_RESULT_1, DATA + 4, 0);
    put(fx, DATA + 4, 9);
    execute(fx);
    assert_int_equal(get(fx, DATA), 0);
    assert_int_equal(get(fx, DATA + 4), 9);
    EMIT(fx, LRI(2), RCS_RESULT_1, 1, RCS_RESULT, 1);
    EMIT(fx, MI_BATCH_START | 1u << 15, A_BATCH, 0);
    EMIT(fx, SRM | GGTT_ADDRESS | 1u << 21, RCS_RESULT_1, DATA + 4, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA), 1);
    assert_int_equal(get(fx, DATA + 4), 1);
}

TEST(set_predicate)
{
    static const struct {
        uint32_t mode, result_2, executed;
    } cases[] = {{0, 0, 1}, {1, 0, 0}, {1, 1, 1}, {2, 0, 1}, {2, 1, 0}, {15, 0, 0}, {15, 1, 0}};
    struct fixture *fx = *state;

    fx->engine = GPU_RCS;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(fx, DATA, 0);
        PUT(fx, A_BATCH, 0x00800000 | cases[i].mode, MI_STORE_DWORD, DATA, 0, 1, MI_BATCH_END);
        EMIT(fx, LRI(1), RCS_RESULT_2, cases[i].result_2, MI_BATCH_START, A_BATCH, 0);
        EMIT(fx, 0x00800000, MI_STORE_DWORD, DATA + 4, 0, (uint32_t)i);
        execute(fx);
        assert_int_equal(get(fx, DATA), cases[i].executed);
        assert_int_equal(get(fx, DATA + 4), i);
    }
    /* It does not reach into the next workload. */
    EMIT(fx, 0x0080000f);
    execute(fx);
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 5);
    execute(fx);
    assert_int_equal(get(fx, DATA), 5);
}

TEST(conditional_end)
{
    static const struct {
        uint32_t header, memory, data, went_on;
    } cases[] = {
        {COND_END, 5, 4, 1},
        {COND_END, 5, 5, 0},
        {COND_END, 5, 6, 0},
        {COND_END, ~0u, 5, 1},
        {COND_END & ~(1u << 21), 5, 4, 0},
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(fx, DATA, cases[i].memory);
        put(fx, DATA + 4, 0);
        PUT(fx, A_BATCH, cases[i].header, cases[i].data, DATA, 0, MI_STORE_DWORD, DATA + 4, 0, 1,
            MI_BATCH_END);
        EMIT(fx, MI_BATCH_START, A_BATCH, 0, MI_STORE_DWORD, DATA + 8, 0, (uint32_t)i);
        execute(fx);
        assert_int_equal(get(fx, DATA + 4), cases[i].went_on);
        assert_int_equal(get(fx, DATA + 8), i);
    }
}

/* --- semaphores -------------------------------------------------------------------------- */

TEST(semaphore_compares)
{
    /* met when memory is 4, 5, 6 and the command says 5 */
    static const bool met[6][3] = {{false, false, true}, {false, true, true},  {true, false, false},
                                   {true, true, false},  {false, true, false}, {true, false, true}};
    struct fixture *fx = *state;

    for (uint32_t op = 0; op < 6; op++) {
        for (uint32_t i = 0; i < 3; i++) {
            put(fx, DATA, 4 + i);
            EMIT(fx, SEMAPHORE | op << 12, 5, DATA, 0);
            submit(fx);
            assert_false(fx->gpu->ops->run(fx->gpu, 100));
            assert_int_equal(state_of(fx, fx->a).idle, met[op][i]);
            assert_int_equal(fx->gpu->ops->waiting(fx->gpu), !met[op][i]);
            reset(fx);
            assert_false(fx->gpu->ops->waiting(fx->gpu));
        }
    }
    EMIT(fx, SEMAPHORE | 6u << 12, 5, DATA, 0);
    expect_failure(fx, "MI_SEMAPHORE_WAIT at ring 0x10000: no such comparison");
}

/* Who waits looks once a call, and counts as one command. */
TEST(semaphore_waits)
{
    struct fixture *fx = *state;
    struct gpu_stats stats;

    EMIT(fx, SEMAPHORE | 4u << 12, 5, DATA, 0, MI_STORE_DWORD, DATA + 4, 0, 1);
    submit(fx);
    for (unsigned i = 1; i < 10; i++) {
        assert_false(fx->gpu->ops->run(fx->gpu, 1000));
        assert_int_equal(fx->port->reads, i);
        assert_true(fx->gpu->ops->waiting(fx->gpu));
    }
    fx->gpu->ops->pause(fx->a, true);
    assert_false(fx->gpu->ops->run(fx->gpu, 1000));
    assert_false(fx->gpu->ops->waiting(fx->gpu));
    assert_int_equal(fx->port->reads, 9);
    fx->gpu->ops->pause(fx->a, false);
    put(fx, DATA, 5);
    assert_false(fx->gpu->ops->run(fx->gpu, 1000));
    assert_int_equal(get(fx, DATA + 4), 1);
    assert_true(state_of(fx, fx->a).idle);
    assert_false(fx->gpu->ops->waiting(fx->gpu));
    fx->gpu->ops->client_stats(fx->a, &stats);
    assert_int_equal(stats.commands, 2);
}

/* What another engine stores is seen within the same call. */
TEST(semaphore_between_engines)
{
    struct fixture *fx = *state;

    EMIT(fx, SEMAPHORE | 4u << 12, 5, DATA, 0, MI_STORE_DWORD, DATA + 4, 0, 6);
    submit(fx);
    EMIT(fx, SEMAPHORE | 4u << 12, 6, DATA + 4, 0, MI_STORE_DWORD, DATA + 8, 0, 7);
    assert_int_equal(submit_to(fx, GPU_VCS0), 0);
    fx->count = 0;
    assert_false(fx->gpu->ops->run(fx->gpu, 1000));
    EMIT(fx, MI_NOOP, MI_NOOP, MI_STORE_DWORD, DATA, 0, 5);
    assert_int_equal(submit_to(fx, GPU_VECS), 0);
    assert_false(fx->gpu->ops->run(fx->gpu, 1000));
    assert_int_equal(get(fx, DATA + 8), 7);
    assert_false(fx->gpu->ops->waiting(fx->gpu));
}
