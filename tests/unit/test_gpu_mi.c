/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * MI commands of the software GPU one by one: flushes, registers, atomics, copies; and the commands
 * of the pipelines, which are skipped. In the workload itself, which may do everything; what
 * batches of users may do is in test_gpu_ppgtt.c.
 */

#include "support/gpu_fixture.h"

#include "gpu/soft/regs.h"

#define BCS_GPR(n)       (0x22600u + 8 * (n))
#define RCS_GPR(n)       (0x2600u + 8 * (n))
#define BCS_TIMESTAMP    0x22358u
#define PIPE_CONTROL     0x7a000004u
#define PIPE_QW_WRITE    (1u << 14)
#define PIPE_DEPTH_COUNT (2u << 14)
#define PIPE_TIMESTAMP   (3u << 14)
#define PIPE_INDEX       (1u << 21)
#define PIPE_GGTT        (1u << 24)
#define PIPE_NOTIFY      (1u << 8)
#define FLUSH_DW         0x13000002u
#define FLUSH_INDEX      (1u << 21)
#define FLUSH_NOTIFY     (1u << 8)
#define ATOMIC           0x17c00001u /* in the GGTT, operands in registers */
#define ATOMIC_INLINE    0x17c40009u

static inline uint64_t get64(struct fixture *fx, uint32_t addr)
{
    return (uint64_t)get(fx, addr + 4) << 32 | get(fx, addr);
}

/* --- flushes ----------------------------------------------------------------------------- */

TEST(flush_dw)
{
    struct fixture *fx = *state;
    uint64_t before = fx->gpu->ops->ticks(fx->a);

    EMIT(fx, FLUSH_DW | 1u << 14 | FLUSH_INDEX, 0xd0, 0, 0x1234);
    EMIT(fx, FLUSH_DW | 3u << 14, DATA | 4, 0, 0);
    EMIT(fx, FLUSH_DW | FLUSH_NOTIFY, 0, 0, 0);
    EMIT(fx, (FLUSH_DW - 1) | 1u << 18, 0, 0);
    execute(fx);
    assert_int_equal(get(fx, A_STATUS + 0xd0), 0x1234);
    assert_in_range(get64(fx, DATA), before, fx->gpu->ops->ticks(fx->a));
    assert_int_equal(state_of(fx, fx->a).notify_interrupts, 1);
    assert_int_equal(state_of(fx, fx->a).user_interrupts, 0);
}

TEST(pipe_control)
{
    struct fixture *fx = *state;
    uint64_t before = fx->gpu->ops->ticks(fx->a);

    fx->engine = GPU_RCS;
    put(fx, DATA + 16, 77);
    EMIT(fx, PIPE_CONTROL, PIPE_QW_WRITE | PIPE_INDEX | 1u << 20, 0xd0, 0, 0x11, 0x22);
    EMIT(fx, PIPE_CONTROL, PIPE_QW_WRITE | PIPE_GGTT | PIPE_NOTIFY, DATA, 0, 0x33, 0x44);
    EMIT(fx, PIPE_CONTROL, PIPE_TIMESTAMP | PIPE_GGTT, DATA + 8, 0, 0, 0);
    EMIT(fx, PIPE_CONTROL, PIPE_DEPTH_COUNT | PIPE_GGTT, DATA + 16, 0, 1, 1);
    EMIT(fx, PIPE_CONTROL, 0x12345f & ~PIPE_NOTIFY, 0, 0, 0, 0);
    EMIT(fx, PIPE_CONTROL, 1u << 23, RCS_GPR(3), 0, 0x55, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, RCS_GPR(3), DATA + 24, 0);
    execute(fx);
    assert_int_equal(get64(fx, A_STATUS + 0xd0), 0x2200000011);
    assert_int_equal(get64(fx, DATA), 0x4400000033);
    assert_in_range(get64(fx, DATA + 8), before, fx->gpu->ops->ticks(fx->a));
    assert_int_equal(get64(fx, DATA + 16), 0);
    assert_int_equal(get(fx, DATA + 24), 0x55);
    assert_int_equal(state_of(fx, fx->a).notify_interrupts, 1);

    EMIT(fx, PIPE_CONTROL - 1, 0, 0, 0, 0);
    expect_failure(fx, "PIPE_CONTROL at ring 0x10000: length of 5 dwords");
    EMIT(fx, PIPE_CONTROL, PIPE_QW_WRITE | PIPE_GGTT | PIPE_NOTIFY, B_DATA, 0, 0, 0);
    expect_failure(fx, "outside the windows");
    assert_int_equal(state_of(fx, fx->a).notify_interrupts, 1);
}

/* The index cannot lead out of the status page. */
TEST(status_page)
{
    struct fixture *fx = *state;

    EMIT(fx, FLUSH_DW | 1u << 14 | FLUSH_INDEX, 0xfffffff8, 0xffff, 1);
    EMIT(fx, 0x10800001, 0xffffff10, 2);
    EMIT(fx, 0x10800002, 0x18, 3, 4);
    execute(fx);
    assert_int_equal(get(fx, A_STATUS + 0xff8), 1);
    assert_int_equal(get(fx, A_STATUS + 0xf10), 2);
    assert_int_equal(get64(fx, A_STATUS + 0x18), 0x400000003);
}

/* --- registers --------------------------------------------------------------------------- */

TEST(registers)
{
    struct fixture *fx = *state;

    put(fx, DATA + 64, 0x5678);
    EMIT(fx, LRI(2), BCS_GPR(1), 0x1111, BCS_GPR(1) + 4, 0x2222);
    EMIT(fx, LRR, BCS_GPR(1) + 4, BCS_GPR(2));
    EMIT(fx, LRM | GGTT_ADDRESS, BCS_GPR(15) + 4, DATA + 64, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(1), DATA, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(2), DATA + 4, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(2) + 4, DATA + 8, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(15) + 4, DATA + 12, 0);
    put(fx, DATA + 8, 99);
    execute(fx);
    assert_int_equal(get(fx, DATA), 0x1111);
    assert_int_equal(get(fx, DATA + 4), 0x2222);
    assert_int_equal(get(fx, DATA + 8), 0);
    assert_int_equal(get(fx, DATA + 12), 0x5678);
}

/* What i915 saves, changes and restores around a context's start, and other storage. */
TEST(register_storage)
{
    struct fixture *fx = *state;

    fx->engine = GPU_RCS;
    put(fx, DATA, 0xaaaa5555);
    EMIT(fx, LRM | GGTT_ADDRESS, 0xb118, DATA, 0, LRI(1), 0x20c0, 0x00ff00f3);
    EMIT(fx, LRI(2), 0x20c0, 0x000f0004, 0x7004, 0xffff1234);
    EMIT(fx, SRM | GGTT_ADDRESS, 0xb118, DATA + 4, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, 0x20c0, DATA + 8, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, 0x7004, DATA + 12, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA + 4), 0xaaaa5555);
    assert_int_equal(get(fx, DATA + 8), 0xf4);
    assert_int_equal(get(fx, DATA + 12), 0x1234);
}

/* As many different registers as a guest likes: the first ones are kept. */
TEST(register_storage_is_bounded)
{
    struct fixture *fx = *state;

    for (uint32_t i = 0; i < 1000; i++) {
        EMIT(fx, LRI(1), 0x40000 + 4 * i, i + 1);
    }
    execute(fx);
    EMIT(fx, SRM | GGTT_ADDRESS, 0x40000, DATA, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, 0x40000 + 4 * 999, DATA + 4, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA), 1);
    assert_int_equal(get(fx, DATA + 4), 0);
}

TEST(context_starts_at_zero)
{
    struct fixture *fx = *state;

    EMIT(fx, LRI(2), BCS_GPR(0), 5, 0x22418, 1);
    execute(fx);
    EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(0), DATA, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA), 5);
    fx->context = 2;
    put(fx, DATA + 4, 1);
    EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(0), DATA, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, 0x22418, DATA + 4, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA), 0);
    assert_int_equal(get(fx, DATA + 4), 0);
}

TEST(timestamp_goes_on)
{
    struct fixture *fx = *state;
    uint64_t last = fx->gpu->ops->ticks(fx->a);

    for (unsigned i = 0; i < 100; i++) {
        EMIT(fx, SRM | GGTT_ADDRESS, BCS_TIMESTAMP, DATA, 0);
        EMIT(fx, SRM | GGTT_ADDRESS, BCS_TIMESTAMP + 4, DATA + 4, 0);
        execute(fx);
        assert_in_range(get64(fx, DATA), last, fx->gpu->ops->ticks(fx->a));
        last = get64(fx, DATA);
    }
    assert_true(last < UINT64_C(1) << 36);
}

/* --- memory to memory -------------------------------------------------------------------- */

TEST(copy_mem_mem)
{
    struct fixture *fx = *state;

    put(fx, DATA + PAGE, 0x99);
    EMIT(fx, 0x17600003, DATA + 4, 0, DATA + PAGE, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA + 4), 0x99);
}

struct atomic_case {
    uint32_t opcode;
    uint64_t old, first, second, result;
};

static const struct atomic_case atomics[] = {
    {0x01, 0xf0f0f0f0, 0xff00ff00, 0, 0xf000f000},
    {0x02, 0xf0f0f0f0, 0xff00ff00, 0, 0xfff0fff0},
    {0x03, 0xf0f0f0f0, 0xff00ff00, 0, 0x0ff00ff0},
    {0x04, 1, 2, 0, 2},
    {0x05, 0xffffffff, 0, 0, 0},
    {0x06, 0, 0, 0, 0xffffffff},
    {0x07, 0xfffffffe, 5, 0, 3},
    {0x08, 3, 5, 0, 0xfffffffe},
    {0x09, 3, 5, 0, 2},
    {0x0a, 0xffffffff, 1, 0, 1},
    {0x0b, 0xffffffff, 1, 0, 0xffffffff},
    {0x0c, 0xffffffff, 1, 0, 0xffffffff},
    {0x0d, 0xffffffff, 1, 0, 1},
    {0x0e, 7, 7, 8, 8},
    {0x0e, 7, 6, 8, 7},
    {0x0f, 7, 0, 0, 6},
    {0x27, 0xffffffff, 1, 0, 0x100000000},
    {0x28, 0, 1, 0, UINT64_MAX},
    {0x2a, UINT64_MAX, 1, 0, 1},
    {0x2c, UINT64_MAX, 1, 0, UINT64_MAX},
    {0x2e, UINT64_C(7) << 32, UINT64_C(7) << 32, UINT64_C(8) << 32, UINT64_C(8) << 32},
};

TEST(test_atomics)
{
    struct fixture *fx = *state;

    for (size_t i = 0; i < 2 * sizeof(atomics) / sizeof(atomics[0]); i++) {
        const struct atomic_case *c = &atomics[i / 2];
        bool wide = c->opcode & 0x20;

        PUT(fx, DATA, LO(c->old), wide ? HI(c->old) : 0x77777777);
        if (i % 2) {
            EMIT(fx, ATOMIC_INLINE | c->opcode << 8 | 1u << 16, DATA, 0, LO(c->first),
                 LO(c->second), HI(c->first), HI(c->second), 0, 0, 0, 0);
        } else {
            EMIT(fx, LRI(4), BCS_GPR(0), LO(c->first), BCS_GPR(0) + 4, HI(c->first), BCS_GPR(2),
                 LO(c->second), BCS_GPR(2) + 4, HI(c->second));
            EMIT(fx, ATOMIC | c->opcode << 8 | 1u << 16, DATA, 0);
        }
        EMIT(fx, SRM | GGTT_ADDRESS, BCS_GPR(4), DATA + 8, 0);
        execute(fx);
        assert_int_equal(get(fx, DATA), LO(c->result));
        assert_int_equal(get(fx, DATA + 4), wide ? HI(c->result) : 0x77777777);
        assert_int_equal(get(fx, DATA + 8), LO(c->opcode == 0x0f ? c->result : c->old));
    }
}

TEST(bad_atomics)
{
    struct fixture *fx = *state;

    EMIT(fx, ATOMIC, DATA, 0);
    expect_failure(fx, "MI_ATOMIC at ring 0x10000: no such operation");
    EMIT(fx, ATOMIC | 0x4eu << 8, DATA, 0);
    expect_failure(fx, "no such operation");
    EMIT(fx, ATOMIC_INLINE - 1, DATA, 0, 0, 0, 0, 0, 0, 0, 0);
    expect_failure(fx, "no such operation");
    EMIT(fx, (ATOMIC_INLINE - 1) | 0x100, DATA, 0, 0, 0, 0, 0, 0, 0, 0);
    expect_failure(fx, "as many dwords as no operation has");
    EMIT(fx, (ATOMIC + 1) | 0x100, DATA, 0, 0);
    expect_failure(fx, "as many dwords as no operation has");
}

/* --- what is skipped --------------------------------------------------------------------- */

/* Each header is followed by dwords that no engine knows. */
TEST(skipped_commands)
{
    static const struct {
        enum gpu_engine engine;
        uint32_t header, length;
    } cases[] = {
        {GPU_BCS, 0x01800000, 1},     /* MI_WAIT_FOR_EVENT */
        {GPU_BCS, 0x03800000, 1},     /* MI_REPORT_HEAD */
        {GPU_BCS, 0x05800000, 1},     /* MI_SUSPEND_FLUSH */
        {GPU_BCS, 0x09000000, 2},     /* MI_LOAD_SCAN_LINES_INCL */
        {GPU_BCS, 0x0a000001, 3},     /* MI_DISPLAY_FLIP */
        {GPU_BCS, 0x0d800000, 2},     /* MI_SEMAPHORE_SIGNAL */
        {GPU_RCS, 0x13800003, 5},     /* MI_CLFLUSH */
        {GPU_RCS, 0x6101000e, 16},    /* STATE_BASE_ADDRESS */
        {GPU_RCS, 0x680b0000, 1},     /* 3DSTATE_VF_STATISTICS, as it once was */
        {GPU_RCS, 0x69040300, 1},     /* PIPELINE_SELECT */
        {GPU_RCS, 0x700001ff, 513},   /* MEDIA_VFE_STATE */
        {GPU_RCS, 0x7105050d, 15},    /* GPGPU_WALKER, indirect and predicated */
        {GPU_RCS, 0x780b0001, 1},     /* 3DSTATE_VF_STATISTICS */
        {GPU_RCS, 0x7821ff00, 2},     /* 3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP */
        {GPU_RCS, 0x783907ff, 2049},  /* 3DSTATE_DX9_CONSTANTF_VS */
        {GPU_RCS, 0x784301ff, 513},   /* 3DSTATE_BINDING_TABLE_EDIT_VS */
        {GPU_RCS, 0x79170101, 259},   /* 3DSTATE_SO_DECL_LIST */
        {GPU_RCS, 0x7b000505, 7},     /* 3DPRIMITIVE, indirect and predicated */
        {GPU_VCS0, 0x68000000, 1},    /* MFX_WAIT */
        {GPU_VCS0, 0x70000003, 5},    /* MFX_PIPE_MODE_SELECT */
        {GPU_VCS0, 0x73280ff0, 4082}, /* MFD_MPEG2_BSD_OBJECT */
        {GPU_VECS, 0x74020fee, 4080}, /* VEBOX_STATE */
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fx->engine = cases[i].engine;
        EMIT(fx, cases[i].header);
        for (uint32_t n = 1; n < cases[i].length; n++) {
            EMIT(fx, 0xffffffff);
        }
        EMIT(fx, MI_STORE_DWORD, DATA, 0, (uint32_t)i + 1);
        execute(fx);
        assert_int_equal(get(fx, DATA), i + 1);
        if (cases[i].length > 1) {
            EMIT(fx, cases[i].header);
            expect_failure(fx, "reach over the end");
        }
    }
}

TEST(pipelines_are_their_engines)
{
    static const uint32_t headers[] = {0x7a000004, 0x7b000005, 0x74000000, 0x73280000, 0x61010000};
    static const bool known[GPU_ENGINES][5] = {
        [GPU_RCS] = {true, true, false, false, true},
        [GPU_VCS0] = {false, false, true, true, false},
        [GPU_VECS] = {false, false, true, false, false},
    };
    struct fixture *fx = *state;

    for (uint32_t e = 0; e < GPU_ENGINES; e++) {
        for (uint32_t i = 0; i < 5; i++) {
            fx->engine = (enum gpu_engine)e;
            EMIT(fx, headers[i]);
            expect_failure(fx, known[e][i] ? "reach over the end" : "unknown command");
        }
    }
}
