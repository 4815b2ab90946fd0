/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulator: Xen's memory semantics inside the process, for tests, demonstrations and
 * development without a hypervisor. It models domains with their frames (reference counted,
 * contents included), the backend domain's window, an IOMMU with an IOTLB, and a device behind
 * it. Error numbers are those of Xen 4.17 on x86 (xen/common/memory.c, xen/arch/x86/mm/p2m.c).
 *
 * Its structures have no sizes: this header is for programs that are built with the library.
 *
 * It also judges: every breach of a rule that real hardware would punish silently is counted
 * and described, so that a test can ask for zero.
 */
#ifndef XENGT_SIM_H
#define XENGT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xengt_sim;

struct xengt_sim *xengt_sim_new(void); /* NULL: no memory */
void xengt_sim_free(struct xengt_sim *sim);

/* --- domains ----------------------------------------------------------------------------- */

struct xengt_sim_domain {
    const char *name;
    uint32_t pages; /* RAM: gfns 0..pages-1 */
    bool pv;        /* a PV guest */
    bool no_hap;    /* shadow paging */
    bool altp2m;
    bool nested;
    bool on_demand; /* some memory is not populated yet */
    uint32_t domid; /* 0: the next one that is free, counted on from the last, as Xen does */
};

/*
 * Creates a domain and stores its domid. Each has a uuid of its own. -EINVAL, -EEXIST, -ENOMEM.
 */
int xengt_sim_domain_create(struct xengt_sim *sim, const struct xengt_sim_domain *cfg,
                            uint32_t *domid);

/*
 * Destroys a domain. Pages that the backend still maps keep it as a zombie, which holds its domid
 * until the last of them is unmapped. -ESRCH.
 */
int xengt_sim_domain_destroy(struct xengt_sim *sim, uint32_t domid);

bool xengt_sim_domain_exists(const struct xengt_sim *sim, uint32_t domid); /* zombies too */
bool xengt_sim_domain_is_zombie(const struct xengt_sim *sim, uint32_t domid);
const char *xengt_sim_domain_name(const struct xengt_sim *sim, uint32_t domid); /* or NULL */
int xengt_sim_domain_find(const struct xengt_sim *sim, const char *name, uint32_t *domid);

/* The page a guest sees at gfn, as the guest's CPU does; NULL when there is none. */
void *xengt_sim_guest_page(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn);

/*
 * The guest balloons a frame out, or back in (it then gets another page, never the old one while
 * that is mapped). -EINVAL: nothing there to give, or something there already.
 */
int xengt_sim_balloon_out(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn);
int xengt_sim_balloon_in(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn);

/* Has anybody reported that the frame is dirty? See xengt_report_dirty(). */
bool xengt_sim_is_dirty(const struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn);

/*
 * The guest grants a frame to the backend domain, for xengt_map_offered(). The grant is of the page
 * that is there now, for as long as it is mapped. -ESRCH; -EINVAL: no page there; -ENOSPC.
 */
int xengt_sim_offer(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn, bool read_only,
                    uint32_t *gref);

/* Called when a domain's memory layout changed: what IOREQ_TYPE_INVALIDATE tells a backend. */
typedef void xengt_sim_invalidate_fn(void *arg, uint32_t domid);
void xengt_sim_on_invalidate(struct xengt_sim *sim, xengt_sim_invalidate_fn *fn, void *arg);

/*
 * Called before each hypercall and each question about a domain takes effect: what may happen to
 * the host in between happens here. NULL: no more.
 */
typedef void xengt_sim_hypercall_fn(void *arg);
void xengt_sim_on_hypercall(struct xengt_sim *sim, xengt_sim_hypercall_fn *fn, void *arg);

/* --- the device -------------------------------------------------------------------------- */

/*
 * DMA by the device, through the IOMMU. An access may not cross a page. -EFAULT: the IOMMU
 * stopped it; nothing was transferred, and the fault is counted.
 */
int xengt_sim_dma_read(struct xengt_sim *sim, uint64_t addr, void *buf, size_t len);
int xengt_sim_dma_write(struct xengt_sim *sim, uint64_t addr, const void *buf, size_t len);

/* A frame of the backend domain itself that the device may reach: for scratch pages. */
int xengt_sim_own_frame(struct xengt_sim *sim, struct xengt_bfn *bfn, void **page);

/*
 * Called at each unmap, before it takes effect: does the device still hold the BFN, in a page
 * table or a TLB? Answering true is a breach of the release order and counted as one.
 */
typedef bool xengt_sim_holds_fn(void *arg, struct xengt_bfn bfn);
void xengt_sim_on_unmap(struct xengt_sim *sim, xengt_sim_holds_fn *fn, void *arg);

/* --- what it saw ------------------------------------------------------------------------- */

struct xengt_sim_stats {
    uint64_t hypercalls;
    uint64_t map_calls;
    uint64_t unmap_calls;
    uint64_t iotlb_flushes;
    uint64_t iommu_faults;
    uint64_t violations; /* breaches of a rule; the first is described below */
    uint64_t mapped;     /* slots of the window that hold a foreign page */
};
void xengt_sim_get_stats(const struct xengt_sim *sim, struct xengt_sim_stats *stats);

/* The first violation in one line; "" when there was none. */
const char *xengt_sim_violation(const struct xengt_sim *sim);

/*
 * Makes the nth hypercall from now fail as a whole with error (a negative errno value), before
 * it did anything; 0 switches it off.
 */
void xengt_sim_fail_hypercall(struct xengt_sim *sim, uint64_t nth, int error);

#ifdef __cplusplus
}
#endif

#endif
