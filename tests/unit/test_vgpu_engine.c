/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Engines: what the GPU reports of them, errors, hangs and resets; rings by registers. */
#include <errno.h>

#include "vgpu_fake.h"

#define TEST(name) TEST_WITH(name, blitter_setup, fake_teardown)

/* --- what the GPU reports ---------------------------------------------------------------- */

TEST(events_of_the_gpu)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    vgpu_check(f->vgpu);
    took_interrupt(f, 0);
    f->gtt->state[GPU_BCS].user_interrupts += 3;
    vgpu_check(f->vgpu);
    assert_true(took_interrupt(f, BCS_USER));
    f->gtt->state[GPU_BCS].notify_interrupts++;
    vgpu_check(f->vgpu);
    assert_true(took_interrupt(f, BCS_NOTIFY));
    f->gtt->state[GPU_BCS].user_interrupts++;
    complete(f, GPU_BCS);
    assert_true(took_interrupt(f, BCS_USER | BCS_SWITCH));
    vgpu_check(f->vgpu);
    assert_true(took_interrupt(f, 0));
}

TEST(engine_error)
{
    struct fake *f = *state;
    unsigned read = 5;

    wr(f, BCS + RING_EMR, ~1u);
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    vgpu_check(f->vgpu);
    took_interrupt(f, 0);
    f->gtt->state[GPU_BCS].error = true;
    f->gtt->state[GPU_BCS].idle = true;
    vgpu_check(f->vgpu);
    assert_well(f);
    assert_true(took_interrupt(f, BCS_ERROR | BCS_SWITCH));
    assert_int_equal(rd(f, BCS + RING_EIR), 1);
    assert_int_equal(rd(f, BCS + RING_ESR), 1);
    wr(f, BCS + RING_EIR, 1);
    assert_int_equal(rd(f, BCS + RING_EIR), 0);
    vgpu_check(f->vgpu);
    assert_true(took_interrupt(f, 0));
    expect_no_entry(f, read); /* a hang stays a hang */
    assert_int_equal(rd(f, BCS + 0x238), 0xa);

    wr(f, BCS + RING_MI_MODE, 0x01000100);
    assert_int_equal(rd(f, BCS + RING_MI_MODE) & MI_MODE_IDLE, MI_MODE_IDLE);
    wr(f, GDRST, 8);
    assert_int_equal(rd(f, BCS + RING_ESR), 0);
    assert_int_equal(rd(f, BCS + 0x238), 0);
    assert_int_equal(rd(f, BCS + RING_HEAD), 0);
    assert_int_equal(peek(f, HWSP + 0x7c), read); /* memory keeps what was there */
    assert_int_equal(rd(f, BCS + RING_CSB_PTR), 7);
}

TEST(hang_and_reset)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    submit_list(f, GPU_BCS, B, 0);
    for (int i = 0; i < 100; i++) {
        vgpu_check(f->vgpu);
    }
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_no_entry(f, read);
    wr(f, GDRST, 8);
    complete(f, GPU_BCS); /* too late */
    assert_int_equal(peek(f, HWSP + 0x7c), 0);
    enable_execlists(f, GPU_BCS, HWSP);
    poke(f, HWSP + 0x7c, 5);
    read = 5;
    set_tail(f, IMAGE_B, 8);
    submit_list(f, GPU_BCS, B, 0);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xb);
}

/* Each engine for itself. */
TEST(reset_of_one_engine)
{
    struct fake *f = *state;

    enable_execlists(f, GPU_VECS, AT(LOW_FIRST + 8));
    make_context(f, GPU_VECS, IMAGE_C, RING_C);
    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_C, 16);
    submit_list(f, GPU_BCS, A, 0);
    submit_list(f, GPU_VECS, C, 0);
    wr(f, GDRST, 8);
    assert_int_equal(rd(f, VECS + 0x238), 0xc);
    complete(f, GPU_VECS);
    assert_int_equal(peek(f, AT(LOW_FIRST + 8) + 0x48), TO_IDLE);
}

TEST(stopped_ring)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 16);
    wr(f, BCS + RING_MI_MODE, 0x01000100);
    submit_list(f, GPU_BCS, A, B);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
    wr(f, BCS + RING_MI_MODE, 0x01000000);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
}

TEST(submissions_that_fail)
{
    struct fake *f = *state;
    unsigned read = 5;

    f->gtt->submit_error = -ENOSPC;
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    assert_well(f);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    complete(f, GPU_BCS);
    expect_no_entry(f, read);
    assert_int_equal(stats_of(f).engine_errors, 1);

    vgpu_reset(f->vgpu);
    enable_execlists(f, GPU_BCS, HWSP);
    f->gtt->submit_error = -EFAULT;
    submit_list(f, GPU_BCS, A, 0);
    assert_failsafe(f, "PPGTT 0x1234000");
}

TEST(eager_gpu)
{
    struct fake *f = *state;
    unsigned read = 5;

    f->gtt->eager = true;
    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 16);
    submit_list(f, GPU_BCS, A, B);
    vgpu_check(f->vgpu);
    vgpu_check(f->vgpu);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_entry(f, &read, NEXT_ELEMENT, 0xa);
    expect_entry(f, &read, TO_IDLE, 0xb);
    expect_no_entry(f, read);
}

/* --- rings by registers ------------------------------------------------------------------ */

static void start_ring(struct fake *f)
{
    vgpu_reset(f->vgpu);
    wr(f, BCS + RING_HEAD, 0);
    wr(f, BCS + RING_TAIL, 0);
    wr(f, BCS + RING_START, RING_A);
    wr(f, BCS + RING_CTL, 1);
}

TEST(ring)
{
    struct fake *f = *state;
    const struct fake_work *work = &f->gtt->work[GPU_BCS];

    start_ring(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
    wr(f, BCS + RING_TAIL, 24);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(work->buffer[0].address, RING_A);
    assert_int_equal(work->buffer[0].count, 6);
    assert_int_equal(work->w.root.levels, 0);
    wr(f, BCS + RING_TAIL, 32);
    wr(f, BCS + RING_TAIL, 48); /* the newest is taken when the engine is through */
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    complete(f, GPU_BCS);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 2);
    assert_int_equal(work->buffer[0].address, RING_A + 24);
    assert_int_equal(work->buffer[0].count, 6);
    complete(f, GPU_BCS);
    assert_int_equal(rd(f, BCS + RING_HEAD), 48);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 2);
    wr(f, BCS + RING_TAIL, 8); /* around the end */
    assert_int_equal(work->buffer[0].count, (4096 - 48) / 4);
    assert_int_equal(work->buffer[1].count, 2);
    wr(f, BCS + RING_CTL, 0);
    complete(f, GPU_BCS);
    assert_int_equal(rd(f, BCS + RING_HEAD), 48); /* stopped, and nobody waits for it */
}

TEST(bad_rings)
{
    struct fake *f = *state;

    start_ring(f);
    wr(f, BCS + RING_START, OUTSIDE);
    wr(f, BCS + RING_TAIL, 8);
    assert_failsafe(f, "BCS: ring of 1 pages at 0x50000 lies outside");
    start_ring(f);
    wr(f, BCS + RING_TAIL, 0x1000);
    assert_failsafe(f, "beyond the ring");
    start_ring(f);
    f->gtt->hole[1] = true;
    wr(f, BCS + RING_TAIL, 8);
    assert_failsafe(f, "no memory");
}

TEST(ring_error)
{
    struct fake *f = *state;

    start_ring(f);
    wr(f, BCS + RING_TAIL, 8);
    f->gtt->state[GPU_BCS].error = true;
    vgpu_check(f->vgpu);
    wr(f, BCS + RING_TAIL, 16);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(rd(f, BCS + RING_ESR), 1);
    start_ring(f);
    wr(f, BCS + RING_TAIL, 16);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 2);
}

#define USER_INTERRUPT (0x02u << 23)

/* --- work that takes longer than there is time ------------------------------------------- */

/* What is checked is what was in the ring when its check began. */
TEST(a_long_check_goes_on_when_there_is_time_again)
{
    struct fake *f = *state;
    f->gtt->left = 2; /* for ten dwords, each time */
    set_tail(f, IMAGE_A, 160);
    submit_list(f, GPU_BCS, A, 0);
    poke(f, RING_A + 100, UINT32_MAX);
    set_tail(f, IMAGE_A, 0x200);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
        assert_int_equal(rd(f, BCS + RING_MI_MODE) & MI_MODE_IDLE, 0);
        assert_int_equal(vgpu_work(f->vgpu, 100), i < 2);
    }
    assert_well(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].count, 40);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].dw[25], 0);
    assert_int_equal(f->gtt->spent, 40 / 5);
    complete(f, GPU_BCS);
    assert_int_equal(peek(f, IMAGE_A + PAGE + 5 * 4), 160); /* the head: not beyond what was run */
}

/* Else a guest with many page tables would have them compared again for each part of a check. */
TEST(a_workload_is_prepared_once_however_long_its_check_takes)
{
    struct fake *f = *state;
    f->gtt->left = 2;
    set_tail(f, IMAGE_A, 160);
    submit_list(f, GPU_BCS, A, 0);
    for (unsigned i = 0; i < 3; i++) {
        vgpu_work(f->vgpu, 100);
    }
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->prepares, 1);
}

TEST(a_check_that_waits_is_forgotten_with_its_engine)
{
    struct fake *f = *state;
    f->gtt->left = 1;
    set_tail(f, IMAGE_A, 160);
    submit_list(f, GPU_BCS, A, 0);
    wr(f, GDRST, 8);
    assert_false(vgpu_work(f->vgpu, 100));
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
    enable_execlists(f, GPU_BCS, HWSP);
    submit_list(f, GPU_BCS, A, 0); /* and one is under way when the vGPU is destroyed */
    assert_true(vgpu_work(f->vgpu, 100));
}

/* By a tail that it takes back a guest has its next context run while this one is checked. */
TEST(a_check_is_not_gone_on_with_for_another_context)
{
    struct fake *f = *state;
    f->gtt->left = 2;
    set_tail(f, IMAGE_A, 160);
    set_tail(f, IMAGE_B, 80);
    submit_list(f, GPU_BCS, A, 0);
    set_tail(f, IMAGE_A, 0);
    submit_list(f, GPU_BCS, A, B);
    for (unsigned i = 0; i < 6; i++) {
        vgpu_work(f->vgpu, 100);
    }
    assert_well(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->work[GPU_BCS].w.context, IMAGE_B);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].address, RING_B);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].count, 20);
}

/* What is at the same place in the ring then is something else. */
TEST(a_check_is_not_gone_on_with_for_commands_that_came_instead)
{
    struct fake *f = *state;
    start_ring(f);
    f->gtt->left = 2;
    wr(f, BCS + RING_TAIL, 160);
    wr(f, BCS + RING_TAIL, 0);
    poke(f, RING_A, USER_INTERRUPT);
    wr(f, BCS + RING_TAIL, 80);
    for (unsigned i = 0; i < 6; i++) {
        vgpu_work(f->vgpu, 100);
    }
    assert_well(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].count, 20);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].dw[0], USER_INTERRUPT);
}

TEST(a_check_is_not_gone_on_with_after_the_engine_was_held)
{
    struct fake *f = *state;
    start_ring(f);
    f->gtt->left = 2;
    wr(f, BCS + RING_TAIL, 160);
    wr(f, BCS + RING_MI_MODE, MI_MODE_STOP_RING << 16 | MI_MODE_STOP_RING);
    poke(f, RING_A, USER_INTERRUPT);
    wr(f, BCS + RING_TAIL, 80);
    wr(f, BCS + RING_MI_MODE, MI_MODE_STOP_RING << 16);
    for (unsigned i = 0; i < 6; i++) {
        vgpu_work(f->vgpu, 100);
    }
    assert_well(f);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].count, 20);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].dw[0], USER_INTERRUPT);
}

TEST(a_check_that_waits_refuses_at_last)
{
    struct fake *f = *state;
    f->gtt->left = 2;
    set_tail(f, IMAGE_A, 160);
    poke(f, RING_A + 120, UINT32_MAX);
    submit_list(f, GPU_BCS, A, 0);
    assert_well(f);
    for (unsigned i = 0; i < 4; i++) {
        vgpu_work(f->vgpu, 100);
    }
    assert_failsafe(f, "unknown command 0xffffffff");
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
}
