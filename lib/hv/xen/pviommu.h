/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PV-IOMMU hypercall of XenServer and XCP-ng, as its binary interface is. */
#ifndef XENGT_LIB_HV_XEN_PVIOMMU_H
#define XENGT_LIB_HV_XEN_PVIOMMU_H

#include <stdint.h>

#include "hv/xen/xen.h"

#define PVIOMMU_HYPERCALL 56u
#define PVIOMMU_BATCH     128u /* operations in a page, which is what Xen copies at a time */

#define PVIOMMU_QUERY_CAPS     1u
#define PVIOMMU_LOOKUP_FOREIGN 5u
#define PVIOMMU_UNMAP_FOREIGN  6u

#define PVIOMMU_READABLE  1u
#define PVIOMMU_WRITEABLE 2u

struct pv_iommu_op {
    uint16_t subop;
    uint16_t flags;
    int32_t status;
    union {
        struct {
            uint64_t offset;
        } query_caps;
        struct {
            uint64_t bfn;
            uint64_t gfn;
            uint16_t domid;
            uint16_t ioserver; /* never read */
        } lookup_foreign;
        struct {
            uint64_t bfn;
            uint16_t ioserver;
        } unmap_foreign;
    } u;
};

_Static_assert(sizeof(struct pv_iommu_op) == 32, "as Xen has it");

/* What the back end asks of the rest of Xen, so that a test can stand in for it. */
struct pviommu_env {
    struct hv_calls calls;
    void *arg;
    int (*domain_info)(void *arg, uint32_t domid, struct xengt_target_info *info);
};

/* The back end without the real Xen: what hv_pviommu_open() and the tests share. */
int pviommu_new(const struct pviommu_env *env, uint32_t slots, struct hv **out,
                struct hv_error *error);

#endif
