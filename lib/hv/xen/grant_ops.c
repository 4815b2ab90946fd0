/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grants mapped for a device and unmapped, by hypercalls whose arguments lie in the journal. */
#include "hv/xen/grant_ops.h"

#include <errno.h>

/* What a record holds of a mapping by grant; a handle of 0 is as good as any other. */
#define HANDLE_NONE  0u
#define HANDLE_OF(h) ((h) + 1u)

int gnt_errno(int16_t status)
{
    switch (status) {
    case GNTST_okay:
        return 0;
    case GNTST_bad_domain:
        return -ESRCH;
    case GNTST_bad_gntref: /* not a grant for us, or taken back */
    case GNTST_permission_denied:
        return -EACCES;
    case GNTST_bad_handle:
    case GNTST_bad_dev_addr: /* the handle is somebody else's now */
        return -ENOENT;
    case GNTST_bad_page:
    case GNTST_eagain: /* paged out or shared */
    case GNTST_address_too_big:
    case GNTST_bad_virt_addr:
        return -EINVAL;
    case GNTST_no_space:
        return -ENOSPC;
    case GNTST_no_device_space:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static bool fits(const struct gnttab_map_grant_ref *op)
{
    return op->handle < HELD_HANDLE_MAX && op->dev_bus_addr >> XENGT_PAGE_SHIFT <= HELD_BFN_MAX;
}

static void keep(struct slots *journal, const struct gnttab_map_grant_ref *op, uint32_t s)
{
    slots_set_held(journal, s, op->dev_bus_addr >> XENGT_PAGE_SHIFT, HANDLE_OF(op->handle));
}

/* A record has no room for such a handle: Xen's table of mappings is larger than we can use. */
static int refuse(const struct hv_calls *calls, struct gnt_area *a,
                  const struct gnttab_map_grant_ref *op)
{
    a->unmap[0] = (struct gnttab_unmap_grant_ref){
        .host_addr = op->host_addr,
        .dev_bus_addr = op->flags & GNTMAP_device_map ? op->dev_bus_addr : 0,
        .handle = op->handle,
        .status = GNT_STATUS_NONE,
    };
    calls->call(calls->arg, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                (uintptr_t)a->unmap, 1);
    return a->unmap[0].status == GNTST_okay ? -ENOSPC : HV_DOUBT;
}

/* One that is not mapped, or not by what we can keep. */
static int judge(const struct hv_calls *calls, struct gnt_area *a,
                 const struct gnttab_map_grant_ref *op, int ret, bool *doubt)
{
    if (op->status == GNTST_okay) {
        return refuse(calls, a, op);
    }
    if (op->status != GNT_STATUS_NONE) {
        return gnt_errno(op->status);
    }
    bool first = *doubt;
    *doubt = false; /* it did not come to those behind it */
    return first ? HV_DOUBT : ret < 0 ? ret : -EIO;
}

size_t gnt_issue(const struct hv_calls *calls, struct slots *journal, const uint32_t *slot,
                 int *err, size_t n)
{
    struct gnt_area *a = journal->area;
    size_t failures = 0;
    a->first = (uint32_t)(slot - journal->maps->slot);
    slots_order();
    __atomic_store_n(&a->n, (uint32_t)n, __ATOMIC_RELEASE);
    slots_order();
    int ret = calls->call(calls->arg, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                          (uintptr_t)a->map, n);
    /* A fault at an entry may have come after Xen mapped it, when it wanted to say so. */
    bool doubt = ret == -EFAULT;
    for (size_t i = 0; i < n; i++) {
        const struct gnttab_map_grant_ref *op = &a->map[i];
        if (op->status == GNTST_okay && fits(op)) {
            keep(journal, op, slot[i]);
            err[i] = 0;
        } else {
            err[i] = judge(calls, a, op, ret, &doubt);
            failures++;
        }
    }
    slots_order();
    __atomic_store_n(&a->n, 0, __ATOMIC_RELEASE);
    slots_order();
    return failures;
}

struct unmaps {
    const struct hv_calls *calls;
    struct gnttab_unmap_grant_ref *op;
};

static int issue_unmaps(void *arg, size_t first, size_t n)
{
    const struct unmaps *u = arg;
    return u->calls->call(u->calls->arg, __HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                          (uintptr_t)&u->op[first], n);
}

static bool is_answered(const void *arg, size_t i)
{
    const struct unmaps *u = arg;
    return u->op[i].status != GNT_STATUS_NONE;
}

/* Their answers, if there are some that are not simply 0. */
static void read_answers(const struct gnt_area *a, int *err, size_t n, int ret)
{
    for (size_t i = 0, k = 0; i < n; i++) {
        if (!err[i]) {
            int16_t status = a->unmap[k++].status;
            err[i] = status == GNT_STATUS_NONE ? ret : gnt_errno(status);
        }
    }
}

void gnt_unmap(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
               const uint32_t *slot, int *err, size_t n)
{
    struct gnt_area *a = journal->area;
    size_t ops = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = slot[i];
        uint32_t handle = slots_handle(journal, s);
        if (handle == HANDLE_NONE) {
            err[i] = -ENOENT; /* it was never mapped */
            continue;
        }
        err[i] = 0;
        a->unmap[ops++] = (struct gnttab_unmap_grant_ref){
            .host_addr = window_base ? (window_base + s) << XENGT_PAGE_SHIFT : 0,
            .dev_bus_addr = window_base ? 0 : slots_bfn(journal, s) << XENGT_PAGE_SHIFT,
            .handle = handle - 1,
            .status = GNT_STATUS_NONE,
        };
    }
    /* What is undone twice has a handle that is not ours any more: nothing happens to it. */
    struct unmaps u = {calls, a->unmap};
    int ret = hv_insist(&(struct hv_array){&u, issue_unmaps, is_answered}, ops);
    read_answers(a, err, n, ret);
}

void gnt_recover(struct slots *journal)
{
    const struct gnt_area *a = journal->area;
    const struct flight *maps = journal->maps;
    if (journal->area_size < sizeof(*a) || maps->n > XENGT_BATCH_MAX || a->n > maps->n ||
        a->first > maps->n - a->n) {
        return;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t s = maps->slot[a->first + i];
        const struct gnttab_map_grant_ref *op = &a->map[i];
        if (s < journal->count && slots_next(journal, s) == s &&
            slots_state(journal, s) != SLOT_FREE && op->status == GNTST_okay && fits(op)) {
            keep(journal, op, s);
        }
    }
}

void gnt_map_offered(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                     uint32_t domid, const uint32_t *slot, int *err, size_t n, unsigned prot)
{
    uint32_t flags = window_base ? GNTMAP_host_map : GNTMAP_device_map;
    if (!(prot & XENGT_PROT_WRITE)) {
        flags |= GNTMAP_readonly;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t host = window_base ? (window_base + slot[i]) << XENGT_PAGE_SHIFT : 0;
        uint32_t ref = (uint32_t)slots_gfn(journal, slot[i]).v;
        gnt_set(journal->area, i, domid, ref, host, flags);
    }
    gnt_issue(calls, journal, slot, err, n);
    for (size_t i = 0; i < n; i++) {
        /* Xen's "general error" is what it says to an entry that is no grant, or read-only. */
        if (err[i] == -EIO) {
            err[i] = -EACCES;
        }
    }
}
