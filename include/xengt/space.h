/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A space: all mappings of one target, counted, cached and released late.
 *
 * Users of the same gfn share one mapping. The last release does not unmap at once: the mapping
 * is kept for a while, and a user who comes back finds it without a hypercall. How long is
 * bounded in pages and in time, because a kept mapping keeps the guest's page.
 */
#ifndef XENGT_SPACE_H
#define XENGT_SPACE_H

#include <xengt/map.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xengt_space;

/* Zero is the default of every member. */
struct xengt_space_options {
    uint32_t quota;       /* mappings at a time, deferred and stale ones, too; 0: no limit */
    uint32_t reserve;     /* of these: always to be had, whatever others do; 0: none */
    uint32_t defer_pages; /* mappings kept after their last release; 0: the default */
    unsigned defer_ms;    /* how long they are kept at least, and twice that at most; 0: default */
    bool no_defer;        /* unmap at the last release: for tests */
    unsigned prot;        /* of all mappings, as of xengt_map(); 0: XENGT_PROT_RW */
};

#define XENGT_DEFER_PAGES_DEFAULT 1024u
#define XENGT_DEFER_MS_DEFAULT    100u

struct xengt_space_stats {
    uint32_t mapped;     /* mappings that exist now */
    uint32_t in_use;     /* of these: with at least one user */
    uint32_t deferred;   /* of these: kept for a user who may come back */
    uint32_t high_water; /* most mappings at a time so far */
    uint64_t gets;
    uint64_t hits;      /* gets served without a hypercall */
    uint64_t failures;  /* gets refused */
    uint64_t map_calls; /* hypercalls made to map */
    uint64_t unmap_calls;
};

/*
 * Opens the space of a target: one per target and handle.
 *   -EPERM   not a target
 *   -EBUSY   its space is open already
 *   -EINVAL  a reserve above the quota, a prot that is none, or an option that this library does
 *            not know
 *   -EOPNOTSUPP  XENGT_PROT_READ, and the back end cannot enforce it (caps.read_only)
 *   -ENOSPC  the reserve cannot be promised: of caps.window_pages less what was leaked so much has
 *            been promised to others, or is in use beyond their reserves. What they only keep
 *            beyond them has been unmapped
 *   -ENOMEM
 * Plain mappings of the target count as part of its reserve.
 */
int xengt_space_open_sized(struct xengt *xg, uint32_t domid,
                           const struct xengt_space_options *options, size_t options_size,
                           struct xengt_space **out);
static inline int xengt_space_open(struct xengt *xg, uint32_t domid,
                                   const struct xengt_space_options *options,
                                   struct xengt_space **out)
{
    return xengt_space_open_sized(xg, domid, options, sizeof(*options), out);
}

/*
 * Releases every mapping of the space, counted or not, and closes it. No device may use its BFNs
 * any more. NULL is allowed. It takes as long as there are mappings: an unmap takes Xen some
 * microseconds. Whoever must not wait calls xengt_space_drain() first.
 */
void xengt_space_close(struct xengt_space *space);

/*
 * The same in slices: releases at most max mappings, counted or not. Returns how many are left;
 * when that is 0 there is nothing left for xengt_space_close() to wait for. max is not 0. From the
 * first call on no device may use a BFN of the space, and nothing can be got from it any more.
 */
uint32_t xengt_space_drain(struct xengt_space *space, uint32_t max);

/*
 * One user more for each of n frames. The mappings that do not exist yet are made in as few
 * hypercalls as the batch size allows. A gfn may stand in the array more than once; each entry
 * is a user of its own. Errors as xengt_map(), and
 *   -EDQUOT     (entry) the quota of the space is reached
 *   -ESHUTDOWN  (call) xengt_space_drain() has begun
 *
 * A miss at the quota or in a full window makes room by a few unmaps: of mappings that this space
 * only keeps, and when it has none, of those that another space keeps beyond its reserve. In a
 * window of which all that is left is promised to others a miss is refused with -ENOSPC.
 */
int xengt_space_get(struct xengt_space *space, const struct xengt_gfn *gfn, struct xengt_bfn *bfn,
                    int *err, size_t n);

/* The same for n frames that follow each other, from first on. */
int xengt_space_get_range(struct xengt_space *space, struct xengt_gfn first, struct xengt_bfn *bfn,
                          int *err, size_t n);

/*
 * One user less for each of n BFNs. A device may not use a BFN any more for the user that gives
 * it back. All that can be released is.
 *   -ENOENT   some are not BFNs of this space, or have no users
 *   -EINVAL   bfn is NULL and n is not 0
 *   -EDEADLK  from within the log function
 */
int xengt_space_put(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n);

/*
 * Takes plain mappings of the space's target, made with the space's prot, into the space: each
 * gets one user, and no cookie any more. For what a predecessor mapped (options.adopt), whose BFNs
 * are still in a device's page tables. They count as invalidated: a get of their gfn maps anew.
 * An entry; err may not be NULL:
 *   -ENOENT  not the cookie of such a mapping, or one of another prot than the space's
 *   -EDQUOT  the quota of the space is reached
 * The call:
 *   -EINVAL     an array is NULL and n is not 0
 *   -ESHUTDOWN  xengt_space_drain() has begun
 */
int xengt_space_adopt(struct xengt_space *space, const struct xengt_cookie *cookie, int *err,
                      size_t n);

/* As xengt_report_dirty(), of n BFNs of the space; in use or not. */
int xengt_space_report_dirty(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n);

/* How many users the mapping behind a BFN has; 0: none, or not of this space. */
uint32_t xengt_space_users(const struct xengt_space *space, struct xengt_bfn bfn);

/*
 * How many mappings with users a BFN is. More than one where Xen chooses the BFN, which is that of
 * the page then: a page that was mapped anew after xengt_space_invalidate() has the one that it
 * had.
 */
uint32_t xengt_space_mappings(const struct xengt_space *space, struct xengt_bfn bfn);

/*
 * The guest's memory layout changed (Xen sends IOREQ_TYPE_INVALIDATE): a gfn may now mean
 * another page. Mappings in use stay as they are and stay safe; from now on a get maps anew.
 */
void xengt_space_invalidate(struct xengt_space *space);

/* Unmaps everything that is kept only for a user who may come back. */
void xengt_space_flush(struct xengt_space *space);

/* The same in slices: at most max of them, the oldest first. Returns how many are still kept. */
uint32_t xengt_space_shrink(struct xengt_space *space, uint32_t max);

/*
 * What an event loop calls before it waits: unmaps what the spaces of a handle have kept for
 * longer than their defer_ms, at most XENGT_EXPIRE_PAGES of each at a time. now_ms is the time by
 * any clock that does not go back; what is released counts from the next call on. Returns in how
 * many milliseconds to call again at the latest; -1, which poll() takes for "no timeout": nothing
 * is kept.
 *
 * It does not look for targets that have died: that is xengt_target_dead(), when Xen tells of a
 * death.
 */
int xengt_expire(struct xengt *xg, uint64_t now_ms);

/*
 * The same for one space and without a clock: unmaps what has been kept since before the last call,
 * at most XENGT_EXPIRE_PAGES of it. Returns whether something is still kept, so that there is
 * reason to call again.
 */
bool xengt_space_expire(struct xengt_space *space);
#define XENGT_EXPIRE_PAGES 256u

void xengt_space_get_stats_sized(const struct xengt_space *space, struct xengt_space_stats *stats,
                                 size_t size);
static inline void xengt_space_get_stats(const struct xengt_space *space,
                                         struct xengt_space_stats *stats)
{
    xengt_space_get_stats_sized(space, stats, sizeof(*stats));
}

#ifdef __cplusplus
}
#endif

#endif
