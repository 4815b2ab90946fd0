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
 */
#ifndef XENGT_SLOTS_H
#define XENGT_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/types.h>

#define SLOT_NONE UINT32_MAX

enum slot_state {
    SLOT_FREE,
    SLOT_RESERVED, /* Xen may or may not hold a reference: the hypercall is on its way */
    SLOT_MAPPED,
    SLOT_REMOVING, /* likewise, on the way out */
    SLOT_LEAKED,   /* the unmap failed: never used again */
    SLOT_STATES,
};

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
    uint32_t leaked;
    uint32_t fresh;  /* slots from here on have never been used */
    uint32_t free;   /* head of the free list */
    struct slot *slot;
    uint64_t *record;
    void *file; /* header and records */
    size_t file_size;
    int fd; /* -1: no file */
};

/* What was found in the file of a predecessor. */
struct slots_found {
    bool exists;
    bool damaged; /* the records cannot be trusted: sweep all of the window */
    uint64_t window_base;
    uint32_t count;
};

/*
 * Opens the journal in dir, or makes one (dir NULL: in memory only). What a predecessor left is
 * described and can be read by slots_record() until slots_begin() starts afresh.
 */
int slots_open(struct slots *slots, const char *dir, struct slots_found *found);
int slots_begin(struct slots *slots, uint64_t window_base, uint32_t count);
void slots_close(struct slots *slots, bool remove_file, const char *dir);

/* SLOT_NONE: all in use. The slot comes reserved, its record written. */
uint32_t slots_reserve(struct slots *slots, uint32_t domid, struct xengt_gfn gfn);
void slots_free(struct slots *slots, uint32_t s);
void slots_set_state(struct slots *slots, uint32_t s, enum slot_state state);

enum slot_state slots_state(const struct slots *slots, uint32_t s);
uint32_t slots_domid(const struct slots *slots, uint32_t s);
struct xengt_gfn slots_gfn(const struct slots *slots, uint32_t s);

#endif
