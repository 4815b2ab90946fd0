/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * physmap: the backend domain is translated (PVH, HVM) and puts foreign frames into its own p2m
 * at frame numbers of its choice. Its IOMMU tables follow the p2m, so the BFN is that number.
 *
 *   map    XENMEM_add_to_physmap_batch with XENMAPSPACE_gmfn_foreign
 *   unmap  XENMEM_remove_from_physmap, many in one multicall: stock Xen has no batch of it
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "hv/xen/grant_ops.h"
#include "hv/xen/probe.h"
#include "hv/xen/window.h"

#include <xen/memory.h>

#define DOM0        0u
#define PIECE_PAGES 512u /* probed together: one p2m table */

/* Arguments in memory that the hypervisor may read and write: no page faults there. */
struct map_args {
    struct xen_add_to_physmap_batch batch;
    xen_ulong_t idx[XENGT_BATCH_MAX];
    xen_pfn_t gpfn[XENGT_BATCH_MAX];
    int err[XENGT_BATCH_MAX];
};

struct unmap_args {
    multicall_entry_t call[XENGT_BATCH_MAX];
    struct xen_remove_from_physmap remove[XENGT_BATCH_MAX];
};

struct hv_physmap {
    struct hv hv;
    struct xen xen;
    struct map_args *map;
    struct unmap_args *unmap;
    struct probe *probe;
    uint8_t *probed; /* a byte for each piece of the window: safe to be used */
    bool may_grow;
};

static struct hv_physmap *physmap_of(struct hv *hv)
{
    return (struct hv_physmap *)hv;
}

static int domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    return xen_domain_info(&physmap_of(hv)->xen, domid, info);
}

static const char *unsafe(struct hv *hv, uint32_t domid)
{
    return xen_unsafe(&physmap_of(hv)->xen, domid);
}

static int assign(struct hv *hv, uint32_t backend, uint32_t domid)
{
    return xen_assign(&physmap_of(hv)->xen, backend, domid);
}

/* --- memory for page tables -------------------------------------------------------------- */

/* Bytes of p2m tables for all of a window: one for each 2 MiB and each GiB, and above that a few.
 */
static uint64_t table_bytes(uint32_t slots)
{
    return (slots / PIECE_PAGES + slots / PIECE_PAGES / PIECE_PAGES + 4) *
           (uint64_t)XENGT_PAGE_SIZE;
}

/*
 * Xen takes them from dom0's paging pool, whose size follows from its vCPUs and dom0_mem. Grows
 * that, if it may; else says what would do. Whether it is worth another try.
 */
static bool more_tables(struct hv_physmap *p)
{
    uint64_t size = 0;
    uint64_t wanted = 0;
    bool known = xc_get_paging_mempool_size(p->xen.xc, DOM0, &size) == 0;
    if (known) {
        wanted = size + table_bytes(p->hv.slots);
        if (p->may_grow && xc_set_paging_mempool_size(p->xen.xc, DOM0, wanted) == 0) {
            return true;
        }
    }
    snprintf(
        p->hv.advice, sizeof(p->hv.advice),
        "Xen has no memory for page tables of the window: this domain's paging pool has %" PRIu64
        " KiB%s, %" PRIu64 " KiB would do; set options.grow_pool, or give dom0 more memory "
        "(dom0_mem=), which the pool grows with",
        size >> 10, known ? "" : " (unknown)", (known ? wanted : table_bytes(p->hv.slots)) >> 10);
    return false;
}

/* Before a 2 MiB piece of the window is used for the first time its ends are looked at. */
static int check_piece(struct hv_physmap *p, uint32_t slot)
{
    uint32_t piece = slot / PIECE_PAGES;
    if (p->probed[piece]) {
        return 0;
    }
    uint64_t first = p->hv.window_base + (uint64_t)piece * PIECE_PAGES;
    int ret = probe_frame(p->probe, first);
    if (ret == -ENOMEM && more_tables(p)) {
        ret = probe_frame(p->probe, first);
    }
    ret = ret ? ret : probe_frame(p->probe, first + PIECE_PAGES - 1);
    p->probed[piece] = !ret;
    return ret;
}

/* All of them, or it is nobody's. */
static int check_slots(struct hv_physmap *p, const uint32_t *slot, int *err, size_t n)
{
    int ret = 0;
    for (size_t i = 0; i < n && !ret; i++) {
        ret = check_piece(p, slot[i]);
    }
    for (size_t i = 0; i < n && ret; i++) {
        err[i] = ret;
    }
    return ret;
}

/* --- the hypercalls ---------------------------------------------------------------------- */

/*
 * Issues the batch that is in p->map. Xen leaves the err[] of entries it did not come to alone,
 * so they start with a value that it never uses.
 */
static void add_to_physmap(struct hv_physmap *p, uint32_t domid, size_t n)
{
    struct map_args *a = p->map;
    a->batch = (struct xen_add_to_physmap_batch){
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_gmfn_foreign,
        .size = n,
        .u.foreign_domid = domid,
    };
    set_xen_guest_handle_raw(a->batch.idxs, a->idx);
    set_xen_guest_handle_raw(a->batch.gpfns, a->gpfn);
    set_xen_guest_handle_raw(a->batch.errs, a->err);
    for (size_t i = 0; i < n; i++) {
        a->err[i] = -EINPROGRESS;
    }
    int ret = xencall2(p->xen.call, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch,
                       (uintptr_t)&a->batch);
    int call_err = ret ? -errno : -EIO;
    for (size_t i = 0; i < n; i++) {
        if (a->err[i] == -EINPROGRESS) {
            a->err[i] = call_err;
        }
    }
}

static int remove_from_physmap(struct hv_physmap *p, uint64_t frame)
{
    struct xen_remove_from_physmap *r = &p->unmap->remove[0];
    *r = (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = frame};
    return xencall2(p->xen.call, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, (uintptr_t)r)
               ? -errno
               : 0;
}

/* A slot that should be empty holds a foreign page nobody knows of: take it out, try again. */
static int map_one(struct hv_physmap *p, uint32_t domid, uint32_t slot)
{
    p->map->idx[0] = slots_gfn(p->hv.journal, slot).v;
    p->map->gpfn[0] = p->hv.window_base + slot;
    add_to_physmap(p, domid, 1);
    return p->map->err[0];
}

/*
 * A slot that should be empty holds a foreign page nobody knows of: that is taken out first. Or
 * there was no memory for page tables.
 */
static int map_again(struct hv_physmap *p, uint32_t domid, uint32_t slot, int err)
{
    int ret = err == -ENXIO ? remove_from_physmap(p, p->hv.window_base + slot) : -ENOENT;
    return ret && ret != -ENOENT ? ret : map_one(p, domid, slot);
}

static void physmap_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                        unsigned prot)
{
    struct hv_physmap *p = physmap_of(hv);
    (void)prot; /* a foreign mapping is always writeable: hv->read_only is off */
    if (check_slots(p, slot, err, n)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        p->map->idx[i] = slots_gfn(hv->journal, slot[i]).v;
        p->map->gpfn[i] = hv->window_base + slot[i];
    }
    add_to_physmap(p, domid, n);
    memcpy(err, p->map->err, n * sizeof(*err));
    bool asked = false;
    bool more = false;
    for (size_t i = 0; i < n; i++) {
        if (err[i] == -ENOMEM && !asked) {
            more = more_tables(p);
            asked = true;
        }
        if (err[i] == -ENXIO || (err[i] == -ENOMEM && more)) {
            err[i] = map_again(p, domid, slot[i], err[i]);
        }
    }
}

static void physmap_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    struct hv_physmap *p = physmap_of(hv);
    struct unmap_args *a = p->unmap;
    for (size_t i = 0; i < n; i++) {
        a->remove[i] = (struct xen_remove_from_physmap){
            .domid = DOMID_SELF,
            .gpfn = hv->window_base + slot[i],
        };
        a->call[i] = (multicall_entry_t){
            .op = __HYPERVISOR_memory_op,
            .result = -EINPROGRESS,
            .args = {XENMEM_remove_from_physmap, (uintptr_t)&a->remove[i]},
        };
    }
    int ret = xencall2(p->xen.call, __HYPERVISOR_multicall, (uintptr_t)a->call, n);
    int call_err = ret ? -errno : -EIO;
    for (size_t i = 0; i < n; i++) {
        err[i] = (int)(long)a->call[i].result;
        if (err[i] == -EINPROGRESS) {
            err[i] = call_err;
        }
    }
}

static void physmap_map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err,
                                size_t n, unsigned prot)
{
    if (check_slots(physmap_of(hv), slot, err, n)) {
        return;
    }
    gnt_map_offered(&physmap_of(hv)->xen.calls, hv->journal, hv->window_base, domid, slot, err, n,
                    prot);
}

static void physmap_unmap_offered(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    gnt_unmap_offered(&physmap_of(hv)->xen.calls, hv->journal, hv->window_base, slot, err, n);
}

static void recover(struct hv *hv, bool begin)
{
    if (begin) {
        gnt_recover(hv->journal);
    }
}

static int view(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view)
{
    (void)slot;
    return xen_view(&physmap_of(hv)->xen, domid, gfn, view);
}

static void unview(struct hv *hv, void *view)
{
    xen_unview(&physmap_of(hv)->xen, view);
}

static void physmap_close(struct hv *hv)
{
    struct hv_physmap *p = physmap_of(hv);
    if (p->xen.call) {
        xencall_free_buffer(p->xen.call, p->map);
        xencall_free_buffer(p->xen.call, p->unmap);
        probe_close(p->probe);
    }
    xen_close(&p->xen);
    free(p->probed);
    free(p);
}

static const struct hv_ops ops = {
    .domain_info = domain_info,
    .unsafe = unsafe,
    .assign = assign,
    .map = physmap_map,
    .unmap = physmap_unmap,
    .map_offered = physmap_map_offered,
    .unmap_offered = physmap_unmap_offered,
    .recover = recover,
    .view = view,
    .unview = unview,
    .close = physmap_close,
};

/* Is this a domain that has a p2m of its own to map into? */
static int check_domain(struct hv_error *error)
{
    switch (xen_guest_type()) {
    case XEN_NONE:
        return xen_absent(error);
    case XEN_PV:
        hv_error(error, "the physmap back end needs a PVH or HVM backend domain and this one is "
                        "PV; boot Xen with dom0=pvh, or use the grant back end");
        return -ENODEV;
    default:
        return 0;
    }
}

static int open_interfaces(struct hv_physmap *p, struct hv_error *error)
{
    int ret = xen_open(&p->xen, error);
    if (ret) {
        return ret;
    }
    p->map = xencall_alloc_buffer(p->xen.call, sizeof(*p->map));
    p->unmap = xencall_alloc_buffer(p->xen.call, sizeof(*p->unmap));
    return p->map && p->unmap ? probe_open(&p->xen, &p->probe) : -ENOMEM;
}

/* Linux from 6.9 on uses "Unusable memory" for its own foreign mappings. */
static bool linux_leaves_unusable_alone(void)
{
    struct utsname u;
    unsigned major;
    unsigned minor;
    return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
           (major < 6 || (major == 6 && minor < 9));
}

static int find_window(const struct xengt_options *options, struct window *window,
                       struct hv_error *error)
{
    struct window_rules rules = {
        .unusable_is_free = linux_leaves_unusable_alone(),
        .ceiling = UINT64_C(1) << (39 - XENGT_PAGE_SHIFT), /* Intel GPUs of gen8 to gen12 */
    };
    FILE *iomem = fopen("/proc/iomem", "re");
    if (!iomem) {
        int err = -errno;
        hv_error(error, "/proc/iomem: %s", strerror(-err));
        return err;
    }
    int ret =
        window_choose(iomem, &rules, options->window_base, options->window_pages, window, error);
    fclose(iomem);
    return ret;
}

int hv_physmap_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    int ret = check_domain(error);
    if (ret) {
        return ret;
    }
    struct hv_physmap *p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    p->hv = (struct hv){
        .ops = &ops,
        .name = "physmap",
        .backend = XENGT_BACKEND_PHYSMAP,
        .windowed = true,
        .area_size = sizeof(struct gnt_area),
    };
    ret = open_interfaces(p, error);
    if (ret) {
        goto fail;
    }
    struct window window = {0};
    ret = find_window(options, &window, error);
    if (ret) {
        goto fail;
    }
    p->hv.window_base = window.base;
    p->hv.slots = window.pages;
    p->probed = calloc(window.pages / PIECE_PAGES + 1, 1);
    if (!p->probed) {
        ret = -ENOMEM;
        goto fail;
    }
    p->may_grow = options->grow_pool;
    ret = check_piece(p, 0);
    if (ret == -ENOMEM) {
        hv_error(error, "%s", p->hv.advice);
        goto fail;
    }
    if (ret) {
        hv_error(error,
                 "window at frame 0x%" PRIx64 ": Xen says there is RAM or a device there; choose "
                 "another with the window options",
                 window.base);
        ret = -EINVAL;
        goto fail;
    }
    snprintf(p->hv.explanation, sizeof(p->hv.explanation),
             "this domain has a p2m of its own; window of %u frames at 0x%" PRIx64 " in '%s'",
             window.pages, window.base, window.where);
    *out = &p->hv;
    return 0;
fail:
    physmap_close(&p->hv);
    return ret;
}
