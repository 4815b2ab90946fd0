/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MI commands that move values between memory, registers and the command itself. */

#include "gpu/soft/executors.h"
#include "gpu/soft/soft.h"

static enum mem_space space_of(const uint32_t *dw)
{
    return dw[0] & MI_USE_GGTT ? MEM_GGTT : MEM_PPGTT;
}

/* As many dwords as there are; i915 writes page tables a thousand at a time. */
int mi_store_data_imm(struct cs_engine *engine, const uint32_t *dw)
{
    return mem_write(engine, space_of(dw), cs_address(dw + 1, ~3u), dw + 3,
                     (engine->length - 3) * 4);
}

int mi_store_data_index(struct cs_engine *engine, const uint32_t *dw)
{
    uint64_t address = engine->work->status_page + (dw[1] & (POST_SYNC_INDEX | 4));

    return mem_write(engine, MEM_GGTT, address, dw + 2, (engine->length - 2) * 4);
}

int mi_load_register_imm(struct cs_engine *engine, const uint32_t *dw)
{
    for (uint32_t i = 1; i < engine->length; i += 2) {
        cs_reg_store(engine, dw[i], dw[i + 1]);
    }
    return CS_DONE;
}

int mi_load_register_mem(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t value = 0;
    int ret = mem_read(engine, space_of(dw), cs_address(dw + 2, ~3u), &value, sizeof(value));

    if (ret == 0) {
        cs_reg_store(engine, dw[1], value);
    }
    return ret;
}

int mi_load_register_reg(struct cs_engine *engine, const uint32_t *dw)
{
    cs_reg_store(engine, dw[2], cs_reg_load(engine, dw[1]));
    return CS_DONE;
}

int mi_store_register_mem(struct cs_engine *engine, const uint32_t *dw)
{
    uint32_t value = cs_reg_load(engine, dw[1]);

    if ((dw[0] & SRM_PREDICATED) && !(cs_reg_get(engine, RING_PREDICATE_RESULT) & 1)) {
        return CS_DONE;
    }
    return mem_write(engine, space_of(dw), cs_address(dw + 2, ~3u), &value, sizeof(value));
}

int mi_copy_mem_mem(struct cs_engine *engine, const uint32_t *dw)
{
    enum mem_space from = dw[0] & COPY_FROM_GGTT ? MEM_GGTT : MEM_PPGTT;
    enum mem_space to = dw[0] & COPY_TO_GGTT ? MEM_GGTT : MEM_PPGTT;
    uint32_t value = 0;
    int ret = mem_read(engine, from, cs_address(dw + 3, ~3u), &value, sizeof(value));

    return ret ? ret : mem_write(engine, to, cs_address(dw + 1, ~3u), &value, sizeof(value));
}
