/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seeded grants: entries that the backend domain writes into a guest's own grant table, so that
 * Xen lets it map the guest's frames by reference.
 *
 * An entry, which can name 32 bits of a gfn, has a place (0..SEED_PLACES - 1), counted from the
 * table's last frame on: those are the frames that no guest has come to yet. Which places are ours
 * is for the caller to know, from memory of his own. The table belongs to the guest, which may read
 * and write all of it at any time: only an entry that is all zero is written, by one atomic
 * exchange, and it is zeroed by another such exchange, only if it is still what was written.
 * Whatever a guest does to the table, it can only name its own pages.
 */
#ifndef XENGT_LIB_HV_XEN_GRANT_TABLE_H
#define XENGT_LIB_HV_XEN_GRANT_TABLE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/grant_table.h>

#include <xengt/types.h>

#define SEED_ENTRIES    512u /* of version 1, in a frame */
#define SEED_FRAMES_MAX 64u
#define SEED_PLACES     (SEED_FRAMES_MAX * SEED_ENTRIES)

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
    uint32_t kept;       /* place of reference 0, and so of those that Xen keeps; and the other way
                            round */
    uint32_t ours;       /* entries that are written, as the caller counts them */
    const struct seed_frames *from;
    uint64_t *frame[SEED_FRAMES_MAX]; /* NULL: not mapped yet */
    void *cookie[SEED_FRAMES_MAX];
};

/* -ENOMEM, or what version() or limit() says. */
int seed_open(const struct seed_frames *from, uint32_t domid, uint32_t self, uint32_t frames_max,
              struct seed_table **out);
void seed_close(struct seed_table *t); /* entries stay as they are; NULL is allowed */

/*
 * Can the table be written to? While an entry is in use Xen lets the guest change nothing of its
 * kind; before the first one is written it has to be asked again.
 */
int seed_ready(const struct seed_table *t);

/*
 * Can a place be had? 0, and its frame is mapped. -EEXIST: the guest has something there, or Xen
 * keeps it for something else. -ENOSPC: there is no such place. Or why its frame cannot be mapped.
 */
int seed_reach(struct seed_table *t, uint32_t place); /* the last of these only */

/* Frames count down, entries in them up: the bits of a frame's number are turned round. */
static inline uint32_t seed_ref(uint32_t kept, uint32_t place)
{
    return kept + SEED_ENTRIES + (place ^ ~(SEED_ENTRIES - 1));
}

static inline uint64_t *seed_entry(const struct seed_table *t, uint32_t place)
{
    return &t->frame[place / SEED_ENTRIES][place % SEED_ENTRIES];
}

#define SEED_KEPT 8u /* references that are for the console and others */

/* An entry as it is written: flags 16, domid 16, frame 32. */
static inline uint64_t seed_make(const struct seed_table *t, struct xengt_gfn gfn, bool read_only)
{
    uint64_t flags = read_only ? GTF_permit_access | GTF_readonly : GTF_permit_access;
    return flags | (uint64_t)t->self << 16 | gfn.v << 32;
}

/*
 * Is it a place that can be had, as far as can be told without mapping its frame? Its entry is 0,
 * or still what was left there.
 */
static inline bool seed_is(const struct seed_table *t, uint32_t place, uint64_t left)
{
    const uint64_t *frame = t->frame[place / SEED_ENTRIES];
    return frame && __atomic_load_n(&frame[place % SEED_ENTRIES], __ATOMIC_RELAXED) == left &&
           place - t->kept >= SEED_KEPT;
}

static inline int seed_look(struct seed_table *t, uint32_t place, uint64_t left)
{
    int ret = t->frame[place / SEED_ENTRIES] ? 0 : seed_reach(t, place);
    if (ret) {
        return ret;
    }
    return seed_is(t, place, left) ? 0 : -EEXIST;
}

/* Nothing else is ordered by it: what comes before and after is a hypercall. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is written, by the builtin */
static inline bool seed_exchange(uint64_t *entry, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(entry, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/*
 * Makes the entry of a place that was looked at grant a frame; from is what it is: 0, or what had
 * been made of it for another frame. -EACCES: the guest has taken it.
 */
static inline int seed_write(const struct seed_table *t, uint32_t place, uint64_t from,
                             struct xengt_gfn gfn, bool read_only)
{
    return seed_exchange(seed_entry(t, place), from, seed_make(t, gfn, read_only)) ? 0 : -EACCES;
}

/* What Xen and the guest made of an entry that grants the frame. */
enum seed_state {
    SEED_UNUSED,  /* as it was written */
    SEED_IN_USE,  /* Xen has it mapped */
    SEED_CHANGED, /* the guest has changed it */
};
enum seed_state seed_state(const struct seed_table *t, uint32_t place, struct xengt_gfn gfn);

/*
 * Zeroes an entry, also one of a predecessor's. One that is not as it was written stays: false. So
 * does any that there is not.
 */
static inline bool seed_clear(struct seed_table *t, uint32_t place, struct xengt_gfn gfn,
                              bool read_only)
{
    if (!t->frame[place / SEED_ENTRIES] && seed_reach(t, place)) {
        return false;
    }
    return seed_exchange(seed_entry(t, place), seed_make(t, gfn, read_only), 0);
}

/* Zeroes an entry that grants something to us, whatever that is, and is not in use. */
void seed_scrub(struct seed_table *t, uint32_t place);

#endif
