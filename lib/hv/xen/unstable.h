/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unstable interfaces: all that is asked of libxenctrl and libxenguest, which have another soname,
 * and other functions, in each release of Xen. The rest goes by hypercalls whose interface is
 * stable.
 *
 *   unstable_domain_info   XEN_SYSCTL_getdomaininfolist   the one that each release has
 *   unstable_altp2m        HVMOP_get_param
 *   unstable_nesting       XEN_DOMCTL_get_cpu_policy
 *   unstable_on_demand     XENMEM_get_pod_target
 *   unstable_set_target    XEN_DOMCTL_set_target
 *   unstable_get_pool      XEN_DOMCTL_get_paging_mempool_size
 *   unstable_set_pool      XEN_DOMCTL_set_paging_mempool_size
 *   unstable_iommu         XEN_SYSCTL_physinfo, XENVER_commandline
 *
 * Each returns 0, or what it says, or a negative errno value.
 */
#ifndef XENGT_LIB_HV_XEN_UNSTABLE_H
#define XENGT_LIB_HV_XEN_UNSTABLE_H

#include <xenctrl.h>

#include <xengt/target.h>

/* NULL, and errno is set. */
xc_interface *unstable_open(struct xentoollog_logger *logger);
void unstable_close(xc_interface *xc);

int unstable_domain_info(xc_interface *xc, uint32_t domid, struct xengt_target_info *info);
int unstable_altp2m(xc_interface *xc, uint32_t domid);    /* 1: it may have other views */
int unstable_nesting(xc_interface *xc, uint32_t domid);   /* 1: its CPU has VMX or SVM */
int unstable_on_demand(xc_interface *xc, uint32_t domid); /* 1: it has frames not yet populated */
int unstable_set_target(xc_interface *xc, uint32_t domid, uint32_t target);

/* Bytes of memory that a domain's page tables are taken from. */
int unstable_get_pool(xc_interface *xc, uint32_t domid, uint64_t *bytes);
int unstable_set_pool(xc_interface *xc, uint32_t domid, uint64_t bytes);

/* 1: there is an IOMMU; and Xen's command line. */
int unstable_iommu(xc_interface *xc, char *cmdline, size_t size);

#endif
