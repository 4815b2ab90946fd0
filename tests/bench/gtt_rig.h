/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shadow GTTs to measure: guests whose page tables are plain memory, a GPU of nothing but tables,
 * and a back end that maps by saying yes. Hypercalls cost nothing here: what is left is ours.
 */
#ifndef BENCH_GTT_RIG_H
#define BENCH_GTT_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include <xengt/types.h>

#include "gtt/gtt.h"
#include "table_gpu.h"

#define RIG_GUESTS_MAX 8u
#define RIG_TABLES_MAX 4096u
#define RIG_DATA_FIRST 8192u /* gfns from here on are pages; below are the guest's tables */
#define RIG_DATA_MAX   (UINT32_C(1) << 21)

struct xengt;
struct xengt_space;

struct rig_options {
    unsigned guests;
    uint32_t tables;      /* leaf tables of each */
    uint32_t window;      /* entries of the mappable window of each; 0: a few */
    bool lazy;            /* it is RAM of the guest's */
    bool never_tracked;   /* tables are compared always */
    uint32_t defer_pages; /* of the space; 0: the default */
};

struct rig_guest {
    struct xengt_space *space;
    struct gtt *gtt;
    uint8_t *memory; /* of the tables, by gfn */
    uint64_t *lazy;
    struct gtt_root root;
};

struct rig {
    struct xengt *xg;
    struct table_gpu gpu;
    unsigned guests;
    uint32_t tables;
    struct rig_guest guest[RIG_GUESTS_MAX];
};

/* The guests' tables are linked, empty and shadowed. Ends the program when something fails. */
struct rig *rig_open(const struct rig_options *options);
void rig_close(struct rig *rig);

/* A leaf table, as the guest has it. */
uint64_t *rig_table(const struct rig *rig, unsigned guest, uint32_t table);

/* The guest's entry for its nth page of data. */
static inline uint64_t rig_pte(uint32_t page)
{
    return (uint64_t)(RIG_DATA_FIRST + page) << XENGT_PAGE_SHIFT | 3;
}

#endif
