/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Map and unmap, one mapping per call entry: the plain form. Every entry of xengt_map() is a
 * mapping of its own, also when the same gfn is named twice, and wants an xengt_unmap() of its
 * own. Users that want counting, caching and deferral want <xengt/space.h> instead.
 *
 * A mapping is told by its cookie. The BFN is what the device uses, and no name: where mappings
 * live in a window (caps.window_base is not 0), it is used again for another one; on the grant and
 * pviommu back ends it is the page itself, so a page mapped twice has the same BFN twice, and stays
 * mapped until both mappings have been undone.
 */
#ifndef XENGT_MAP_H
#define XENGT_MAP_H

#include <xengt/xengt.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XENGT_PROT_READ  1u
#define XENGT_PROT_WRITE 2u
#define XENGT_PROT_RW    (XENGT_PROT_READ | XENGT_PROT_WRITE)

/*
 * Maps n frames of a target for DMA, in as few hypercalls as the batch size allows. bfn[i] is the
 * device's until cookie[i] is given to xengt_unmap(); XENGT_BFN_INVALID and XENGT_COOKIE_NONE where
 * it failed.
 * n = 0 is allowed and does nothing.
 * The call:
 *   -EPERM       domid is not a target
 *   -EINVAL      prot is not XENGT_PROT_READ or XENGT_PROT_RW
 *   -EOPNOTSUPP  XENGT_PROT_READ alone, and the back end cannot enforce it (caps.read_only)
 *   -EINVAL      an array is NULL and n is not 0
 *   -EDEADLK     from within the log function
 * An entry (the call, when err is NULL):
 *   -EINVAL      the gfn is not RAM of the target: a hole, MMIO, beyond its memory, ballooned
 *                out, paged out or shared; or above XENGT_GFN_MAX
 *   -ENOSPC      the window is full; or the guest's grant table, or Xen's table of mappings
 *   -ENOMEM      Xen has no memory for page tables of the window (options.grow_pool)
 *   -EAGAIN      in the slot of the window is something that is not this handle's, or must not be
 *                touched: the slot is leaked, the log says so, and another call uses another one
 *   -ESRCH       the target is gone, or its domid is another domain's by now
 *   -EPERM       Xen does not let this domain map memory of that one
 *   -EBUSY       another process maps the target by its grant table
 *   -EACCES      the guest took the entry of its grant table away that the mapping needed
 *   -EOPNOTSUPP  the guest uses version 2 of the grant table
 *   -EIO         anything else, which Xen logs; should it be unknown whether the page is mapped
 *                now, that is logged, too, and the slot is leaked
 */
int xengt_map(struct xengt *xg, uint32_t domid, const struct xengt_gfn *gfn, struct xengt_bfn *bfn,
              struct xengt_cookie *cookie, int *err, size_t n, unsigned prot);

/* The same for n frames that follow each other, from first on. */
int xengt_map_range(struct xengt *xg, uint32_t domid, struct xengt_gfn first, struct xengt_bfn *bfn,
                    struct xengt_cookie *cookie, int *err, size_t n, unsigned prot);

/*
 * Undoes mappings, in as few hypercalls as possible. No device may use their BFNs any more:
 * the entries are out of the device's page tables and its TLB. All entries are tried, also when err
 * is NULL; then the return value is the first failure.
 * The call:
 *   -EINVAL  cookie is NULL and n is not 0
 *   -EDEADLK from within the log function
 * An entry:
 *   -ENOENT  not the cookie of a mapping (also: undone before, given to a space, of another handle,
 *            and one that stands in the array a second time)
 *   other    Xen refused: the page stays referenced and the BFN is leaked: never used again
 */
int xengt_unmap(struct xengt *xg, const struct xengt_cookie *cookie, int *err, size_t n);

/* A mapping of xengt_map(), or of xengt_map_offered(). */
struct xengt_mapping {
    uint32_t domid;
    bool offered;         /* made by reference, and gfn holds that */
    unsigned prot;        /* as it was asked for */
    struct xengt_gfn gfn; /* as it was asked for; the guest may have another page there now */
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
};

/*
 * The plain mappings of a handle, at most n of them, or none if list is NULL; those of spaces are
 * not among them. Returns how many there are, which may be more than n.
 */
size_t xengt_mappings_sized(const struct xengt *xg, struct xengt_mapping *list, size_t n,
                            size_t size);
static inline size_t xengt_mappings(const struct xengt *xg, struct xengt_mapping *list, size_t n)
{
    return xengt_mappings_sized(xg, list, n, sizeof(*list));
}

/*
 * A CPU pointer to the page behind a mapping of this handle, for a device model that plays the
 * device itself. By BFN the mappings of spaces are found, and where there is a window all others,
 * too. Made at the first call for a mapping, kept until that is undone; the caller never unmaps it.
 * Page-aligned, readable and writeable. Of a mapping of xengt_map_offered() it is the page that is
 * mapped, and read-only if that is. Else Xen finds the page by its gfn: if the guest has put
 * another page there since it was mapped, the first call gives that one.
 *   -ENOENT      not a BFN, or cookie, of a mapping
 *   -ENODEV      an offered grant, and the kernel module xen-gntdev is not loaded
 *   -EOPNOTSUPP  the back end does not run on Xen itself
 *   -ENOMEM
 *   other        the page cannot be mapped now (its owner ballooned it out, say)
 */
int xengt_view(struct xengt *xg, struct xengt_bfn bfn, void **view);
int xengt_view_mapping(struct xengt *xg, struct xengt_cookie cookie, void **view);

/*
 * Tells Xen that devices have written to the pages of n mappings. Xen does not see DMA: where
 * somebody has it collect a guest's dirty pages, as a live migration does, those would be missing.
 * To be called after the device has written and before the guest can know of it. While nobody
 * collects them it has no effect, and costs a hypercall for each 128 pages or so.
 *
 * What is reported is the frame that a mapping was made of: where the guest has put another page
 * there in the meantime, that one is said to be dirty, which does no harm.
 *   -EINVAL      cookie is NULL and n is not 0
 *   -ENOENT      one is not the cookie of a mapping; those before it have been reported
 *   -EOPNOTSUPP  one is of an offered grant, whose frame is not known: likewise
 *   -ESRCH       the domain is gone
 *   -EPERM       this domain may not: it has no rights over that one
 *   -EDEADLK     from within the log function
 *   -EIO         Xen refuses for another reason, which is logged
 */
int xengt_report_dirty(struct xengt *xg, const struct xengt_cookie *cookie, size_t n);

#ifdef __cplusplus
}
#endif

#endif
