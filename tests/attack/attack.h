/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attacks: what their tests share. An attack is what alice does; what bob gets must not change by
 * it, beyond the bounds that docs/architecture.md states.
 */
#ifndef TESTS_ATTACK_ATTACK_H
#define TESTS_ATTACK_ATTACK_H

#include "support/pair.h"

/*
 * The wait: what alice has made the daemon do at a time, so that a request of bob's would have
 * waited. In work (work.h), as time says more of what else the machine does than of the daemon, and
 * in hypercalls, which take the simulator none.
 */
struct wait_mark {
    uint64_t work;
    uint64_t hypercalls;
};

struct wait {
    uint64_t most_work;
    const char *worst; /* what took it */
    uint64_t most_hypercalls;
    const char *most; /* what made them */

    /* While something is measured: */
    const struct pair *p;
    const char *what;
    struct wait_mark since;
};

/*
 * A call that the daemon makes in one piece, but for the turns that it makes while alice's
 * processor waits for an answer: these are measured one by one.
 */
void attack_begin_wait(const struct pair *p, struct wait *wait, const char *what);
void attack_end_wait(struct wait *wait);
#define ATTACK_WAIT(p, wait, what, call)        \
    do {                                        \
        attack_begin_wait((p), (wait), (what)); \
        call;                                   \
        attack_end_wait(wait);                  \
    } while (0)

/* A store of alice's to a register. */
void attack_write(const struct pair *p, struct wait *wait, uint32_t reg, uint32_t value);

/* The daemon's turns, until there is nothing to do for it, or so many. */
void attack_turns(const struct pair *p, struct wait *wait, unsigned max);

/* Nothing has taken longer than bob may wait. */
void attack_check_wait(const struct wait *wait);

/*
 * Page tables of alice's: a PML4, one PDP, and below it page directories of 512 tables each, in her
 * frames from first on. The entries of the tables are filled by the caller.
 */
struct attack_tables {
    uint32_t first; /* frame: of the PML4, then the PDP, the PDs, the PTs */
    uint32_t count; /* of PTs */
};
#define ATTACK_TABLES_MAX (512u * 512u)
void attack_make_tables(const struct pair *p, const struct attack_tables *tables);
uint64_t *attack_table(const struct pair *p, const struct attack_tables *tables, uint32_t i);
uint32_t attack_table_gfn(const struct attack_tables *tables, uint32_t i);

/* Frames that they take. */
uint32_t attack_tables_size(uint32_t count);

/* Alice says that the address space exists: it is kept also when nothing runs in it. */
void attack_announce(const struct pair *p, struct wait *wait, uint32_t pml4_gfn);

/* A batch in the address space, that alice runs in it. */
void attack_run_batch(const struct pair *p, struct wait *wait, uint32_t pml4_gfn,
                      uint64_t batch_va);

#endif
