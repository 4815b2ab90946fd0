/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The models of vGPU, a row each: PCI ids, sizes, fences, engines, blocks. */
#include "vgpu/models.h"

#include <string.h>

#include "gen/engines.h"
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"

static const struct reg_block *const gen8_blocks[] = {
    &block_ring,         &block_elsp,   &block_streamer, &block_engine_irq,
    &block_engine_reset, &block_irq,    &block_tlb,      &block_reset,
    &block_fences,       &block_pvinfo, &block_power,    &block_render,
    &block_display,      NULL,
};

/*
 * A class that is not VGA, because firmware and drivers take a VGA device of Intel's for one that
 * is passed through.
 */
static const struct vgpu_model models[] = {
    {
        .name = "broadwell-gt2",
        .pci_id = 0x16168086,
        .class_revision = 0x03800009, /* other display controller, revision 9 */
        .gtt_entries = 1u << 20,
        .fences = FENCES_MAX,
        .engine = engine_info,
        .block = gen8_blocks,
    },
};

const struct vgpu_model *vgpu_model_at(size_t n)
{
    return n < sizeof(models) / sizeof(models[0]) ? &models[n] : NULL;
}

const struct vgpu_model *vgpu_model(const char *name)
{
    const struct vgpu_model *model = NULL;
    for (size_t n = 0; (model = vgpu_model_at(n)) && name && strcmp(model->name, name) != 0;) {
        n++;
    }
    return model;
}
