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
    uint32_t mapped;           /* mappings of its space */
    uint32_t reserve;          /* what its space was promised */
};

struct xengt {
    struct hv *hv;
    struct slots slots;
    struct bfns bfns; /* used where the back end has no window */
    void **views;     /* CPU pointers by slot; NULL until the first is asked for */
    struct target *targets[XENGT_TARGETS_MAX]; /* in the order they were added */
    size_t targets_count;
    uint32_t reserves; /* all of their reserves together */
    uint64_t hash_key; /* random, odd */
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

#endif
