/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The execlist submit port, what it tells, and the registers that contexts are loaded into. */
#include "gen/context.h"
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"
#include "vgpu/submit/engine.h"
#include "vgpu/submit/execlist.h"

/* Four stores make a submission: the second context's upper and lower half, then the first's. */
static void write_port(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)old;
    struct execlist *list = &at->engine->kept->execlist;
    *vgpu_reg(vgpu, at->offset) = 0; /* reads 0: it is a port */
    if (!engine_uses_execlists(vgpu, at->engine) || engine_is_lost(at->engine)) {
        vgpu->stats.dropped++;
        return;
    }
    at->engine->kept->unsure = true;
    list->port[list->ports++] = now;
    if (list->ports < 4) {
        return;
    }
    list->ports = 0;
    struct execlist_slot slot = {{
        (uint64_t)list->port[2] << 32 | list->port[3],
        (uint64_t)list->port[0] << 32 | list->port[1],
    }};
    execlist_submit(vgpu, at->engine, &slot);
    engine_run(vgpu, at->engine);
}

static uint32_t read_status(struct vgpu *vgpu, const struct reg_at *at)
{
    (void)vgpu;
    return at->index ? execlist_context_id(&at->engine->kept->execlist)
                     : execlist_status(&at->engine->kept->execlist);
}

static const struct reg rows[] = {
    {RING_CCID, 1, 0, 0, 0, NULL, NULL},
    {RING_BB_PER_CTX_PTR, 1, 0, 0, 0, NULL, NULL},
    {RING_INDIRECT_CTX, 1, 0, 0, 0, NULL, NULL},
    {RING_INDIRECT_OFFSET, 1, 0, 0, 0, NULL, NULL},
    {RING_ELSP, 1, 0, 0, 0, NULL, write_port},
    {RING_EXECLIST_STATUS, 2, REG_RO, 0, 0, read_status, NULL},
    {RING_CTX_CONTROL, 1, 0, 0, 0, NULL, NULL},
    {RING_PDP0_LDW, 8, 0, 0, 0, NULL, NULL},
    {RING_CSB, 2 * CSB_ENTRIES, REG_RO, 0, 0, NULL, NULL},
    {RING_CSB_PTR, 1, 0, CSB_PTR_NONE_YET, 0, NULL, NULL},
    {RING_CTX_TIMESTAMP, 1, 0, 0, 0, NULL, NULL},
};

REG_BLOCK_OF_ENGINE(block_elsp, "execlists", rows);
