/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grants mapped for a device and unmapped, by hypercalls whose arguments lie in the journal. */
#include "hv/xen/grant_ops.h"

#include <errno.h>
#include <string.h>

#include "hot.h"

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

/* Was it mapped, by a handle that a record has room for? */
static inline bool is_good(const struct gnttab_map_grant_ref *op)
{
    return op->status == GNTST_okay && op->handle < HELD_HANDLE_MAX;
}

/* A bus address has 52 bits, on every machine there is. */
static inline uint64_t held_of(const struct gnttab_map_grant_ref *op)
{
    return op->dev_bus_addr >> XENGT_PAGE_SHIFT | (uint64_t)HANDLE_OF(op->handle) << 40;
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

/* Completes records up to one that was not mapped; how many. */
static HOT_LOOP size_t complete_run(struct record *record, const struct gnttab_map_grant_ref *op,
                                    const uint32_t *slot, size_t n)
{
    size_t i = 0;
    HOT_UNROLL
    for (; i < n; i++) {
        struct record *r = &record[slot[i]];
        if (!is_good(&op[i])) {
            break;
        }
        record_answer(r, slot[i], r->what & RECORD_BODY_MASK, held_of(&op[i]));
    }
    return i;
}

/* What Xen mapped gets its record; the others their errors. Returns how many these are. */
static size_t read_maps(const struct hv_calls *calls, struct slots *journal, const uint32_t *slot,
                        int *err, size_t n, int ret)
{
    struct gnt_area *a = journal->area;
    /* A fault at an entry may have come after Xen mapped it, when it wanted to say so. */
    bool doubt = ret == -EFAULT;
    size_t failures = 0;
    for (size_t i = 0; (i += complete_run(journal->record, &a->map[i], &slot[i], n - i)) < n; i++) {
        err[i] = judge(calls, a, &a->map[i], ret, &doubt);
        failures++;
    }
    return failures;
}

size_t gnt_issue(const struct hv_calls *calls, struct slots *journal, const uint32_t *slot,
                 int *err, size_t n)
{
    struct gnt_area *a = journal->area;
    memset(err, 0, n * sizeof(*err));
    a->first = (uint32_t)(slot - journal->maps->slot);
    slots_order();
    __atomic_store_n(&a->n, (uint32_t)n, __ATOMIC_RELEASE);
    slots_order();
    int ret = calls->call(calls->arg, __HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                          (uintptr_t)a->map, n);
    size_t failures = read_maps(calls, journal, slot, err, n, ret);
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

_Static_assert(offsetof(struct gnttab_unmap_grant_ref, status) ==
                       offsetof(struct gnttab_unmap_grant_ref, handle) + 4 &&
                   sizeof(struct gnttab_unmap_grant_ref) ==
                       offsetof(struct gnttab_unmap_grant_ref, handle) + 8,
               "as set_unmap() has it");

/* What undoes a mapping, by its record, in three stores; false: it was never made. */
static inline bool set_unmap(struct gnttab_unmap_grant_ref *op, const struct record *r,
                             uint64_t host_addr, bool device)
{
    uint32_t handle = (uint32_t)(r->held >> 40);
    op->host_addr = host_addr;
    op->dev_bus_addr = device ? (r->held & HELD_BFN_MAX) << XENGT_PAGE_SHIFT : 0;
    const uint64_t handle_status = (uint64_t)GNT_STATUS_NONE << 32 | (handle - HANDLE_OF(0));
    memcpy((char *)op + offsetof(struct gnttab_unmap_grant_ref, handle), &handle_status,
           sizeof(handle_status));
    return handle != HANDLE_NONE;
}

/* Builds the operations of slots up to one that was never mapped; how many. */
static HOT_LOOP size_t build_unmaps(const struct slots *journal, uint64_t window_base,
                                    const uint32_t *slot, size_t n)
{
    struct gnttab_unmap_grant_ref *op = ((struct gnt_area *)journal->area)->unmap;
    const struct record *record = journal->record;
    size_t i = 0;
    if (window_base) {
        while (i < n && set_unmap(&op[i], &record[slot[i]],
                                  (window_base + slot[i]) << XENGT_PAGE_SHIFT, false)) {
            i++;
        }
    } else {
        HOT_UNROLL
        for (; i < n; i++) {
            if (!set_unmap(&op[i], &record[slot[i]], 0, true)) {
                break;
            }
        }
    }
    return i;
}

static HOT_LOOP size_t read_unmaps(const struct gnt_area *a, int *err, size_t n, int ret)
{
    size_t failures = 0;
    HOT_UNROLL
    for (size_t i = 0; i < n; i++) {
        int16_t status = a->unmap[i].status;
        if (status != GNTST_okay) {
            err[i] = status != GNT_STATUS_NONE ? gnt_errno(status) : ret ? ret : -EIO;
            failures++;
        }
    }
    return failures;
}

size_t gnt_unmap(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                 const uint32_t *slot, int *err, size_t n)
{
    struct gnt_area *a = journal->area;
    size_t failures = 0;
    memset(err, 0, n * sizeof(*err));
    for (size_t i = 0; i < n;) {
        size_t run = build_unmaps(journal, window_base, &slot[i], n - i);
        if (!run) {
            err[i++] = -ENOENT;
            failures++;
            continue;
        }
        /* What is undone twice has a handle that is not ours any more: nothing happens to it. */
        struct unmaps u = {calls, a->unmap};
        int ret = hv_insist(&(struct hv_array){&u, issue_unmaps, is_answered}, run);
        failures += read_unmaps(a, &err[i], run, ret);
        i += run;
    }
    return failures;
}

void gnt_recover(struct slots *journal)
{
    const struct gnt_area *a = journal->area;
    const struct flight *maps = journal->maps;
    if (journal->area_size < sizeof(*a) || maps->n > XENGT_BATCH_MAX || a->n > maps->n ||
        a->first > maps->n - a->n) {
        return;
    }
    for (uint32_t i = 0; i < maps->n; i++) {
        uint32_t s = maps->slot[i];
        if (s >= journal->count || slots_next(journal, s) != s ||
            slots_state(journal, s) == SLOT_FREE) {
            continue;
        }
        const struct gnttab_map_grant_ref *op = i - a->first < a->n ? &a->map[i - a->first] : NULL;
        if (op && is_good(op)) {
            slots_set_held(journal, s, held_of(op) & HELD_BFN_MAX, HANDLE_OF(op->handle));
        } else if (!slots_sound(journal, s)) {
            slots_set_held(journal, s, 0, HANDLE_NONE); /* an entry, and no mapping */
        }
    }
}

size_t gnt_map_offered(const struct hv_calls *calls, struct slots *journal, uint64_t window_base,
                       uint32_t domid, const uint32_t *slot, int *err, size_t n, unsigned prot)
{
    struct gnt_area *a = journal->area;
    uint32_t flags = window_base ? GNTMAP_host_map : GNTMAP_device_map;
    if (!(prot & XENGT_PROT_WRITE)) {
        flags |= GNTMAP_readonly;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t host = window_base ? (window_base + slot[i]) << XENGT_PAGE_SHIFT : 0;
        gnt_set(&a->map[i], domid, (uint32_t)slots_gfn(journal, slot[i]).v, host, flags);
    }
    size_t failures = gnt_issue(calls, journal, slot, err, n);
    for (size_t i = 0; i < n && failures; i++) {
        /* Xen's "general error" is what it says to an entry that is no grant, or read-only. */
        if (err[i] == -EIO) {
            err[i] = -EACCES;
        }
    }
    return failures;
}
