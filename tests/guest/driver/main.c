/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bare guest that does what a device model in a driver domain would, to the domain "target=", and
 * says what Xen answers: 0 or more, or a negative errno value. Nothing else is expected of it.
 */
#include "../platform.h"
#include "../pvh/hypercall.h"

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define __XEN_TOOLS__             1
#include <xen/errno.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>
#include <xen/xen.h>

int main(void);

#define FOREIGN_GFN 0x80000u /* 2 GiB: beyond its RAM, within what boot.S maps */
#define PATTERN     0x5afe5afe5afe5afeu

static domid_t target;

/* --- its frames -------------------------------------------------------------------------- */

static long map(uint64_t gfn, uint64_t at)
{
    xen_ulong_t idx = gfn;
    xen_pfn_t gpfn = at;
    int error = 0;
    struct xen_add_to_physmap_batch batch = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_gmfn_foreign,
        .size = 1,
        .u.foreign_domid = target,
    };

    set_xen_guest_handle(batch.idxs, &idx);
    set_xen_guest_handle(batch.gpfns, &gpfn);
    set_xen_guest_handle(batch.errs, &error);
    long ret = hypercall3(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &batch, NULL);
    return ret ? ret : error;
}

static long unmap(uint64_t at)
{
    struct xen_remove_from_physmap remove = {.domid = DOMID_SELF, .gpfn = at};

    return hypercall3(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, &remove, NULL);
}

/* The same frame in two places: what is stored in one is in the other. */
static void try_frames(uint64_t gfn)
{
    volatile uint64_t *one = page_va(FOREIGN_GFN), *other = page_va(FOREIGN_GFN + 1);
    long ret = map(gfn, FOREIGN_GFN);

    say("map %d", (int)ret);
    if (ret) {
        return;
    }
    say("map-occupied %d", (int)map(gfn, FOREIGN_GFN));
    say("map-again %d", (int)map(gfn, FOREIGN_GFN + 1));
    *one = PATTERN;
    say("same-page %d", *other == PATTERN);
    say("unmap %d", (int)unmap(FOREIGN_GFN));
    say("unmap-again %d", (int)unmap(FOREIGN_GFN + 1));
}

/* --- its accesses ------------------------------------------------------------------------ */

static long dm_op(struct xen_dm_op *op)
{
    struct xen_dm_op_buf buf = {.size = sizeof(*op)};

    set_xen_guest_handle(buf.h, op);
    return hypercall3(__HYPERVISOR_dm_op, target, (void *)1, &buf);
}

static long server_frame(uint16_t id, uint64_t at)
{
    xen_pfn_t gpfn = at;
    struct xen_mem_acquire_resource acquire = {
        .domid = target,
        .type = XENMEM_resource_ioreq_server,
        .id = id,
        .nr_frames = 1,
        .frame = XENMEM_resource_ioreq_server_frame_ioreq(0),
    };

    set_xen_guest_handle(acquire.frame_list, &gpfn);
    return hypercall3(__HYPERVISOR_memory_op, XENMEM_acquire_resource, &acquire, NULL);
}

static void try_server(void)
{
    struct xen_dm_op create = {.op = XEN_DMOP_create_ioreq_server};
    long ret = dm_op(&create);

    say("server-create %d", (int)ret);
    if (ret) {
        return;
    }
    uint16_t id = create.u.create_ioreq_server.id;
    struct xen_dm_op range = {
        .op = XEN_DMOP_map_io_range_to_ioreq_server,
        .u.map_io_range_to_ioreq_server = {.id = id,
                                           .type = XEN_DMOP_IO_RANGE_MEMORY,
                                           .start = 0xe0000000,
                                           .end = 0xe0000fff},
    };
    struct xen_dm_op state = {
        .op = XEN_DMOP_set_ioreq_server_state,
        .u.set_ioreq_server_state = {.id = id, .enabled = 1},
    };
    struct xen_dm_op destroy = {
        .op = XEN_DMOP_destroy_ioreq_server,
        .u.destroy_ioreq_server = {.id = id},
    };
    say("server-range %d", (int)dm_op(&range));
    say("server-frame %d", (int)server_frame(id, FOREIGN_GFN + 2));
    say("server-enable %d", (int)dm_op(&state));
    say("server-frame-release %d", (int)unmap(FOREIGN_GFN + 2));
    say("server-destroy %d", (int)dm_op(&destroy));
}

static void try_msi(void)
{
    struct xen_dm_op msi = {
        .op = XEN_DMOP_inject_msi,
        .u.inject_msi = {.addr = 0xfee00000, .data = 0x30},
    };

    say("msi %d", (int)dm_op(&msi));
}

int main(void)
{
    target = (domid_t)arg_num("target", 0);
    try_frames(arg_num("gfn", 0x1000));
    try_server();
    try_msi();
    say("PASS driver");
    return 0;
}
