/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interrupts: from an engine's event to the vGPU's one interrupt line.
 *
 *   event → RING_IMR of the engine → IMR of its bank → IIR → IER → master enable → the guest
 *
 * An IIR bit that is set when its event comes again is set once more after it was cleared: an
 * event between the guest's read of IIR and its write of the same value is not lost.
 */
#include "vgpu/blocks/irq.h"

#include <string.h>

#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"

#define ISR 0x0u
#define IMR 0x4u
#define IIR 0x8u
#define IER 0xcu

static uint32_t *bank_reg(struct vgpu *vgpu, unsigned bank, uint32_t which)
{
    return vgpu_reg(vgpu, GT_IRQ(bank) + which);
}

/* The bits of the master register: which halves of which banks have something to say. */
static uint32_t pending(struct vgpu *vgpu)
{
    uint32_t bits = 0;
    for (int e = 0; e < GPU_ENGINES; e++) {
        const struct engine_info *info = vgpu->engine[e].info;
        uint32_t active =
            *bank_reg(vgpu, info->irq_bank, IIR) & *bank_reg(vgpu, info->irq_bank, IER);
        if (active >> info->irq_shift & 0xffff) {
            bits |= info->irq_master;
        }
    }
    return bits;
}

/* An interrupt nobody wants is not kept: the registers still say why there was one. */
static void inject(struct vgpu *vgpu)
{
    uint64_t address;
    uint32_t data;
    if (vgpu->cfg.machine->inject_msi && vgpu_pci_msi(&vgpu->pci, &address, &data)) {
        vgpu->cfg.machine->inject_msi(vgpu->cfg.machine_arg, address, data);
    }
}

static void set_pin(struct vgpu *vgpu, bool asserted)
{
    vgpu->intx = asserted;
    if (vgpu->cfg.machine->set_intx) {
        vgpu->cfg.machine->set_intx(vgpu->cfg.machine_arg, asserted);
    }
}

/* By a message the guest is told when there begins to be something to tell; by its pin, while it
 * is. */
void irq_deliver(struct vgpu *vgpu)
{
    bool raise = *vgpu_reg(vgpu, MASTER_IRQ) & MASTER_IRQ_ENABLE && pending(vgpu) && !vgpu->failed;
    if (raise && !vgpu->irq_raised) {
        vgpu->stats.interrupts++;
        inject(vgpu);
    }
    vgpu->irq_raised = raise;
    bool asserted = vgpu_pci_intx(&vgpu->pci, raise);
    if (asserted != vgpu->intx) {
        set_pin(vgpu, asserted);
    }
}

void irq_take_up(struct vgpu *vgpu)
{
    if (vgpu->cfg.firmware) {
        set_pin(vgpu, false);
    }
}

void irq_event(struct vgpu *vgpu, const struct vgpu_engine *engine, enum engine_event event)
{
    const struct engine_info *info = engine->info;
    uint32_t bit = 1u << (event + info->irq_shift);
    uint32_t *iir = bank_reg(vgpu, info->irq_bank, IIR);
    if (vgpu->failed || *engine_reg(vgpu, engine, RING_IMR) & bit ||
        *bank_reg(vgpu, info->irq_bank, IMR) & bit) {
        return;
    }
    vgpu->kept->irq_again[info->irq_bank] |= *iir & bit;
    *iir |= bit;
}

static void write_iir(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    unsigned bank = (at->offset - GT_IRQ(0)) / 0x10;
    uint32_t again = vgpu->kept->irq_again[bank] & old & ~now;
    vgpu->kept->irq_again[bank] &= ~again;
    *vgpu_reg(vgpu, at->offset) |= again;
    irq_deliver(vgpu);
}

static void write_enable(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)at;
    (void)old;
    (void)now;
    irq_deliver(vgpu);
}

static uint32_t read_master(struct vgpu *vgpu, const struct reg_at *at)
{
    return *vgpu_reg(vgpu, at->offset) | pending(vgpu);
}

void irq_reset(struct vgpu *vgpu)
{
    memset(vgpu->kept->irq_again, 0, sizeof(vgpu->kept->irq_again));
    vgpu->irq_raised = false;
}

/* Each of an engine's: its mask, and the errors that are one of its events. */
static const struct reg engine_rows[] = {
    {RING_IMR, 1, 0, UINT32_MAX, 0, NULL, NULL},
    {RING_EIR, 1, REG_W1C, 0, 0, NULL, NULL},
    {RING_EMR, 1, 0, UINT32_MAX, 0, NULL, NULL},
    {RING_ESR, 1, REG_RO, 0, 0, NULL, NULL},
};

/* Nothing stays in the ISR of a bank. */
#define BANK(bank)                                               \
    {GT_IRQ(bank) + ISR, 1, REG_RO, 0, 0, NULL, NULL},           \
        {GT_IRQ(bank) + IMR, 1, 0, UINT32_MAX, 0, NULL, NULL},   \
        {GT_IRQ(bank) + IIR, 1, REG_W1C, 0, 0, NULL, write_iir}, \
    {                                                            \
        GT_IRQ(bank) + IER, 1, 0, 0, 0, NULL, write_enable       \
    }

static const struct reg rows[] = {
    {MASTER_IRQ, 1, 0, 0, ~MASTER_IRQ_ENABLE, read_master, write_enable},
    BANK(0),
    BANK(1),
    BANK(2),
    BANK(3),
};

REG_BLOCK_OF_ENGINE(block_engine_irq, "engine interrupts", engine_rows);
REG_BLOCK(block_irq, "interrupts", rows);
