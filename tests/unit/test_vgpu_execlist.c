/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Execlists: what the guest hears in the context status buffer, and what it may submit. */
#include <stdlib.h>

#include "vgpu/submit/execlist.h"
#include "vgpu_fake.h"

#define TEST(name) TEST_WITH(name, blitter_setup, fake_teardown)

/* --- the rules of the context status buffer ---------------------------------------------- */

TEST(one_context)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1);
    expect_no_entry(f, read);
    for (unsigned i = 0; i < EXECLIST_PATIENCE; i++) {
        vgpu_check(f->vgpu); /* the GPU may soon be through, which would be told with it */
        expect_no_entry(f, read);
        assert_true(took_interrupt(f, 0));
    }
    vgpu_check(f->vgpu);
    assert_true(took_interrupt(f, BCS_SWITCH)); /* it is not */
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xa);
    assert_true(took_interrupt(f, BCS_SWITCH));
    expect_no_entry(f, read);
    vgpu_check(f->vgpu);
    expect_no_entry(f, read);
}

TEST(short_work_is_one_interrupt)
{
    struct fake *f = *state;
    unsigned read = 5, before = f->interrupts;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    f->gtt->state[GPU_BCS].user_interrupts++;
    complete(f, GPU_BCS);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_entry(f, &read, TO_IDLE, 0xa);
    assert_int_equal(f->interrupts, before + 1);
    assert_true(took_interrupt(f, BCS_USER | BCS_SWITCH));
}

TEST(two_contexts)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 8);
    submit_list(f, GPU_BCS, A, B);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    complete(f, GPU_BCS);
    expect_entry(f, &read, NEXT_ELEMENT, 0xa);
    assert_int_equal(f->gtt->work[GPU_BCS].w.context, IMAGE_B);
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xb);
    expect_no_entry(f, read);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 2);
}

TEST(waiting_list)
{
    struct fake *f = *state;
    unsigned read = 5, interrupts;

    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 8);
    submit_list(f, GPU_BCS, A, 0);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    took_interrupt(f, 0);
    interrupts = f->interrupts;
    submit_list(f, GPU_BCS, B, 0);
    expect_no_entry(f, read);
    assert_int_equal(f->interrupts, interrupts);
    assert_int_equal(rd(f, BCS + 0x234) & 4, 4);
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xa);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_no_entry(f, read);
    assert_int_equal(f->interrupts, interrupts + 1); /* one for both */
    assert_int_equal(rd(f, BCS + 0x234) & 4, 0);
    assert_int_equal(rd(f, BCS + 0x238), 0xb);
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xb);
}

TEST(lite_restore)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 8);
    submit_list(f, GPU_BCS, A, 0);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    set_tail(f, IMAGE_A, 40);
    submit_list(f, GPU_BCS, A, B);
    expect_entry(f, &read, LITE_RESTORE, 0xa);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 1); /* the GPU is busy still */
    complete(f, GPU_BCS);
    expect_no_entry(f, read);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 2);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].address, RING_A + 16);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].count, 6);
    complete(f, GPU_BCS);
    expect_entry(f, &read, NEXT_ELEMENT, 0xa);
    set_tail(f, IMAGE_B, 24);
    submit_list(f, GPU_BCS, B, 0); /* the second element, and the last one */
    expect_entry(f, &read, LITE_RESTORE, 0xb);
    complete(f, GPU_BCS);
    expect_no_entry(f, read);
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xb);
}

/* The first of two: not a lite restore, whatever its name. */
TEST(no_lite_restore_of_the_first)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    set_tail(f, IMAGE_B, 8);
    submit_list(f, GPU_BCS, A, B);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    submit_list(f, GPU_BCS, A, 0);
    expect_no_entry(f, read);
    complete(f, GPU_BCS);
    expect_entry(f, &read, NEXT_ELEMENT, 0xa);
    complete(f, GPU_BCS);
    expect_entry(f, &read, TO_IDLE, 0xb);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_entry(f, &read, TO_IDLE, 0xa); /* there is nothing more in its ring */
    expect_no_entry(f, read);
}

TEST(empty_context)
{
    struct fake *f = *state;
    unsigned read = 5;

    submit_list(f, GPU_BCS, A, B);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    expect_entry(f, &read, NEXT_ELEMENT, 0xa);
    expect_entry(f, &read, TO_IDLE, 0xb);
    expect_no_entry(f, read);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
}

static unsigned order;

/* What is in memory at the moment of each store: the entry, then the pointer. */
static void watch_order(struct gtt *gtt, uint64_t address, size_t size)
{
    (void)gtt;
    if (address >= HWSP + 0x40 && address < HWSP + 0x70) {
        assert_int_equal(size, 8);
        assert_int_equal(order++, 0);
    } else if (address == HWSP + 0x7c) {
        assert_int_equal(size, 4);
        assert_int_equal(order++, 1);
    }
}

static void interrupt_in_order(void *arg, uint64_t address, uint32_t data)
{
    (void)arg;
    (void)address;
    (void)data;
    assert_int_equal(order++, 2);
}

TEST(order_of_an_event)
{
    struct fake *f = *state;

    f->gtt->on_memory_write = watch_order;
    f->machine.inject_msi = interrupt_in_order;
    order = 0;
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    for (unsigned i = 0; i <= EXECLIST_PATIENCE; i++) {
        vgpu_check(f->vgpu);
    }
    assert_int_equal(order, 3);
}

TEST(pointer_after_reset)
{
    struct fake *f = *state;
    unsigned read = 5;

    submit_list(f, GPU_BCS, A, B);
    wr(f, GDRST, 8);
    assert_int_equal(rd(f, BCS + RING_CSB_PTR), 7);
    enable_execlists(f, GPU_BCS, HWSP);
    assert_int_equal(rd(f, BCS + RING_CSB_PTR), 0x505);
    poke(f, HWSP + 0x7c, 5);
    submit_list(f, GPU_BCS, A, 0);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    assert_int_equal(read, 0);
}

/* A status page that is not there costs the entries in memory, nothing else. */
TEST(no_status_page)
{
    struct fake *f = *state;

    f->gtt->hole[0] = true;
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    assert_int_equal(rd(f, BCS + 0x370), IDLE_TO_ACTIVE);
    assert_well(f);
}

/* --- submission -------------------------------------------------------------------------- */

TEST(wide_stores)
{
    struct fake *f = *state;
    unsigned read = 5;

    set_tail(f, IMAGE_A, 16);
    vgpu_mmio_write(f->vgpu, BCS + RING_ELSP, B, 8);
    vgpu_mmio_write(f->vgpu, BCS + RING_ELSP, A, 8);
    expect_entry(f, &read, IDLE_TO_ACTIVE, 0);
    assert_int_equal(rd(f, BCS + 0x238), 0xa);
    assert_int_equal(rd(f, BCS + 0x230), 0);
}

TEST(descriptors)
{
    struct fake *f = *state;
    static const struct {
        uint64_t first, second;
        const char *reason;
    } bad[] = {
        {A & ~UINT64_C(1), 0, "0xa00400118 is not valid"},
        {0, B, "0x0 is not valid"},
        {A & ~UINT64_C(0x100), 0, "without a PPGTT"},
        {A, B & ~UINT64_C(0x100), "without a PPGTT"},
        {A & ~UINT64_C(0x18), 0, "addressing mode"},
        {(A & ~UINT64_C(0x18)) | 0x10, 0, "addressing mode"},
        {DESCRIPTOR(OUTSIDE, 1), 0, "outside the vGPU's windows"},
        {DESCRIPTOR(OUTSIDE - PAGE, 1), 0, "outside the vGPU's windows"},
        {A, DESCRIPTOR(0, 1), "outside the vGPU's windows"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        vgpu_reset(f->vgpu);
        enable_execlists(f, GPU_BCS, HWSP);
        submit_list(f, GPU_BCS, bad[i].first, bad[i].second);
        assert_failsafe(f, bad[i].reason);
        assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
    }
}

TEST(third_list)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    submit_list(f, GPU_BCS, B, 0);
    assert_well(f);
    submit_list(f, GPU_BCS, C, 0);
    assert_failsafe(f, "third list");
}

TEST(port_without_execlists)
{
    struct fake *f = *state;

    wr(f, BCS + RING_MODE, 0x80000000);
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    assert_int_equal(f->gtt->submissions[GPU_BCS], 0);
    assert_well(f);
}

/* Whatever is written to the port, the worst is failsafe. */
TEST(port_torture)
{
    struct fake *f = *state;
    static const uint64_t parts[] = {
        A, B, C, 0, A | 4, UINT64_MAX, 1, 0x101, 0x119, DESCRIPTOR(HWSP, 9), A & ~UINT64_C(1)};

    srand(7);
    set_tail(f, IMAGE_A, 24);
    set_tail(f, IMAGE_B, 0x1000); /* beyond the ring */
    for (int i = 0; i < 20000; i++) {
        if (rand() % 8 == 0) {
            wr(f, BCS + RING_ELSP, rand());
        } else {
            submit_list(f, GPU_BCS, parts[rand() % 11], parts[rand() % 11]);
        }
        if (rand() % 3 == 0) {
            complete(f, GPU_BCS);
        }
        if (rand() % 16 == 0) {
            wr(f, GDRST, rand() % 16);
        }
        if (vgpu_failsafe(f->vgpu) && rand() % 2) {
            vgpu_reset(f->vgpu);
            enable_execlists(f, GPU_BCS, HWSP);
            set_tail(f, IMAGE_B, rand() % 2 ? 8 : 0x1000);
        }
    }
}
