/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checks of where commands lead: addresses, registers, batches. */
#include "vgpu/audit/checks.h"

#include <inttypes.h>

#include "gen/register_rules.h"
#include "vgpu/failsafe.h"

static uint64_t address_at(const uint32_t *dw, uint32_t low_mask)
{
    return (uint64_t)dw[1] << 32 | (dw[0] & low_mask);
}

/* --- memory ------------------------------------------------------------------------------ */

static bool check_ggtt(const struct audit_command *c, uint64_t address, uint64_t size)
{
    return vgpu_owns(c->audit->vgpu, address, size) ||
           audit_refuse(c, "%" PRIu64 " bytes at 0x%" PRIx64 " lie outside the vGPU's windows",
                        size, address);
}

/* An address in the table that the command names. */
static bool check_address(const struct audit_command *c, bool ggtt, uint64_t address, uint64_t size)
{
    if (ggtt) {
        return check_ggtt(c, address, size);
    }
    return c->audit->ppgtt ||
           audit_refuse(c, "0x%" PRIx64 " in a PPGTT that is not there", address);
}

/* In the global GTT only one value at a time: no hardware is asked to do more there. */
static bool check_store_data_imm(const struct audit_command *c)
{
    uint32_t length = c->dw[0] & SDI_QWORDS ? 5 : 4;
    if (c->dw[0] & MI_USE_GGTT && c->length != length) {
        return audit_refuse(c, "%u dwords for one value in the global GTT", c->length);
    }
    return check_address(c, c->dw[0] & MI_USE_GGTT, address_at(c->dw + 1, ~3u),
                         (c->length - 3) * 4);
}

static bool check_atomic(const struct audit_command *c)
{
    bool qword = ATOMIC_OPCODE(c->dw[0]) & ATOMIC_QWORD;
    if (ATOMIC_DATA_SIZE(c->dw[0]) != (qword ? ATOMIC_SIZE_QWORD : ATOMIC_SIZE_DWORD)) {
        return audit_refuse(c, "0x%08x: another size than its operation's", c->dw[0]);
    }
    return check_address(c, c->dw[0] & MI_USE_GGTT, address_at(c->dw + 1, ~3u), qword ? 8 : 4);
}

/* Its memory is what the pipeline's state points to: only a PPGTT makes that the guest's own. */
static bool check_pipeline(const struct audit_command *c)
{
    return c->audit->ppgtt || audit_refuse(c, "needs a PPGTT, and there is none");
}

/* --- registers --------------------------------------------------------------------------- */

static bool check_load(const struct audit_command *c, uint32_t dw, uint32_t value)
{
    uint32_t offset = dw & MI_REGISTER_OFFSET;
    return register_may_load(c->audit->engine->id, offset, value) ||
           audit_refuse(c, "register 0x%x may not be loaded with 0x%x", offset, value);
}

/* What is loaded is known to nobody before it is. */
static bool check_load_any(const struct audit_command *c, uint32_t dw)
{
    uint32_t offset = dw & MI_REGISTER_OFFSET;
    return register_may_load_any(c->audit->engine->id, offset) ||
           audit_refuse(c, "register 0x%x may not be loaded with anything", offset);
}

static bool check_store(const struct audit_command *c, uint32_t dw)
{
    uint32_t offset = dw & MI_REGISTER_OFFSET;
    return register_may_store(c->audit->engine->id, offset) ||
           audit_refuse(c, "register 0x%x may not be stored", offset);
}

static bool check_load_register_imm(const struct audit_command *c)
{
    for (uint32_t i = 1; i < c->length; i += 2) {
        if (!check_load(c, c->dw[i], c->dw[i + 1])) {
            return false;
        }
    }
    return true;
}

static bool check_load_register_reg(const struct audit_command *c)
{
    return check_store(c, c->dw[1]) && check_load_any(c, c->dw[2]);
}

static bool check_load_register_mem(const struct audit_command *c)
{
    return check_load_any(c, c->dw[1]) &&
           check_address(c, c->dw[0] & MI_USE_GGTT, address_at(c->dw + 2, ~3u), 4);
}

/* Only the render engine has predicates. */
static bool check_predicated(const struct audit_command *c, uint32_t bit)
{
    return !(c->dw[0] & bit) || c->audit->engine->id == GPU_RCS ||
           audit_refuse(c, "predicated, on an engine without predicates");
}

static bool check_store_register_mem(const struct audit_command *c)
{
    return check_predicated(c, SRM_PREDICATED) && check_store(c, c->dw[1]) &&
           check_address(c, c->dw[0] & MI_USE_GGTT, address_at(c->dw + 2, ~3u), 4);
}

/* --- flushes ----------------------------------------------------------------------------- */

/*
 * Relative to the status page of the context, or of the engine when there is no context; with or
 * without the bit for the global GTT. What the GPU itself writes there is not for commands.
 */
static bool check_index(const struct audit_command *c, uint64_t offset)
{
    const struct audit *a = c->audit;
    if (offset < STATUS_PAGE_FREE || offset > STATUS_PAGE_SIZE - POST_SYNC_SIZE) {
        return audit_refuse(c, "0x%" PRIx64 " is not in the free part of the status page", offset);
    }
    uint32_t page = *engine_reg(a->vgpu, a->engine, RING_HWS_PGA);
    return a->context.has_image || check_ggtt(c, page, STATUS_PAGE_SIZE);
}

static bool check_flush_dw(const struct audit_command *c)
{
    uint64_t address = address_at(c->dw + 1, ~7u);
    if (POST_SYNC(c->dw[0]) == POST_SYNC_NONE) {
        return true;
    }
    if (c->dw[0] & FLUSH_STORE_INDEX) {
        return check_index(c, address);
    }
    return check_address(c, c->dw[1] & FLUSH_USE_GGTT, address, POST_SYNC_SIZE);
}

static bool check_pipe_control(const struct audit_command *c)
{
    uint64_t address = address_at(c->dw + 2, ~3u);
    bool stores = POST_SYNC(c->dw[1]) != POST_SYNC_NONE;
    if (c->dw[1] & PIPE_LOAD) { /* the address is a register's */
        return stores ? audit_refuse(c, "loads a register and stores, too")
                      : check_load(c, c->dw[2], c->dw[4]);
    }
    if (!stores) {
        return true;
    }
    if (c->dw[1] & PIPE_STORE_INDEX) {
        return check_index(c, address);
    }
    return check_address(c, c->dw[1] & PIPE_USE_GGTT, address, POST_SYNC_SIZE);
}

/* --- batches ----------------------------------------------------------------------------- */

static bool check_batch_buffer_start(const struct audit_command *c)
{
    uint64_t address = address_at(c->dw + 1, ~3u);
    if (c->dw[0] & BBS_SECOND_LEVEL && c->buffer->kind != AUDIT_BATCH) {
        return audit_refuse(c, "second-level batch, but there is no first");
    }
    if (!check_predicated(c, BBS_PREDICATED)) {
        return false;
    }
    if (c->dw[0] & BBS_PPGTT) {
        return check_address(c, false, address, 4);
    }
    return check_ggtt(c, address, 4) && audit_start_batch(c, address);
}

/* --- blits ------------------------------------------------------------------------------- */

/* A surface as a blit describes it: from the top left pixel to the one behind the bottom right. */
struct surface {
    uint64_t base;
    int32_t pitch; /* bytes */
    int16_t x1, y1;
    uint32_t width, height; /* pixels */
    uint32_t depth;         /* bytes of a pixel */
};

static bool check_surface(const struct audit_command *c, const struct surface *s)
{
    int64_t first = (int64_t)s->y1 * s->pitch + (int64_t)s->x1 * s->depth;
    int64_t last = first + (int64_t)(s->height - 1) * s->pitch;
    int64_t low = first < last ? first : last;
    int64_t high = (first < last ? last : first) + (int64_t)s->width * s->depth;
    return check_ggtt(c, s->base + (uint64_t)low, (uint64_t)(high - low));
}

static uint32_t depth_of(uint32_t br13)
{
    static const uint32_t bytes[] = {1, 2, 2, 4};
    return bytes[BR13_DEPTH(br13)];
}

/* In a PPGTT a blit cannot leave the guest's memory, and no window has to be kept. */
static bool check_blt(const struct audit_command *c, bool has_source)
{
    const uint32_t *dw = c->dw;
    struct surface dst = {
        .base = address_at(dw + 4, UINT32_MAX),
        .pitch = (int16_t)dw[1],
        .x1 = (int16_t)dw[2],
        .y1 = (int16_t)(dw[2] >> 16),
        .depth = depth_of(dw[1]),
    };
    int32_t width = (int16_t)dw[3] - dst.x1;
    int32_t height = (int16_t)(dw[3] >> 16) - dst.y1;
    if (c->audit->ppgtt || width <= 0 || height <= 0) {
        return true;
    }
    if (dw[0] & (BLT_TILED_DST | BLT_TILED_SRC)) {
        return audit_refuse(c, "tiled surfaces in the global GTT");
    }
    dst.width = width;
    dst.height = height;
    if (!has_source) {
        return check_surface(c, &dst);
    }
    struct surface src = dst;
    src.base = address_at(dw + 8, UINT32_MAX);
    src.pitch = (int16_t)dw[7];
    src.x1 = (int16_t)dw[6];
    src.y1 = (int16_t)(dw[6] >> 16);
    return check_surface(c, &dst) && check_surface(c, &src);
}

/* --- all of them ------------------------------------------------------------------------- */

bool check_command(const struct audit_command *c)
{
    switch (c->known->id) {
    case CMD_STATE:
        return check_pipeline(c);
    case CMD_PIPE_CONTROL:
        return check_pipe_control(c);
    case CMD_MI_STORE_DATA_IMM:
        return check_store_data_imm(c);
    case CMD_MI_LOAD_REGISTER_IMM:
        return check_load_register_imm(c);
    case CMD_MI_LOAD_REGISTER_MEM:
        return check_load_register_mem(c);
    case CMD_MI_LOAD_REGISTER_REG:
        return check_load_register_reg(c);
    case CMD_MI_STORE_REGISTER_MEM:
        return check_store_register_mem(c);
    case CMD_MI_FLUSH_DW:
        return check_flush_dw(c);
    case CMD_MI_ATOMIC:
        return check_atomic(c);
    case CMD_MI_BATCH_BUFFER_START:
        return check_batch_buffer_start(c);
    case CMD_XY_COLOR_BLT:
        return check_blt(c, false);
    case CMD_XY_SRC_COPY_BLT:
        return check_blt(c, true);
    default:
        return true;
    }
}
