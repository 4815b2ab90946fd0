/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The base addresses of the vGPU's PCI function, and what the host is told of them. */
#include "vgpu/bars.h"

#include <errno.h>
#include <string.h>

#include <xengt/types.h>

#include "vgpu/models.h"

#define APERTURE_LOW_MAX (UINT64_C(1) << 30)
#define APERTURE_HIGH    (UINT64_C(1) << 35)

/* Below the registers while that leaves most of the guest's low memory, else beyond its RAM. */
static uint64_t aperture_base(uint64_t mmio_base, uint64_t size)
{
    if (size > APERTURE_LOW_MAX || size > mmio_base) {
        return APERTURE_HIGH;
    }
    return (mmio_base - size) & ~(size - 1); /* it is a BAR */
}

void bars_init(struct vgpu *vgpu)
{
    const struct vgpu_config *c = &vgpu->cfg;
    uint64_t aperture = c->aperture_base;
    if (!aperture && !c->firmware) {
        aperture = aperture_base(c->mmio_base, c->aperture_size);
    }
    const struct vgpu_pci_config pci = {
        .id = vgpu->model->pci_id,
        .class_revision = vgpu->model->class_revision,
        .base =
            {
                [VGPU_BAR_MMIO] = c->mmio_base,
                [VGPU_BAR_APERTURE] = aperture,
            },
        .aperture_size = c->aperture_size,
        .gtt_entries = c->gtt.gpu->gtt_entries,
        .intx = c->firmware,
    };
    vgpu_pci_init(&vgpu->pci, &pci);
    if (c->take_up) {
        vgpu_pci_take_up(&vgpu->pci, vgpu->kept->config);
    } else {
        vgpu->kept->mmio_base = c->mmio_base;
    }
    memcpy(vgpu->kept->config, vgpu->pci.space, sizeof(vgpu->kept->config));
}

/* --- RAM --------------------------------------------------------------------------------- */

static uint64_t ggtt_frame(uint64_t mmio_base)
{
    return (mmio_base + VGPU_GTT_OFFSET) >> XENGT_PAGE_SHIFT;
}

static uint32_t ggtt_pages(const struct vgpu *vgpu)
{
    uint64_t bytes = vgpu->cfg.gtt.gpu->gtt_entries * sizeof(uint64_t);
    return (uint32_t)(bytes >> XENGT_PAGE_SHIFT);
}

int bars_add_ggtt_ram(struct vgpu *vgpu)
{
    const struct vgpu_config *c = &vgpu->cfg;
    uint64_t base = vgpu->kept->mmio_base;
    uint64_t first = base ? ggtt_frame(base) : VGPU_RAM_APART;
    return c->machine->add_ram(c->machine_arg, first, ggtt_pages(vgpu), &vgpu->ggtt_ram);
}

/* --- claims ------------------------------------------------------------------------------ */

/* With its GGTT in RAM, half of the registers' range is the guest's own. */
static uint64_t trapped_size(const struct vgpu *vgpu, enum vgpu_bar bar, uint64_t size)
{
    return bar == VGPU_BAR_MMIO && vgpu->ggtt_ram ? VGPU_GTT_OFFSET : size;
}

/* Of gtt_spend(), for each page. */
#define MOVE_UNITS 16u

/*
 * All of it at once, or not at all. Moving it is much for the machine to do, and firmware and
 * drivers do it once, if at all.
 */
static int move_ggtt_ram(struct vgpu *vgpu, uint64_t base)
{
    static const struct budget_rate rate = {.at_once = 16, .one_more_ns = UINT64_C(1000000000)};
    if (!vgpu->ggtt_ram || base == vgpu->kept->mmio_base) {
        return 0;
    }
    if (!budget_take(&vgpu->moves, &rate, vgpu_now_ns(vgpu))) {
        return -EAGAIN;
    }
    gtt_spend(vgpu->gtt, ggtt_pages(vgpu) * MOVE_UNITS);
    return vgpu->cfg.machine->move_ram(vgpu->cfg.machine_arg, ggtt_frame(base));
}

/* A BAR that cannot be where it was put is nowhere; the RAM stays where it is then. */
static int claim_bar(struct vgpu *vgpu, enum vgpu_bar bar)
{
    const struct vgpu_machine *machine = vgpu->cfg.machine;
    void *arg = vgpu->cfg.machine_arg;
    uint64_t base, size;
    if (!vgpu_pci_bar(&vgpu->pci, bar, &base, &size)) {
        return 0;
    }
    int ret = machine->claim(arg, bar, base, trapped_size(vgpu, bar, size));
    if (ret || bar != VGPU_BAR_MMIO) {
        return ret;
    }
    ret = move_ggtt_ram(vgpu, base);
    if (ret) {
        machine->claim(arg, bar, 0, 0);
    } else {
        vgpu->kept->mmio_base = base;
    }
    return ret;
}

/* All are let go of before one is claimed: it may be put where another was. */
int bars_claim(struct vgpu *vgpu)
{
    int first = 0;
    for (enum vgpu_bar bar = 0; bar < VGPU_BARS; bar++) {
        vgpu->cfg.machine->claim(vgpu->cfg.machine_arg, bar, 0, 0);
    }
    for (enum vgpu_bar bar = 0; bar < VGPU_BARS; bar++) {
        int ret = claim_bar(vgpu, bar);
        first = first ? first : ret;
    }
    return first;
}
