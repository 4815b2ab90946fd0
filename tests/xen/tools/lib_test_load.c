/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Load for a test that kills the process: nearly all of its time goes into hypercalls. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <xengt/space.h>
#include <xengt/target.h>

#include "lib_test.h"

#define FIRST_GFN 0x400u
#define GFNS      4096u
#define BATCH     64u
#define KEPT      32u /* batches that stay mapped for a while */

struct kept {
    struct xengt_bfn bfn[BATCH];
    struct xengt_cookie cookie[BATCH];
    unsigned n;
};

/* Replaces one of the batches that are kept: unmapped, and others mapped in its place. */
static int turn(struct test *t, struct kept *k, uint32_t domid)
{
    struct xengt_gfn gfn[BATCH];
    if (k->n && xengt_unmap(t->xg, k->cookie, NULL, k->n)) {
        return 1;
    }
    k->n = 1 + (unsigned)rand() % BATCH;
    for (unsigned i = 0; i < k->n; i++) {
        gfn[i].v = FIRST_GFN + (unsigned)rand() % GFNS;
    }
    if (xengt_map(t->xg, domid, gfn, k->bfn, k->cookie, NULL, k->n, XENGT_PROT_RW)) {
        k->n = 0;
        return 1;
    }
    return 0;
}

int run_load(struct test *t, const uint32_t *domids, unsigned n)
{
    static struct kept kept[KEPT]; /* too large for the stack of a test */
    struct xengt_stats stats;
    struct timespec now;
    if (!n) {
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    srand((unsigned)now.tv_nsec ^ (unsigned)getpid());
    for (unsigned i = 0; i < n; i++) {
        if (xengt_target_add(t->xg, domids[i])) {
            printf("# target %u: %s\n", domids[i], xengt_last_error(t->xg));
            return 1;
        }
    }
    xengt_get_stats(t->xg, &stats);
    printf("running, reclaimed %llu\n", (unsigned long long)stats.reclaimed);
    for (;;) {
        if (turn(t, &kept[(unsigned)rand() % KEPT], domids[(unsigned)rand() % n])) {
            printf("failed: %s\n", xengt_last_error(t->xg));
            return 1;
        }
    }
}
