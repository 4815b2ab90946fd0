/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The software GPU: the commands it executes, those it refuses, translations, and that a client
 * reaches nothing but its windows.
 */

#include "gpu_fixture.h"

/* --- MI commands ---------------------------------------------------------------------------- */

static void test_one_dword_commands(void **state)
{
    struct fixture *fx = *state;
    struct gpu_stats stats;

    EMIT(fx, MI_NOOP, MI_ARB_CHECK, MI_ARB_ON_OFF, MI_BATCH_END, MI_ARB_ON_OFF | 1,
         MI_USER_INTERRUPT, MI_NOOP);
    execute(fx);
    assert_int_equal(state_of(fx, fx->a).user_interrupts, 1);
    fx->gpu->ops->client_stats(fx->a, &stats);
    assert_int_equal(stats.commands, 7);
    assert_int_equal(stats.submissions, 1);
    assert_int_equal(stats.dma_reads, 1);
    assert_int_equal(stats.dma_bytes, 7 * 4);
}

static void test_ring_wraps(void **state)
{
    struct fixture *fx = *state;

    /* 1024 dwords: each lap puts the wrap at another dword of a command. */
    for (uint32_t i = 0; i < 2000; i++) {
        EMIT(fx, MI_STORE_DWORD, DATA + i % 16 * 4, 0, i, MI_NOOP);
        execute(fx);
        assert_int_equal(get(fx, DATA + i % 16 * 4), i);
    }
}

static void test_command_across_pages(void **state)
{
    struct fixture *fx = *state;

    fx->ring_size = 2 * PAGE;
    while (fx->tail < PAGE - 8) {
        EMIT(fx, MI_NOOP);
    }
    EMIT(fx, MI_STORE_QWORD, DATA, 0, 0x11111111, 0x22222222);
    execute(fx);
    assert_int_equal(get(fx, DATA), 0x11111111);
    assert_int_equal(get(fx, DATA + 4), 0x22222222);
}

static void test_stores(void **state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_DWORD, DATA + 8, 0, 0xcafe);
    EMIT(fx, MI_STORE_QWORD, DATA + PAGE - 4, 0, 0xaaaa, 0xbbbb);
    EMIT(fx, MI_FLUSH_STORE, (DATA + 64) | 4, 0, 0xdddd);
    EMIT(fx, MI_FLUSH_STORE + 1, (DATA + 72) | 4, 0, 0xeeee, 0xffff);
    EMIT(fx, 0x13000002, 0, 0, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA + 8), 0xcafe);
    assert_int_equal(get(fx, DATA + 12), 0);
    assert_int_equal(get(fx, DATA + PAGE - 4), 0xaaaa);
    assert_int_equal(get(fx, DATA + PAGE), 0xbbbb);
    assert_int_equal(get(fx, DATA + 64), 0xdddd);
    assert_int_equal(get(fx, DATA + 68), 0);
    assert_int_equal(get(fx, DATA + 72), 0xeeee);
    assert_int_equal(get(fx, DATA + 76), 0xffff);
}

static void test_batches(void **state)
{
    struct fixture *fx = *state;

    /* A call, in it a second-level call and a jump; all return to where they came from. */
    PUT(fx, A_BATCH, MI_STORE_DWORD, DATA, 0, 1, MI_BATCH_SECOND, A_BATCH + 0x100, 0,
        MI_STORE_DWORD, DATA + 8, 0, 3, MI_BATCH_START, A_BATCH + PAGE - 8, 0);
    PUT(fx, A_BATCH + 0x100, MI_STORE_DWORD, DATA + 4, 0, 2, MI_BATCH_START, A_BATCH + 0x200, 0);
    PUT(fx, A_BATCH + 0x200, MI_STORE_DWORD, DATA + 12, 0, 4, MI_BATCH_END);
    PUT(fx, A_BATCH + PAGE - 8, MI_STORE_DWORD, DATA + 16, 0, 5, MI_BATCH_END);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0, MI_STORE_DWORD, DATA + 20, 0, 6);
    execute(fx);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(get(fx, DATA + i * 4), i + 1);
    }
}

static void test_batch_levels_are_bounded(void **state)
{
    struct fixture *fx = *state;

    PUT(fx, A_BATCH, MI_BATCH_SECOND, A_BATCH, 0, MI_BATCH_END);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    expect_failure(fx, "MI_BATCH_BUFFER_START at batch 0x14000: third level");
}

static void test_endless_batch(void **state)
{
    struct fixture *fx = *state;

    PUT(fx, A_BATCH, MI_NOOP, MI_BATCH_START, A_BATCH, 0);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    submit(fx);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(fx->gpu->ops->run(fx->gpu, 1000));
    }
    assert_false(state_of(fx, fx->a).idle);
    assert_int_equal(state_of(fx, fx->a).head, 0);

    /* A store into the loop lets it out. */
    put(fx, A_BATCH, MI_BATCH_END);
    run_all(fx, 10);
    assert_int_equal(state_of(fx, fx->a).head, fx->tail);

    put(fx, A_BATCH, MI_NOOP);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 1000));
    reset(fx);
    assert_false(fx->gpu->ops->run(fx->gpu, 1000));
    assert_true(state_of(fx, fx->a).idle);
}

/* --- what is refused ------------------------------------------------------------------------ */

static void test_unknown_commands(void **state)
{
    static const uint32_t headers[] = {
        0x00800000, /* MI 0x01 */
        0x11000001, /* MI 0x22, a register load */
        0x7a000004, /* PIPE_CONTROL */
        0x20000000, /* no such type */
        0x50000000, /* 2D 0x40, COLOR_BLT */
        0xffffffff,
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        EMIT(fx, MI_NOOP, headers[i], MI_NOOP);
        submit(fx);
        run_all(fx, 100);
        assert_true(state_of(fx, fx->a).error);
        assert_int_equal(state_of(fx, fx->a).head, 4);
        assert_non_null(strstr(state_of(fx, fx->a).reason, "ring 0x4: unknown command 0x"));
        reset(fx);
    }
}

static void test_blits_are_for_the_blitter(void **state)
{
    struct fixture *fx = *state;

    fx->engine = GPU_RCS;
    EMIT(fx, XY_COLOR, 0x03f00000 | 64, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "unknown command 0x54300005");
}

static void test_lengths(void **state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_DWORD + 1, DATA, 0, 1, 2);
    expect_failure(fx, "length of 5 dwords for 4 bytes");
    EMIT(fx, MI_STORE_QWORD - 1, DATA, 0, 1);
    expect_failure(fx, "length of 4 dwords for 8 bytes");
    EMIT(fx, MI_STORE_DWORD + 100, DATA, 0, 1);
    expect_failure(fx, "MI_STORE_DATA_IMM at ring 0x0: length of 104 dwords");
    EMIT(fx, MI_FLUSH_STORE - 1, DATA | 4, 0);
    expect_failure(fx, "no data to write");
    EMIT(fx, XY_COLOR + 1, 0, 0, 0, 0, 0, 0, 0);
    expect_failure(fx, "length of 8 dwords");
    EMIT(fx, MI_BATCH_START - 1, A_BATCH);
    expect_failure(fx, "length of 2 dwords");
}

/* Each command cut short by the tail, at every dword. What lies behind it is not looked at. */
static void test_truncated(void **state)
{
    static const struct {
        uint32_t header, length;
    } commands[] = {{MI_STORE_DWORD, 4}, {MI_STORE_QWORD, 5}, {MI_FLUSH_STORE, 4},
                    {MI_BATCH_START, 3}, {XY_COLOR, 7},       {XY_COPY, 10}};
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        for (uint32_t n = 1; n < commands[i].length; n++) {
            EMIT(fx, commands[i].header);
            for (uint32_t k = 1; k < n; k++) {
                EMIT(fx, 0);
            }
            expect_failure(fx, "reach over the tail");
        }
    }
}

static void test_no_ppgtt(void **state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_DWORD & ~(1u << 22), DATA, 0, 1);
    expect_failure(fx, "PPGTT not present");
    EMIT(fx, MI_FLUSH_STORE, DATA, 0, 1);
    expect_failure(fx, "PPGTT not present");
    EMIT(fx, MI_BATCH_START | 1u << 8, A_BATCH, 0);
    expect_failure(fx, "PPGTT not present");
    assert_int_equal(get(fx, DATA), 0);
}

static void test_unsupported_modes(void **state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_FLUSH_STORE | 3u << 14, DATA | 4, 0, 1);
    expect_failure(fx, "post-sync operation 3");
    EMIT(fx, MI_FLUSH_STORE | 1u << 21, 0xd0, 0, 1);
    expect_failure(fx, "no status page");
    EMIT(fx, MI_BATCH_START | 1u << 15, A_BATCH, 0);
    expect_failure(fx, "predication");
    EMIT(fx, XY_COLOR | 1u << 11, 0x03f00000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "tiled");
    EMIT(fx, XY_COLOR & ~(1u << 21), 0x03f00000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "not all bytes");
    EMIT(fx, XY_COLOR, 0x43f00000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "clipping");
    EMIT(fx, XY_COLOR, 0x03cc0000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "ROP 0xcc");
    EMIT(fx, XY_COPY, 0x03f00000, 0, 1 << 16 | 1, DATA, 0, 0, 4, DATA, 0);
    expect_failure(fx, "XY_SRC_COPY_BLT at ring 0x0: ROP 0xf0");
    EMIT(fx, XY_COPY | 1u << 15, 0x03cc0000, 0, 1 << 16 | 1, DATA, 0, 0, 4, DATA, 0);
    expect_failure(fx, "tiled");
}

/* An address that is not the client's, in each place of a command that holds one. */
static void expect_outside(struct fixture *fx, uint32_t low, uint32_t high)
{
    const char *reason = "outside the windows";

    EMIT(fx, MI_STORE_DWORD, low, high, 1);
    expect_failure(fx, reason);
    EMIT(fx, MI_STORE_QWORD, low, high, 1, 1);
    expect_failure(fx, reason);
    EMIT(fx, MI_FLUSH_STORE, low | 4, high, 1);
    expect_failure(fx, reason);
    EMIT(fx, MI_BATCH_START, low, high);
    expect_failure(fx, reason);
    EMIT(fx, XY_COLOR, 0x03f00040, 0, 1 << 16 | 1, low, high, 1);
    expect_failure(fx, reason);
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 1 << 16 | 1, low, high, 0, 64, DATA, 0);
    expect_failure(fx, reason);
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 1 << 16 | 1, DATA, 0, 0, 64, low, high);
    expect_failure(fx, reason);
}

static void test_windows(void **state)
{
    struct fixture *fx = *state;
    unsigned writes = fx->port->writes;

    expect_outside(fx, B_DATA, 0);
    expect_outside(fx, 0, 0);
    expect_outside(fx, A_COMMANDS * PAGE - 8, 0);
    expect_outside(fx, A_END, 0);
    expect_outside(fx, DATA + A_PAGES * PAGE, 0);
    expect_outside(fx, DATA, 1);          /* no alias above 4 GiB */
    expect_outside(fx, DATA, 0x80000000); /* nor at the very top */
    expect_outside(fx, 0xfffffff8, 0);
    expect_outside(fx, 0xfffffff8, 0xffffffff);
    assert_int_equal(fx->port->writes, writes);
    assert_int_equal(fx->port->copies, 0);
}

static void test_reaching_out_of_a_window(void **state)
{
    struct fixture *fx = *state;
    const uint32_t end = DATA + A_PAGES * PAGE;

    EMIT(fx, MI_STORE_QWORD, end - 4, 0, 1, 1);
    expect_failure(fx, "address 0x440000 outside the windows");
    /* By size, by coordinates, by a negative pitch, by all at once. */
    EMIT(fx, XY_COLOR, 0x03f00000 | 0x7ffc, 0, 0x7fff << 16 | 0x7fff, DATA, 0, 1);
    expect_failure(fx, "outside the windows");
    EMIT(fx, XY_COLOR, 0x03f00040, 0x7ffe << 16, 0x7fff << 16 | 0x7fff, DATA, 0, 1);
    expect_failure(fx, "outside the windows");
    EMIT(fx, XY_COLOR, 0x03f00000 | 0xf000, 0, 0x7fff << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "outside the windows");
    EMIT(fx, XY_COLOR, 0x03f00000 | 0x8000, 0x80008000, 0x7fff7fff, 0xffffffff, 0xffffffff, 1);
    expect_failure(fx, "outside the windows");
    EMIT(fx, XY_COPY, 0x03cc0000 | 0x8000, 0x80008000, 0x7fff7fff, DATA, 0, 0x80008000, 0x7fff,
         0xffffffff, 0x7fffffff);
    expect_failure(fx, "outside the windows");
    /* A batch that runs into the end of its window. */
    EMIT(fx, MI_BATCH_START, A_END - 4, 0);
    expect_failure(fx, "batch 0x50000: address 0x50000 outside the windows");
}

static void test_bad_rings(void **state)
{
    static const struct gpu_ring rings[] = {
        {A_RING, 0, 0, 8},        {A_RING, 100, 0, 8},        {A_RING + 4, PAGE, 0, 8},
        {A_RING, PAGE, PAGE, 8},  {A_RING, PAGE, 0, PAGE},    {A_RING, PAGE, 0, 2},
        {A_RING, PAGE, 2, 8},     {A_RING, 1u << 31, 0, 8},   {0, 0, 0, 4},
        {0, PAGE, UINT32_MAX, 0}, {0, UINT32_MAX, 0, 0x1000},
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        fx->gpu->ops->submit(fx->a, GPU_BCS, &rings[i]);
        run_all(fx, 10);
        assert_true(state_of(fx, fx->a).error);
        assert_non_null(strstr(state_of(fx, fx->a).reason, "bad ring"));
        reset(fx);
    }
}

static void test_ring_outside_windows(void **state)
{
    const struct gpu_ring stranger = {B_RING, PAGE, 0, 8};
    const struct gpu_ring beyond = {A_END - PAGE, 2 * PAGE, PAGE, PAGE + 8};
    const struct gpu_ring top = {0xfffff000, 2 * PAGE, PAGE, PAGE + 8};
    const struct gpu_ring *rings[] = {&stranger, &beyond, &top};
    struct fixture *fx = *state;

    for (size_t i = 0; i < 3; i++) {
        fx->gpu->ops->submit(fx->a, GPU_BCS, rings[i]);
        run_all(fx, 10);
        assert_non_null(strstr(state_of(fx, fx->a).reason, "outside the windows"));
        reset(fx);
    }
    assert_int_equal(fx->port->reads, 0);
}

static void test_not_mapped(void **state)
{
    struct fixture *fx = *state;

    set_pte(fx, A_DATA, 0);
    EMIT(fx, MI_STORE_DWORD, DATA + 4, 0, 1);
    expect_failure(fx, "address 0x400004 not mapped");
    set_pte(fx, A_DATA, fx->gpu->scratch_pte);
    EMIT(fx, MI_STORE_DWORD, DATA + 4, 0, 0x77);
    execute(fx);
    assert_int_equal(fx->port->memory[4], 0x77);
}

static void test_dma_fault(void **state)
{
    struct fixture *fx = *state;
    struct gpu_stats stats;

    fx->port->refused = FRAME_BASE + fx->frame[A_DATA];
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 1);
    expect_failure(fx, "DMA at address 0x400000: Bad address");
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 1 << 16 | 1, DATA + PAGE, 0, 0, 64, DATA, 0);
    expect_failure(fx, "DMA at address");
    fx->port->refused = FRAME_BASE + fx->frame[A_COMMANDS];
    EMIT(fx, MI_NOOP);
    expect_failure(fx, "DMA at address 0x10000");
    fx->gpu->ops->client_stats(fx->a, &stats);
    assert_int_equal(stats.dma_faults, 3);
    fx->gpu->ops->get_stats(fx->gpu, &stats);
    assert_int_equal(stats.dma_faults, 3);
}

static void test_error_lasts_until_reset(void **state)
{
    const struct gpu_ring other = {A_RING + PAGE, PAGE, 0, 8};
    struct fixture *fx = *state;

    EMIT(fx, 0xffffffff);
    submit(fx);
    run_all(fx, 10);
    assert_true(state_of(fx, fx->a).error);
    assert_int_equal(state_of(fx, fx->a).ipehr, 0xffffffff);
    put(fx, A_RING, MI_NOOP);
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 1);
    submit(fx);
    run_all(fx, 10);
    assert_true(state_of(fx, fx->a).error);
    assert_int_equal(get(fx, DATA), 0);
    fx->gpu->ops->submit(fx->a, GPU_BCS, &other);
    run_all(fx, 10);
    assert_true(state_of(fx, fx->a).error);
    reset(fx);
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 2);
    execute(fx);
    assert_int_equal(get(fx, DATA), 2);
}

/* --- translations --------------------------------------------------------------------------- */

static void store(struct fixture *fx, uint32_t value)
{
    EMIT(fx, MI_STORE_DWORD, DATA, 0, value);
    execute(fx);
}

static uint32_t in_frame(struct fixture *fx, uint32_t frame)
{
    uint32_t value;

    memcpy(&value, fx->port->memory + (size_t)frame * PAGE, sizeof(value));
    return value;
}

static void test_tlb_is_stale_until_invalidate(void **state)
{
    struct fixture *fx = *state;

    map(fx, A_DATA, 252);
    store(fx, 1);
    map(fx, A_DATA, 253);
    store(fx, 2);
    assert_int_equal(in_frame(fx, 252), 2);
    assert_int_equal(in_frame(fx, 253), 0);
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 253));
    fx->gpu->ops->invalidate(fx->gpu);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    store(fx, 3);
    assert_int_equal(in_frame(fx, 252), 2);
    assert_int_equal(in_frame(fx, 253), 3);
}

static void test_eager_shows_a_wrong_order(void **state)
{
    struct fixture *fx = *state;

    map(fx, A_DATA, 252);
    store(fx, 1);
    fx->gpu->ops->invalidate(fx->gpu);
    map(fx, A_DATA, 253);
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    store(fx, 2);
    assert_int_equal(in_frame(fx, 252), 2);
    fx->gpu->ops->invalidate(fx->gpu);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    store(fx, 3);
    assert_int_equal(in_frame(fx, 253), 3);
}

static void test_commands_are_fetched_anew_after_invalidate(void **state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_NOOP, MI_STORE_DWORD, DATA, 0, 1);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 1));
    put(fx, A_RING + 16, 2);
    fx->gpu->ops->invalidate(fx->gpu);
    run_all(fx, 10);
    assert_int_equal(get(fx, DATA), 2);
}

static void test_commands_are_fetched_anew_after_submit(void **state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_NOOP, MI_STORE_DWORD, DATA, 0, 1);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 1));
    put(fx, A_RING + 16, 2);
    submit(fx);
    run_all(fx, 10);
    assert_int_equal(get(fx, DATA), 2);
}

static void test_holds(void **state)
{
    struct fixture *fx = *state;

    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE));
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + fx->frame[A_DATA]));
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 254));
    set_pte(fx, A_DATA, ((uint64_t)FRAME_BASE + 254) * PAGE);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 254));
    set_pte(fx, GTT_ENTRIES, ((uint64_t)FRAME_BASE + 254) * PAGE | GPU_PTE_PRESENT);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 254));
}

/* --- clients -------------------------------------------------------------------------------- */

static void test_clients_take_turns(void **state)
{
    struct fixture *fx = *state;
    struct gpu_stats a, b;

    for (unsigned i = 0; i < 500; i++) {
        EMIT(fx, MI_NOOP);
    }
    /* One client keeps two engines busy and gets no more for it. */
    submit(fx);
    fx->engine = GPU_RCS;
    submit(fx);
    submit_b(fx, 2000);
    assert_true(fx->gpu->ops->run(fx->gpu, 400));
    fx->gpu->ops->client_stats(fx->a, &a);
    fx->gpu->ops->client_stats(fx->b, &b);
    assert_int_equal(a.commands, 200);
    assert_int_equal(b.commands, 200);
    assert_int_equal(state_of(fx, fx->a).head, 400);
}

static void test_an_error_is_its_clients_own(void **state)
{
    struct fixture *fx = *state;

    PUT(fx, B_RING, MI_STORE_DWORD, B_DATA, 0, 11);
    submit_b(fx, 16);
    EMIT(fx, MI_STORE_DWORD, B_DATA, 0, 22);
    expect_failure(fx, "address 0xc9000 outside the windows");
    assert_int_equal(get(fx, B_DATA), 11);
    assert_false(state_of(fx, fx->b).error);
}

/* Random commands with random operands: whatever they do, they do it to their own pages. */
static void test_garbage_stays_inside(void **state)
{
    static const uint32_t headers[] = {MI_STORE_DWORD, MI_STORE_QWORD,  MI_FLUSH_STORE,
                                       MI_BATCH_START, MI_BATCH_SECOND, XY_COLOR,
                                       XY_COPY};
    static const uint32_t interesting[] = {DATA,       A_BATCH,    B_DATA,     A_END - 8,
                                           0,          0x80008000, 0x7fff7fff, 0x03f00000,
                                           0x03cc0000, 0xffffffff};
    static uint8_t before[FRAMES][PAGE];
    struct fixture *fx = *state;
    bool own[FRAMES] = {false};

    for (uint32_t i = 0; i < A_PAGES; i++) {
        own[fx->frame[A_COMMANDS + i]] = true;
        own[fx->frame[A_DATA + i]] = true;
    }
    for (size_t i = 0; i < (size_t)FRAMES * PAGE; i++) {
        fx->port->memory[i] = (uint8_t)random_below(fx, 256);
    }
    memcpy(before, fx->port->memory, sizeof(before));

    for (unsigned round = 0; round < 3000; round++) {
        EMIT(fx,
             headers[random_below(fx, 7)] ^ (random_below(fx, 4) ? 0 : 1u << random_below(fx, 32)));
        for (unsigned i = 0; i < 12; i++) {
            uint32_t value = interesting[random_below(fx, 10)];

            EMIT(fx, random_below(fx, 3) ? value ^ random_below(fx, 0x10000) : value);
        }
        submit(fx);
        fx->gpu->ops->run(fx->gpu, 200);
        reset(fx);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        if (!own[i]) {
            assert_memory_equal(fx->port->memory + (size_t)i * PAGE, before[i], PAGE);
        }
    }
}

static void test_client_open_refuses(void **state)
{
    static const struct gpu_range cases[][GPU_RANGES] = {
        {{A_COMMANDS, 1}, {0, 0}},  {{0, 1}, {A_DATA + A_PAGES - 1, 10}},
        {{0, GTT_ENTRIES}, {0, 0}}, {{GTT_ENTRIES - 1, 2}, {0, 0}},
        {{UINT32_MAX, 1}, {0, 0}},  {{1, UINT32_MAX}, {0, 0}},
        {{0, 8}, {7, 1}},
    };
    const struct gpu_range fine[GPU_RANGES] = {{0, 8}, {8, 8}};
    struct fixture *fx = *state;
    struct gpu_client *client;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fx->gpu->ops->client_open(fx->gpu, cases[i], &client), -ENOSPC);
    }
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, fine, &client), 0);
    fx->gpu->ops->client_close(client);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, fine, &client), 0);
}

/* Whoever gets a window next finds scratch, whatever its last owner left in PTEs or TLB. */
static void test_window_of_a_client_that_left(void **state)
{
    const struct gpu_range a[GPU_RANGES] = {{A_COMMANDS, A_PAGES}, {A_DATA, A_PAGES}};
    struct fixture *fx = *state;

    store(fx, 1);
    fx->gpu->ops->client_close(fx->a);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, a, &fx->a), 0);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + fx->frame[A_DATA]));
}

static void test_open_refuses_options(void **state)
{
    static const uint32_t entries[] = {0, 3, 1u << 21, UINT32_MAX};
    struct gpu *gpu;

    (void)state;
    for (size_t i = 0; i <= sizeof(entries) / sizeof(entries[0]); i++) {
        bool last = i == sizeof(entries) / sizeof(entries[0]);
        const struct gpu_soft_options options = {.gtt_entries = last ? 16 : entries[i]};
        struct fake_port *port = fake_open();
        bool closed = false;

        port->closed = &closed;
        if (last) {
            port->base.scratch |= UINT64_C(1) << 60;
        }
        assert_int_equal(gpu_soft_open(&port->base, &options, &gpu), -EINVAL);
        assert_true(closed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_dword_commands),
        TEST(test_ring_wraps),
        TEST(test_command_across_pages),
        TEST(test_stores),
        TEST(test_batches),
        TEST(test_batch_levels_are_bounded),
        TEST(test_endless_batch),
        TEST(test_unknown_commands),
        TEST(test_blits_are_for_the_blitter),
        TEST(test_lengths),
        TEST(test_truncated),
        TEST(test_no_ppgtt),
        TEST(test_unsupported_modes),
        TEST(test_windows),
        TEST(test_reaching_out_of_a_window),
        TEST(test_bad_rings),
        TEST(test_ring_outside_windows),
        TEST(test_not_mapped),
        TEST(test_dma_fault),
        TEST(test_error_lasts_until_reset),
        TEST(test_tlb_is_stale_until_invalidate),
        cmocka_unit_test_setup_teardown(test_eager_shows_a_wrong_order, set_up_eager, tear_down),
        TEST(test_commands_are_fetched_anew_after_invalidate),
        TEST(test_commands_are_fetched_anew_after_submit),
        TEST(test_holds),
        TEST(test_clients_take_turns),
        TEST(test_an_error_is_its_clients_own),
        TEST(test_garbage_stays_inside),
        TEST(test_client_open_refuses),
        TEST(test_window_of_a_client_that_left),
        cmocka_unit_test(test_open_refuses_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
