/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handle, and all that the files of the library share of it. */
#ifndef XENGT_LIB_HANDLE_H
#define XENGT_LIB_HANDLE_H

#include <xengt/map.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "bfns.h"
#include "hv/hv.h"
#include "slots.h"

/* Xen keeps the numbers from here on for its own use (DOMID_FIRST_RESERVED). */
#define XENGT_DOMID_END 0x7ff0u

struct target {
    uint32_t domid;
    uint8_t handle[16];        /* guards against another domain of the same domid */
    struct xengt_space *space; /* or NULL */
    uint32_t raw;              /* mappings of xengt_map() */
    uint32_t mapped;           /* mappings of its space */
    uint32_t reserve;          /* what its space was promised */
};

struct xengt {
    struct hv *hv;
    struct slots slots;
    struct bfns bfns; /* where the back end has no window, and a space or one pin for a page */
    struct dma *dma;  /* memory for DMA, a list */
    void **views;     /* CPU pointers by slot; NULL until the first is asked for */
    struct target *targets[XENGT_TARGETS_MAX]; /* in the order they were added */
    size_t targets_count;
    uint32_t *offered; /* pages that each domain has offered, mapped now; see offers.h */
    uint32_t offer_quota;
    uint32_t reserves; /* all of their reserves together */
    uint64_t hash_key; /* random, odd */
    struct xengt_caps caps;
    struct xengt_stats stats;
    xengt_log_fn *log;
    void *log_arg;
    int lock_fd;
    char *state_dir; /* NULL: no files */
    char error[256];
    bool logging; /* the caller's log is being called */

    uint64_t expire_at; /* nothing is to expire before that; 0: no date is known */
    bool undated;       /* or something is, which has no date yet, or has one no more */

    /* Room for one batch beside the flights, so that the paths below allocate nothing. */
    struct batch {
        int *err;        /* of the slots in the flight of maps */
        int *unmap_err;  /* of those in the flight of unmaps, where the caller has none */
        int *entry_err;  /* where the caller wants none */
        uint32_t *entry; /* the slot of an entry of the caller's array */
    } batch;
};

/* xengt_open() with a back end that is open already, which the handle takes; NULL: opens one. */
int handle_open(struct xengt **out, const struct xengt_options *options, struct hv *hv,
                struct hv_error *error);

/* Releases what a predecessor's journal says it held, then starts one of our own. */
int take_over(struct xengt *xg, bool adopt, struct hv_error *error);

struct target *target_find(struct xengt *xg, uint32_t domid);

/*
 * Is a target still the domain it was when it was added? What keeps its domid from being given to
 * another is a mapping, so Xen is asked only while there is none. 0 or -ESRCH.
 */
int target_check(struct xengt *xg, const struct target *t);

/* Has it mappings that keep its domid its own? Then it need not be asked for. */
static inline bool target_is_held(const struct xengt *xg, const struct target *t)
{
    return (t->raw || t->mapped) && !xg->hv->one_pin;
}

/*
 * After mappings of a target that was not held: are they of the domain that it was? 0, or why they
 * are to be taken back.
 */
int target_confirm(struct xengt *xg, const struct target *t);

/* Is it the number of a domain, and not one of Xen's own or more than 16 bits? */
static inline bool is_domid(uint32_t domid)
{
    return domid < XENGT_DOMID_END;
}

#endif
