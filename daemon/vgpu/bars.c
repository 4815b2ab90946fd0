/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The base addresses of the vGPU's PCI function, and what the host is told of them. */
#include "vgpu/bars.h"

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
    const struct vgpu_pci_config pci = {
        .id = vgpu->model->pci_id,
        .class_revision = vgpu->model->class_revision,
        .base =
            {
                [VGPU_BAR_MMIO] = c->mmio_base,
                [VGPU_BAR_APERTURE] = aperture_base(c->mmio_base, c->aperture_size),
            },
        .aperture_size = c->aperture_size,
        .gtt_entries = c->gtt.gpu->gtt_entries,
    };
    vgpu_pci_init(&vgpu->pci, &pci);
    vgpu->mmio_base = c->mmio_base;
}

/* --- RAM --------------------------------------------------------------------------------- */

static uint64_t ggtt_frame(uint64_t mmio_base)
{
    return (mmio_base + VGPU_GTT_OFFSET) >> XENGT_PAGE_SHIFT;
}

int bars_add_ggtt_ram(struct vgpu *vgpu)
{
    const struct vgpu_config *c = &vgpu->cfg;
    uint64_t bytes = c->gtt.gpu->gtt_entries * sizeof(uint64_t);
    return c->machine->add_ram(c->machine_arg, ggtt_frame(vgpu->mmio_base),
                               (uint32_t)(bytes >> XENGT_PAGE_SHIFT), &vgpu->ggtt_ram);
}

/* --- claims ------------------------------------------------------------------------------ */

/* With its GGTT in RAM, half of the registers' range is the guest's own. */
static uint64_t trapped_size(const struct vgpu *vgpu, enum vgpu_bar bar, uint64_t size)
{
    return bar == VGPU_BAR_MMIO && vgpu->ggtt_ram ? VGPU_GTT_OFFSET : size;
}

static int claim_bar(struct vgpu *vgpu, enum vgpu_bar bar)
{
    const struct vgpu_machine *machine = vgpu->cfg.machine;
    void *arg = vgpu->cfg.machine_arg;
    uint64_t base, size;
    int ret = 0;

    if (!vgpu_pci_bar(&vgpu->pci, bar, &base, &size)) {
        return machine->claim(arg, bar, 0, 0);
    }
    if (bar == VGPU_BAR_MMIO && vgpu->ggtt_ram && base != vgpu->mmio_base) {
        ret = machine->move_ram(arg, ggtt_frame(base));
    }
    if (!ret) {
        ret = machine->claim(arg, bar, base, trapped_size(vgpu, bar, size));
    }
    if (!ret && bar == VGPU_BAR_MMIO) {
        vgpu->mmio_base = base;
    }
    return ret;
}

int bars_claim(struct vgpu *vgpu)
{
    int ret = 0;
    for (enum vgpu_bar bar = 0; bar < VGPU_BARS && !ret; bar++) {
        ret = claim_bar(vgpu, bar);
    }
    return ret;
}
