/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slot table: every mapping of a handle, in two parallel arrays.
 *
 * The records (8 bytes: what is mapped, and how far that has come) are the journal: they lie in
 * a file on a tmpfs that is mapped into the process, and one aligned store moves a slot from a
 * state to the next. A record says "reserved" before Xen is asked to map and "empty" only after
 * Xen has unmapped, so that whoever finds the file after a kill knows a superset of what Xen
 * holds, at any instant. Written first, without a system call, by design of the table itself.
 *
 * The slots (16 bytes) hold what only the running process needs.
 *
 * Two more areas of the journal serve back ends whose mappings cannot be told from the slot
 * alone; they take no memory until they are used:
 *
 *   held  16 bytes for each slot: the BFN, and the handle Xen will want to see again
 *   area  the back end's own: above all the arguments of its hypercalls, so that what Xen answers
 *         is in the journal before the process can be killed
 */
#ifndef XENGT_LIB_SLOTS_H
#define XENGT_LIB_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/types.h>

#include "report.h"

#define SLOT_NONE UINT32_MAX

enum slot_state {
    SLOT_FREE,
    SLOT_RESERVED, /* Xen may or may not hold a reference: the hypercall is on its way */
    SLOT_MAPPED,
    SLOT_REMOVING, /* likewise, on the way out */
    SLOT_LEAKED,   /* the unmap failed: never used again */
    SLOT_TAKEN,    /* likewise: something is in it that is not ours */
    SLOT_STATES,
};

/*
 * What stands for a mapping where the slot does not: in the journal, and checked, because a wrong
 * number here would undo a mapping of somebody else. All zero: nothing. handle and ref mean what
 * the back end says.
 */
struct held {
    uint64_t bfn; /* and a check of all members above its 40 bits */
    uint32_t handle;
    uint32_t ref;
};

#define HELD_BFN_MAX ((UINT64_C(1) << 40) - 1)

#define SLOT_USERS_MAX ((1u << 22) - 1)

struct slot {
    uint32_t users : 22;     /* 0: deferred, in its space's queue */
    uint32_t raw : 1;        /* made by xengt_map(): belongs to no space */
    uint32_t old : 1;        /* deferred before the last expiry */
    uint32_t generation : 8; /* of the space at the time it was mapped; 0: stale */
    uint32_t hash_next;      /* chain of its space's hash */
    uint32_t prev;           /* deferred queue */
    uint32_t next;           /* deferred queue; free list */
};

struct slots {
    uint32_t count;
    uint32_t used;   /* not free */
    uint32_t leaked; /* or taken */
    uint32_t fresh;  /* slots from here on have never been used */
    uint32_t free;   /* head of the free list */
    struct slot *slot;
    uint64_t *record;
    struct held *held;
    void *area;
    size_t area_size;
    void *file; /* header, records, held, area */
    size_t file_size;
    int fd; /* -1: no file */
};

/* What the header of a journal says of all of it. */
struct slots_kind {
    uint64_t window_base;
    uint32_t count;
    uint32_t backend;   /* whose rules the records follow: enum xengt_backend */
    uint32_t area_size; /* of the back end's own area */
};

/* What was found in the file of a predecessor. */
struct slots_found {
    bool exists;
    bool damaged;    /* not all of it can be trusted */
    bool other_boot; /* written before this domain booted: nothing of it is mapped any more */
    bool readable;   /* kind is sound, and the records can be looked at one by one */
    struct slots_kind kind;
};

/*
 * Opens the journal in dir, or makes one (dir NULL: in memory only). Neither dir nor the file may
 * be writable by another user (-EPERM). What a predecessor left is
 * described and can be read until slots_begin() starts afresh. Its held and area may also be
 * written: that goes to private memory, so that a kill in the middle of a recovery loses nothing.
 */
int slots_open(struct slots *slots, const char *dir, struct slots_found *found,
               struct hv_error *error);
int slots_begin(struct slots *slots, const struct slots_kind *kind);

/*
 * Instead of slots_begin(): goes on with the predecessor's journal, which must be sound, where it
 * stands. What is in its records is the caller's to deal with; of what was leaked nothing is
 * known as yet.
 */
int slots_continue(struct slots *slots);
void slots_close(struct slots *slots, bool remove_file, const char *dir);

/* SLOT_NONE: all in use. The slot comes reserved, its record written. */
uint32_t slots_reserve(struct slots *slots, uint32_t domid, struct xengt_gfn gfn);
/* The same for a grant that the domain offers: unmapped by its handle, on every back end. */
uint32_t slots_reserve_offered(struct slots *slots, uint32_t domid, uint32_t gref);
void slots_free(struct slots *slots, uint32_t s);
void slots_set_state(struct slots *slots, uint32_t s, enum slot_state state);

/* Takes the slots of a range that are free out of use. */
void slots_retire(struct slots *slots, uint32_t first, uint32_t n);

bool slots_sound(const struct slots *slots, uint32_t s); /* of a predecessor: can be believed */

void held_set(struct slots *slots, uint32_t s, uint64_t bfn, uint32_t handle, uint32_t ref);
void held_clear(struct slots *slots, uint32_t s);
bool held_sound(const struct slots *slots, uint32_t s); /* all zero is sound, too */

/*
 * A record, from bit 0: gfn 36, domid 16, state 3, offered 1, check 8. The check byte makes a
 * record that was not written by us recognisable; a free slot is all zero.
 */
#define RECORD_GFN_BITS      36
#define RECORD_DOMID_BITS    16
#define RECORD_STATE_BITS    3
#define RECORD_DOMID_SHIFT   RECORD_GFN_BITS
#define RECORD_STATE_SHIFT   (RECORD_DOMID_SHIFT + RECORD_DOMID_BITS)
#define RECORD_OFFERED_SHIFT (RECORD_STATE_SHIFT + RECORD_STATE_BITS)
#define RECORD_CHECK_SHIFT   (RECORD_OFFERED_SHIFT + 1)

static inline enum slot_state slots_state(const struct slots *slots, uint32_t s)
{
    return slots->record[s] >> RECORD_STATE_SHIFT & ((1u << RECORD_STATE_BITS) - 1);
}

static inline bool slots_offered(const struct slots *slots, uint32_t s)
{
    return slots->record[s] >> RECORD_OFFERED_SHIFT & 1;
}

static inline uint32_t slots_domid(const struct slots *slots, uint32_t s)
{
    return slots->record[s] >> RECORD_DOMID_SHIFT & ((1u << RECORD_DOMID_BITS) - 1);
}

/* Or the offered reference. */
static inline struct xengt_gfn slots_gfn(const struct slots *slots, uint32_t s)
{
    return (struct xengt_gfn){slots->record[s] & ((UINT64_C(1) << RECORD_GFN_BITS) - 1)};
}

static inline bool held_empty(const struct slots *slots, uint32_t s)
{
    return slots->held[s].bfn == 0;
}

static inline uint64_t held_bfn(const struct slots *slots, uint32_t s)
{
    return slots->held[s].bfn & HELD_BFN_MAX;
}

#endif
