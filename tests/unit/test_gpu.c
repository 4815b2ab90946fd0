/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The software GPU: simple commands, those it refuses, and that a client reaches nothing but its
 * windows.
 */

#include "support/gpu_fixture.h"

/* --- MI commands ------------------------------------------------------------------------- */

TEST(one_dword_commands)
{
    struct fixture *fx = *state;
    struct gpu_stats stats;

    EMIT(fx, MI_NOOP, MI_ARB_CHECK, MI_ARB_ON_OFF, MI_ARB_ON_OFF | 1, MI_USER_INTERRUPT, MI_NOOP);
    execute(fx);
    assert_int_equal(state_of(fx, fx->a).user_interrupts, 1);
    fx->gpu->ops->client_stats(fx->a, &stats);
    assert_int_equal(stats.commands, 6);
    assert_int_equal(stats.submissions, 1);
    assert_int_equal(stats.dma_reads, 0);
    assert_int_equal(stats.denied, 0);
}

TEST(stores)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_DWORD, DATA + 8, 0, 0xcafe);
    EMIT(fx, MI_STORE_QWORD, DATA + PAGE - 4, 0, 0xaaaa, 0xbbbb);
    EMIT(fx, MI_STORE_DWORD + 2, DATA + 32, 0, 1, 2, 3);
    EMIT(fx, MI_STORE_QWORD + 2, DATA + 48, 0, 4, 5, 6, 7);
    EMIT(fx, MI_FLUSH_STORE, (DATA + 64) | 4, 0, 0xdddd);
    EMIT(fx, MI_FLUSH_STORE + 1, (DATA + 72) | 4, 0, 0xeeee, 0xffff);
    EMIT(fx, 0x13000002, 0, 0, 0);
    execute(fx);
    assert_int_equal(get(fx, DATA + 8), 0xcafe);
    assert_int_equal(get(fx, DATA + 12), 0);
    assert_int_equal(get(fx, DATA + PAGE - 4), 0xaaaa);
    assert_int_equal(get(fx, DATA + PAGE), 0xbbbb);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(get(fx, DATA + 32 + 4 * i), 1 + i);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(get(fx, DATA + 48 + 4 * i), 4 + i);
    }
    assert_int_equal(get(fx, DATA + 64), 0xdddd);
    assert_int_equal(get(fx, DATA + 68), 0);
    assert_int_equal(get(fx, DATA + 72), 0xeeee);
    assert_int_equal(get(fx, DATA + 76), 0xffff);
}

TEST(batches)
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

TEST(batch_levels_are_bounded)
{
    struct fixture *fx = *state;

    PUT(fx, A_BATCH, MI_BATCH_SECOND, A_BATCH, 0, MI_BATCH_END);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    expect_failure(fx, "MI_BATCH_BUFFER_START at batch 0x14000: third level");
}

/* The longest there is: i915 writes page tables like this. */
TEST(long_store)
{
    struct fixture *fx = *state;

    EMIT(fx, 0x10600000u | 1023, DATA + PAGE / 2, 0);
    for (uint32_t i = 0; i < 1022; i++) {
        EMIT(fx, i + 1);
    }
    execute(fx);
    for (uint32_t i = 0; i < 1022; i++) {
        assert_int_equal(get(fx, DATA + PAGE / 2 + 4 * i), i + 1);
    }
}

TEST(batch_without_end)
{
    struct fixture *fx = *state;
    uint32_t last = A_BATCH + A_BATCH_PAGES * PAGE - 4;

    EMIT(fx, MI_BATCH_START, last, 0);
    expect_failure(fx, "batch 0x16000: the batch has no end");
    put(fx, last, MI_STORE_DWORD);
    EMIT(fx, MI_BATCH_START, last, 0);
    expect_failure(fx, "MI_STORE_DATA_IMM at batch 0x15ffc: 4 dwords reach over the end");
    EMIT(fx, MI_BATCH_START, last + 4, 0);
    expect_failure(fx, "no privileged batch at 0x16000");
}

TEST(endless_batch)
{
    struct fixture *fx = *state;

    PUT(fx, A_BATCH, MI_NOOP, MI_BATCH_START, A_BATCH, 0);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    submit(fx);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(fx->gpu->ops->run(fx->gpu, 1000));
    }
    assert_false(state_of(fx, fx->a).idle);
    assert_int_equal(state_of(fx, fx->a).done, 0);

    /* Nothing the guest stores now reaches the copy that is executed. */
    put(fx, A_BATCH, MI_BATCH_END);
    assert_true(fx->gpu->ops->run(fx->gpu, 1000));
    reset(fx);
    assert_false(fx->gpu->ops->run(fx->gpu, 1000));
    assert_true(state_of(fx, fx->a).idle);
    assert_int_equal(state_of(fx, fx->a).done, 0);
}

/* --- what is refused --------------------------------------------------------------------- */

TEST(unknown_commands)
{
    static const uint32_t headers[] = {
        0x08000000, /* MI 0x10 */
        0x1f800001, /* MI 0x3f */
        0x7a000004, /* PIPE_CONTROL, which is the render engine's */
        0x20000000, /* no such type */
        0x50800008, /* 2D 0x42, XY_FAST_COPY_BLT of later ones */
        0xffffffff,
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        EMIT(fx, MI_NOOP, headers[i], MI_NOOP);
        submit(fx);
        run_all(fx, 100);
        assert_true(state_of(fx, fx->a).error);
        assert_int_equal(state_of(fx, fx->a).ipehr, headers[i]);
        assert_non_null(strstr(state_of(fx, fx->a).reason, "ring 0x10004: unknown command 0x"));
        reset(fx);
    }
}

TEST(blits_are_for_the_blitter)
{
    struct fixture *fx = *state;

    fx->engine = GPU_RCS;
    EMIT(fx, XY_COLOR, 0x03f00000 | 64, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "unknown command 0x54300005");
}

TEST(lengths)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_QWORD - 1, DATA, 0, 1);
    expect_failure(fx, "half a quadword");
    EMIT(fx, MI_STORE_DWORD - 1, DATA, 0);
    expect_failure(fx, "MI_STORE_DATA_IMM at ring 0x10000: length of 3 dwords");
    EMIT(fx, MI_STORE_DWORD + 100, DATA, 0, 1);
    expect_failure(fx, "104 dwords reach over the end");
    EMIT(fx, MI_FLUSH_STORE - 1, DATA | 4, 0);
    expect_failure(fx, "no data to store");
    EMIT(fx, XY_COLOR + 1, 0, 0, 0, 0, 0, 0, 0);
    expect_failure(fx, "length of 8 dwords");
    EMIT(fx, MI_BATCH_START - 1, A_BATCH);
    expect_failure(fx, "length of 2 dwords");
    EMIT(fx, LRI(1) + 1, 0x22600, 1, 0x22604);
    expect_failure(fx, "a register without a value");
}

/* Each command cut short by the end, at every dword. What lies behind it is not looked at. */
TEST(truncated)
{
    static const struct {
        uint32_t header, length;
    } commands[] = {{MI_STORE_DWORD, 4},
                    {MI_STORE_QWORD, 5},
                    {MI_FLUSH_STORE, 4},
                    {MI_BATCH_START, 3},
                    {XY_COLOR, 7},
                    {XY_COPY, 10},
                    {LRI(2), 5},
                    {SRM, 4},
                    {LRM, 4},
                    {LRR, 3},
                    {0x0d000004, 6},
                    {0x17000003, 5}};
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        for (uint32_t n = 1; n < commands[i].length; n++) {
            EMIT(fx, commands[i].header);
            for (uint32_t k = 1; k < n; k++) {
                EMIT(fx, 0);
            }
            expect_failure(fx, "reach over the end");
        }
    }
}

TEST(no_ppgtt)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_DWORD & ~(1u << 22), DATA, 0, 1);
    expect_failure(fx, "in a PPGTT, and there is none");
    EMIT(fx, MI_FLUSH_STORE, DATA, 0, 1);
    expect_failure(fx, "in a PPGTT, and there is none");
    EMIT(fx, MI_BATCH_START | 1u << 8, A_BATCH, 0);
    expect_failure(fx, "in a PPGTT, and there is none");
    assert_int_equal(get(fx, DATA), 0);
}

TEST(unsupported_modes)
{
    struct fixture *fx = *state;

    EMIT(fx, (MI_FLUSH_STORE & ~(3u << 14)) | 2u << 14, DATA | 4, 0, 1);
    expect_failure(fx, "no such post-sync operation");
    EMIT(fx, 0x11800001, A_DATA, 0);
    expect_failure(fx, "MI_UPDATE_GTT at ring 0x10000: page tables");
    EMIT(fx, 0x00800005);
    expect_failure(fx, "MI_SET_PREDICATE at ring 0x10000: no such mode");
    EMIT(fx, XY_COLOR | 1u << 11, 0x03f00000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "a tiled surface's pitch of no whole tiles");
    EMIT(fx, XY_COLOR | 1u << 11, 0x03f0ff80, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "a tiled surface's pitch of no whole tiles");
    EMIT(fx, XY_COLOR & ~(1u << 21), 0x03f00000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "not all bytes");
    EMIT(fx, XY_COLOR, 0x43f00000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "clipping");
    EMIT(fx, XY_COLOR, 0x03cc0000, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "XY_COLOR_BLT at ring 0x10000: no such raster operation");
    EMIT(fx, XY_COPY, 0x03f00000, 0, 1 << 16 | 1, DATA, 0, 0, 4, DATA, 0);
    expect_failure(fx, "XY_SRC_COPY_BLT at ring 0x10000: no such raster operation");
    EMIT(fx, XY_COPY | 1u << 15, 0x03cc0000, 0, 1 << 16 | 1, DATA, 0, 0, 4, DATA, 0);
    expect_failure(fx, "a tiled surface's pitch of no whole tiles");
    EMIT(fx, LRI(1), 0x22200, 0x00030001);
    EMIT(fx, XY_COPY | 1u << 15, 0x03cc0000, 0, 1 << 16 | 1, DATA, 0, 0, 128, DATA, 0);
    expect_failure(fx, "Y-tiled source");
    EMIT(fx, LRI(1), 0x22200, 0x00030002);
    EMIT(fx, XY_COLOR | 1u << 11, 0x03f00080, 0, 1 << 16 | 1, DATA, 0, 1);
    expect_failure(fx, "Y-tiled destination");
    EMIT(fx, 0x50f00005, 0x03cc0040, 1 << 16 | 4, DATA, 0, 64, DATA);
    expect_failure(fx, "SRC_COPY_BLT at ring 0x10000: as many dwords");
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
    expect_failure(fx, "no privileged batch");
    EMIT(fx, SRM | GGTT_ADDRESS, 0x22600, low, high);
    expect_failure(fx, reason);
    EMIT(fx, LRM | GGTT_ADDRESS, 0x22600, low, high);
    expect_failure(fx, reason);
    EMIT(fx, 0x17600003, low, high, DATA, 0);
    expect_failure(fx, reason);
    EMIT(fx, 0x17600003, DATA, 0, low, high);
    expect_failure(fx, reason);
    EMIT(fx, 0x17c00501, low, high);
    expect_failure(fx, reason);
    EMIT(fx, 0x0e400002, 0, low, high);
    expect_failure(fx, reason);
    EMIT(fx, 0x1b600002, 0, low, high);
    expect_failure(fx, reason);
    EMIT(fx, XY_COLOR, 0x03f00040, 0, 1 << 16 | 1, low, high, 1);
    expect_failure(fx, reason);
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 1 << 16 | 1, low, high, 0, 64, DATA, 0);
    expect_failure(fx, reason);
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 1 << 16 | 1, DATA, 0, 0, 64, low, high);
    expect_failure(fx, reason);
}

TEST(windows)
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
    assert_int_equal(fx->port->reads, 9);
    assert_int_equal(fx->port->copies, 0);
}

TEST(reaching_out_of_a_window)
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
}

TEST(not_mapped)
{
    struct fixture *fx = *state;

    set_pte(fx, A_DATA, 0);
    EMIT(fx, MI_STORE_DWORD, DATA + 4, 0, 1);
    expect_failure(fx, "address 0x400004 not mapped");
    set_pte(fx, A_DATA, fx->a->scratch_pte);
    EMIT(fx, MI_STORE_DWORD, DATA + 4, 0, 0x77);
    execute(fx);
    assert_int_equal(fx->port->memory[4], 0);
}

TEST(dma_fault)
{
    struct fixture *fx = *state;
    struct gpu_stats stats;

    fx->port->refused = FRAME_BASE + fx->frame[A_DATA];
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 1);
    expect_failure(fx, "DMA at address 0x400000: Bad address");
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 1 << 16 | 1, DATA + PAGE, 0, 0, 64, DATA, 0);
    expect_failure(fx, "DMA at address");
    fx->gpu->ops->client_stats(fx->a, &stats);
    assert_int_equal(stats.dma_faults, 2);
    fx->gpu->ops->get_stats(fx->gpu, &stats);
    assert_int_equal(stats.dma_faults, 2);
}

TEST(error_lasts_until_reset)
{
    struct fixture *fx = *state;

    EMIT(fx, 0xffffffff);
    submit(fx);
    run_all(fx, 10);
    assert_true(state_of(fx, fx->a).error);
    assert_int_equal(state_of(fx, fx->a).ipehr, 0xffffffff);
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 1);
    assert_int_equal(submit_to(fx, fx->engine), -EIO);
    run_all(fx, 10);
    assert_true(state_of(fx, fx->a).error);
    assert_int_equal(get(fx, DATA), 0);
    reset(fx);
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 2);
    execute(fx);
    assert_int_equal(get(fx, DATA), 2);
}
