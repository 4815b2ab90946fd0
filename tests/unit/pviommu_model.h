/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of the PV-IOMMU hypercall of XenServer and XCP-ng, at the boundary of the hypercall: the
 * same bytes, the same order of effects, the pin of one bit in the page. Machine pages have one
 * owner (or none); a domain's gfn g is its page number g.
 */
#ifndef PVIOMMU_MODEL_H
#define PVIOMMU_MODEL_H

#include "hv/xen/pviommu.h"

#define MODEL_DOMAINS 4u
#define MODEL_PAGES   64u                 /* of each domain */
#define MODEL_OFFSET  UINT64_C(0x3e00000) /* 248 GiB in frames */

struct model_page {
    uint32_t owner; /* index of the domain + 1; 0: free */
    bool pinned;    /* _PGC_foreign_map */
    unsigned refs;  /* taken by pins */
};

struct model_domain {
    bool exists;
    bool dying;
    bool pv;
    uint8_t handle[16];
    uint32_t mfn[MODEL_PAGES]; /* 0: nothing there */
};

struct model {
    bool absent;   /* a Xen without the hypercall */
    bool no_hwdom; /* not called by the hardware domain */
    struct model_domain domain[MODEL_DOMAINS];
    struct model_page page[MODEL_DOMAINS * MODEL_PAGES * 4];
    uint32_t next_mfn;
    unsigned calls;
    unsigned ops;
    unsigned flushes;
    unsigned wrong_unmaps; /* took a pin that was for another domain's page than the caller meant */
    int fault_at;          /* copying operation number n (from 0, of all) faults; -1: never */
    bool fault_after;      /* ... when the answer is copied back, after it took effect */
};

void model_init(struct model *m);
void model_create(struct model *m, uint32_t domid, uint8_t uuid);
void model_destroy(struct model *m, uint32_t domid); /* drops its pins, frees its pages */
unsigned model_pins(const struct model *m);

struct pviommu_env model_env(struct model *m);

#endif
