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

#include "gnt.h"
#include "window.h"

#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

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
    struct xen_hvm_get_mem_type *probe;
    uint8_t *probed; /* a byte for each piece of the window: known not to be RAM of ours */
};

static struct hv_physmap *physmap_of(struct hv *hv)
{
    return (struct hv_physmap *)hv;
}

static int domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    return xen_domain_info(&physmap_of(hv)->xen, domid, info);
}

/* Asks Xen what a frame of this domain is. Negative errno, or a HVMMEM_ type. */
static int mem_type(struct hv_physmap *p, uint64_t frame)
{
    *p->probe = (struct xen_hvm_get_mem_type){.domid = DOMID_SELF, .pfn = frame};
    if (xencall2(p->xen.call, __HYPERVISOR_hvm_op, HVMOP_get_mem_type, (uintptr_t)p->probe)) {
        return -errno;
    }
    return p->probe->mem_type;
}

/*
 * Before a 2 MiB piece of the window is used for the first time, Xen must say of its ends that
 * they are not RAM: a map over RAM would free it, a remove would leak it.
 */
static bool piece_is_safe(struct hv_physmap *p, uint32_t slot)
{
    uint32_t piece = slot / PIECE_PAGES;
    if (!p->probed[piece]) {
        uint64_t first = p->hv.window_base + (uint64_t)piece * PIECE_PAGES;
        p->probed[piece] = mem_type(p, first) == HVMMEM_mmio_dm &&
                           mem_type(p, first + PIECE_PAGES - 1) == HVMMEM_mmio_dm;
    }
    return p->probed[piece];
}

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
static int map_again(struct hv_physmap *p, uint32_t domid, uint64_t frame, struct xengt_gfn gfn)
{
    int ret = remove_from_physmap(p, frame);
    if (ret && ret != -ENOENT) {
        return ret;
    }
    p->map->idx[0] = gfn.v;
    p->map->gpfn[0] = frame;
    add_to_physmap(p, domid, 1);
    return p->map->err[0];
}

static void physmap_map(struct hv *hv, uint32_t domid, const uint32_t *slot,
                        const struct xengt_gfn *gfn, int *err, size_t n, unsigned prot)
{
    struct hv_physmap *p = physmap_of(hv);
    (void)prot; /* a foreign mapping is always writeable: hv->read_only is off */
    for (size_t i = 0; i < n; i++) {
        if (!piece_is_safe(p, slot[i])) {
            for (size_t k = 0; k < n; k++) {
                err[k] = -EADDRINUSE;
            }
            return;
        }
        p->map->idx[i] = gfn[i].v;
        p->map->gpfn[i] = hv->window_base + slot[i];
    }
    add_to_physmap(p, domid, n);
    memcpy(err, p->map->err, n * sizeof(*err));
    for (size_t i = 0; i < n; i++) {
        if (err[i] == -ENXIO) {
            err[i] = map_again(p, domid, hv->window_base + slot[i], gfn[i]);
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

static void physmap_map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot,
                                const uint32_t *gref, int *err, size_t n, unsigned prot)
{
    for (size_t i = 0; i < n; i++) {
        if (!piece_is_safe(physmap_of(hv), slot[i])) {
            for (size_t k = 0; k < n; k++) {
                err[k] = -EADDRINUSE;
            }
            return;
        }
    }
    gnt_map_offered(&physmap_of(hv)->xen.calls, hv->journal, hv->window_base, domid, slot, gref,
                    err, n, prot);
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
        xencall_free_buffer(p->xen.call, p->probe);
    }
    xen_close(&p->xen);
    free(p->probed);
    free(p);
}

static const struct hv_ops ops = {
    .domain_info = domain_info,
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
    p->probe = xencall_alloc_buffer(p->xen.call, sizeof(*p->probe));
    return p->map && p->unmap && p->probe ? 0 : -ENOMEM;
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
    if (!piece_is_safe(p, 0)) {
        hv_error(error,
                 "window at frame 0x%" PRIx64 ": Xen says there is RAM there; choose "
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
