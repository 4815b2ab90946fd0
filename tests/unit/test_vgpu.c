/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vGPU's registers: what a driver polls, PVINFO, fences, resets, the aperture. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu_fake.h"

/* --- the tables -------------------------------------------------------------------------- */

static void check_block(const struct reg_block *block)
{
    uint32_t end = block->of_engine ? ENGINE_REGS_SIZE : VGPU_REGS_SIZE;
    for (size_t i = 0; i < block->count; i++) {
        const struct reg *r = &block->reg[i];
        assert_int_equal(r->offset % 4, 0);
        assert_true(r->count > 0 && r->offset + r->count * 4 <= end);
        assert_true(!i || r->offset >= r[-1].offset + r[-1].count * 4);
        for (uint32_t k = 0; k < r->count; k++) {
            assert_ptr_equal(reg_find(block, r->offset + 4 * k), r);
        }
    }
}

/* Which block a register is in, as a reader of all of them would say. */
static unsigned blocks_with(const struct vgpu_model *model, bool of_engine, uint32_t offset)
{
    unsigned n = 0;
    for (unsigned b = 0; model->block[b]; b++) {
        n += model->block[b]->of_engine == of_engine && reg_find(model->block[b], offset);
    }
    return n;
}

#define TEST(name) TEST_WITH(name, fake_setup, fake_teardown)

PLAIN_TEST(the_rows_of_each_block_are_in_order)
{
    const struct vgpu_model *model;
    (void)state;
    for (size_t i = 0; (model = vgpu_model_at(i)); i++) {
        unsigned n = 0;
        for (; model->block[n]; n++) {
            check_block(model->block[n]);
        }
        assert_in_range(n, 1, 32);
    }
}

static void check_places(const struct vgpu_model *model)
{
    for (uint32_t offset = 0; offset < VGPU_REGS_SIZE; offset += 4) {
        unsigned n = blocks_with(model, false, offset);
        for (int e = 0; e < GPU_ENGINES; e++) {
            n += blocks_with(model, true, offset - model->engine[e].base);
        }
        assert_true(n <= 1);
    }
}

PLAIN_TEST(a_register_is_in_one_block_and_of_one_engine_or_none)
{
    const struct vgpu_model *model;
    (void)state;
    for (size_t i = 0; (model = vgpu_model_at(i)); i++) {
        check_places(model);
    }
}

TEST(each_row_is_found_by_its_page)
{
    struct fake *f = *state;
    for (uint32_t offset = 0; offset < VGPU_REGS_SIZE; offset += 4) {
        bool known = blocks_with(f->vgpu->model, false, offset);
        for (int e = 0; e < GPU_ENGINES; e++) {
            known |= blocks_with(f->vgpu->model, true, offset - engine_info[e].base);
        }
        uint64_t before = stats_of(f).unknown;
        reg_write(f->vgpu, offset, 0);
        assert_int_equal(stats_of(f).unknown - before, !known && !f->vgpu->failed);
        if (f->vgpu->failed) {
            vgpu_reset(f->vgpu);
        }
    }
}

/* What a driver reads and would trip over. */
TEST(reset_values)
{
    struct fake *f = *state;
    static const struct {
        uint32_t offset, value;
    } expected[] = {
        {0x42014, 0x40000000},
        {0xc2014, 0},
        {0x9120, 0x02000000},
        {0x9134, 0},
        {0x9138, 0},
        {0x913c, 0},
        {0x42300, 0},
        {0x4094, 0},
        {0x4b10, 0},
        {0x120010, 0},
        {0x130040, 0x40000000},
        {0x145998, 0},
        {0x145e04, 0},
        {0x20b0, 0},
        {0x20b8, 0},
        {0x220b8, 0},
        {0x206c, UINT32_MAX},
        {0x941c, 0},
        {0x44200, 0},
        {0x44308, 0},
        {0x44408, 0},
        {0x209c, 0x200},
        {0x23a0, 7},
        {0x78010, 0xc},
        {0x7800c, 3},
        {0x78050, 4},
        {0x78830, UINT32_MAX},
        {0x78834, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (rd(f, expected[i].offset) != expected[i].value) {
            fail_msg("0x%x is 0x%x", expected[i].offset, rd(f, expected[i].offset));
        }
    }
    assert_int_equal(stats_of(f).unknown, 0);
}

/* --- poll loops: over with the first read ------------------------------------------------ */

TEST(engine_reset_handshake)
{
    struct fake *f = *state;
    for (int e = 0; e < GPU_ENGINES; e++) {
        uint32_t base = engine_info[e].base;
        wr(f, base + RING_RESET_CTL, 0x00010001);
        assert_int_equal(rd(f, base + RING_RESET_CTL), 3);
        wr(f, base + RING_RESET_CTL, 0x00010000);
        assert_int_equal(rd(f, base + RING_RESET_CTL), 0);
        wr(f, base + RING_MI_MODE, 0x01000100);
        assert_int_equal(rd(f, base + RING_MI_MODE), 0x300);
        wr(f, base + RING_MI_MODE, 0x01000000);
        assert_int_equal(rd(f, base + RING_MI_MODE), 0x200);
    }
}

TEST(reset_register)
{
    struct fake *f = *state;
    static const uint32_t bits[GPU_ENGINES] = {
        [GPU_RCS] = 2, [GPU_VCS0] = 4, [GPU_BCS] = 8, [GPU_VECS] = 16};
    for (int e = 0; e < GPU_ENGINES; e++) {
        wr(f, GDRST, bits[e]);
        assert_int_equal(rd(f, GDRST), 0);
        for (int other = 0; other < GPU_ENGINES; other++) {
            assert_int_equal(f->gtt->engine_resets[other], other <= e);
        }
    }
    wr(f, GDRST, 1);
    assert_int_equal(rd(f, GDRST), 0);
    for (int e = 0; e < GPU_ENGINES; e++) {
        assert_int_equal(f->gtt->engine_resets[e], 2);
    }
    wr(f, GDRST, 0x20); /* the GuC */
    assert_int_equal(rd(f, GDRST), 0);
    assert_int_equal(f->gtt->engine_resets[GPU_RCS], 2);
}

TEST(other_polls)
{
    struct fake *f = *state;
    for (uint32_t tlb = 0x4260; tlb <= 0x4270; tlb += 4) {
        wr(f, tlb, 1);
        assert_int_equal(rd(f, tlb), 0);
    }
    assert_int_equal(f->gtt->commits, 5);
    wr(f, 0x4260, 2);
    assert_int_equal(f->gtt->commits, 5);
    wr(f, GFX_FLSH_CNTL, 1);
    assert_int_equal(rd(f, GFX_FLSH_CNTL), 0);
    assert_int_equal(f->gtt->commits, 6);

    wr(f, PCODE_MAILBOX, 0x80000005);
    assert_int_equal(rd(f, PCODE_MAILBOX), 0);

    wr(f, 0x45404, 0x80000000);
    assert_int_equal(rd(f, 0x45404), 0xc0000000);
    wr(f, 0x45404, 0);
    assert_int_equal(rd(f, 0x45404), 0);

    wr(f, FORCEWAKE_MT, 0x00010001);
    assert_int_equal(rd(f, FORCEWAKE_ACK), 1);
    wr(f, FORCEWAKE_MT, 0x00010000);
    assert_int_equal(rd(f, FORCEWAKE_ACK), 0);
}

TEST(interrupt_registers_read_zero)
{
    struct fake *f = *state;
    static const uint32_t banks[] = {0x44300, 0x44310, 0x44320, 0x44330, 0x44400, 0x44410,
                                     0x44420, 0x44440, 0x44460, 0x444e0, 0xc4000};
    for (size_t i = 0; i < sizeof(banks) / sizeof(banks[0]); i++) {
        wr(f, banks[i] + 4, UINT32_MAX);
        wr(f, banks[i] + 0xc, 0);
        wr(f, banks[i] + 8, UINT32_MAX);
        wr(f, banks[i] + 8, UINT32_MAX);
        assert_int_equal(rd(f, banks[i] + 8), 0);
        assert_int_equal(rd(f, banks[i] + 4), UINT32_MAX);
        assert_int_equal(rd(f, banks[i]), 0);
    }
}

/* Every engine shows the one clock, the GPU's. */
TEST(the_timestamp_is_the_gpus)
{
    struct fake *f = *state;
    f->gtt->ticks = UINT64_C(0x912345678);
    assert_int_equal(vgpu_mmio_read(f->vgpu, RCS + RING_TIMESTAMP, 8), f->gtt->ticks);
    assert_int_equal(rd(f, BCS + RING_TIMESTAMP), 0x12345678);
    f->gtt->ticks++;
    assert_int_equal(vgpu_mmio_read(f->vgpu, BCS + RING_TIMESTAMP, 8), f->gtt->ticks);
    assert_int_equal(rd(f, VCS0 + RING_TIMESTAMP_UDW), 9);
}

/* --- kinds of registers ------------------------------------------------------------------ */

TEST(flags)
{
    struct fake *f = *state;
    wr(f, 0x42014, 0); /* read-only */
    assert_int_equal(rd(f, 0x42014), 0x40000000);
    assert_int_equal(stats_of(f).dropped, 1);
    wr(f, 0x20c0, 0x00ff0055); /* masked */
    wr(f, 0x20c0, 0x000f000a);
    assert_int_equal(rd(f, 0x20c0), 0x5a);
    wr(f, 0x40e0, 0x11223344); /* storage that is known */
    assert_int_equal(rd(f, 0x40e0), 0x11223344);
    assert_int_equal(stats_of(f).unknown, 0);
}

TEST(unknown_registers)
{
    struct fake *f = *state;
    for (uint32_t i = 0; i < 64; i++) {
        wr(f, 0x5000 + 4 * i, i + 1);
        wr(f, 0x61000 + 4 * i, i + 2);
    }
    assert_int_equal(rd(f, 0x5004), 2);
    assert_int_equal(rd(f, 0x61004), 3);
    assert_int_equal(stats_of(f).unknown, 128);
    assert_int_equal(f->lines, 2); /* one of each kind */
}

TEST(access_sizes)
{
    struct fake *f = *state;
    vgpu_mmio_write(f->vgpu, 0x5000, UINT64_C(0x1122334455667788), 8);
    assert_int_equal(rd(f, 0x5004), 0x11223344);
    vgpu_mmio_write(f->vgpu, 0x5001, 0xaa, 1);
    vgpu_mmio_write(f->vgpu, 0x5002, 0xbbcc, 2);
    assert_int_equal(rd(f, 0x5000), 0xbbccaa88);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x5003, 1), 0xbb);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x78008, 2), 1);
    assert_true(vgpu_mmio_read(f->vgpu, 0x5000, 3) == UINT64_MAX);
    assert_true(vgpu_mmio_read(f->vgpu, VGPU_MMIO_SIZE, 4) == UINT64_MAX);
    assert_true(vgpu_mmio_read(f->vgpu, VGPU_MMIO_SIZE - 2, 4) == UINT64_MAX);
    assert_true(vgpu_mmio_read(f->vgpu, UINT64_MAX - 3, 4) == UINT64_MAX);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x400000, 4), 0);
    vgpu_mmio_write(f->vgpu, 0x400000, 1, 4);
    vgpu_mmio_write(f->vgpu, VGPU_MMIO_SIZE + 64, 1, 4);
    /* A byte of a register that is cleared by ones clears no other byte. */
    *vgpu_reg(f->vgpu, GT_IRQ(0) + 8) = 0x01010101;
    vgpu_mmio_write(f->vgpu, GT_IRQ(0) + 8, 1, 1);
    assert_int_equal(rd(f, GT_IRQ(0) + 8), 0x01010100);
}

TEST(gtt_half)
{
    struct fake *f = *state;
    vgpu_mmio_write(f->vgpu, 0x800008, 5, 8);
    vgpu_mmio_write(f->vgpu, 0x800008, 5, 4);
    assert_int_equal(f->gtt->gtt_writes, 2);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x800008, 8), 5);
}

/* Of wider accesses, and of those across pages, Xen makes several at any offset. */
TEST(an_access_across_registers_is_made_in_pieces)
{
    struct fake *f = *state;
    wr(f, 0x5000, 0x03020100);
    wr(f, 0x5004, 0x07060504);
    wr(f, 0x5008, 0x0b0a0908);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x5003, 2), 0x0403);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x5001, 4), 0x04030201);
    assert_true(vgpu_mmio_read(f->vgpu, 0x5003, 8) == UINT64_C(0x0a09080706050403));
    vgpu_mmio_write(f->vgpu, 0x5003, UINT64_C(0x8877665544332211), 8);
    assert_int_equal(rd(f, 0x5000), 0x11020100);
    assert_int_equal(rd(f, 0x5004), 0x55443322);
    assert_int_equal(rd(f, 0x5008), 0x0b887766);
    vgpu_mmio_write(f->vgpu, 0x5fff, 0xbbaa, 2);
    assert_int_equal(rd(f, 0x5ffc), 0xaa000000);
    assert_int_equal(rd(f, 0x6000), 0xbb);
    assert_int_equal(stats_of(f).unknown, 3 + 3 + 2);
}

TEST(an_access_across_entries_is_made_in_pieces)
{
    struct fake *f = *state;
    vgpu_mmio_write(f->vgpu, 0x800000, UINT64_C(0x0706050403020100), 8);
    vgpu_mmio_write(f->vgpu, 0x800008, UINT64_C(0x0f0e0d0c0b0a0908), 8);
    assert_true(vgpu_mmio_read(f->vgpu, 0x800004, 8) == UINT64_C(0x0b0a090807060504));
    vgpu_mmio_write(f->vgpu, 0x800004, UINT64_C(0x8877665544332211), 8);
    assert_true(f->gtt->entry[0] == UINT64_C(0x4433221103020100));
    assert_true(f->gtt->entry[1] == UINT64_C(0x0f0e0d0c88776655));
    vgpu_mmio_write(f->vgpu, 0x800007, 0xbbaa, 2);
    assert_true(f->gtt->entry[0] == UINT64_C(0xaa33221103020100));
    assert_true(f->gtt->entry[1] == UINT64_C(0x0f0e0d0c887766bb));
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x800007, 2), 0xbbaa);
}

/* From the last reserved byte into the table. */
TEST(an_access_across_the_halves_is_made_in_pieces)
{
    struct fake *f = *state;
    vgpu_mmio_write(f->vgpu, VGPU_GTT_OFFSET - 4, UINT64_C(0x1234567800000000), 8);
    assert_true(f->gtt->entry[0] == 0x12345678);
    assert_true(vgpu_mmio_read(f->vgpu, VGPU_GTT_OFFSET - 4, 8) == UINT64_C(0x1234567800000000));
}

TEST(status_page)
{
    struct fake *f = *state;
    wr(f, RCS + RING_HWS_PGA, AT(HIGH_FIRST + 2));
    assert_int_equal(rd(f, RCS + RING_HWS_PGA), AT(HIGH_FIRST + 2));
    wr(f, RCS + RING_HWS_PGA, OUTSIDE);
    assert_int_equal(rd(f, RCS + RING_HWS_PGA), AT(HIGH_FIRST + 2));
    assert_int_equal(stats_of(f).dropped, 1);
}

TEST(force_to_nonpriv)
{
    struct fake *f = *state;
    wr(f, RCS + 0x4d4, 0x2094);
    assert_int_equal(rd(f, RCS + 0x4d4), 0x2094);
    wr(f, RCS + 0x4d4, 0x2230);
    assert_int_equal(rd(f, RCS + 0x4d4), 0x2094);
}

/* --- PVINFO ------------------------------------------------------------------------------ */

TEST(pvinfo)
{
    struct fake *f = *state;
    find_vgpu(f);
    assert_int_equal(rd(f, 0x78040), AT(LOW_FIRST));
    assert_int_equal(rd(f, 0x78044), AT(LOW_COUNT));
    assert_int_equal(rd(f, 0x78048), AT(HIGH_FIRST));
    assert_int_equal(rd(f, 0x7804c), AT(HIGH_COUNT));
    for (uint32_t offset = 0x78000; offset < 0x79000; offset += 4) {
        bool writable =
            (offset >= 0x78804 && offset < 0x78808) || (offset >= 0x78830 && offset < 0x78860);
        bool acts = offset >= 0x78808 && offset <= 0x78818;
        if (!acts) {
            uint32_t before = rd(f, offset);
            wr(f, offset, ~before);
            assert_int_equal(rd(f, offset), writable ? ~before : before);
        }
    }
    assert_well(f);
}

TEST(insufficient_resources)
{
    struct fake *f = *state;
    wr(f, 0x78808 + 8, 1);
    assert_failsafe(f, "insufficient");
}

static void notify(struct fake *f, uint32_t code)
{
    for (uint32_t i = 0; i < 8; i++) {
        wr(f, 0x78838 + 4 * i, i % 2 ? 0 : 0x10000 * (i / 2 + 1));
    }
    wr(f, 0x78818, code);
}

TEST(ppgtt_notifications)
{
    struct fake *f = *state;
    notify(f, 4);
    assert_int_equal(f->gtt->created.levels, 4);
    assert_int_equal(f->gtt->created.pdp[0], 0x10000);
    assert_int_equal(f->gtt->created.pdp[1], 0);
    notify(f, 2);
    assert_int_equal(f->gtt->created.levels, 3);
    assert_int_equal(f->gtt->created.pdp[3], 0x40000);
    notify(f, 5);
    assert_int_equal(f->gtt->destroyed.levels, 4);
    notify(f, 3);
    assert_int_equal(f->gtt->destroyed.levels, 3);
    notify(f, 6);
    notify(f, 7);
    assert_well(f);
    assert_int_equal(stats_of(f).notifications, 6);
    f->gtt->ppgtt_error = -ENOENT;
    notify(f, 5);
    assert_well(f);
    assert_int_equal(stats_of(f).ppgtt_failures, 1);
    f->gtt->ppgtt_error = -EINVAL;
    notify(f, 4);
    assert_failsafe(f, "0x10000 is no root");
}

TEST(notification_that_is_none)
{
    notify(*state, 8);
    assert_failsafe(*state, "notification 8");
}

TEST(log_is_bounded)
{
    struct fake *f = *state;
    f->gtt->ppgtt_error = -ENOENT;
    for (int i = 0; i < 1000; i++) {
        notify(f, 5);
    }
    assert_in_range(f->lines, 1, 20);
}

/* What makes one kind of line by the thousand leaves room for the other, and is counted. */
TEST(noise_says_nothing_against_a_warning)
{
    struct fake *f = *state;
    f->gtt->ppgtt_error = -ENOENT;
    for (int i = 0; i < 1000; i++) {
        notify(f, 5);
    }
    notify(f, 8);
    assert_failsafe(f, "notification 8");
    assert_int_equal(f->warnings, 1);
    assert_non_null(strstr(f->line, "notification 8"));
}

TEST(time_brings_lines_back_and_they_say_what_was_left_out)
{
    struct fake *f = *state;
    f->gtt->ppgtt_error = -ENOENT;
    for (int i = 0; i < 1000; i++) {
        notify(f, 5);
    }
    unsigned lines = f->lines;
    f->now_ns += UINT64_C(60000000000);
    notify(f, 5);
    assert_int_equal(f->lines, lines + 1);
    assert_non_null(strstr(f->line, "(980 lines left out)"));
    notify(f, 5);
    assert_null(strstr(f->line, "left out"));
}

/* --- fences ------------------------------------------------------------------------------ */

TEST(test_fences)
{
    struct fake *f = *state;
    find_vgpu(f);
    for (uint32_t n = 0; n < 32; n++) {
        wr(f, FENCES + 8 * n, n + 1);
        wr(f, FENCES + 8 * n + 4, n + 2);
        assert_int_equal(rd(f, FENCES + 8 * n), n < 4 ? n + 1 : 0);
        assert_int_equal(rd(f, FENCES + 8 * n + 4), n < 4 ? n + 2 : 0);
    }
    assert_well(f);
}

TEST(unaware_guests)
{
    struct fake *f = *state;
    wr(f, FENCES + 8 * 3, 1);
    assert_well(f);
    wr(f, FENCES + 8 * 4, 1);
    assert_failsafe(f, "fence 4 of 4");
    vgpu_reset(f->vgpu);
    wr(f, RCS + RING_MODE, 0x80008000);
    assert_failsafe(f, "does not know");
    vgpu_reset(f->vgpu);
    find_vgpu(f);
    wr(f, RCS + RING_MODE, 0x80008000);
    assert_well(f);
    wr(f, RCS + RING_MODE, 0x00010001);
    assert_failsafe(f, "only the ring may");
}

/* --- failsafe and reset ------------------------------------------------------------------ */

TEST(failsafe_is_storage)
{
    struct fake *f = *state;
    enable_interrupts(f);
    wr(f, 0x78808, 1);
    assert_failsafe(f, "insufficient");
    unsigned resets = f->gtt->engine_resets[GPU_RCS];
    wr(f, GDRST, 1);
    assert_int_equal(rd(f, GDRST), 1);
    assert_int_equal(f->gtt->engine_resets[GPU_RCS], resets);
    wr(f, GFX_FLSH_CNTL, 1);
    assert_int_equal(f->gtt->commits, 0);
    wr(f, 0x2044, 7);
    assert_int_equal(rd(f, 0x2044), 7);
    irq_event(f->vgpu, &f->vgpu->engine[GPU_RCS], EVENT_USER);
    assert_int_equal(f->interrupts, 0);
    vgpu_mmio_write(f->vgpu, 0x800000, 1, 8);
    assert_int_equal(f->gtt->gtt_writes, 0);
    vgpu_check(f->vgpu);
}

TEST(reset)
{
    struct fake *f = *state;
    find_vgpu(f);
    wr(f, 0x2044, 7);
    wr(f, RCS + RING_HWS_PGA, AT(LOW_FIRST));
    wr(f, FENCES, 5);
    wr(f, 0x78818, 99);
    assert_failsafe(f, "99");
    vgpu_reset(f->vgpu);
    assert_null(vgpu_failsafe(f->vgpu));
    assert_int_equal(f->gtt->resets, 1);
    assert_int_equal(rd(f, 0x2044), 0);
    assert_int_equal(rd(f, FENCES), 0);
    assert_int_equal(rd(f, RCS + RING_HWS_PGA), 0);
    assert_int_equal(rd(f, RCS + RING_IMR), UINT32_MAX);
    find_vgpu(f);
}

TEST(a_vgpu_has_a_model_and_no_more_fences_than_it)
{
    struct fake *f = *state;
    struct vgpu_config config = f->config;
    struct vgpu *vgpu;
    config.fences = 33;
    assert_int_equal(vgpu_create(&config, &vgpu), -EINVAL);
    assert_null(vgpu);
    config.fences = 32;
    config.model = "voodoo";
    assert_int_equal(vgpu_create(&config, &vgpu), -EINVAL);
    config.model = vgpu_model(NULL)->name;
    assert_int_equal(vgpu_create(&config, &vgpu), 0);
    vgpu_destroy(vgpu);
}

/* Each is a device of its own, alive and with its ids. */
TEST(a_vgpu_shows_the_ids_of_its_model)
{
    struct fake *f = *state;
    struct vgpu_config config = f->config;
    const struct vgpu_model *model;
    for (size_t i = 0; (model = vgpu_model_at(i)); i++) {
        struct vgpu *vgpu;
        config.model = model->name;
        config.fences = model->fences;
        assert_ptr_equal(vgpu_model(model->name), model);
        assert_int_equal(vgpu_create(&config, &vgpu), 0);
        assert_int_equal(vgpu_config_read(vgpu, VGPU_PCI_DEVFN, 0, 4), model->pci_id);
        assert_int_equal(vgpu_config_read(vgpu, VGPU_PCI_DEVFN, 8, 4), model->class_revision);
        assert_int_equal(vgpu_mmio_read(vgpu, PVINFO_BASE + PVINFO_FENCES, 4), model->fences);
        assert_null(vgpu_failsafe(vgpu));
        vgpu_destroy(vgpu);
    }
    assert_ptr_equal(vgpu_model(NULL), vgpu_model_at(0));
}

/* --- the aperture ------------------------------------------------------------------------ */

TEST(aperture)
{
    struct fake *f = *state;
    uint64_t at = AT(LOW_FIRST + 3);
    vgpu_aperture_write(f->vgpu, at, UINT64_C(0x1122334455667788), 8);
    assert_int_equal(peek(f, at + 4), 0x11223344);
    assert_int_equal(vgpu_aperture_read(f->vgpu, at + 2, 2), 0x5566);
    assert_int_equal(vgpu_aperture_read(f->vgpu, at + 7, 1), 0x11);
    assert_true(vgpu_aperture_read(f->vgpu, at, 8) == UINT64_C(0x1122334455667788));
    assert_true(vgpu_aperture_read(f->vgpu, OUTSIDE, 4) == UINT64_MAX);
    assert_int_equal(vgpu_aperture_read(f->vgpu, at + 1, 4), 0x44556677);
    assert_true(vgpu_aperture_read(f->vgpu, OUTSIDE - 2, 4) == UINT64_MAX); /* all or nothing */
    assert_true(vgpu_aperture_read(f->vgpu, at, 16) == UINT64_MAX);
    f->gtt->hole[3] = true;
    assert_true(vgpu_aperture_read(f->vgpu, at, 4) == UINT64_MAX);
    vgpu_aperture_write(f->vgpu, at, 1, 4);
    assert_int_equal(stats_of(f).dropped, 1);
    assert_int_equal(stats_of(f).aperture_writes, 2);
}

/* --- function level reset and base addresses --------------------------------------------- */

static void config(struct fake *f, unsigned reg, uint32_t value)
{
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, reg, value, 4);
}

static void put_at(struct fake *f, uint32_t base)
{
    config(f, 0x10, base);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x04, 6, 2);
}

static void function_level_reset(struct fake *f)
{
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0xa8, 1, 1);
}

TEST(a_function_level_reset_clears_registers_that_are_not_known)
{
    struct fake *f = *state;
    wr(f, 0x5000, 7);
    wr(f, 0x78808, 1);
    wr(f, 0x61000, 8); /* in failsafe */
    function_level_reset(f);
    assert_well(f);
    assert_int_equal(rd(f, 0x5000), 0);
    assert_int_equal(rd(f, 0x61000), 0);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].size, 0);
}

TEST(resets_without_end_are_a_failsafe)
{
    struct fake *f = *state;
    for (unsigned i = 0; i < VGPU_RESETS_AT_ONCE; i++) {
        wr(f, 0x78808, 1);
        function_level_reset(f);
        assert_well(f);
    }
    function_level_reset(f);
    assert_failsafe(f, "more often");
    assert_int_equal(rd(f, 0x78808), 0); /* reset it is all the same */
    f->now_ns += UINT64_C(1000000000);
    function_level_reset(f);
    assert_well(f);
    function_level_reset(f);
    assert_failsafe(f, "more often");
    assert_in_range(f->warnings, 1, 20);
}

static void make_lazy(struct fake *f)
{
    f->config.lazy_ggtt = true;
    vgpu_destroy(f->vgpu);
    assert_int_equal(vgpu_create(&f->config, &f->vgpu), 0);
    f->gtt = f->vgpu->gtt;
    assert_int_equal(vgpu_plug_in(f->vgpu), 0);
    assert_int_equal(f->ram_at, (FAKE_MMIO_BASE + VGPU_GTT_OFFSET) / PAGE);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].size, VGPU_GTT_OFFSET);
}

/* Firmware moves it once it has placed the BAR. */
TEST(ram_without_a_place_is_kept_apart)
{
    struct fake *f = *state;
    f->config.mmio_base = 0;
    f->config.firmware = true;
    f->config.lazy_ggtt = true;
    vgpu_destroy(f->vgpu);
    assert_int_equal(vgpu_create(&f->config, &f->vgpu), 0);
    f->gtt = f->vgpu->gtt;
    assert_int_equal(vgpu_plug_in(f->vgpu), 0);
    assert_true(f->ram_at == VGPU_RAM_APART);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].size, 0);
    assert_int_equal(f->moves, 0);
    put_at(f, 0xf3000000);
    assert_int_equal(f->moves, 1);
    assert_int_equal(f->ram_at, (0xf3000000 + VGPU_GTT_OFFSET) / PAGE);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].base, 0xf3000000);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].size, VGPU_GTT_OFFSET);
}

TEST(ram_that_may_not_be_moved_stays_and_the_bar_is_nowhere)
{
    struct fake *f = *state;
    make_lazy(f);
    f->move_error = -EBUSY;
    put_at(f, 0xd0000000);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].size, 0);
    assert_int_equal(f->ram_at, (FAKE_MMIO_BASE + VGPU_GTT_OFFSET) / PAGE);
    put_at(f, FAKE_MMIO_BASE);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].base, FAKE_MMIO_BASE);
    assert_int_equal(f->claimed[VGPU_BAR_MMIO].size, VGPU_GTT_OFFSET);
}

TEST(nothing_is_moved_to_where_the_bar_may_not_be)
{
    struct fake *f = *state;
    make_lazy(f);
    f->claim_error = -EBUSY;
    put_at(f, 0xd0000000);
    assert_int_equal(f->moves, 0);
}

TEST(moves_without_end_are_refused)
{
    struct fake *f = *state;
    make_lazy(f);
    for (unsigned i = 0; i < 10000; i++) {
        put_at(f, i % 2 ? FAKE_MMIO_BASE : 0xd0000000);
    }
    assert_in_range(f->moves, 1, 16);
    assert_in_range(f->lines, 1, 40);
}

/* Hypercalls, and two megabytes of registers: else many vCPUs at it would hold up all guests. */
TEST(what_a_reset_or_a_move_costs_is_charged_to_its_guest)
{
    struct fake *f = *state;
    f->gtt->spent = 0;
    put_at(f, 0xd0000000);
    assert_true(f->gtt->spent >= 512);
    f->gtt->spent = 0;
    function_level_reset(f);
    assert_true(f->gtt->spent >= 1024);
    make_lazy(f);
    f->gtt->spent = 0;
    put_at(f, 0xd0000000);
    assert_int_equal(f->moves, 1);
    assert_true(f->gtt->spent >= f->gpu.gtt_entries / 512 * 16);
    f->gtt->spent = 0;
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x3c, 11, 1); /* the interrupt's line */
    assert_int_equal(f->gtt->spent, 0);
}

/* --- budgets ----------------------------------------------------------------------------- */

PLAIN_TEST(a_budget_comes_back_with_time)
{
    static const struct budget_rate rate = {.at_once = 3, .one_more_ns = 10};
    struct budget budget = {0};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(budget_take(&budget, &rate, 1000));
    }
    assert_false(budget_take(&budget, &rate, 1009));
    assert_true(budget_take(&budget, &rate, 1010));
    assert_false(budget_take(&budget, &rate, 1019));
    assert_false(budget_take(&budget, &rate, 5)); /* a clock that goes back gives nothing */
    assert_true(budget_take(&budget, &rate, UINT64_MAX));
    assert_true(budget_take(&budget, &rate, UINT64_MAX));
}
