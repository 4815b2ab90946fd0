/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seeded grants: entries that the backend domain writes into a guest's own grant table, so that
 * Xen lets it map the guest's frames by reference.
 *
 * The table belongs to the guest, which may read and write all of it at any time. Only entries
 * that are all zero are taken, by one atomic exchange, from the top-most frames downwards, where
 * no guest has come to yet; an entry is given back by another such exchange, and only if it is
 * still what was written. Which entries are ours is in memory of our own: whatever a guest does to
 * the table, it can only name its own pages, and no entry is given to two.
 */
#ifndef XENGT_LIB_HV_XEN_GRANT_TABLE_H
#define XENGT_LIB_HV_XEN_GRANT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/types.h>

#define SEED_ENTRIES    512u /* of version 1, in a frame */
#define SEED_FRAMES_MAX 64u

/* Where frames of the table come from: Xen, or a test. */
struct seed_frames {
    void *arg;
    /* 0, or -EOPNOTSUPP: the table is not of version 1. */
    int (*version)(void *arg, uint32_t domid);
    /* The frames a domain's table can have at most. */
    int (*limit)(void *arg, uint32_t domid, uint32_t *frames);
    int (*map)(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie);
    void (*unmap)(void *arg, void *cookie);
};

struct seed_table {
    uint32_t domid;
    uint32_t self;       /* the domain that is granted */
    uint32_t limit;      /* frames of the table; frame[0] is its last */
    uint32_t frames_max; /* of them to be used at most */
    uint32_t frames;     /* mapped so far */
    uint32_t fresh;      /* entries of the mapped frames that were looked at */
    uint32_t free_count;
    uint32_t ours; /* entries that are somebody's */
    uint32_t lost; /* entries the guest had taken or changed: never used again */
    const struct seed_frames *from;
    uint64_t *frame[SEED_FRAMES_MAX];
    void *cookie[SEED_FRAMES_MAX];
    uint64_t
        used[SEED_FRAMES_MAX * SEED_ENTRIES / 64]; /* bits, from the last frame on: ours, lost */
    uint32_t free[SEED_FRAMES_MAX * SEED_ENTRIES]; /* references, each once at most */
};

/* -ENOMEM, or what version() or limit() says. */
int seed_open(const struct seed_frames *from, uint32_t domid, uint32_t self, uint32_t frames_max,
              struct seed_table **out);
void seed_close(struct seed_table *t); /* entries stay as they are; NULL is allowed */

/* An entry that a predecessor took: is not taken again before it has been given back. */
void seed_keep(struct seed_table *t, uint32_t ref);

/*
 * Can the table be written to? While an entry is in use Xen lets the guest change nothing of its
 * kind; before the first one is taken it has to be asked again.
 */
int seed_ready(const struct seed_table *t);

/*
 * Takes an entry for a frame. -ENOSPC: none is left. -EINVAL: a frame that an entry cannot name (it
 * has 32 bits). Nothing is written yet, so that the caller can note first that it will be.
 */
int seed_choose(struct seed_table *t, struct xengt_gfn gfn, uint32_t *ref);

/* Makes it grant the frame. False: the guest was faster, and it is never used again. */
bool seed_write(struct seed_table *t, uint32_t ref, struct xengt_gfn gfn, bool read_only);

/* What Xen and the guest made of an entry that grants the frame. */
enum seed_state {
    SEED_UNUSED,  /* as it was written */
    SEED_IN_USE,  /* Xen has it mapped */
    SEED_CHANGED, /* the guest has changed it */
};
enum seed_state seed_state(const struct seed_table *t, uint32_t ref, struct xengt_gfn gfn);

/*
 * Gives an entry back that was taken or kept. One that is not as it was written stays and is never
 * used again: false. So is any other reference.
 */
bool seed_put(struct seed_table *t, uint32_t ref, struct xengt_gfn gfn);

#endif
