/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The target list: which domains a handle may map memory of. Nothing else is ever mapped; a
 * domain that is not a target is refused with -EPERM before any hypercall is made.
 */
#ifndef XENGT_TARGET_H
#define XENGT_TARGET_H

#include <xengt/xengt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What Xen says of a domain. */
struct xengt_target_info {
    uint32_t domid;
    uint8_t handle[16]; /* the domain's uuid: tells a domain from a later one of the same domid */
    bool hvm;           /* HVM or PVH: has guest frame numbers of its own */
    bool hap;           /* hardware assisted paging: has a p2m that writes can be trapped in */
    bool dying;
    uint64_t pages; /* pages it owns now */
    uint64_t max_pages;
    unsigned vcpus;
};

/*
 * Asks Xen about a domain; it need not be a target.
 *   -ESRCH  no such domain, or not the number of one
 *   other   Xen does not say: -EPERM, -EACCES and others
 */
int xengt_domain_info_sized(struct xengt *xg, uint32_t domid, struct xengt_target_info *info,
                            size_t size);
static inline int xengt_domain_info(struct xengt *xg, uint32_t domid,
                                    struct xengt_target_info *info)
{
    return xengt_domain_info_sized(xg, domid, info, sizeof(*info));
}

/*
 * Puts a domain on the target list.
 *   -ESRCH       no such domain, or it is being destroyed
 *   -EEXIST      it is a target already
 *   -EOPNOTSUPP  its memory cannot be mapped safely: a PV domain (no frame numbers of its own);
 *                one without hardware assisted paging; with altp2m, whose views Xen would not
 *                follow; with nested virtualisation, told by VMX or SVM in its CPUID; with memory
 *                that is populated on demand, of which Xen may run out when it maps. Memory
 *                sharing and paging cannot be asked for on stock Xen: pages that are shared or
 *                paged out are refused by xengt_map(), one by one
 *   -EINVAL      domain 0
 *   -ENOSPC      XENGT_TARGETS_MAX targets exist
 *   -ENOMEM
 *   other        as xengt_domain_info()
 */
int xengt_target_add(struct xengt *xg, uint32_t domid);
#define XENGT_TARGETS_MAX 64u

/*
 * The targets that are dying or gone, or whose domid is another domain's by now: at most n of
 * them, none if domids is NULL. Returns how many there are, which may be more. The library has no
 * event loop: to be called when Xen tells of a death, which is the watch @releaseDomain in
 * xenstore. Their mappings are then to be released and they taken off the list, or Xen cannot let
 * go of them.
 *
 * Without that, too, nothing of another domain is ever mapped: while a target has a mapping, its
 * domid is not given to anybody else, and while it has none, its uuid is compared before the
 * next one is made and again when that is there.
 */
size_t xengt_target_dead(struct xengt *xg, uint32_t *domids, size_t n);

/*
 * Takes a domain off the list. All its mappings must be released: it fails with -EBUSY while a
 * space is open on it or a mapping of xengt_map() exists.
 *   -ENOENT  not a target
 */
int xengt_target_remove(struct xengt *xg, uint32_t domid);

/*
 * The domids on the list, at most n of them, none if domids is NULL, in the order they were added.
 * Returns how many targets there are, which may be more than n.
 */
size_t xengt_target_list(const struct xengt *xg, uint32_t *domids, size_t n);

/*
 * Lets a driver domain use this library on a domain: gives the backend domain the rights over it
 * that Xen calls "target". To be called in dom0, when the domain is created, with a handle of any
 * back end that runs on Xen.
 *
 * Xen's own list has room for one: a domain has one target, and neither another one nor none at
 * all later on. As long as the backend domain lives, a target that has died stays half dead.
 * So this serves one backend domain for each guest. Several guests of one backend need a policy
 * of FLASK (docs/driver-domain.md).
 *   -ESRCH       no such domain
 *   -EINVAL      the backend domain has a target already, or is the domain itself
 *   -EOPNOTSUPP  the domain is PV, or cannot be mapped safely; or the back end does not run on Xen
 *   -EPERM       this is not dom0
 *   other        as Xen answers
 */
int xengt_backend_assign(struct xengt *xg, uint32_t backend, uint32_t domid);

#ifdef __cplusplus
}
#endif

#endif
