/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pviommu: a PV dom0 of XenServer or XCP-ng, whose Xen has a hypercall for just this.
 *
 * Its pin is one bit in the page, not a count: any unmap drops it, however many lookups there
 * were. So the mapper counts (hv->one_pin), and an unmap is issued for the last mapping only. Xen
 * drops the pins of a domain that dies by itself; an unmap that comes after that would take the
 * pin of whoever has the frame by then. So a mapping remembers which domain it was made for, in
 * 24 bits where others have a handle, and is forgotten without a hypercall when that is gone.
 */
#include "hv/xen/pviommu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/xen/claim.h"

#define STATUS_NONE   INT32_MAX /* Xen's own are 0 and negative */
#define SLOTS_DEFAULT (1u << 18)

/* The area of the journal: Xen's answers are in it before the process can be killed. */
struct pviommu_area {
    struct pv_iommu_op op[PVIOMMU_BATCH];
    uint32_t n;     /* lookups that were given to Xen; 0: the records have them all */
    uint32_t first; /* the place of the first one's slot in the flight of maps */
    uint32_t tag;
};

struct hv_pviommu {
    struct hv hv;
    struct pviommu_env env;
    struct xen xen;
};

static struct hv_pviommu *pviommu_of(struct hv *hv)
{
    return (struct hv_pviommu *)hv;
}

static struct pviommu_area *area_of(struct hv *hv)
{
    return hv->journal->area;
}

static int domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    return pviommu_of(hv)->env.domain_info(pviommu_of(hv)->env.arg, domid, info);
}

static const char *unsafe(struct hv *hv, uint32_t domid)
{
    struct hv_pviommu *p = pviommu_of(hv);
    return p->xen.xc ? xen_unsafe(&p->xen, domid) : NULL;
}

static int assign(struct hv *hv, uint32_t backend, uint32_t domid)
{
    struct hv_pviommu *p = pviommu_of(hv);
    return p->xen.xc ? xen_assign(&p->xen, backend, domid) : -EOPNOTSUPP;
}

/* Another process's unmap of a page would take away the pin of this one. */
static int claim(struct hv *hv, uint64_t first, uint32_t n, struct hv_error *error)
{
    (void)first;
    (void)n;
    struct hv_pviommu *p = pviommu_of(hv);
    int ret = p->xen.claims < 0 ? 0 : claim_take(p->xen.claims, CLAIM_PINS, 1);
    if (ret) {
        hv_error(error, "the pages that are pinned for devices: %s",
                 ret == -EBUSY ? "another process owns them" : strerror(-ret));
    }
    return ret;
}

static int ask(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    int ret = domain_info(hv, domid, info);
    return ret ? ret : info->dying ? -ESRCH : 0;
}

/* Bits of a domain's uuid, which is random; not 0. */
static uint32_t tag_of(const struct xengt_target_info *info)
{
    uint64_t word[2];
    memcpy(word, info->handle, sizeof(word));
    uint64_t mixed = (word[0] ^ (word[1] << 1 | word[1] >> 63)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 40) | 1;
}

static int issue_ops(void *arg, size_t first, size_t n)
{
    struct hv_pviommu *p = arg;
    return p->env.calls.call(p->env.calls.arg, PVIOMMU_HYPERCALL,
                             (uintptr_t)&area_of(&p->hv)->op[first], n, 0);
}

static bool is_answered(const void *arg, size_t i)
{
    const struct pviommu_area *a = ((const struct hv_pviommu *)arg)->hv.journal->area;
    return a->op[i].status != STATUS_NONE;
}

/* A second lookup of a page changes nothing, a second unmap is answered with -ENOENT. */
static int issue(struct hv *hv, size_t n)
{
    return hv_insist(&(struct hv_array){hv, issue_ops, is_answered}, n);
}

/* Xen's answer to a lookup as xengt_map() documents it. */
static int lookup_errno(int32_t status)
{
    switch (status) {
    case -EPERM: /* not ordinary RAM */
    case -ENXIO: /* nothing there, paged out, shared */
    case -ENOENT:
        return -EINVAL;
    default:
        return status > 0 ? -EIO : status;
    }
}

/* Is it the domain that it was, by all of its uuid? */
static bool is_still(struct hv *hv, uint32_t domid, const struct xengt_target_info *then)
{
    struct xengt_target_info now;
    return ask(hv, domid, &now) == 0 && memcmp(now.handle, then->handle, sizeof(now.handle)) == 0;
}

static void set_count(struct pviommu_area *a, size_t n)
{
    slots_order();
    __atomic_store_n(&a->n, (uint32_t)n, __ATOMIC_RELEASE);
    slots_order();
}

/*
 * The domain was gone when, or soon after, its pages were looked up: what was pinned is a
 * stranger's, or pinned no more. Of the answers nothing is left but that.
 */
static void take_back(struct hv *hv, size_t n)
{
    struct pviommu_area *a = area_of(hv);
    size_t ops = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bfn = a->op[i].u.lookup_foreign.bfn;
        if (a->op[i].status == 0) {
            a->op[ops++] = (struct pv_iommu_op){
                .subop = PVIOMMU_UNMAP_FOREIGN,
                .status = STATUS_NONE,
                .u.unmap_foreign = {.bfn = bfn},
            };
        }
    }
    issue(hv, ops);
    for (size_t i = 0; i < n; i++) {
        a->op[i].status = -ESRCH;
    }
}

static void build_lookups(struct hv *hv, uint32_t domid, const uint32_t *slot, size_t n)
{
    struct pviommu_area *a = area_of(hv);
    a->first = (uint32_t)(slot - hv->journal->maps->slot);
    for (size_t i = 0; i < n; i++) {
        a->op[i] = (struct pv_iommu_op){
            .subop = PVIOMMU_LOOKUP_FOREIGN,
            .flags = PVIOMMU_READABLE | PVIOMMU_WRITEABLE,
            .status = STATUS_NONE,
            .u.lookup_foreign = {.gfn = slots_gfn(hv->journal, slot[i]).v,
                                 .domid = (uint16_t)domid},
        };
    }
}

static size_t pviommu_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                          unsigned prot)
{
    struct pviommu_area *a = area_of(hv);
    struct xengt_target_info info;
    (void)prot; /* Xen does not enforce it: hv->read_only is off */
    int ret = ask(hv, domid, &info);
    build_lookups(hv, domid, slot, n);
    if (!ret) {
        a->tag = tag_of(&info);
        set_count(a, n);
        ret = issue(hv, n);
        if (!is_still(hv, domid, &info)) {
            take_back(hv, n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct pv_iommu_op *op = &a->op[i];
        err[i] = op->status == STATUS_NONE ? ret : lookup_errno(op->status);
        /* Also when the BFN is no frame of any machine: what was pinned is unknown. */
        if (err[i] == -EFAULT || (!err[i] && op->u.lookup_foreign.bfn > HELD_BFN_MAX)) {
            err[i] = HV_DOUBT;
        } else if (!err[i]) {
            slots_set_held(hv->journal, slot[i], op->u.lookup_foreign.bfn, a->tag);
        }
    }
    set_count(a, 0);
    return hv_count_failures(err, n);
}

/* Is the domain a mapping was made for still there? Asked once for each run of one domain. */
struct lives {
    uint32_t domid;
    uint32_t tag; /* 0: it does not */
    bool known;
};

static bool domain_lives(struct hv *hv, struct lives *l, uint32_t s)
{
    uint32_t domid = slots_domid(hv->journal, s);
    if (!l->known || l->domid != domid) {
        struct xengt_target_info info;
        l->tag = ask(hv, domid, &info) ? 0 : tag_of(&info);
        l->domid = domid;
        l->known = true;
    }
    return l->tag && slots_handle(hv->journal, s) == l->tag;
}

/* One hypercall's worth of an unmap. */
static void unmap_some(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    struct slots *journal = hv->journal;
    struct pv_iommu_op *op = area_of(hv)->op;
    struct lives lives = {0};
    size_t ops = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = slot[i];
        err[i] = -ENOENT;
        if (slots_handle(journal, s) && domain_lives(hv, &lives, s)) {
            err[i] = 1;
            op[ops++] = (struct pv_iommu_op){
                .subop = PVIOMMU_UNMAP_FOREIGN,
                .status = STATUS_NONE,
                .u.unmap_foreign = {.bfn = slots_bfn(journal, s)},
            };
        }
    }
    int ret = issue(hv, ops);
    for (size_t i = 0, k = 0; i < n; i++) {
        if (err[i] == 1) {
            int32_t status = op[k++].status;
            err[i] = status == STATUS_NONE ? ret : status > 0 ? -EIO : status;
        }
    }
}

static size_t pviommu_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t chunk = n - done < PVIOMMU_BATCH ? n - done : PVIOMMU_BATCH;
        unmap_some(hv, slot + done, err + done, chunk);
        done += chunk;
    }
    return hv_count_failures(err, n);
}

/*
 * Two mappings of one page are one pin: in a recovery the first unmap undoes it, the second gets
 * -ENOENT, and both are right.
 */
static void recover(struct hv *hv, bool begin)
{
    const struct pviommu_area *a = area_of(hv);
    struct slots *journal = hv->journal;
    if (!begin || !a || a->n > PVIOMMU_BATCH || journal->maps->n > XENGT_BATCH_MAX ||
        a->n > journal->maps->n || a->first > journal->maps->n - a->n) {
        return;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t s = journal->maps->slot[a->first + i];
        uint64_t bfn = a->op[i].u.lookup_foreign.bfn;
        if (s < journal->count && slots_state(journal, s) != SLOT_FREE && a->op[i].status == 0 &&
            bfn <= HELD_BFN_MAX && a->tag <= HELD_HANDLE_MAX) {
            slots_set_held(journal, s, bfn, a->tag);
        }
    }
}

static int dirty(struct hv *hv, uint32_t domid, const struct xengt_gfn *gfn, size_t n)
{
    struct xen *xen = &pviommu_of(hv)->xen;
    return xen->call ? xen_dirty(xen, domid, gfn, n) : -EOPNOTSUPP;
}

static int view(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view)
{
    (void)slot;
    return pviommu_of(hv)->xen.memory ? xen_view(&pviommu_of(hv)->xen, domid, gfn, view)
                                      : -EOPNOTSUPP;
}

static void unview(struct hv *hv, void *view)
{
    xen_unview(&pviommu_of(hv)->xen, view);
}

static void pviommu_close(struct hv *hv)
{
    xen_close(&pviommu_of(hv)->xen);
    free(hv);
}

static const struct hv_ops ops = {
    .claim = claim,
    .domain_info = domain_info,
    .unsafe = unsafe,
    .assign = assign,
    .map = pviommu_map,
    .unmap = pviommu_unmap,
    .recover = recover,
    .dirty = dirty,
    .view = view,
    .unview = unview,
    .close = pviommu_close,
};

/* Where Xen puts all RAM in dom0's bus addresses; or that there is no such hypercall. */
static int query_offset(const struct hv_calls *calls, struct pv_iommu_op *op, uint64_t *offset)
{
    *op = (struct pv_iommu_op){.subop = PVIOMMU_QUERY_CAPS, .status = STATUS_NONE};
    int ret = calls->call(calls->arg, PVIOMMU_HYPERCALL, (uintptr_t)op, 1, 0);
    if (ret || op->status) {
        return ret < 0 ? ret : op->status < 0 ? op->status : -EIO;
    }
    *offset = op->u.query_caps.offset;
    return 0;
}

int pviommu_new(const struct pviommu_env *env, uint32_t slots, struct hv **out,
                struct hv_error *error)
{
    struct pv_iommu_op *op = aligned_alloc(XENGT_PAGE_SIZE, XENGT_PAGE_SIZE);
    struct hv_pviommu *p = calloc(1, sizeof(*p));
    uint64_t offset = 0;
    int ret = op && p ? query_offset(&env->calls, op, &offset) : -ENOMEM;
    free(op);
    if (ret) {
        hv_error(error,
                 "this Xen has no PV-IOMMU hypercall, or not for this domain: %s; "
                 "XenServer and XCP-ng have it",
                 strerror(-ret));
        free(p);
        return ret == -ENOMEM ? ret : -ENODEV;
    }
    p->env = *env;
    p->xen = XEN_CLOSED;
    p->hv = (struct hv){
        .ops = &ops,
        .name = "pviommu",
        .backend = XENGT_BACKEND_PVIOMMU,
        .slots = slots ? slots : SLOTS_DEFAULT,
        .batch_max = PVIOMMU_BATCH,
        .one_pin = true,
        .area_size = sizeof(struct pviommu_area),
    };
    snprintf(p->hv.explanation, sizeof(p->hv.explanation),
             "PV dom0 on a Xen with PV-IOMMU, RAM at offset 0x%llx of its bus; DMA after an "
             "unmap is not stopped",
             (unsigned long long)offset);
    *out = &p->hv;
    return 0;
}

static int real_domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    return xen_domain_info(arg, domid, info);
}

int hv_pviommu_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    if (xen_guest_type() != XEN_PV) {
        hv_error(error, "the pviommu back end needs a PV dom0 of XenServer or XCP-ng");
        return -ENODEV;
    }
    struct xen xen = XEN_CLOSED;
    int ret = xen_open(&xen, options, error);
    if (!ret) {
        ret = pviommu_new(&(struct pviommu_env){.calls = xen.calls}, options->window_pages, out,
                          error);
    }
    if (ret) {
        xen_close(&xen);
        return ret;
    }
    struct hv_pviommu *p = pviommu_of(*out);
    p->xen = xen;
    p->env.arg = &p->xen;
    p->env.domain_info = real_domain_info;
    return 0;
}
