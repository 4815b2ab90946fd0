/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grants mapped for a device and unmapped, by hypercalls whose arguments lie in the journal. */
#include "hv/xen/grant_ops.h"

#include <errno.h>

#define STATUS_NONE 1 /* Xen's own are 0 and negative */

/* What a held entry of a mapping by grant holds; a handle of 0 is as good as any other. */
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

/* The process can be killed anywhere, and its stores must be in the journal in this order. */
static void in_order(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void set_count(struct gnt_area *a, uint32_t n)
{
    in_order();
    __atomic_store_n(&a->n, n, __ATOMIC_RELEASE);
    in_order();
}

void gnt_add(struct slots *journal, size_t i, uint32_t slot, uint32_t domid, uint32_t ref,
             uint64_t host_addr, uint32_t flags)
{
    struct gnt_area *a = journal->area;
    a->slot[i] = slot;
    a->map[i] = (struct gnttab_map_grant_ref){
        .host_addr = host_addr,
        .flags = flags,
        .ref = ref,
        .dom = (domid_t)domid,
        .status = STATUS_NONE,
    };
    set_count(a, (uint32_t)i + 1);
}

static bool has_handle(const struct slots *journal, uint32_t s)
{
    return !held_empty(journal, s) && journal->held[s].handle != HANDLE_NONE;
}

static void keep(struct slots *journal, const struct gnttab_map_grant_ref *op, uint32_t slot)
{
    held_set(journal, slot, op->dev_bus_addr >> XENGT_PAGE_SHIFT, HANDLE_OF(op->handle), op->ref);
}

void gnt_issue(const struct hv_calls *calls, struct slots *journal, int *err, size_t n)
{
    struct gnt_area *a = journal->area;
    int ret = calls->call(calls->arg, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                          (uintptr_t)a->map, n);
    /* A fault at an entry may have come after Xen mapped it, when it wanted to say so. */
    bool doubt = ret == -EFAULT;
    for (size_t i = 0; i < n; i++) {
        int16_t status = a->map[i].status;
        if (status != STATUS_NONE) {
            err[i] = gnt_errno(status);
        } else {
            err[i] = doubt ? HV_DOUBT : ret < 0 ? ret : -EIO;
            doubt = false; /* it did not come to those behind it */
        }
        if (!err[i]) {
            keep(journal, &a->map[i], a->slot[i]);
        }
    }
}

void gnt_end(struct slots *journal)
{
    set_count(journal->area, 0);
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
    return u->op[i].status != STATUS_NONE;
}

void gnt_unmap(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
               const uint32_t *slot, int *err, size_t n)
{
    struct gnt_area *a = journal->area;
    size_t ops = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = slot[i];
        if (!has_handle(journal, s)) {
            err[i] = -ENOENT; /* it was never mapped */
            continue;
        }
        err[i] = 1;
        a->unmap[ops++] = (struct gnttab_unmap_grant_ref){
            .host_addr = window_base ? (window_base + s) << XENGT_PAGE_SHIFT : 0,
            .dev_bus_addr = window_base ? 0 : held_bfn(journal, s) << XENGT_PAGE_SHIFT,
            .handle = journal->held[s].handle - 1,
            .status = STATUS_NONE,
        };
    }
    /* What is undone twice has a handle that is not ours any more: nothing happens to it. */
    struct unmaps u = {calls, a->unmap};
    int ret = hv_insist(&(struct hv_array){&u, issue_unmaps, is_answered}, ops);
    for (size_t i = 0, k = 0; i < n; i++) {
        if (err[i] == 1) {
            int16_t status = a->unmap[k++].status;
            err[i] = status == STATUS_NONE ? ret : gnt_errno(status);
        }
    }
}

void gnt_recover(struct slots *journal)
{
    struct gnt_area *a = journal->area;
    if (journal->area_size < sizeof(*a) || a->n > XENGT_BATCH_MAX) {
        return;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t s = a->slot[i];
        if (s >= journal->count || slots_state(journal, s) == SLOT_FREE) {
            continue;
        }
        if (has_handle(journal, s)) {
            continue; /* had been copied already */
        }
        if (a->map[i].status == GNTST_okay) {
            keep(journal, &a->map[i], s);
        } else {
            held_set(journal, s, 0, HANDLE_NONE, a->map[i].ref); /* the entry is there, only */
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
        gnt_add(journal, i, slot[i], domid, ref, host, flags);
    }
    gnt_issue(calls, journal, err, n);
    gnt_end(journal);
    for (size_t i = 0; i < n; i++) {
        /* Xen's "general error" is what it says to an entry that is no grant, or read-only. */
        if (err[i] == -EIO) {
            err[i] = -EACCES;
        }
    }
}

void gnt_unmap_offered(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                       const uint32_t *slot, int *err, size_t n)
{
    gnt_unmap(calls, journal, window_base, slot, err, n);
    for (size_t i = 0; i < n; i++) {
        if (!err[i] || err[i] == -ENOENT) {
            held_clear(journal, slot[i]);
        }
    }
}
