/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hv/xen/probe.h"

#include <errno.h>
#include <stdlib.h>

#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

/* In memory that the hypervisor may read and write. */
union args {
    struct xen_hvm_get_mem_type type;
    struct gnttab_query_size size;
    struct xen_add_to_physmap add;
    struct xen_remove_from_physmap remove;
};

struct probe {
    xencall_handle *call;
    union args *args;
    uint32_t grant_frame; /* the last that the table can have; 0: unknown */
};

int probe_open(struct xen *xen, struct probe **out)
{
    struct probe *p = calloc(1, sizeof(*p));
    *out = p;
    if (!p) {
        return -ENOMEM;
    }
    p->call = xen->call;
    p->args = xencall_alloc_buffer(p->call, sizeof(*p->args));
    if (!p->args) {
        return -ENOMEM;
    }
    p->args->size = (struct gnttab_query_size){.dom = DOMID_SELF};
    if (xencall3(p->call, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, (uintptr_t)p->args,
                 1) == 0 &&
        p->args->size.status == GNTST_okay && p->args->size.max_nr_frames) {
        p->grant_frame = p->args->size.max_nr_frames - 1;
    }
    return 0;
}

void probe_close(struct probe *probe)
{
    if (probe) {
        if (probe->args) {
            xencall_free_buffer(probe->call, probe->args);
        }
        free(probe);
    }
}

static int memory_op(struct probe *p, unsigned op)
{
    return xencall2(p->call, __HYPERVISOR_memory_op, op, (uintptr_t)p->args) ? -errno : 0;
}

static bool is_ram(struct probe *p, uint64_t frame)
{
    p->args->type = (struct xen_hvm_get_mem_type){.domid = DOMID_SELF, .pfn = frame};
    return xencall2(p->call, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, (uintptr_t)p->args) ||
           p->args->type.mem_type != HVMMEM_mmio_dm;
}

int probe_frame(struct probe *p, uint64_t frame)
{
    if (is_ram(p, frame)) {
        return -EADDRINUSE;
    }
    if (!p->grant_frame) {
        return 0;
    }
    p->args->add = (struct xen_add_to_physmap){
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_grant_table,
        .idx = p->grant_frame,
        .gpfn = frame,
    };
    switch (memory_op(p, XENMEM_add_to_physmap)) {
    case 0:
        p->args->remove = (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = frame};
        return memory_op(p, XENMEM_remove_from_physmap) ? -EADDRINUSE : 0;
    case -EPERM:
        return -EADDRINUSE;
    case -ENOMEM:
        return -ENOMEM;
    default: /* a page of another domain; or no such frame of the table is to be had */
        return 0;
    }
}
