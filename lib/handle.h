/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share. */
#ifndef XENGT_LIB_HANDLE_H
#define XENGT_LIB_HANDLE_H

#include <xengt/map.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "bfns.h"
#include "hv/hv.h"
#include "slots.h"

struct target {
    uint32_t domid;
    uint8_t handle[16];        /* guards against another domain of the same domid */
    struct xengt_space *space; /* or NULL */
    uint32_t raw;              /* mappings of xengt_map() */
};

struct xengt {
    struct hv *hv;
    struct slots slots;
    struct bfns bfns; /* used where the back end has no window */
    void **views;     /* CPU pointers by slot; NULL until the first is asked for */
    struct target targets[XENGT_TARGETS_MAX];
    size_t targets_count;
    struct xengt_caps caps;
    struct xengt_stats stats;
    xengt_log_fn *log;
    void *log_arg;
    int lock_fd;
    char *state_dir; /* NULL: no files */
    char error[256];

    /* Room for one batch, so that the paths below allocate nothing. */
    struct batch {
        uint32_t *slot;
        int *err; /* of the slots */
        uint32_t
            *entry; /* which entry of the caller's array a slot serves, or the other way round */
        int *entry_err; /* where the caller wants none */
    } batch;
};

__attribute__((format(printf, 3, 4))) int handle_fail(struct xengt *xg, int error,
                                                      const char *format, ...);
__attribute__((format(printf, 3, 4))) void handle_log(struct xengt *xg, int level,
                                                      const char *format, ...);

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

/*
 * Runs fn over the n entries of a call, a batch at a time. err is the caller's; where it is NULL
 * the first failure is returned, and with all_or_nothing the batches behind it are not begun.
 */
typedef void batch_fn(void *call, size_t first, int *err, size_t n);
int in_batches(struct xengt *xg, batch_fn *fn, void *call, int *err, size_t n, bool all_or_nothing);

/* --- the engine: slots and hypercalls ---------------------------------------------------- */

/*
 * A slot for a gfn, or an offered reference. If there is none, mappings that only wait for their
 * users to come back make room. -ENOSPC, or -EINVAL: no gfn.
 */
int engine_reserve(struct xengt *xg, uint32_t domid, struct xengt_gfn gfn, bool offered,
                   uint32_t *slot);

/*
 * Maps slots that were reserved, at most one batch of one kind, and moves those that succeeded to
 * SLOT_MAPPED. Those whose err is not 0 the caller gives to engine_drop().
 */
void engine_map(struct xengt *xg, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                unsigned prot);

/* Frees a slot that was not mapped; one of which that is not certain stays leaked. */
void engine_drop(struct xengt *xg, uint32_t slot);

/* From here on a mapping is not found any more, and is to be given to engine_unmap(). */
void engine_leave(struct xengt *xg, uint32_t slot);

/*
 * Unmaps slots, at most one batch. Those Xen let go are free afterwards and err is 0; the rest are
 * leaked.
 */
void engine_unmap(struct xengt *xg, const uint32_t *slot, int *err, size_t n);

/*
 * The slot of a BFN that is mapped, or SLOT_NONE; and the next one of the same BFN. Only where
 * there is no window can there be more than one: when a page was mapped more than once.
 */
uint32_t engine_slot(const struct xengt *xg, struct xengt_bfn bfn);
uint32_t engine_next(const struct xengt *xg, uint32_t slot);
struct xengt_bfn engine_bfn(const struct xengt *xg, uint32_t slot);

/* A plain mapping of a BFN, one that xengt_unmap() takes; or SLOT_NONE. */
uint32_t raw_find(const struct xengt *xg, struct xengt_bfn bfn);

/* Gives up mappings that only wait for their users to come back, of all spaces. */
void spaces_flush(struct xengt *xg);

uint32_t space_mapped(const struct xengt_space *space);

#endif
