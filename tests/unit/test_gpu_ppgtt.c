/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The software GPU's PPGTT: batches of users, what they reach and what they may not do, what is
 * fetched anew and when; and that nothing random gets out of it.
 */

#include "support/gpu_fixture.h"

#define BCS_GPR(n) (0x22600u + 8 * (n))

#define PP_SRM(reg, at)     SRM, reg, LO(at), HI(at)
#define PP_LRM(reg, at)     LRM, reg, LO(at), HI(at)
#define PP_STORE(at, value) PP_STORE_DWORD, LO(at), HI(at), value
#define PP_JUMP(at)         PP_BATCH_START, LO(at), HI(at)
#define PP_CALL(at)         PP_BATCH_SECOND, LO(at), HI(at)

/* The batch that every test's workload starts. */
static void start(struct fixture *fx)
{
    EMIT(fx, PP_JUMP(PP_BATCH));
}

/* --- batches ----------------------------------------------------------------------------- */

TEST_PPGTT(batches)
{
    uint64_t far = PP_BATCH + 2 * PAGE - 8, second = PP_BATCH + 0x100;
    struct fixture *fx = *state;

    /* A call, in it a jump; the way back; and a command across pages. */
    PP_PUT(fx, PP_BATCH, PP_STORE(PP_DATA, 1), PP_CALL(second), PP_STORE(PP_DATA + 8, 3),
           PP_JUMP(far));
    PP_PUT(fx, second, PP_STORE(PP_DATA + 4, 2), PP_JUMP(second + 0x100));
    PP_PUT(fx, second + 0x100, PP_STORE(PP_DATA + 12, 4), MI_BATCH_END);
    PP_PUT(fx, far, PP_STORE(PP_DATA + 16, 5), MI_BATCH_END);
    start(fx);
    EMIT(fx, PP_STORE(PP_DATA + 20, 6));
    execute(fx);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(pp_get(fx, PP_DATA + i * 4), i + 1);
    }
    assert_int_equal(denied(fx), 0);
}

/* From a privileged batch one goes to another, or to a user's; from there to users' only. */
TEST_PPGTT(levels_of_privilege)
{
    struct fixture *fx = *state;

    PUT(fx, A_BATCH, MI_STORE_DWORD, DATA, 0, 1, PP_CALL(PP_BATCH), MI_STORE_DWORD, DATA + 4, 0, 2,
        MI_BATCH_START, A_BATCH + 0x100, 0);
    PUT(fx, A_BATCH + 0x100, MI_STORE_DWORD, DATA + 8, 0, 3, MI_BATCH_END);
    PP_PUT(fx, PP_BATCH, MI_STORE_DWORD, DATA + 12, 0, 4, MI_BATCH_START, LO(PP_BATCH + 0x100),
           HI(PP_BATCH + 0x100));
    PP_PUT(fx, PP_BATCH + 0x100, MI_STORE_DWORD, DATA + 16, 0, 5, MI_BATCH_END);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0, MI_STORE_DWORD, DATA + 20, 0, 6);
    execute(fx);
    assert_int_equal(get(fx, DATA), 1);
    assert_int_equal(get(fx, DATA + 4), 2);
    assert_int_equal(get(fx, DATA + 8), 3);
    assert_int_equal(get(fx, DATA + 12), 0);
    assert_int_equal(get(fx, DATA + 16), 0);
    assert_int_equal(get(fx, DATA + 20), 6);
    assert_int_equal(denied(fx), 2);
}

TEST_PPGTT(batch_levels_are_bounded)
{
    struct fixture *fx = *state;

    PP_PUT(fx, PP_BATCH, PP_CALL(PP_BATCH), MI_BATCH_END);
    start(fx);
    expect_failure(fx, "MI_BATCH_BUFFER_START at batch 0x123456000000: third level");
}

TEST_PPGTT(not_mapped)
{
    uint64_t end = PP_BATCH + PP_BATCH_PAGES * PAGE;
    struct fixture *fx = *state;

    EMIT(fx, PP_JUMP(end));
    expect_failure(fx, "batch 0x123456004000: address 0x123456004000 not mapped in the PPGTT");
    EMIT(fx, PP_JUMP(end - 4));
    expect_failure(fx, "batch 0x123456004000: address 0x123456004000 not mapped in the PPGTT");
    EMIT(fx, PP_STORE(UINT64_C(0x1000), 1));
    expect_failure(fx, "address 0x1000 not mapped in the PPGTT");
    PP_PUT(fx, PP_BATCH, PP_STORE(PP_DATA + PP_PAGES * PAGE, 1));
    start(fx);
    expect_failure(fx, "MI_STORE_DATA_IMM at batch 0x123456000000: address 0x8000020000 not");
    fx->root.table[0] = 0;
    start(fx);
    expect_failure(fx, "not mapped in the PPGTT");
    fx->root.table[0] = 12345;
    start(fx);
    expect_failure(fx, "not mapped in the PPGTT");
}

/* A user's addresses are canonical: the high bits repeat bit 47. */
TEST_PPGTT(canonical_addresses)
{
    uint64_t high = UINT64_C(0xffff900000000000);
    struct fixture *fx = *state;

    pp_set(fx, high & 0xffffffffffff, pp_pte(PP_DATA));
    EMIT(fx, PP_STORE(high, 9));
    execute(fx);
    assert_int_equal(pp_get(fx, PP_DATA), 9);
}

/* Four page directories of a 32-bit address space. */
TEST_PPGTT(three_levels)
{
    struct fixture *fx = *state;

    for (uint32_t i = 0; i < 4; i++) {
        struct gpu_root root = {.levels = 2, .table = {new_table(fx, 2)}};

        fx->root = root;
        pp_set(fx, 0x5000, pp_pte(PP_DATA + i * PAGE));
        fx->root = (struct gpu_root){.levels = 3};
        fx->root.table[i] = root.table[0];
        EMIT(fx, PP_STORE(((uint64_t)i << 30) + 0x5000, i + 1));
        execute(fx);
        assert_int_equal(pp_get(fx, PP_DATA + i * PAGE), i + 1);
        EMIT(fx, PP_STORE(((uint64_t)(i ^ 1) << 30) + 0x5000, 1));
        expect_failure(fx, "not mapped");
        EMIT(fx, PP_STORE((UINT64_C(4) << 30) + 0x5000, 1));
        expect_failure(fx, "not mapped");
    }
}

/* Each context has its own: the same address, other pages, no invalidate between them. */
TEST_PPGTT(spaces_are_apart)
{
    struct fixture *fx = *state;
    struct gpu_root first = fx->root;
    struct gpu_root second = {.levels = 4, .table = {new_table(fx, 4)}};

    fx->root = second;
    pp_set(fx, PP_DATA, pp_pte(PP_DATA + 5 * PAGE));
    for (uint32_t i = 0; i < 10; i++) {
        fx->root = i % 2 ? second : first;
        EMIT(fx, PP_STORE(PP_DATA, 100 + i));
        execute(fx);
    }
    assert_int_equal(pp_get(fx, PP_DATA), 108);
    assert_int_equal(pp_get(fx, PP_DATA + 5 * PAGE), 109);
}

/* --- memory operands --------------------------------------------------------------------- */

TEST_PPGTT(operands)
{
    uint64_t border = PP_DATA + PAGE - 4;
    struct fixture *fx = *state;

    PP_PUT(fx, PP_DATA + 32 * PAGE, 0x77);
    PP_PUT(fx, PP_BATCH, 0x10200003, LO(border), HI(border), 0x11, 0x22, /* a qword */
           PP_LRM(BCS_GPR(0), PP_DATA + 32 * PAGE), PP_SRM(BCS_GPR(0), PP_DATA), 0x17000003,
           LO(PP_DATA + 8), HI(PP_DATA), LO(border), HI(border), /* COPY_MEM_MEM */
           0x17800501, LO(PP_DATA + 8), HI(PP_DATA + 8),         /* increment */
           0x13004002, LO(PP_DATA + 16), HI(PP_DATA), 0x33,      /* FLUSH_DW */
           0x1b200002, 0x11, LO(border), HI(border), /* ends: 0x11 is not more than 0x11 */
           PP_STORE(PP_DATA + 24, 1), MI_BATCH_END);
    start(fx);
    execute(fx);
    assert_int_equal(pp_get(fx, border), 0x11);
    assert_int_equal(pp_get(fx, border + 4), 0x22);
    assert_int_equal(pp_get(fx, PP_DATA), 0x77);
    assert_int_equal(pp_get(fx, PP_DATA + 8), 0x12);
    assert_int_equal(pp_get(fx, PP_DATA + 16), 0x33);
    assert_int_equal(pp_get(fx, PP_DATA + 24), 0);
    assert_int_equal(denied(fx), 0);
}

/* Stores to read-only pages vanish; what is read there is there. */
TEST_PPGTT(read_only_pages)
{
    uint64_t page = PP_DATA + 3 * PAGE;
    struct fixture *fx = *state;

    PP_PUT(fx, page, 0x55);
    pp_set(fx, page, pp_pte(page) & ~GPU_PTE_WRITABLE);
    EMIT(fx, PP_STORE(page, 1), PP_LRM(BCS_GPR(0), page), PP_SRM(BCS_GPR(0), PP_DATA));
    EMIT(fx, XY_COLOR, 0x03f01000, 0, 1u << 16 | 1024, LO(page), HI(page), ~0u);
    EMIT(fx, XY_COPY, 0x03cc1000, 0, 1u << 16 | 1024, LO(page), HI(page), 0, 0x1000, LO(PP_DATA),
         HI(PP_DATA));
    execute(fx);
    assert_int_equal(pp_get(fx, page), 0x55);
    assert_int_equal(pp_get(fx, page + 4), 0);
    assert_int_equal(pp_get(fx, PP_DATA), 0x55);
    assert_int_equal(denied(fx), 3);
    /* Of what lies across the border of one, the rest is stored. */
    EMIT(fx, 0x10200003, LO(page - 4), HI(page), 0x11, 0x22);
    execute(fx);
    assert_int_equal(pp_get(fx, page - 4), 0x11);
    assert_int_equal(pp_get(fx, page), 0x55);
}

/* A workload without a PPGTT has none, whatever ran before. */
TEST_PPGTT(no_ppgtt)
{
    struct fixture *fx = *state;

    EMIT(fx, PP_STORE(PP_DATA, 1));
    execute(fx);
    fx->root.levels = 0;
    EMIT(fx, PP_STORE(PP_DATA, 2));
    expect_failure(fx, "in a PPGTT, and there is none");
    assert_int_equal(pp_get(fx, PP_DATA), 1);
}

/* --- privilege --------------------------------------------------------------------------- */

static void expect_denied(struct fixture *fx, const uint32_t *dw, size_t n)
{
    static uint8_t before[FRAMES * PAGE];
    uint64_t so_far = denied(fx);

    pp_put_all(fx, PP_BATCH, dw, n);
    PP_PUT(fx, PP_BATCH + n * 4, MI_BATCH_END);
    memcpy(before, fx->port->memory, sizeof(before));
    start(fx);
    execute(fx);
    assert_memory_equal(fx->port->memory, before, sizeof(before));
    assert_int_equal(denied(fx), so_far + 1);
}

#define DENIED(fx, ...) expect_denied(fx, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))

TEST_PPGTT(users_reach_no_ggtt)
{
    struct fixture *fx = *state;

    put(fx, DATA, 7);
    DENIED(fx, MI_STORE_DWORD, DATA, 0, 1);
    DENIED(fx, MI_STORE_QWORD, DATA, 0, 1, 1);
    DENIED(fx, 0x10800001, 0x10, 1);   /* STORE_DATA_INDEX */
    DENIED(fx, 0x11800001, A_DATA, 0); /* UPDATE_GTT */
    DENIED(fx, SRM | GGTT_ADDRESS, BCS_GPR(0), DATA, 0);
    DENIED(fx, LRM | GGTT_ADDRESS, BCS_GPR(0), DATA, 0);
    DENIED(fx, 0x17400003, LO(PP_DATA), HI(PP_DATA), DATA, 0); /* COPY_MEM_MEM from */
    DENIED(fx, 0x17200003, DATA, 0, LO(PP_DATA), HI(PP_DATA)); /* and to */
    DENIED(fx, 0x17c00501, DATA, 0);                           /* ATOMIC */
    DENIED(fx, 0x0e408002 | 4u << 12, 99, DATA, 0);            /* SEMAPHORE_WAIT */
    DENIED(fx, 0x1b600002, 99, DATA, 0);                       /* CONDITIONAL_BATCH_BUFFER_END */
    DENIED(fx, MI_FLUSH_STORE, DATA | 4, 0, 1);
    DENIED(fx, MI_FLUSH_STORE | 1u << 21, 0x10, 0, 1); /* to the status page */
    DENIED(fx, MI_ARB_ON_OFF);
    DENIED(fx, 0x0a000001, 0, 0); /* DISPLAY_FLIP */
    DENIED(fx, 0x0d800000, 1);    /* SEMAPHORE_SIGNAL */
    fx->engine = GPU_RCS;
    DENIED(fx, 0x0c000000, 0);                                  /* SET_CONTEXT */
    DENIED(fx, 0x7a000004, 1u << 24 | 1u << 14, DATA, 0, 1, 1); /* PIPE_CONTROL */
    DENIED(fx, 0x7a000004, 1u << 21 | 1u << 14, 0x10, 0, 1, 1);
}

/* The interrupt of a flush is a user's, as its own interrupts are. */
TEST_PPGTT(users_interrupts)
{
    struct fixture *fx = *state;

    PP_PUT(fx, PP_BATCH, MI_USER_INTERRUPT, MI_FLUSH_STORE | 1u << 8, DATA | 4, 0, 1, MI_BATCH_END);
    start(fx);
    execute(fx);
    assert_int_equal(state_of(fx, fx->a).user_interrupts, 1);
    assert_int_equal(state_of(fx, fx->a).notify_interrupts, 1);
    assert_int_equal(get(fx, DATA), 0);
}

/* Those of a list are written, others keep what they have; anyone may read them. */
TEST_PPGTT(users_registers)
{
    static const struct {
        enum gpu_engine engine;
        uint32_t offset;
        bool open;
    } cases[] = {
        {GPU_BCS, 0x22600, true},   {GPU_BCS, 0x2267c, true},  {GPU_BCS, 0x22418, false},
        {GPU_BCS, 0x22680, false},  {GPU_BCS, 0x2209c, false}, {GPU_BCS, 0x2600, false},
        {GPU_BCS, 0x7000, false},   {GPU_RCS, 0x2600, true},   {GPU_RCS, 0x20c0, true},
        {GPU_RCS, 0x7004, true},    {GPU_RCS, 0x5280, true},   {GPU_RCS, 0xb118, false},
        {GPU_RCS, 0x2244, false},   {GPU_RCS, 0x7034, true},   {GPU_VCS0, 0x12600, true},
        {GPU_RCS, 0x2418, true},    {GPU_RCS, 0x4260, false},  {GPU_VECS, 0x1a600, true},
        {GPU_VECS, 0x1a0c0, false},
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t so_far = denied(fx);

        fx->engine = cases[i].engine;
        PP_PUT(fx, PP_DATA + 4, 0xffff0006);
        PP_PUT(fx, PP_BATCH, LRI(1), cases[i].offset, 0xffff0006, PP_SRM(cases[i].offset, PP_DATA),
               PP_LRM(cases[i].offset, PP_DATA + 4), LRR, cases[i].offset, cases[i].offset,
               MI_BATCH_END);
        EMIT(fx, LRI(1), cases[i].offset, 0xffff0005);
        start(fx);
        execute(fx);
        assert_int_equal(pp_get(fx, PP_DATA) & 0xffff, cases[i].open ? 6 : 5);
        assert_int_equal(denied(fx), so_far + (cases[i].open ? 0 : 3));
    }
}

/* --- what is fetched, and when ----------------------------------------------------------- */

TEST_PPGTT(endless_batch)
{
    struct fixture *fx = *state;

    PP_PUT(fx, PP_BATCH, MI_NOOP, PP_JUMP(PP_BATCH));
    start(fx);
    submit(fx);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(fx->gpu->ops->run(fx->gpu, 1000));
    }
    assert_false(state_of(fx, fx->a).idle);

    /* A store into the loop lets it out. */
    PP_PUT(fx, PP_BATCH, MI_BATCH_END);
    assert_false(fx->gpu->ops->run(fx->gpu, 10));
    expect_done(fx);
}

/* Its own stores are seen by a batch, even in the commands to come. */
TEST_PPGTT(batch_that_writes_itself)
{
    struct fixture *fx = *state;

    PP_PUT(fx, PP_BATCH, PP_STORE(PP_BATCH + 28, 5), PP_STORE(PP_DATA, 1), MI_BATCH_END);
    start(fx);
    execute(fx);
    assert_int_equal(pp_get(fx, PP_DATA), 5);
}

TEST_PPGTT(commands_are_fetched_anew_after_invalidate)
{
    struct fixture *fx = *state;

    PP_PUT(fx, PP_BATCH, MI_NOOP, PP_STORE(PP_DATA, 1), MI_BATCH_END);
    start(fx);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 2));
    PP_PUT(fx, PP_BATCH + 16, 2);
    fx->gpu->ops->invalidate(fx->gpu);
    run_all(fx, 10);
    assert_int_equal(pp_get(fx, PP_DATA), 2);
}

TEST_PPGTT(tlb_is_stale_until_invalidate)
{
    struct fixture *fx = *state;

    EMIT(fx, PP_STORE(PP_DATA, 1));
    execute(fx);
    pp_set(fx, PP_DATA, pp_pte(PP_DATA + PAGE));
    EMIT(fx, PP_STORE(PP_DATA, 2));
    execute(fx);
    assert_int_equal(pp_get(fx, PP_DATA), 2);
    fx->gpu->ops->invalidate(fx->gpu);
    EMIT(fx, PP_STORE(PP_DATA, 3));
    execute(fx);
    assert_int_equal(pp_get(fx, PP_DATA), 2);
    assert_int_equal(pp_get(fx, PP_DATA + PAGE), 3);
}

TEST_PPGTT(dma_fault)
{
    struct fixture *fx = *state;

    fx->port->refused = FRAME_BASE + pp_frame(PP_BATCH);
    start(fx);
    expect_failure(fx, "batch 0x123456000000: DMA at address 0x123456000000: Bad address");
}

/* --- garbage ----------------------------------------------------------------------------- */

static uint32_t random_dword(struct fixture *fx)
{
    static const uint32_t headers[] = {PP_STORE_DWORD,
                                       MI_STORE_DWORD,
                                       0x10200003,
                                       LRI(1),
                                       LRR,
                                       SRM,
                                       LRM,
                                       0x13004002,
                                       0x17000003,
                                       0x17800501,
                                       0x0d000003,
                                       PP_BATCH_START,
                                       XY_COLOR,
                                       XY_COPY,
                                       0x0e008002,
                                       0x1b200002,
                                       0x00800001,
                                       0x06000082,
                                       0x7a000004,
                                       XY_COPY | 0x8800,
                                       0x17840109,
                                       PP_BATCH_SECOND};
    static const uint32_t interesting[] = {LO(PP_DATA), HI(PP_DATA), LO(PP_BATCH), HI(PP_BATCH),
                                           DATA,        B_DATA,      0x03f00080,   0x03cc0080,
                                           0x22600,     0,           0x00200020,   0xffffffff};

    switch (random_below(fx, 8)) {
    case 0:
    case 1:
    case 2:
        return headers[random_below(fx, 22)];
    case 3:
        return headers[random_below(fx, 22)] ^ 1u << random_below(fx, 32);
    case 4:
        return random_below(fx, UINT32_MAX);
    default:
        return interesting[random_below(fx, 12)] + random_below(fx, 4) * 4;
    }
}

/* Whatever a batch says: it is over after its steps, and only the PPGTT's pages have changed. */
TEST_PPGTT(garbage_stays_inside)
{
    static uint8_t before[FRAMES * PAGE];
    struct fixture *fx = *state;
    bool own[FRAMES] = {false};

    for (uint32_t i = 0; i < PP_PAGES; i++) {
        own[pp_frame(PP_DATA + i * PAGE)] = true;
    }
    for (uint32_t i = 0; i < PP_BATCH_PAGES; i++) {
        own[pp_frame(PP_BATCH + i * PAGE)] = true;
    }
    for (size_t i = 0; i < sizeof(before); i++) {
        fx->port->memory[i] = (uint8_t)random_below(fx, 256);
    }
    memcpy(before, fx->port->memory, sizeof(before));

    for (unsigned round = 0; round < 5000; round++) {
        fx->engine = (enum gpu_engine)random_below(fx, GPU_ENGINES);
        for (uint32_t i = 0; i < 64; i++) {
            PP_PUT(fx, PP_BATCH + i * 4, random_dword(fx));
        }
        start(fx);
        submit(fx);
        fx->gpu->ops->run(fx->gpu, 300);
        reset(fx);
        assert_false(fx->gpu->ops->run(fx->gpu, 1));
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        if (!own[i]) {
            assert_memory_equal(fx->port->memory + (size_t)i * PAGE, before + (size_t)i * PAGE,
                                PAGE);
        }
    }
}
