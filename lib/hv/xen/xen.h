/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real Xen: interfaces that all back ends on it open, and what they ask of it alike. */
#ifndef XENGT_LIB_HV_XEN_XEN_H
#define XENGT_LIB_HV_XEN_XEN_H

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#include "hv/hv.h"

/*
 * How a hypercall is made: by privcmd, or by a model of Xen in a test. call() returns what Xen
 * returned, failures as a negative errno value; alloc() gives zeroed memory that Xen may read and
 * write.
 */
struct hv_calls {
    void *arg;
    int (*call)(void *arg, unsigned op, uint64_t a, uint64_t b, uint64_t c);
    void *(*alloc)(void *arg, size_t size); /* NULL: no memory */
    void (*free)(void *arg, void *p);       /* NULL is allowed for p */
};

/*
 * An array of operations, each of which Xen answers, in their order. A fault in the middle leaves
 * some without an answer, although what came before them took effect: they are asked for again.
 * Only for operations that may be done twice. 0: all have an answer.
 */
struct hv_array {
    void *arg;
    int (*issue)(void *arg, size_t first, size_t n);
    bool (*answered)(const void *arg, size_t i);
};
int hv_insist(const struct hv_array *array, size_t n);

struct xen {
    struct xentoollog_logger *logger; /* of the libraries that are opened */
    xencall_handle *call;
    xc_interface *xc;
    xenforeignmemory_handle *memory;
    struct xendevicemodel_handle *model; /* NULL: not used yet */
    struct xengntdev_handle *grants;     /* others' grants; NULL: not used yet */
    struct xengntdev_handle *share;      /* NULL: not used yet; see own.h */
    struct hv_calls calls;
    int claims; /* see claim.h */
};

#define XEN_CLOSED ((struct xen){.claims = -1})

enum xen_guest_type {
    XEN_NONE, /* not under Xen */
    XEN_PV,
    XEN_TRANSLATED, /* PVH or HVM: has a p2m of its own */
};

enum xen_guest_type xen_guest_type(void);

/* The number of this domain, which is dom0 or translated; UINT32_MAX: not known. */
uint32_t xen_self(void);

/* Says that this is no Xen domain, and the remedy; returns -ENODEV. */
int xen_absent(struct hv_error *error);

/* Opens the interfaces, or says what is missing. To be closed in either case. */
int xen_open(struct xen *xen, const struct xengt_options *options, struct hv_error *error);
void xen_close(struct xen *xen);

int xen_domain_info(struct xen *xen, uint32_t domid, struct xengt_target_info *info);
const char *xen_unsafe(struct xen *xen, uint32_t domid); /* as of struct hv_ops */

/*
 * What to make of the answers whether a domain has altp2m, nesting, and memory that is populated on
 * demand: 0, 1 or a negative errno value. What is not known is not safe; only outside dom0 -EPERM
 * is no answer.
 */
const char *xen_judge(int altp2m, int nesting, int on_demand, bool dom0);

int xen_dirty(struct xen *xen, uint32_t domid, const struct xengt_gfn *gfn, size_t n);
int xen_assign(struct xen *xen, uint32_t backend, uint32_t domid);
int xen_view(struct xen *xen, uint32_t domid, struct xengt_gfn gfn, void **view);
void xen_unview(struct xen *xen, void *view);
int xen_view_offered(struct xen *xen, uint32_t domid, uint32_t gref, unsigned prot, void **view);
void xen_unview_offered(struct xen *xen, void *view);

/* What protects memory from dom0's devices when a PV dom0 unmaps: one phrase for people. */
const char *xen_iommu_phrase(struct xen *xen);

#endif
