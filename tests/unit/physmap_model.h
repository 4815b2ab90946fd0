/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A model of what the physmap back end asks of Xen, at the boundary of the hypercall: a range of
 * frames of the backend domain, what is at each of them, and what Xen does when something is put
 * there or taken away. What would crash the domain, or take RAM away from it, is counted.
 */
#ifndef PHYSMAP_MODEL_H
#define PHYSMAP_MODEL_H

#include "hv/xen/physmap.h"

#define MODEL_BASE   UINT64_C(0x200000)
#define MODEL_FRAMES 4096u
#define MODEL_GUEST  3u
#define MODEL_PAGES  4096u /* of the guest: gfns from 0 on */
#define MODEL_GRANTS 64u   /* of the guest: references from 0 on, of gfns of the same number */

enum model_at {
    AT_NOTHING,
    AT_RAM,
    AT_DEVICE,
    AT_FOREIGN,
    AT_GRANT,
    AT_TABLE, /* a frame of this domain's grant table */
};

struct model {
    enum model_at at[MODEL_FRAMES];
    uint32_t gfn[MODEL_FRAMES]; /* of what is foreign or a grant */
    unsigned calls;
    unsigned crashes;
    unsigned lost; /* pages of RAM */
    uint32_t nr_frames;
    uint32_t max_frames;
    bool last_in_use;   /* the last frame of the table is somewhere else */
    int table_error;    /* of putting a frame of the table somewhere; 0: none */
    uint64_t pool;      /* bytes */
    unsigned no_memory; /* map entries to be refused for want of memory */
    unsigned pool_set;
    bool claimed;
    unsigned claim_error;
};

struct physmap_env model_env(struct model *m);
unsigned model_count(const struct model *m, enum model_at at);

#endif
