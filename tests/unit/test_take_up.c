/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vGPU over the end of its process: what its guest finds again, and what it is told is lost. */
#include <stdlib.h>

#include "gen/registers.h"
#include "vgpu/submit/execlist.h"
#include "vgpu_fake.h"

#define TEST(name) TEST_WITH(name, blitter_setup, fake_teardown)

#define ELSP    (BCS + RING_ELSP)
#define SCRATCH 0x4f100u /* a register that nothing is known of */
#define GO_ON   (1u << 20)

static void restart(struct fake *f)
{
    fake_kill(f);
    fake_start_again(f);
    vgpu_work(f->vgpu, GO_ON);
}

static const struct engine_kept *kept_blitter(const struct fake *f)
{
    return &f->vgpu->kept->engine[GPU_BCS];
}

/* The engine does nothing, and its driver was told why. */
static void assert_lost(struct fake *f)
{
    assert_well(f);
    assert_int_equal(f->vgpu->engine[GPU_BCS].state, ENGINE_STUCK);
    vgpu_check(f->vgpu);
    assert_true(rd(f, GT_IRQ(0) + 8) & BCS_ERROR);
    took_interrupt(f, 0);
    submit_list(f, GPU_BCS, A, 0);
    submit_list(f, GPU_BCS, B, 0);
    submit_list(f, GPU_BCS, C, 0);
    assert_well(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
}

static void assert_runs(struct fake *f)
{
    unsigned before = f->gtt->submissions[GPU_BCS];

    set_tail(f, IMAGE_C, peek(f, IMAGE_C + PAGE + 4 * IMAGE_RING_HEAD) + 16);
    submit_list(f, GPU_BCS, C, 0);
    assert_int_equal(f->gtt->submissions[GPU_BCS], before + 1);
    complete(f, GPU_BCS);
    assert_well(f);
}

static void reset_blitter(struct fake *f)
{
    wr(f, GDRST, 1u << 3);
    enable_execlists(f, GPU_BCS, HWSP);
    wr(f, BCS + RING_EMR, 0);
    wr(f, BCS + RING_IMR, 0);
}

/* --- nothing was under way --------------------------------------------------------------- */

TEST(registers_are_as_they_were)
{
    struct fake *f = *state;
    uint32_t fence = rd(f, 0x100000);

    wr(f, SCRATCH, 0x12345678);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x94, 0xfee01000, 4);
    restart(f);
    assert_int_equal(rd(f, SCRATCH), 0x12345678);
    assert_int_equal(rd(f, 0x100000), fence);
    assert_int_equal(vgpu_config_read(f->vgpu, VGPU_PCI_DEVFN, 0x94, 4), 0xfee01000);
    assert_int_equal(rd(f, PVINFO_BASE + PVINFO_VGT_ID), 3);
    assert_runs(f);
    assert_true(f->interrupts > 0);
}

/* What is told of the windows is what they are, whatever was kept. */
TEST(pvinfo_is_not_kept)
{
    struct fake *f = *state;

    fake_kill(f);
    f->config.kept->reg[(PVINFO_BASE + PVINFO_MAPPABLE_SIZE) / 4] = 1u << 30;
    f->config.kept->config[0] = 0xff; /* and the ids */
    fake_start_again(f);
    assert_int_equal(rd(f, PVINFO_BASE + PVINFO_MAPPABLE_SIZE), LOW_COUNT * PAGE);
    assert_int_equal(vgpu_config_read(f->vgpu, VGPU_PCI_DEVFN, 0, 2), 0x8086);
}

TEST(registers_are_where_they_were)
{
    struct fake *f = *state;

    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x10, 0xd0000000, 4);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].base, 0xd0000000);
    fake_kill(f);
    f->claimed[VGPU_BAR_MMIO].base = 0;
    fake_start_again(f);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].base, 0xd0000000);
}

TEST(failsafe_stays)
{
    struct fake *f = *state;

    submit_list(f, GPU_BCS, DESCRIPTOR(OUTSIDE, 1), 0);
    assert_failsafe(f, "outside");
    restart(f);
    assert_failsafe(f, "outside");
    vgpu_reset(f->vgpu);
    assert_well(f);
}

/* --- work -------------------------------------------------------------------------------- */

TEST(what_waited_runs)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 8);
    assert_true(vgpu_hold(f->vgpu));
    submit_list(f, GPU_BCS, A, 0);
    submit_list(f, GPU_BCS, B, 0);
    vgpu_answered(f->vgpu);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
    restart(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->work[GPU_BCS].w.context, IMAGE_A);
    complete(f, GPU_BCS);
    assert_int_equal(f->gtt->work[GPU_BCS].w.context, IMAGE_B);
    complete(f, GPU_BCS);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_entry(f, &read, TO_IDLE, 0xa);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_entry(f, &read, TO_IDLE, 0xb);
    expect_no_entry(f, read);
}

/* What the GPU has done of a context is not done again. */
TEST(a_context_goes_on_where_it_was)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    set_tail(f, IMAGE_A, 40);
    submit_list(f, GPU_BCS, A, 0);
    assert_false(vgpu_hold(f->vgpu));
    vgpu_answered(f->vgpu);
    complete(f, GPU_BCS);
    assert_true(vgpu_hold(f->vgpu));
    restart(f);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->work[GPU_BCS].w.buffer[0].count, (40 - 16) / 4);
    complete(f, GPU_BCS);
    assert_runs(f);
}

TEST(what_ran_is_lost)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    vgpu_answered(f->vgpu);
    assert_true(kept_blitter(f)->busy);
    wr(f, BCS + RING_EMR, 0);
    restart(f);
    assert_lost(f);
    restart(f); /* and again, before the driver has done anything */
    assert_lost(f);
    reset_blitter(f);
    assert_runs(f);
    assert_int_equal(f->vgpu->engine[GPU_RCS].state, ENGINE_IDLE); /* others have lost nothing */
}

/* --- stores ------------------------------------------------------------------------------ */

TEST(half_a_submission_is_completed)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    wr(f, ELSP, 0);
    wr(f, ELSP, 0);
    vgpu_answered(f->vgpu);
    restart(f);
    wr(f, ELSP, (uint32_t)(A >> 32));
    wr(f, ELSP, (uint32_t)A);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    assert_int_equal(f->gtt->work[GPU_BCS].w.context, IMAGE_A);
}

/* It is made again, and whether it was made before nobody can tell. */
TEST(a_store_that_was_not_answered_is_lost)
{
    struct fake *f = *state;

    wr(f, BCS + RING_EMR, 0);
    wr(f, ELSP, 0);
    vgpu_answered(f->vgpu);
    wr(f, ELSP, 0);
    restart(f);
    assert_lost(f);
    reset_blitter(f);
    assert_runs(f);
}

TEST(lists_that_were_changing_are_lost)
{
    struct fake *f = *state;

    wr(f, BCS + RING_EMR, 0);
    fake_kill(f);
    f->config.kept->engine[GPU_BCS].moving = true;
    fake_start_again(f);
    assert_lost(f);
}

/* --- what nobody has written ------------------------------------------------------------- */

TEST(lists_that_make_no_sense_are_lost)
{
    static const struct execlist wrong[] = {
        {.ports = 4},
        {.current = 2},
        {.index = 7},
        {.current = 1, .running = {{A, 0}}},
        {.running = {{DESCRIPTOR(OUTSIDE, 1), 0}}},
        {.running = {{A, 1}}},
        {.pending = {{A, 0}}},
        {.running = {{A, 0}}, .pending = {{0, B}}},
    };
    struct fake *f = *state;

    wr(f, BCS + RING_EMR, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fake_kill(f);
        f->config.kept->engine[GPU_BCS] = (struct engine_kept){.execlist = wrong[i]};
        fake_start_again(f);
        assert_lost(f);
        reset_blitter(f);
        assert_runs(f);
    }
}

TEST(a_head_beyond_its_ring_is_lost)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    wr(f, BCS + RING_EMR, 0);
    fake_kill(f);
    f->config.kept->engine[GPU_BCS] =
        (struct engine_kept){.execlist = {.running = {{A, 0}}}, .head = PAGE};
    fake_start_again(f);
    assert_lost(f);
}

static void change_something(struct vgpu_kept *kept, unsigned *seed)
{
    uint8_t *bytes = (uint8_t *)kept;
    size_t first = offsetof(struct vgpu_kept, stored); /* registers are the guest's anyway */

    for (unsigned i = 0; i < 64; i++) {
        size_t at = first + (size_t)rand_r(seed) % (offsetof(struct vgpu_kept, gtt) - first);

        bytes[at] = (uint8_t)rand_r(seed);
    }
}

TEST(any_bytes_make_a_vgpu)
{
    struct fake *f = *state;
    unsigned seed = 20;

    for (unsigned round = 0; round < 300; round++) {
        fake_kill(f);
        change_something(f->config.kept, &seed);
        fake_start_again(f);
        vgpu_work(f->vgpu, GO_ON);
        submit_list(f, GPU_BCS, A, 0);
        vgpu_check(f->vgpu);
        vgpu_reset(f->vgpu);
        assert_well(f);
    }
}
