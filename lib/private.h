/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the library share. */
#ifndef XENGT_PRIVATE_H
#define XENGT_PRIVATE_H

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
        uint32_t *entry; /* which slot each entry of the caller's array uses */
        uint32_t *slot;
        struct xengt_gfn *gfn;
        int *err;
        int *entry_err;
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
int take_over(struct xengt *xg, struct hv_error *error);

struct target *target_find(struct xengt *xg, uint32_t domid);

/*
 * Maps the slots that were reserved for gfns (at most one batch) and moves those that succeeded
 * to SLOT_MAPPED. The caller gives those whose err is not 0 to engine_drop().
 */
void engine_map(struct xengt *xg, uint32_t domid, const uint32_t *slot, const struct xengt_gfn *gfn,
                int *err, size_t n, unsigned prot);
void engine_map_offered(struct xengt *xg, uint32_t domid, const uint32_t *slot,
                        const uint32_t *gref, int *err, size_t n, unsigned prot);

/* Frees a slot that was not mapped; one of which that is not certain stays leaked. */
void engine_drop(struct xengt *xg, uint32_t slot);

/*
 * Unmaps slots (at most one batch). Those Xen let go are free afterwards and err is 0; the rest
 * are leaked.
 */
void engine_unmap(struct xengt *xg, const uint32_t *slot, int *err, size_t n);

/*
 * The slot of a BFN that is mapped, or SLOT_NONE; and the next one of the same BFN. Only where
 * there is no window can there be more than one: when a page was mapped more than once.
 */
uint32_t engine_slot(const struct xengt *xg, struct xengt_bfn bfn);
uint32_t engine_next(const struct xengt *xg, uint32_t slot);
struct xengt_bfn engine_bfn(const struct xengt *xg, uint32_t slot);

/* Gives up mappings that only wait for their users to come back, of all spaces. */
void spaces_flush(struct xengt *xg);

/* A call without err[] is all or nothing: its first failure, or 0, and giving back what was mapped.
 */
int raw_first_error(const int *err, size_t n);
void raw_take_back(struct xengt *xg, struct xengt_bfn *bfn, size_t n);

#endif
