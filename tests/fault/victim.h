/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A handle on the simulator that is killed: at any hypercall, before Xen sees it, or at any store
 * to the journal. From that instant on nothing of what the process does reaches Xen, and
 * victim_bury() leaves the journal as it was then. One at a time.
 */
#ifndef TESTS_FAULT_VICTIM_H
#define TESTS_FAULT_VICTIM_H

#include <stdbool.h>
#include <stdint.h>

#include <xengt/xengt.h>

/* A folder for the journal, on a tmpfs; removed with all that is in it. */
void victim_make_dir(char *dir, size_t size);
void victim_remove_dir(const char *dir);

/*
 * Opens a handle of which the nth instant will be its last; 0: it lives. stores: instants are
 * stores, too. What xengt_open() returns: it may be dead before it is open.
 */
int victim_open(struct xengt **out, const struct xengt_options *options, uint64_t nth, bool stores);

/* Lets the handle die at the nth instant from now. */
void victim_will_die(uint64_t nth);

bool victim_is_dead(void);

/* The instants so far. */
uint64_t victim_instants(void);

/* Kills it now, unless it is dead already, and frees its memory; xg may be NULL when it is. */
void victim_bury(struct xengt *xg);

#endif
