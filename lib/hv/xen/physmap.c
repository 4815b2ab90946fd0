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
#include <unistd.h>

#include "hv/xen/claim.h"
#include "hv/xen/grant_ops.h"
#include "hv/xen/own.h"
#include "hv/xen/physmap.h"
#include "hv/xen/probe.h"
#include "hv/xen/unstable.h"

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
    struct physmap_env env;
    struct xen xen;
    struct map_args *map;
    struct unmap_args *unmap;
    struct probe *probe;
    uint8_t *probed; /* a byte for each piece of the window: safe to be used */
    uint8_t *empty;  /* a byte for each slot: was seen to be empty, or has been emptied by us */
    bool recovering; /* what is unmapped was somebody else's */
    bool may_grow;
    uint64_t pool_goal; /* bytes; 0: not known yet */
};

static struct hv_physmap *physmap_of(struct hv *hv)
{
    return (struct hv_physmap *)hv;
}

static int domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    return physmap_of(hv)->env.domain_info(physmap_of(hv)->env.arg, domid, info);
}

static const char *unsafe(struct hv *hv, uint32_t domid)
{
    struct hv_physmap *p = physmap_of(hv);
    return p->xen.xc ? xen_unsafe(&p->xen, domid) : NULL;
}

static int assign(struct hv *hv, uint32_t backend, uint32_t domid)
{
    struct hv_physmap *p = physmap_of(hv);
    return p->xen.xc ? xen_assign(&p->xen, backend, domid) : -EOPNOTSUPP;
}

static int claim(struct hv *hv, uint64_t first, uint32_t n, struct hv_error *error)
{
    struct hv_physmap *p = physmap_of(hv);
    int ret = p->env.claim(p->env.arg, first, n);
    if (!ret) {
        probe_tidy(p->probe, first, n);
    } else {
        hv_error(error, "window of %u frames at 0x%" PRIx64 ": %s", n, first,
                 ret == -EBUSY ? "another process owns it, or a part of it" : strerror(-ret));
    }
    return ret;
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
 * that once, by what all of the window needs, if it may; else says what would do. Whether it is
 * worth another try.
 */
static bool more_tables(struct hv_physmap *p)
{
    uint64_t size = 0;
    bool known = p->env.get_pool(p->env.arg, &size) == 0;
    if (known && !p->pool_goal) {
        p->pool_goal = size + table_bytes(p->hv.slots);
    }
    if (known && p->may_grow && size < p->pool_goal &&
        p->env.set_pool(p->env.arg, p->pool_goal) == 0) {
        return true;
    }
    snprintf(
        p->hv.advice, sizeof(p->hv.advice),
        "Xen has no memory for page tables of the window: this domain's paging pool has %" PRIu64
        " KiB%s, %" PRIu64 " KiB would do; set options.grow_pool, or give dom0 more memory "
        "(dom0_mem=), which the pool grows with",
        size >> 10, known ? "" : " (unknown)",
        (known ? p->pool_goal : table_bytes(p->hv.slots)) >> 10);
    return false;
}

/* --- what is where ----------------------------------------------------------------------- */

/* A frame with nothing of ours in it may hold a page of another domain: no device is there. */
static int check_frame(struct hv_physmap *p, uint64_t frame)
{
    int ret = probe_frame(p->probe, frame);
    if (ret == -ENOMEM && more_tables(p)) {
        ret = probe_frame(p->probe, frame);
    }
    return ret == -EEXIST || ret == -ENODATA ? 0 : ret;
}

/*
 * Before a 2 MiB piece of the window is used for the first time its ends are looked at. One that
 * must not be used is given up as a whole.
 */
static int check_piece(struct hv_physmap *p, uint32_t slot)
{
    uint32_t piece = slot / PIECE_PAGES;
    if (p->probed[piece]) {
        return 0;
    }
    uint32_t left = p->hv.slots - piece * PIECE_PAGES;
    uint32_t n = left < PIECE_PAGES ? left : PIECE_PAGES;
    uint64_t first = p->hv.window_base + (uint64_t)piece * PIECE_PAGES;
    int ret = check_frame(p, first);
    ret = ret ? ret : check_frame(p, first + n - 1);
    if (ret && ret != -ENOMEM) {
        p->hv.refused = piece * PIECE_PAGES;
        p->hv.refused_n = n;
        return HV_TAKEN;
    }
    p->probed[piece] = !ret;
    return ret;
}

/*
 * A foreign page over something else is an error (-ENXIO), a grant over something else makes Xen
 * crash the domain: for that each slot has to be known to be empty.
 */
static int check_empty(struct hv_physmap *p, uint32_t slot)
{
    int ret = check_piece(p, slot);
    if (ret || p->empty[slot]) {
        return ret;
    }
    ret = probe_frame(p->probe, p->hv.window_base + slot);
    p->empty[slot] = !ret;
    return ret == -EEXIST || ret == -EADDRINUSE ? HV_TAKEN : ret == -ENODATA ? -EOPNOTSUPP : ret;
}

static int inspect(struct hv *hv, struct hv_error *error)
{
    struct hv_physmap *p = physmap_of(hv);
    int ret = check_piece(p, 0);
    if (ret == -ENOMEM) {
        hv_error(error, "%s", hv->advice);
    } else if (ret) {
        hv_error(error,
                 "window at frame 0x%" PRIx64 ": Xen says there is RAM or a device there; choose "
                 "another with the window options",
                 hv->window_base);
        ret = -EINVAL;
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
    int ret = p->env.calls.call(p->env.calls.arg, __HYPERVISOR_memory_op,
                                XENMEM_add_to_physmap_batch, (uintptr_t)&a->batch, 0);
    int call_err = ret ? ret : -EIO;
    for (size_t i = 0; i < n; i++) {
        if (a->err[i] == -EINPROGRESS) {
            a->err[i] = call_err;
        }
    }
}

/* Once more, with memory for page tables. */
static int map_again(struct hv_physmap *p, uint32_t domid, uint32_t slot)
{
    p->map->idx[0] = slots_gfn(p->hv.journal, slot).v;
    p->map->gpfn[0] = p->hv.window_base + slot;
    add_to_physmap(p, domid, 1);
    return p->map->err[0];
}

static size_t physmap_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                          unsigned prot)
{
    struct hv_physmap *p = physmap_of(hv);
    size_t ops = 0;
    (void)prot; /* a foreign mapping is always writeable: hv->read_only is off */
    for (size_t i = 0; i < n; i++) {
        err[i] = check_piece(p, slot[i]);
        if (!err[i]) {
            p->map->idx[ops] = slots_gfn(hv->journal, slot[i]).v;
            p->map->gpfn[ops++] = hv->window_base + slot[i];
        }
    }
    if (ops) {
        add_to_physmap(p, domid, ops);
    }
    for (size_t i = 0, k = 0; i < n; i++) {
        err[i] = err[i] ? err[i] : p->map->err[k++];
    }
    bool asked = false;
    bool more = false;
    for (size_t i = 0; i < n; i++) {
        if (err[i] == -ENOMEM && !asked) {
            more = more_tables(p);
            asked = true;
        }
        if (err[i] == -ENOMEM && more) {
            err[i] = map_again(p, domid, slot[i]);
        }
        if (err[i] == -ENXIO) {
            err[i] = HV_TAKEN;
        }
    }
    return hv_count_failures(err, n);
}

/* A predecessor's slots may be those of another window. */
static void note_empty(struct hv_physmap *p, const uint32_t *slot, const int *err, size_t n)
{
    for (size_t i = 0; i < n && !p->recovering; i++) {
        p->empty[slot[i]] = err[i] == 0;
    }
}

/*
 * One hypercall removes all that is set up. In a recovery each frame is asked for: the journal may
 * say more than Xen has there by now, and to remove RAM of this domain would take it away.
 */
static size_t physmap_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    struct hv_physmap *p = physmap_of(hv);
    struct unmap_args *a = p->unmap;
    size_t ops = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t frame = hv->window_base + slot[i];
        err[i] = p->recovering && probe_is_ram(p->probe, frame) ? -EADDRINUSE : 0;
        if (err[i]) {
            continue;
        }
        a->remove[ops] = (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = frame};
        a->call[ops] = (multicall_entry_t){
            .op = __HYPERVISOR_memory_op,
            .result = -EINPROGRESS,
            .args = {XENMEM_remove_from_physmap, (uintptr_t)&a->remove[ops]},
        };
        ops++;
    }
    int ret = ops ? p->env.calls.call(p->env.calls.arg, __HYPERVISOR_multicall, (uintptr_t)a->call,
                                      ops, 0)
                  : 0;
    int call_err = ret ? ret : -EIO;
    for (size_t i = 0, k = 0; i < n; i++) {
        if (!err[i]) {
            err[i] = (int)(long)a->call[k++].result;
            err[i] = err[i] == -EINPROGRESS ? call_err : err[i];
        }
    }
    note_empty(p, slot, err, n);
    return hv_count_failures(err, n);
}

static size_t physmap_map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err,
                                  size_t n, unsigned prot)
{
    struct hv_physmap *p = physmap_of(hv);
    /* A run of slots that are empty at a time; in practice all of them. */
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && !(err[end] = check_empty(p, slot[end]));) {
            end++;
        }
        if (end > i) {
            gnt_map_offered(&p->env.calls, hv->journal, hv->window_base, domid, &slot[i], &err[i],
                            end - i, prot);
        } else {
            end++;
        }
    }
    return hv_count_failures(err, n);
}

static size_t physmap_unmap_offered(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    struct hv_physmap *p = physmap_of(hv);
    gnt_unmap(&p->env.calls, hv->journal, hv->window_base, slot, err, n);
    note_empty(p, slot, err, n);
    return hv_count_failures(err, n);
}

static int view_offered(struct hv *hv, uint32_t domid, uint32_t gref, uint32_t slot, unsigned prot,
                        void **view)
{
    (void)slot;
    struct xen *xen = &physmap_of(hv)->xen;
    return xen->call ? xen_view_offered(xen, domid, gref, prot, view) : -EOPNOTSUPP;
}

static void unview_offered(struct hv *hv, void *view)
{
    xen_unview_offered(&physmap_of(hv)->xen, view);
}

/* --- memory of this domain's own --------------------------------------------------------- */

static int alloc_own(struct hv *hv, struct hv_own *mem)
{
    const struct own own = own_of(&physmap_of(hv)->xen, true);
    return own.calls.call ? own_alloc(&own, mem) : -EOPNOTSUPP;
}

static int where_own(struct hv *hv, const struct hv_own *mem, struct xengt_bfn *bfn)
{
    const struct own own = own_of(&physmap_of(hv)->xen, true);
    return own_where(&own, mem, bfn);
}

static void free_own(struct hv *hv, struct hv_own *mem)
{
    const struct own own = own_of(&physmap_of(hv)->xen, true);
    own_free(&own, mem);
}

static void recover(struct hv *hv, bool begin)
{
    physmap_of(hv)->recovering = begin;
    if (begin && hv->journal->area) {
        gnt_recover(hv->journal);
    }
}

static int dirty(struct hv *hv, uint32_t domid, const struct xengt_gfn *gfn, size_t n)
{
    struct xen *xen = &physmap_of(hv)->xen;
    return xen->call ? xen_dirty(xen, domid, gfn, n) : -EOPNOTSUPP;
}

static int view(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view)
{
    (void)slot;
    return physmap_of(hv)->xen.memory ? xen_view(&physmap_of(hv)->xen, domid, gfn, view)
                                      : -EOPNOTSUPP;
}

static void unview(struct hv *hv, void *view)
{
    xen_unview(&physmap_of(hv)->xen, view);
}

static void physmap_close(struct hv *hv)
{
    struct hv_physmap *p = physmap_of(hv);
    p->env.calls.free(p->env.calls.arg, p->map);
    p->env.calls.free(p->env.calls.arg, p->unmap);
    probe_close(p->probe);
    xen_close(&p->xen);
    free(p->probed);
    free(p->empty);
    free(p);
}

static const struct hv_ops ops = {
    .claim = claim,
    .inspect = inspect,
    .domain_info = domain_info,
    .unsafe = unsafe,
    .assign = assign,
    .map = physmap_map,
    .unmap = physmap_unmap,
    .map_offered = physmap_map_offered,
    .unmap_offered = physmap_unmap_offered,
    .recover = recover,
    .own_alloc = alloc_own,
    .own_where = where_own,
    .own_free = free_own,
    .dirty = dirty,
    .view = view,
    .unview = unview,
    .view_offered = view_offered,
    .unview_offered = unview_offered,
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

int physmap_new(const struct physmap_env *env, const struct window *window, bool may_grow,
                struct hv **out, struct hv_error *error)
{
    struct hv_physmap *p = calloc(1, sizeof(*p));
    if (!p) {
        return -ENOMEM;
    }
    p->env = *env;
    p->xen = XEN_CLOSED;
    p->may_grow = may_grow;
    p->hv = (struct hv){
        .ops = &ops,
        .name = "physmap",
        .backend = XENGT_BACKEND_PHYSMAP,
        .window_base = window->base,
        .slots = window->pages,
        .windowed = true,
        .area_size = sizeof(struct gnt_area),
    };
    snprintf(p->hv.explanation, sizeof(p->hv.explanation),
             "this domain has a p2m of its own; window of %u frames at 0x%" PRIx64 " in '%s'",
             window->pages, window->base, window->where);
    p->map = env->calls.alloc(env->calls.arg, sizeof(*p->map));
    p->unmap = env->calls.alloc(env->calls.arg, sizeof(*p->unmap));
    p->probed = calloc(window->pages / PIECE_PAGES + 1, 1);
    p->empty = calloc(window->pages, 1);
    if (!p->map || !p->unmap || !p->probed || !p->empty || probe_open(&p->env.calls, &p->probe)) {
        hv_error(error, "out of memory");
        physmap_close(&p->hv);
        return -ENOMEM;
    }
    *out = &p->hv;
    return 0;
}

/* --- on the real Xen --------------------------------------------------------------------- */

static int real_domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    return xen_domain_info(arg, domid, info);
}

static int real_get_pool(void *arg, uint64_t *bytes)
{
    const struct xen *xen = arg;
    return unstable_get_pool(xen->xc, DOM0, bytes);
}

static int real_set_pool(void *arg, uint64_t bytes)
{
    const struct xen *xen = arg;
    return unstable_set_pool(xen->xc, DOM0, bytes);
}

static int real_claim(void *arg, uint64_t first, uint32_t n)
{
    const struct xen *xen = arg;
    return claim_take(xen->claims, first, n);
}

int hv_physmap_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    struct window window = {0};
    struct xen xen = XEN_CLOSED;
    int ret = check_domain(error);
    ret = ret ? ret : xen_open(&xen, options, error);
    ret = ret ? ret : window_find(options, &window, error);
    if (!ret) {
        const struct physmap_env env = {
            .calls = xen.calls,
            .domain_info = real_domain_info,
            .get_pool = real_get_pool,
            .set_pool = real_set_pool,
            .claim = real_claim,
        };
        ret = physmap_new(&env, &window, options->grow_pool, out, error);
    }
    if (ret) {
        xen_close(&xen);
        return ret;
    }
    struct hv_physmap *p = physmap_of(*out);
    p->xen = xen;
    p->env.arg = &p->xen;
    return 0;
}
