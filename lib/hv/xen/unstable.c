/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls of libxenctrl and libxenguest, a function each. */
#include "hv/xen/unstable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xenguest.h>

#include <xen/hvm/params.h>

#define MAX_LEAVES         256u
#define CPUID_1_ECX_VMX    (1u << 5)
#define CPUID_EXT1_ECX_SVM (1u << 2)

/* What libxenctrl left in errno. */
static int failure(void)
{
    return errno ? -errno : -EIO;
}

xc_interface *unstable_open(struct xentoollog_logger *logger)
{
    return xc_interface_open(logger, logger, 0);
}

void unstable_close(xc_interface *xc)
{
    xc_interface_close(xc);
}

int unstable_domain_info(xc_interface *xc, uint32_t domid, struct xengt_target_info *info)
{
    xc_domaininfo_t d;
    int n = xc_domain_getinfolist(xc, domid, 1, &d);
    if (n < 0) {
        return failure();
    }
    if (n == 0 || d.domain != domid) { /* Xen answers with the next domain there is */
        return -ESRCH;
    }
    *info = (struct xengt_target_info){
        .domid = domid,
        .hvm = d.flags & XEN_DOMINF_hvm_guest,
        .hap = d.flags & XEN_DOMINF_hap,
        .dying = d.flags & XEN_DOMINF_dying,
        .pages = d.tot_pages,
        .max_pages = d.max_pages,
        .vcpus = d.max_vcpu_id + 1,
    };
    memcpy(info->handle, d.handle, sizeof(info->handle));
    return 0;
}

int unstable_altp2m(xc_interface *xc, uint32_t domid)
{
    uint64_t value = 0;
    if (xc_hvm_param_get(xc, domid, HVM_PARAM_ALTP2M, &value)) {
        return errno == EINVAL ? 0 : failure(); /* a Xen that has no such parameter */
    }
    return value != 0;
}

/* Xen takes them away unless it was created for nesting. */
int unstable_nesting(xc_interface *xc, uint32_t domid)
{
    xen_cpuid_leaf_t leaf[MAX_LEAVES] = {0};
    uint32_t leaves = MAX_LEAVES;
    uint32_t msrs = 0;
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    if (!policy) {
        return -ENOMEM;
    }
    int ret = 0;
    if (xc_cpu_policy_get_domain(xc, domid, policy) ||
        xc_cpu_policy_serialise(xc, policy, leaf, &leaves, NULL, &msrs)) {
        ret = failure();
    }
    for (uint32_t i = 0; !ret && i < leaves; i++) {
        ret = (leaf[i].leaf == 1 && leaf[i].c & CPUID_1_ECX_VMX) ||
              (leaf[i].leaf == 0x80000001 && leaf[i].c & CPUID_EXT1_ECX_SVM);
    }
    xc_cpu_policy_destroy(policy);
    return ret;
}

int unstable_on_demand(xc_interface *xc, uint32_t domid)
{
    uint64_t entries = 0;
    if (xc_domain_get_pod_target(xc, domid, NULL, NULL, &entries)) {
        return failure();
    }
    return entries != 0;
}

int unstable_set_target(xc_interface *xc, uint32_t domid, uint32_t target)
{
    return xc_domain_set_target(xc, domid, target) ? failure() : 0;
}

int unstable_get_pool(xc_interface *xc, uint32_t domid, uint64_t *bytes)
{
    return xc_get_paging_mempool_size(xc, domid, bytes) ? failure() : 0;
}

int unstable_set_pool(xc_interface *xc, uint32_t domid, uint64_t bytes)
{
    return xc_set_paging_mempool_size(xc, domid, bytes) ? failure() : 0;
}

int unstable_iommu(xc_interface *xc, char *cmdline, size_t size)
{
    xc_physinfo_t phys = {0};
    xen_commandline_t all = "";
    if (xc_physinfo(xc, &phys) || xc_version(xc, XENVER_commandline, all)) {
        return failure();
    }
    snprintf(cmdline, size, "%.*s", (int)sizeof(all) - 1, all);
    return (phys.capabilities & XEN_SYSCTL_PHYSCAP_directio) != 0;
}
