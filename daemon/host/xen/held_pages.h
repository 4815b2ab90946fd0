/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tracked pages that must stay tracked for a moment longer.
 *
 * A trapped store is answered, and then Xen emulates the guest's instruction once more; that time
 * it takes the answer. If the page is plain RAM by then, a REP STOS or REP MOVS is done to RAM at
 * once (hvmemul_rep_stos() in Xen 4.17, arch/x86/hvm/emulate.c), nobody takes the answer, and Xen
 * crashes the guest at its next request: "domain_crash called from emulate.c". So a page is held
 * from a vCPU's store until the vCPU's next request, which proves that Xen is done with the store.
 *
 * No more than two pages of each vCPU are held: nothing here allocates.
 */
#ifndef XENGT_HOST_XEN_HELD_PAGES_H
#define XENGT_HOST_XEN_HELD_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* vCPUs that have a slot in the one ioreq page; also Xen's limit for guests of this kind. */
#define IOREQ_VCPUS_MAX 128u
#define HELD_PAGES_MAX  (2 * IOREQ_VCPUS_MAX)

struct held_pages {
    struct {
        bool holds;
        bool idle; /* the answer was seen to be taken */
        uint64_t first;
        uint64_t last;
    } vcpu[IOREQ_VCPUS_MAX];
    uint64_t late[HELD_PAGES_MAX]; /* to be tracked no more as soon as nobody holds them */
    size_t late_n;
};

/* A vCPU's latest request is a store into these frames. */
void held_pages_store(struct held_pages *held, unsigned vcpu, uint64_t first, uint64_t last);

/* It is something else. */
void held_pages_other(struct held_pages *held, unsigned vcpu);

/*
 * Xen has taken the answer to the vCPU's latest request. What it emulates then is done without
 * letting go of the CPU: the second time this is said, some milliseconds later, it is over.
 */
void held_pages_taken(struct held_pages *held, unsigned vcpu);

/* A page is to be tracked no more. False: not yet, it is noted. */
bool held_pages_may_end(struct held_pages *held, uint64_t gfn);

/* A page is to be tracked. True: it still is. */
bool held_pages_begin(struct held_pages *held, uint64_t gfn);

/* Takes a page that was noted and is held no more; false: there is none. */
bool held_pages_next(struct held_pages *held, uint64_t *gfn);

#endif
