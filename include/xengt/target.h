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
 *   -ESRCH  no such domain
 */
int xengt_domain_info(struct xengt *xg, uint32_t domid, struct xengt_target_info *info);

/*
 * Puts a domain on the target list.
 *   -ESRCH       no such domain, or it is being destroyed
 *   -EEXIST      it is a target already
 *   -EOPNOTSUPP  its memory cannot be mapped safely: a PV domain (no frame numbers of its own),
 *                or one without hardware assisted paging
 *   -EINVAL      domain 0
 *   -ENOSPC      XENGT_TARGETS_MAX targets exist
 */
int xengt_target_add(struct xengt *xg, uint32_t domid);
#define XENGT_TARGETS_MAX 64u

/*
 * Takes a domain off the list. All its mappings must be released: it fails with -EBUSY while a
 * space is open on it or a mapping of xengt_map() exists.
 *   -ENOENT  not a target
 */
int xengt_target_remove(struct xengt *xg, uint32_t domid);

/*
 * The domids on the list, at most n of them, in the order they were added. Returns how many
 * targets there are, which may be more than n.
 */
size_t xengt_target_list(const struct xengt *xg, uint32_t *domids, size_t n);

#ifdef __cplusplus
}
#endif

#endif
