/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interrupts: from an engine's event, through masks and latches, to the guest. */
#include "vgpu_fake.h"

/* --- interrupts -------------------------------------------------------------------------- */

#define IMR(bank) (GT_IRQ(bank) + 4)
#define IIR(bank) (GT_IRQ(bank) + 8)
#define IER(bank) (GT_IRQ(bank) + 0xc)

static const struct {
    enum gpu_engine engine;
    unsigned bank, shift;
    uint32_t master;
} lines[] = {{GPU_RCS, 0, 0, 1}, {GPU_BCS, 0, 16, 2}, {GPU_VCS0, 1, 0, 4}, {GPU_VECS, 3, 0, 0x40}};

static void raise_event(struct fake *f, enum gpu_engine engine, enum engine_event event)
{
    irq_event(f->vgpu, &f->vgpu->engine[engine], event);
    irq_deliver(f->vgpu);
}

#define TEST(name) TEST_WITH(name, fake_setup, fake_teardown)

TEST(event_to_interrupt)
{
    struct fake *f = *state;
    static const enum engine_event events[] = {EVENT_USER, EVENT_ERROR, EVENT_NOTIFY,
                                               EVENT_CONTEXT_SWITCH};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            uint32_t bit = 1u << (events[k] + lines[i].shift);
            uint32_t base = engine_info[lines[i].engine].base;
            unsigned bank = lines[i].bank;
            vgpu_reset(f->vgpu);
            wr(f, IER(bank), bit);
            wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
            f->interrupts = 0;

            raise_event(f, lines[i].engine, events[k]); /* masked by the engine */
            assert_int_equal(rd(f, IIR(bank)), 0);
            wr(f, base + RING_IMR, ~bit);
            raise_event(f, lines[i].engine, events[k]); /* and by the bank */
            assert_int_equal(rd(f, IIR(bank)), 0);
            wr(f, IMR(bank), ~bit);
            raise_event(f, lines[i].engine, events[k]);
            assert_int_equal(f->interrupts, 1);
            assert_int_equal(rd(f, MASTER_IRQ), MASTER_IRQ_ENABLE | lines[i].master);
            assert_int_equal(rd(f, IIR(bank)), bit);
            wr(f, IIR(bank), bit);
            assert_int_equal(rd(f, IIR(bank)), 0);
            assert_int_equal(rd(f, MASTER_IRQ), MASTER_IRQ_ENABLE);
        }
    }
}

/* The handler of a driver, and what comes in between. */
TEST(interrupt_edges)
{
    struct fake *f = *state;
    enable_interrupts(f);
    raise_event(f, GPU_RCS, EVENT_USER);
    raise_event(f, GPU_BCS, EVENT_USER);
    assert_int_equal(f->interrupts, 1); /* the line is up */
    wr(f, MASTER_IRQ, 0);
    assert_int_equal(rd(f, MASTER_IRQ), 3);
    uint32_t iir = rd(f, IIR(0));
    assert_int_equal(iir, 0x10001);
    raise_event(f, GPU_RCS, EVENT_USER); /* again, before the write */
    raise_event(f, GPU_VECS, EVENT_CONTEXT_SWITCH);
    wr(f, IIR(0), iir);
    assert_int_equal(rd(f, IIR(0)), 1);
    assert_int_equal(f->interrupts, 1); /* not while the master is off */
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
    assert_int_equal(f->interrupts, 2);
    wr(f, MASTER_IRQ, 0);
    wr(f, IIR(0), 1);
    wr(f, IIR(3), 0x100);
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
    assert_int_equal(f->interrupts, 2);
    assert_int_equal(stats_of(f).interrupts, 2);
}

/* What came together is one interrupt. */
TEST(delivered_together)
{
    struct fake *f = *state;
    enable_interrupts(f);
    irq_event(f->vgpu, &f->vgpu->engine[GPU_RCS], EVENT_USER);
    irq_event(f->vgpu, &f->vgpu->engine[GPU_VECS], EVENT_CONTEXT_SWITCH);
    assert_int_equal(f->interrupts, 0);
    irq_deliver(f->vgpu);
    irq_deliver(f->vgpu);
    assert_int_equal(f->interrupts, 1);
    assert_int_equal(rd(f, MASTER_IRQ), MASTER_IRQ_ENABLE | 0x41);
}

TEST(interrupt_by_enabling)
{
    struct fake *f = *state;
    enable_interrupts(f);
    wr(f, IER(0), 0);
    raise_event(f, GPU_RCS, EVENT_USER);
    assert_int_equal(f->interrupts, 0);
    assert_int_equal(rd(f, MASTER_IRQ), MASTER_IRQ_ENABLE);
    wr(f, IER(0), 1);
    assert_int_equal(f->interrupts, 1);
}

/* Twice is as much as an IIR remembers. */
TEST(two_deep)
{
    struct fake *f = *state;
    enable_interrupts(f);
    for (int i = 0; i < 5; i++) {
        raise_event(f, GPU_VCS0, EVENT_USER);
    }
    wr(f, IIR(1), 1);
    assert_int_equal(rd(f, IIR(1)), 1);
    wr(f, IIR(1), 1);
    assert_int_equal(rd(f, IIR(1)), 0);
}

TEST(no_interrupt_callback)
{
    struct fake *f = *state;
    enable_interrupts(f);
    f->machine.inject_msi = NULL;
    raise_event(f, GPU_RCS, EVENT_USER);
    assert_int_equal(rd(f, IIR(0)), 1);
}

/* --- by the pin -------------------------------------------------------------------------- */

static int setup_firmware(void **state)
{
    fake_setup(state);
    struct fake *f = *state;
    f->config.firmware = true;
    vgpu_destroy(f->vgpu);
    assert_int_equal(vgpu_create(&f->config, &f->vgpu), 0);
    assert_int_equal(vgpu_plug_in(f->vgpu), 0);
    f->gtt = f->vgpu->gtt;
    enable_interrupts(f);
    return 0;
}

#define PIN_TEST(name) TEST_WITH(name, setup_firmware, fake_teardown)

static void put_command(struct fake *f, uint32_t command)
{
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x04, command, 2);
}

PIN_TEST(the_pin_is_asserted_while_there_is_something)
{
    struct fake *f = *state;
    raise_event(f, GPU_RCS, EVENT_USER);
    assert_true(f->intx);
    raise_event(f, GPU_BCS, EVENT_USER);
    assert_int_equal(f->intx_changes, 1);
    assert_int_equal(f->interrupts, 0); /* no message */
    wr(f, IIR(0), 1);
    assert_true(f->intx);
    wr(f, MASTER_IRQ, 0); /* as a handler does first */
    assert_false(f->intx);
    wr(f, IIR(0), 1u << 16);
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
    assert_false(f->intx);
    assert_int_equal(f->intx_changes, 2);
}

PIN_TEST(the_pin_follows_what_the_driver_chooses)
{
    struct fake *f = *state;
    raise_event(f, GPU_RCS, EVENT_USER);
    put_command(f, 0x402);
    assert_false(f->intx);
    put_command(f, 2);
    assert_true(f->intx);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x92, 1, 2);
    assert_false(f->intx);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x92, 0, 2);
    assert_true(f->intx);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0xa8, 1, 1); /* a function level reset */
    assert_false(f->intx);
}

PIN_TEST(the_pin_is_let_go_of_at_the_end)
{
    struct fake *f = *state;
    raise_event(f, GPU_RCS, EVENT_USER);
    vgpu_end(f->vgpu);
    assert_false(f->intx);
}

/* Xen has it asserted still; whether it is to be is for the registers to say. */
PIN_TEST(a_predecessors_pin)
{
    struct fake *f = *state;
    raise_event(f, GPU_RCS, EVENT_USER);
    fake_kill(f);
    fake_start_again(f);
    f->gtt = f->vgpu->gtt;
    assert_false(f->intx);
    vgpu_check(f->vgpu);
    assert_true(f->intx);
    wr(f, IIR(0), 1);
    assert_false(f->intx);
}

TEST(no_pin_without_firmware)
{
    struct fake *f = *state;
    enable_interrupts(f);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x92, 0, 2);
    raise_event(f, GPU_RCS, EVENT_USER);
    assert_int_equal(f->intx_changes, 0);
}
