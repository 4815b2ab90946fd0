/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of bench-lib: one way to map and unmap pages is a method. */
#ifndef BENCH_LIB_H
#define BENCH_LIB_H

#include <stddef.h>
#include <stdint.h>

#include <xencall.h>
#include <xenforeignmemory.h>

#include <xengt/map.h>

/* Pages of the guest that every sample maps and unmaps, and the first of them. */
#define PAGES     512u
#define FIRST_GFN 0x800u

/*
 * Frames of the guest's grant table that the benchmark itself writes to. The library begins at
 * the other end, and the guest, which is paused, uses none.
 */
#define OFFERS_FRAME  10u
#define RAW_FRAME     20u
#define TABLE_ENTRIES 512u

struct bench {
    uint32_t domid;
    unsigned rounds;
    struct xengt_options options;
    struct xengt *xg;
    const struct xengt_caps *caps;
    uint64_t raw_base; /* a range like the library's window, for bare hypercalls; 0: no window */
    xencall_handle *call;
    xenforeignmemory_handle *memory;
};

struct method {
    const char *name;
    /* NULL when it cannot be done here, and *why says why. */
    void *(*open)(struct bench *b, const char **why);
    /* Maps, or unmaps, n pages beginning with page i, by one call; 0 or -errno. */
    int (*map)(void *state, size_t i, size_t n);
    int (*unmap)(void *state, size_t i, size_t n);
    void (*close)(void *state);
};

extern const struct method method_xengt;       /* libxengt */
extern const struct method method_offered;     /* libxengt, grants that the guest offers */
extern const struct method method_raw_physmap; /* the hypercalls, on a PVH backend domain */
extern const struct method method_raw_grant;   /* the hypercalls, on a PV dom0 */
extern const struct method method_foreign;     /* libxenforeignmemory */
extern const struct method method_gnttab;      /* libxengnttab, grants that the guest offers */

int measure_costs(struct bench *b); /* a hypercall, and parts of one */
int measure_space(struct bench *b); /* pages that are mapped already; on a fresh handle */

/* A frame of the guest's grant table. NULL: not to be had. */
void *table_map(struct bench *b, unsigned frame, xenforeignmemory_resource_handle **handle);

/* Fills a frame of it with grants of the pages for this domain. */
void table_offer(void *table);

#endif
