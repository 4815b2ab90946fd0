/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slot table: a slot is a number that stands for one mapping, and its record is all that is
 * kept of that. The records are the journal: they lie in a file on a tmpfs that is mapped into the
 * process, so that whoever finds it after a kill knows a superset of what Xen holds.
 *
 * A record is 16 bytes, two words, from bit 0:
 *
 *   what  gfn (or offered reference) 36, domid 15, state 2, offered 1, read-only 1, check 9
 *   held  bfn 40, handle 24: where Xen chooses the BFN, and answers with what undoes the mapping
 *
 * The check is of both words and of the slot's number: it finds every byte that was changed, and a
 * record that strayed. A free slot has what = 0, and in held the number of the next free one, and
 * above that what its back end wants to know when it is used again (its past).
 *
 * The rule is one: what Xen may hold is in a record. It is written before the hypercall that maps,
 * and cleared after the one that unmaps. In between it does not change: what says of a mapping that
 * it is on its way are the flights, one in each direction. A flight is the array of slots that a
 * hypercall is about; it lies in the journal and is the very array that the code works through.
 * While its n is not 0, its slots are in doubt. So no state is stored for each page, and a kill
 *
 *   before the hypercall    leaves records of what is not mapped: unmapping that is -ENOENT
 *   after it                leaves records of what is, and Xen's answers in the area, see below
 *   between two words       leaves a record that is not sound, of a slot in flight: those have no
 *                           check in any case where Xen's answer is to be added
 *
 * and a successor unmaps what was in flight, whatever he does with the rest.
 *
 * The area is the back end's own: the arguments of its hypercalls. Xen itself writes its answers
 * there, before the process can be killed; they are copied to the records after that.
 *
 * Slots come from pools, one or as many as a back end wants, each with a free list of its own. A
 * slot's place in its pool may mean something: on the grant back end, an entry of a guest's table.
 *
 * Beside the journal is what only the running process needs: struct slot, 8 bytes.
 */
#ifndef XENGT_LIB_SLOTS_H
#define XENGT_LIB_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/xengt.h>

#include "report.h"

#define SLOTS_MAX ((1u << 24) - 1)
#define SLOT_NONE SLOTS_MAX /* as a link it is all ones */
#define POOLS_MAX 80u

enum slot_state {
    SLOT_FREE,
    SLOT_MAPPED, /* or on its way, in a flight */
    SLOT_LEAKED, /* the unmap failed: never used again */
    SLOT_TAKEN,  /* something is in it that is not ours: likewise */
};

struct record {
    uint64_t what;
    uint64_t held;
};

#define RECORD_GFN_BITS        36u
#define RECORD_DOMID_SHIFT     RECORD_GFN_BITS
#define RECORD_DOMID_BITS      15u
#define RECORD_STATE_SHIFT     (RECORD_DOMID_SHIFT + RECORD_DOMID_BITS)
#define RECORD_STATE_BITS      2u
#define RECORD_OFFERED_SHIFT   (RECORD_STATE_SHIFT + RECORD_STATE_BITS)
#define RECORD_READ_ONLY_SHIFT (RECORD_OFFERED_SHIFT + 1)
#define RECORD_CHECK_SHIFT     (RECORD_READ_ONLY_SHIFT + 1)

#define RECORD_GFN_MASK  ((UINT64_C(1) << RECORD_GFN_BITS) - 1)
#define RECORD_BODY_MASK ((UINT64_C(1) << RECORD_CHECK_SHIFT) - 1)
/* All but the gfn. Where it is the same, what is to be done is the same: the kind. */
#define RECORD_KIND_MASK (RECORD_BODY_MASK & ~RECORD_GFN_MASK)

#define HELD_BFN_MAX    ((UINT64_C(1) << 40) - 1)
#define HELD_HANDLE_MAX ((1u << 24) - 1)

/* What only the running process needs of a mapping. */
struct slot {
    uint32_t use;  /* see below */
    uint32_t next; /* of a space's: the chain of its hash */
};

/*
 * use, of a plain mapping: a serial number, which is not 0; its cookie has the same.
 * Of a space's: bits 0..21 how many users there are, or, once deferred, the place in the queue;
 * 22..29 the space's generation at the time it was mapped, 0: stale.
 */
#define USE_SPACE            (1u << 31)
#define USE_DEFERRED         (1u << 30)
#define USE_GENERATION_SHIFT 22
#define USE_GENERATION_ONE   (1u << USE_GENERATION_SHIFT)
#define USE_GENERATION       (0xffu << USE_GENERATION_SHIFT)
#define USE_VALUE            ((1u << USE_GENERATION_SHIFT) - 1)
#define USE_SERIAL           (USE_SPACE - 1)

/* The slots that a hypercall is about. */
struct flight {
    uint32_t n;
    uint32_t slot[XENGT_BATCH_MAX];
};

struct pool {
    uint32_t first;
    uint32_t end;
    uint32_t fresh; /* slots from here on have never been used */
    uint32_t free;  /* head of the free list */
};

struct slots {
    uint32_t count;
    uint32_t limit;  /* in use at a time */
    uint32_t used;   /* not free */
    uint32_t leaked; /* or taken */
    uint32_t serial; /* of the last plain mapping */
    uint32_t pools;
    unsigned pool_shift; /* of a slot's number to its pool's */
    struct record *record;
    struct slot *slot;
    struct flight *maps; /* on their way in, and out */
    struct flight *unmaps;
    void *area;
    size_t area_size;
    void *file; /* header, flights, area, records */
    size_t file_size;
    int fd; /* -1: no file */
    struct pool pool[POOLS_MAX];
};

/* What the header of a journal says of all of it. */
struct slots_kind {
    uint64_t window_base;
    uint32_t count;     /* pools * stride, or less if there is one pool */
    uint32_t stride;    /* slots from one pool to the next, a power of two; 0: there is one */
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
 * be writable by another user (-EPERM). What a predecessor left is described and can be read until
 * slots_begin() starts afresh. It may also be written: that goes to private memory, so that a kill
 * in the middle of a recovery loses nothing.
 */
int slots_open(struct slots *slots, const char *dir, struct slots_found *found,
               struct hv_error *error);
int slots_begin(struct slots *slots, const struct slots_kind *kind);

/*
 * Instead of slots_begin(): goes on with the predecessor's journal, which must be sound but for
 * what is in flight, where it stands. What is in its records is the caller's to deal with; of what
 * was leaked nothing is known as yet.
 */
int slots_continue(struct slots *slots);
void slots_close(struct slots *slots, bool remove_file, const char *dir);

/* --- slots ------------------------------------------------------------------------------- */

/* A slot that nobody has, without a record as yet; SLOT_NONE: the pool has none. */
uint32_t slots_take_fresh(struct slots *slots, struct pool *pool);
static inline uint32_t slots_take(struct slots *slots, struct pool *pool)
{
    uint32_t s = pool->free;
    if (s == SLOT_NONE) {
        return slots_take_fresh(slots, pool);
    }
    pool->free = slots->record[s].held & SLOT_NONE;
    return s;
}

/* At most n of them; how many. */
uint32_t slots_take_some(struct slots *slots, struct pool *pool, uint32_t *slot, uint32_t n);

static inline struct pool *slots_pool(struct slots *slots, uint32_t s)
{
    return &slots->pool[s >> slots->pool_shift];
}

/* Gives a slot back that has no record yet. */
static inline void slots_untake(struct slots *slots, uint32_t s)
{
    struct pool *pool = slots_pool(slots, s);
    uint64_t *held = &slots->record[s].held;
    *held = (*held & ~(uint64_t)SLOT_NONE) | pool->free;
    pool->free = s;
}

/* Whose mappings the slots of a pool are to be; as the journal has it, of a predecessor. */
void slots_set_owner(struct slots *slots, const struct pool *pool, uint32_t domid);
uint32_t slots_owner(const struct slots *slots, const struct pool *pool);

/* Puts all slots of a pool that have no record into its free list. */
void slots_refill(struct slots *slots, struct pool *pool);

/* The first slot from s on that has ever been used, or SLOT_NONE. */
uint32_t slots_next(const struct slots *slots, uint32_t s);

/* Leaked, or taken by somebody else. */
void slots_give_up(struct slots *slots, uint32_t s, enum slot_state state);

/* Takes the slots of a range that are free out of use; there is one pool. */
void slots_retire(struct slots *slots, uint32_t first, uint32_t n);

/* --- records ----------------------------------------------------------------------------- */

bool slots_sound(const struct slots *slots, uint32_t s); /* of a predecessor: can be believed */

static inline uint64_t record_kind(uint32_t domid, enum slot_state state, bool offered,
                                   bool read_only)
{
    return (uint64_t)domid << RECORD_DOMID_SHIFT | (uint64_t)state << RECORD_STATE_SHIFT |
           (uint64_t)offered << RECORD_OFFERED_SHIFT |
           (uint64_t)read_only << RECORD_READ_ONLY_SHIFT;
}

/*
 * what, with its check: the upper bits of a sum of products. The factors are such that the change
 * of any one byte, of any value, changes those bits (tests/unit/test_slots.c tries them all).
 */
#define RECORD_WHAT_FACTOR UINT64_C(0xa32d9d3c4564ab01)
#define RECORD_HELD_FACTOR UINT64_C(0xaf658bde0bd2dc31)
static inline uint64_t record_check(uint32_t s, uint64_t body, uint64_t held)
{
    uint64_t sum = body * RECORD_WHAT_FACTOR + (held + s) * RECORD_HELD_FACTOR;
    return body | (sum & ~RECORD_BODY_MASK);
}

/*
 * Stores a word of a record, at once, and in the order in which such stores are written. Nothing
 * else is ordered by it: see flight_set().
 */
static inline void record_store(uint64_t *word, uint64_t value)
{
    *(volatile uint64_t *)word = value;
}

/* The record of a mapping that is to be made: what is its kind and gfn. */
static inline void slots_set(struct slots *slots, uint32_t s, uint64_t what)
{
    struct record *r = &slots->record[s];
    record_store(&r->held, 0);
    record_store(&r->what, record_check(s, what, 0));
}

/*
 * The same where Xen's answer is to be added: until then the slot is in flight, and needs no check.
 * Its past is still there.
 */
static inline void record_begin(struct record *r, uint64_t what)
{
    record_store(&r->what, what);
}

/* What Xen answered to it. handle may be 0 where there is none. */
static inline void record_answer(struct record *r, uint32_t s, uint64_t body, uint64_t held)
{
    record_store(&r->held, held);
    record_store(&r->what, record_check(s, body, held));
}

/* The end of a mapping: one store, and it is gone. Then the slot is put before another free one. */
static inline void record_free(struct record *r, uint64_t past, uint32_t next)
{
    record_store(&r->what, 0);
    record_store(&r->held, past | next);
}

static inline void slots_free(struct slots *slots, uint32_t s)
{
    struct pool *pool = slots_pool(slots, s);
    record_free(&slots->record[s], 0, pool->free);
    pool->free = s;
}

/* What is kept of a gfn that a slot was used for; other bits than a link has. */
#define RECORD_HAS_PAST (UINT64_C(1) << 24)
static inline uint64_t record_past(uint64_t gfn)
{
    return gfn << 32 | RECORD_HAS_PAST;
}

static inline void slots_set_held(struct slots *slots, uint32_t s, uint64_t bfn, uint32_t handle)
{
    struct record *r = &slots->record[s];
    record_answer(r, s, r->what & RECORD_BODY_MASK, bfn | (uint64_t)handle << 40);
}

static inline enum slot_state slots_state(const struct slots *slots, uint32_t s)
{
    return slots->record[s].what >> RECORD_STATE_SHIFT & ((1u << RECORD_STATE_BITS) - 1);
}

static inline bool slots_offered(const struct slots *slots, uint32_t s)
{
    return slots->record[s].what >> RECORD_OFFERED_SHIFT & 1;
}

static inline bool slots_read_only(const struct slots *slots, uint32_t s)
{
    return slots->record[s].what >> RECORD_READ_ONLY_SHIFT & 1;
}

static inline uint32_t slots_domid(const struct slots *slots, uint32_t s)
{
    return slots->record[s].what >> RECORD_DOMID_SHIFT & ((1u << RECORD_DOMID_BITS) - 1);
}

/* Or the offered reference. */
static inline struct xengt_gfn slots_gfn(const struct slots *slots, uint32_t s)
{
    return (struct xengt_gfn){slots->record[s].what & RECORD_GFN_MASK};
}

static inline uint64_t slots_kind_of(const struct slots *slots, uint32_t s)
{
    return slots->record[s].what & RECORD_KIND_MASK;
}

static inline uint64_t slots_bfn(const struct slots *slots, uint32_t s)
{
    return slots->record[s].held & HELD_BFN_MAX;
}

static inline uint32_t slots_handle(const struct slots *slots, uint32_t s)
{
    return (uint32_t)(slots->record[s].held >> 40);
}

/* --- flights ----------------------------------------------------------------------------- */

/* The process can be killed anywhere, and its stores must be in the journal in this order. */
static inline void slots_order(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* From here on, until it is 0, the first n slots of a flight are in doubt. */
static inline void flight_set(struct flight *flight, size_t n)
{
    slots_order();
    __atomic_store_n(&flight->n, (uint32_t)n, __ATOMIC_RELEASE);
    slots_order();
}

#endif
