/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulator from within, and its hypercalls as its back end makes them. */
#ifndef XENGT_LIB_HV_SIM_MODEL_H
#define XENGT_LIB_HV_SIM_MODEL_H

#include <xengt/sim.h>
#include <xengt/target.h>

#define SIM_WINDOW_BASE  UINT64_C(0x100000) /* 4 GiB: above all RAM of the model */
#define SIM_WINDOW_PAGES (1u << 20)

#define NO_PAGE     UINT32_MAX
#define OWNER_NONE  UINT32_MAX
#define OWNER_SELF  (UINT32_MAX - 1)
#define DOMAINS_MAX 64u
#define OWN_FRAMES  4096u
#define GRANTS_MAX  256u
#define CLAIMS_MAX  16u
#define OWN_BASE    UINT64_C(0x1000)
#define IOTLB_SIZE  64u /* a power of two */

struct page {
    uint32_t owner;
    uint32_t refs; /* the owner's allocation counts as one */
    uint32_t next; /* free list */
    void *data;
};

struct domain {
    uint32_t domid;
    char name[64];
    uint8_t handle[16];
    bool pv;
    bool hap;
    bool zombie;
    const char *unsafe;
    uint32_t target; /* 0: none */
    uint32_t frames;
    uint32_t *p2m; /* gfn -> page; NULL for a zombie */
    uint32_t owned;
    uint8_t *dirty; /* a byte for each frame; NULL: none was */
};

struct iotlb_entry {
    uint64_t bfn;
    uint32_t page;
};

/* The reference is its place in the array. */
struct grant {
    uint32_t domid;
    struct xengt_gfn gfn;
    bool read_only;
};

/* A range of frames that has one owner. */
struct claim {
    const void *owner; /* NULL: none */
    uint64_t first;
    uint64_t n;
};

/* A window entry is a page + 1, and in the upper bits what kind of mapping it is. */
#define WINDOW_PAGE      UINT32_C(0x3fffffff)
#define WINDOW_GRANT     UINT32_C(0x40000000)
#define WINDOW_READ_ONLY UINT32_C(0x80000000)

struct xengt_sim {
    struct page *page;
    uint32_t pages;
    uint32_t pages_room;
    uint32_t free;
    struct domain *domain[DOMAINS_MAX];
    uint32_t next_domid;
    uint64_t created; /* domains so far */
    uint32_t *window; /* by window_gfn - SIM_WINDOW_BASE */
    struct grant grant[GRANTS_MAX];
    uint32_t grants;
    struct claim claim[CLAIMS_MAX];
    uint32_t own[OWN_FRAMES];
    uint32_t own_count; /* of these: some may be free, NO_PAGE */
    struct iotlb_entry iotlb[IOTLB_SIZE];
    xengt_sim_invalidate_fn *on_invalidate;
    void *on_invalidate_arg;
    xengt_sim_hypercall_fn *on_hypercall;
    void *on_hypercall_arg;
    xengt_sim_holds_fn *holds;
    void *holds_arg;
    uint64_t fail_in;
    int fail_error;
    struct xengt_sim_stats stats;
    char violation[160];
};

/* --- pages and domains ------------------------------------------------------------------- */

uint32_t sim_page_alloc(struct xengt_sim *sim, uint32_t owner); /* NO_PAGE: no memory */
void sim_page_put(struct xengt_sim *sim, uint32_t p);
struct domain *sim_domain_find(const struct xengt_sim *sim, uint32_t domid);

/* The p2m entry of a frame, or NULL where there can be none. */
uint32_t *sim_p2m_entry(const struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn);

/* Counts a breach of a rule, and keeps the words of the first. */
__attribute__((format(printf, 2, 3))) void sim_violate(struct xengt_sim *sim, const char *format,
                                                       ...);

/* --- hypercalls -------------------------------------------------------------------------- */

/* What happens before Xen does something. */
void sim_between(struct xengt_sim *sim);

/* 0, or the error the hypercall fails with as a whole, before it did anything. */
int sim_hypercall(struct xengt_sim *sim, bool maps);

/* Makes somebody the one owner of frames, until he drops them all. -EBUSY, -ENOSPC. */
int sim_claim(struct xengt_sim *sim, const void *owner, uint64_t first, uint64_t n);
void sim_claim_drop(struct xengt_sim *sim, const void *owner);

/* One entry of XENMEM_add_to_physmap_batch, XENMAPSPACE_gmfn_foreign. */
int sim_add_to_physmap(struct xengt_sim *sim, uint32_t domid, struct xengt_gfn gfn,
                       uint64_t window_gfn, bool write);

/* XENMEM_remove_from_physmap. */
int sim_remove_from_physmap(struct xengt_sim *sim, uint64_t window_gfn);

/* GNTTABOP_map_grant_ref and GNTTABOP_unmap_grant_ref into and out of the window. */
int sim_map_grant(struct xengt_sim *sim, uint32_t domid, uint32_t gref, bool write,
                  uint64_t window_gfn);
int sim_unmap_grant(struct xengt_sim *sim, uint64_t window_gfn);

int sim_domain_info(struct xengt_sim *sim, uint32_t domid, struct xengt_target_info *info);

/* What makes its memory unsafe to map, or NULL. */
const char *sim_unsafe(const struct xengt_sim *sim, uint32_t domid);

/* XEN_DMOP_modified_memory. */
int sim_dirty(struct xengt_sim *sim, uint32_t domid, const struct xengt_gfn *gfn, size_t n);

/* XEN_DOMCTL_set_target: once, and for as long as the domain lives. */
int sim_set_target(struct xengt_sim *sim, uint32_t domid, uint32_t target);

/*
 * Frames of the backend domain itself that the device reaches, contiguous for the CPU too, until
 * they are freed. -ENOSPC, -ENOMEM.
 */
int sim_own_alloc(struct xengt_sim *sim, uint32_t n, uint64_t *first, void **cpu);
void sim_own_free(struct xengt_sim *sim, uint64_t first, uint32_t n);

/* The page behind a frame of the window, as the backend's CPU sees it; NULL when empty. */
void *sim_window_page(struct xengt_sim *sim, uint64_t window_gfn);

#endif
