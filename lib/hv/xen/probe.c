/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The probe: what Xen says of a frame, by its type and by a page of our own that is put there. */
#include "hv/xen/probe.h"

#include <errno.h>
#include <stdlib.h>

#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

#define FRAMES_MAX 1024u
#define NOWHERE    (~UINT64_C(0))

/* In memory that the hypervisor may read and write. */
struct args {
    union {
        struct xen_hvm_get_mem_type type;
        struct gnttab_query_size size;
        struct gnttab_setup_table setup;
        struct xen_add_to_physmap add;
        struct xen_remove_from_physmap remove;
    };
    xen_pfn_t list[FRAMES_MAX];
};

struct probe {
    struct hv_calls calls;
    struct args *args;
    uint32_t grant_frame; /* one that is in use nowhere; 0: there is none */
    uint64_t place;       /* then: the frame number where it is in use */
};

static int call(struct probe *p, unsigned op, uint64_t cmd, uint64_t n)
{
    return p->calls.call(p->calls.arg, op, cmd, (uintptr_t)p->args, n);
}

/* At which frame number of this domain a frame of the table is; NOWHERE is an answer, too. */
static int find_place(struct probe *p, uint32_t frame, uint64_t *place)
{
    if (frame >= FRAMES_MAX) {
        return -E2BIG;
    }
    p->args->setup = (struct gnttab_setup_table){.dom = DOMID_SELF, .nr_frames = frame + 1};
    set_xen_guest_handle_raw(p->args->setup.frame_list, p->args->list);
    int ret = call(p, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 1);
    if (ret || p->args->setup.status != GNTST_okay) {
        return ret ? ret : -EIO;
    }
    *place = p->args->list[frame];
    return 0;
}

/*
 * The last frame that the table can have. If the kernel has it in use it must not be taken from
 * where that is; before the table has grown to it, nobody can.
 */
static void find_frame(struct probe *p)
{
    p->grant_frame = 0;
    p->place = NOWHERE;
    p->args->size = (struct gnttab_query_size){.dom = DOMID_SELF};
    if (call(p, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, 1) ||
        p->args->size.status != GNTST_okay || !p->args->size.max_nr_frames) {
        return;
    }
    uint32_t last = p->args->size.max_nr_frames - 1;
    if (p->args->size.nr_frames <= last ||
        (find_place(p, last, &p->place) == 0 && p->place == NOWHERE)) {
        p->grant_frame = last;
    }
}

int probe_open(const struct hv_calls *calls, struct probe **out)
{
    struct probe *p = calloc(1, sizeof(*p));
    *out = p;
    if (!p) {
        return -ENOMEM;
    }
    p->calls = *calls;
    p->args = calls->alloc(calls->arg, sizeof(*p->args));
    if (!p->args) {
        return -ENOMEM;
    }
    find_frame(p);
    return 0;
}

void probe_close(struct probe *probe)
{
    if (probe) {
        probe->calls.free(probe->calls.arg, probe->args);
        free(probe);
    }
}

static int memory_op(struct probe *p, unsigned op)
{
    return call(p, __HYPERVISOR_memory_op, op, 0);
}

bool probe_is_ram(struct probe *p, uint64_t frame)
{
    p->args->type = (struct xen_hvm_get_mem_type){.domid = DOMID_SELF, .pfn = frame};
    return call(p, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, 0) ||
           p->args->type.mem_type != HVMMEM_mmio_dm;
}

static int take_away(struct probe *p, uint64_t frame)
{
    p->args->remove = (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = frame};
    return memory_op(p, XENMEM_remove_from_physmap);
}

void probe_tidy(struct probe *p, uint64_t first, uint64_t n)
{
    if (!p->grant_frame && p->place != NOWHERE && p->place - first < n) {
        take_away(p, p->place);
        find_frame(p);
    }
}

int probe_frame(struct probe *p, uint64_t frame)
{
    if (probe_is_ram(p, frame)) {
        return -EADDRINUSE;
    }
    if (!p->grant_frame) {
        return -ENODATA;
    }
    p->args->add = (struct xen_add_to_physmap){
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_grant_table,
        .idx = p->grant_frame,
        .gpfn = frame,
    };
    int ret = memory_op(p, XENMEM_add_to_physmap);
    switch (ret) {
    case 0:
        return take_away(p, frame) ? -EADDRINUSE : 0;
    case -EPERM: /* a device */
        return -EADDRINUSE;
    case -ENXIO: /* a page of another domain */
        return -EEXIST;
    default: /* -ENOMEM; and what nobody knows does not make it safe */
        return ret;
    }
}
