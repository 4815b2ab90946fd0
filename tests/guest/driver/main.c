/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bare guest that does what a device model in a driver domain would, to the domain "target=", and
 * says what Xen answers: 0 or more, or a negative errno value. Nothing else is expected of it.
 */
#include "../platform.h"
#include "../pvh/hypercall.h"

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define __XEN_TOOLS__             1
#include <xen/domctl.h>
#include <xen/errno.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sysctl.h>
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

/* A page of the target's is followed: what the daemon does to a page table. */
static void try_tracking(uint64_t gfn)
{
    struct xen_dm_op create = {.op = XEN_DMOP_create_ioreq_server};
    long ret = dm_op(&create);

    if (ret) {
        return;
    }
    uint16_t id = create.u.create_ioreq_server.id;
    struct xen_dm_op function = {
        .op = XEN_DMOP_map_io_range_to_ioreq_server,
        .u.map_io_range_to_ioreq_server = {.id = id,
                                           .type = XEN_DMOP_IO_RANGE_PCI,
                                           .start = 0x10,
                                           .end = 0x10},
    };
    struct xen_dm_op follow = {
        .op = XEN_DMOP_map_mem_type_to_ioreq_server,
        .u.map_mem_type_to_ioreq_server = {.id = id,
                                           .type = HVMMEM_ioreq_server,
                                           .flags = XEN_DMOP_IOREQ_MEM_ACCESS_WRITE},
    };
    struct xen_dm_op type = {
        .op = XEN_DMOP_set_mem_type,
        .u.set_mem_type = {.mem_type = HVMMEM_ioreq_server, .nr = 1, .first_pfn = gfn},
    };
    struct xen_dm_op destroy = {
        .op = XEN_DMOP_destroy_ioreq_server,
        .u.destroy_ioreq_server = {.id = id},
    };

    say("server-function %d", (int)dm_op(&function));
    say("server-mem-type %d", (int)dm_op(&follow));
    say("set-mem-type %d", (int)dm_op(&type));
    type.u.set_mem_type.mem_type = HVMMEM_ram_rw;
    say("set-mem-type-back %d", (int)dm_op(&type));
    follow.u.map_mem_type_to_ioreq_server.flags = 0;
    say("server-mem-type-none %d", (int)dm_op(&follow));
    dm_op(&destroy);
}

/* --- what the toolstack's interfaces tell of it, and RAM for its GGTT ------------------------ */

static long domctl(struct xen_domctl *op)
{
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = target;
    return hypercall3(__HYPERVISOR_domctl, (unsigned long)op, NULL, NULL);
}

static void try_questions(void)
{
    struct xen_domctl info = {.cmd = XEN_DOMCTL_getdomaininfo};
    struct xen_domctl policy = {.cmd = XEN_DOMCTL_get_cpu_policy};
    struct xen_domctl pool = {.cmd = XEN_DOMCTL_get_paging_mempool_size};
    struct xen_domctl pause = {.cmd = XEN_DOMCTL_pausedomain};
    struct xen_sysctl list = {
        .cmd = XEN_SYSCTL_getdomaininfolist,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
    };
    struct xen_pod_target pod = {.domid = target};
    struct xen_hvm_param param = {.domid = target, .index = HVM_PARAM_ALTP2M};

    say("getdomaininfo %d", (int)domctl(&info));
    say("getdomaininfolist %d",
        (int)hypercall3(__HYPERVISOR_sysctl, (unsigned long)&list, NULL, NULL));
    say("get-cpu-policy %d", (int)domctl(&policy));
    say("get-paging-mempool %d", (int)domctl(&pool));
    say("pausedomain %d", (int)domctl(&pause));
    say("get-pod-target %d",
        (int)hypercall3(__HYPERVISOR_memory_op, XENMEM_get_pod_target, &pod, NULL));
    say("hvm-param %d", (int)hypercall3(__HYPERVISOR_hvm_op, HVMOP_get_param, &param, NULL));
}

static long reservation(unsigned op, uint64_t gfn)
{
    xen_pfn_t frame = gfn;
    struct xen_memory_reservation one = {.nr_extents = 1, .domid = target};

    set_xen_guest_handle(one.extent_start, &frame);
    return hypercall3(__HYPERVISOR_memory_op, op, &one, NULL);
}

/* Beyond the target's RAM, within what it may have: the caller leaves it a page. */
static void try_ram(void)
{
    struct xen_domctl more = {
        .cmd = XEN_DOMCTL_max_mem,
        .u.max_mem = {.max_memkb = UINT64_C(1) << 20},
    };
    domid_t of = target;
    long last = hypercall3(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, &of, NULL);

    say("maximum-gpfn %d", last < 0 ? (int)last : 0);
    say("max-mem %d", (int)domctl(&more));
    say("populate %d", (int)reservation(XENMEM_populate_physmap, FOREIGN_GFN));
    say("decrease %d", (int)reservation(XENMEM_decrease_reservation, FOREIGN_GFN));
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
    try_tracking(arg_num("gfn", 0x1000));
    try_questions();
    try_ram();
    try_msi();
    say("PASS driver");
    return 0;
}
