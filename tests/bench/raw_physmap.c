/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The least that maps and unmaps on a PVH backend domain: the hypercalls, and nothing kept. */
#include <errno.h>
#include <stdlib.h>

#include <xenctrl.h>

#include <xen/memory.h>

#include "bench_lib.h"

struct args {
    struct xen_add_to_physmap_batch batch;
    xen_ulong_t idx[PAGES];
    xen_pfn_t gpfn[PAGES];
    int err[PAGES];
    multicall_entry_t call[PAGES];
    struct xen_remove_from_physmap remove[PAGES];
};

struct raw {
    struct bench *b;
    struct args *args;
};

static void *raw_open(struct bench *b, const char **why)
{
    if (!b->raw_base) {
        *why = "only for a translated backend domain";
        return NULL;
    }
    struct raw *r = calloc(1, sizeof(*r));
    if (r) {
        r->b = b;
        r->args = xencall_alloc_buffer(b->call, sizeof(*r->args));
    }
    if (!r || !r->args) {
        *why = "no memory";
        free(r);
        return NULL;
    }
    return r;
}

static int raw_map(void *state, size_t first, size_t n)
{
    struct raw *r = state;
    struct args *a = r->args;
    a->batch = (struct xen_add_to_physmap_batch){
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_gmfn_foreign,
        .size = n,
        .u.foreign_domid = r->b->domid,
    };
    for (size_t i = 0; i < n; i++) {
        a->idx[i] = FIRST_GFN + first + i;
        a->gpfn[i] = r->b->raw_base + first + i;
    }
    set_xen_guest_handle_raw(a->batch.idxs, a->idx);
    set_xen_guest_handle_raw(a->batch.gpfns, a->gpfn);
    set_xen_guest_handle_raw(a->batch.errs, a->err);
    if (xencall2(r->b->call, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch,
                 (uintptr_t)&a->batch)) {
        return -errno;
    }
    for (size_t i = 0; i < n; i++) {
        if (a->err[i]) {
            return a->err[i];
        }
    }
    return 0;
}

static int raw_unmap(void *state, size_t first, size_t n)
{
    struct raw *r = state;
    struct args *a = r->args;
    for (size_t i = 0; i < n; i++) {
        a->remove[i] = (struct xen_remove_from_physmap){
            .domid = DOMID_SELF,
            .gpfn = r->b->raw_base + first + i,
        };
        a->call[i] = (multicall_entry_t){
            .op = __HYPERVISOR_memory_op,
            .args = {XENMEM_remove_from_physmap, (uintptr_t)&a->remove[i]},
        };
    }
    if (n == 1) {
        return xencall2(r->b->call, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap,
                        (uintptr_t)&a->remove[0])
                   ? -errno
                   : 0;
    }
    if (xencall2(r->b->call, __HYPERVISOR_multicall, (uintptr_t)a->call, n)) {
        return -errno;
    }
    for (size_t i = 0; i < n; i++) {
        if (a->call[i].result) {
            return (int)(long)a->call[i].result;
        }
    }
    return 0;
}

static void raw_close(void *state)
{
    struct raw *r = state;
    xencall_free_buffer(r->b->call, r->args);
    free(r);
}

const struct method method_raw_physmap = {"raw", raw_open, raw_map, raw_unmap, raw_close};
