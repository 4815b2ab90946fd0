/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mapping what a guest offers: pages it has granted to the backend domain itself and names by
 * grant reference. The cooperative path, and the only one that needs no privilege over the guest.
 */
#ifndef XENGT_GRANT_H
#define XENGT_GRANT_H

#include <xengt/map.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Maps n pages for DMA by references to grants that the domain made for the backend domain.
 * As xengt_map() in all but this:
 *   - The domain need not be a target: the list says what may be taken from a guest, and this it
 *     gives. Nothing else of it can be reached in this way.
 *   - XENGT_PROT_READ is the only way to map a grant that is read-only. Where mappings live in a
 *     window it is enforced by the IOMMU. On the grant back end it is not: without a strict IOMMU
 *     nothing is, and with one another mapping of the same page makes it writeable.
 * They are undone by xengt_unmap(). Until then the guest cannot end its access to them.
 * The call:
 *   -EOPNOTSUPP  the back end cannot do it (pviommu)
 *   -EINVAL      prot is not XENGT_PROT_READ or XENGT_PROT_RW; an array is NULL and n is not 0
 *   -EINVAL      domid is the backend domain itself
 *   -ESRCH       not the number of a domain
 *   -EDEADLK     from within the log function
 * An entry (the call, when err is NULL):
 *   -EACCES  no grant for this domain by that reference, or a read-only one with
 *            XENGT_PROT_RW; or else refused: Xen logs why
 *   -EINVAL  the grant names a page that is not RAM of the guest
 *   -ESRCH   no such domain
 *   -EDQUOT  options.offer_quota pages of the domain are mapped in this way
 *   -ENOSPC  the window is full, or Xen's table of grant mappings
 *   -EAGAIN  as of xengt_map()
 *   -EOPNOTSUPP  Xen has no means left to prove that the slot of the window is empty
 *   -EIO     unknown whether it is mapped now: logged, and the slot is leaked
 */
int xengt_map_offered(struct xengt *xg, uint32_t domid, const uint32_t *gref, struct xengt_bfn *bfn,
                      struct xengt_cookie *cookie, int *err, size_t n, unsigned prot);

#ifdef __cplusplus
}
#endif

#endif
