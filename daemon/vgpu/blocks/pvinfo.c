/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PVINFO page: what a guest driver learns about its vGPU, and tells it. */
#include "vgpu/blocks/pvinfo.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <syslog.h>

#include <xengt/types.h>

#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"
#include "vgpu/device.h"
#include "vgpu/failsafe.h"

/* Codes of g2v_notify. */
enum notification {
    NOTIFY_L3_CREATE = 2,
    NOTIFY_L3_DESTROY,
    NOTIFY_L4_CREATE,
    NOTIFY_L4_DESTROY,
    NOTIFY_CONTEXT_CREATE,
    NOTIFY_CONTEXT_DESTROY,
};

void pvinfo_init(struct vgpu *vgpu)
{
    const struct vgpu_config *c = &vgpu->cfg;
    const struct {
        uint32_t offset;
        uint32_t value;
    } values[] = {
        {PVINFO_MAGIC, (uint32_t)PVINFO_MAGIC_VALUE},
        {PVINFO_MAGIC + 4, PVINFO_MAGIC_VALUE >> 32},
        {PVINFO_VERSION, PVINFO_VERSION_1_0},
        {PVINFO_VGT_ID, c->id},
        {PVINFO_CAPS, PVINFO_CAP_FULL_PPGTT | PVINFO_CAP_HWSP_EMULATION},
        {PVINFO_MAPPABLE_BASE, c->gtt.mappable.first << XENGT_PAGE_SHIFT},
        {PVINFO_MAPPABLE_SIZE, c->gtt.mappable.count << XENGT_PAGE_SHIFT},
        {PVINFO_UNMAPPABLE_BASE, c->gtt.unmappable.first << XENGT_PAGE_SHIFT},
        {PVINFO_UNMAPPABLE_SIZE, c->gtt.unmappable.count << XENGT_PAGE_SHIFT},
        {PVINFO_FENCES, c->fences},
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        *vgpu_reg(vgpu, PVINFO_BASE + values[i].offset) = values[i].value;
    }
}

static uint32_t read_any(struct vgpu *vgpu, const struct reg_at *at)
{
    vgpu->kept->pv_aware = true;
    return *vgpu_reg(vgpu, at->offset);
}

static void write_insufficient(struct vgpu *vgpu, const struct reg_at *at, uint32_t old,
                               uint32_t now)
{
    (void)at;
    (void)old;
    (void)now;
    vgpu_fail(vgpu, "the guest's driver found the vGPU's resources insufficient");
}

/* --- PPGTTs ------------------------------------------------------------------------------ */

static struct gtt_root root_argument(struct vgpu *vgpu, unsigned levels)
{
    struct gtt_root root = {.levels = levels};
    for (unsigned i = 0; i < (levels == 4 ? 1 : 4); i++) {
        uint32_t pdp = PVINFO_BASE + PVINFO_PDP + i * 8;
        root.pdp[i] = (uint64_t)*vgpu_reg(vgpu, pdp + 4) << 32 | *vgpu_reg(vgpu, pdp);
    }
    return root;
}

static void ppgtt_notified(struct vgpu *vgpu, uint32_t code, unsigned levels, bool create)
{
    struct gtt_root root = root_argument(vgpu, levels);
    int ret = create ? gtt_ppgtt_create(vgpu->gtt, &root) : gtt_ppgtt_destroy(vgpu->gtt, &root);
    if (ret == -EINVAL) {
        vgpu_fail(vgpu, "notification %u: 0x%" PRIx64 " is no root of a PPGTT", code, root.pdp[0]);
    } else if (ret) {
        /* It is tried again when something is submitted with it, and then has consequences. */
        vgpu->stats.ppgtt_failures++;
        vgpu_log(vgpu, LOG_NOTICE, "PPGTT 0x%" PRIx64 " could not be %s: %s", root.pdp[0],
                 create ? "created" : "destroyed", strerror(-ret));
    }
}

static void write_notify(struct vgpu *vgpu, const struct reg_at *at, uint32_t old, uint32_t now)
{
    (void)at;
    (void)old;
    vgpu->stats.notifications++;
    switch (now) {
    case NOTIFY_L3_CREATE:
    case NOTIFY_L3_DESTROY:
        ppgtt_notified(vgpu, now, 3, now == NOTIFY_L3_CREATE);
        break;
    case NOTIFY_L4_CREATE:
    case NOTIFY_L4_DESTROY:
        ppgtt_notified(vgpu, now, 4, now == NOTIFY_L4_CREATE);
        break;
    case NOTIFY_CONTEXT_CREATE:
    case NOTIFY_CONTEXT_DESTROY:
        break; /* contexts are known by what is submitted */
    default:
        vgpu_fail(vgpu, "notification %u: there is no such thing", now);
    }
}

/* --- rows -------------------------------------------------------------------------------- */

#define AT(name)      (PVINFO_BASE + PVINFO_##name)
#define ROW(from, to) AT(from), (PVINFO_##to - PVINFO_##from) / 4

static const struct reg rows[] = {
    {ROW(MAGIC, DISPLAY_READY), REG_RO, 0, 0, read_any, NULL},
    {AT(DISPLAY_READY), 1, 0, 0, 0, read_any, NULL},
    {ROW(INSUFFICIENT, NOTIFY), 0, 0, 0, read_any, write_insufficient},
    {AT(NOTIFY), 1, 0, 0, 0, read_any, write_notify},
    {ROW(RESERVED, CURSOR_HOT), REG_RO, 0, 0, read_any, NULL},
    {ROW(CURSOR_HOT, PDP), 0, UINT32_MAX, 0, read_any, NULL},
    {ROW(PDP, END), 0, 0, 0, read_any, NULL},
    {ROW(END, SIZE), REG_RO, 0, 0, read_any, NULL},
};

REG_BLOCK(block_pvinfo, "PVINFO", rows);
