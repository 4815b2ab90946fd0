/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests with GTTs, a GPU of page tables behind the simulated IOMMU, and the oracle: a walk of the
 * guest's tables as the guest has them, compared with where the GPU's tables lead.
 *
 * Every page says who it is: its last word holds a number that tells the guest and the frame, and
 * is none that an entry could be taken for. So it is seen which page a BFN leads to.
 */
#ifndef TESTS_MODEL_GTT_WORLD_H
#define TESTS_MODEL_GTT_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <xengt/sim.h>
#include <xengt/space.h>

#include "gtt/gtt.h"
#include "table_gpu.h"

#define WORLD_GUESTS    2u
#define WORLD_PAGES     160u
#define WORLD_TABLES    24u /* gfns below it are used as page tables, others as data */
#define WORLD_WINDOW    96u /* entries of each of a guest's two windows */
#define WORLD_GTT       512u
#define WORLD_STAMP     (GPU_TABLE_ENTRIES - 1) /* the word that says who the page is */
#define WORLD_ROOTS_MAX 16u

struct world_config {
    const char *name;
    bool no_tracker;     /* nobody can tell of stores */
    bool faulty_tracker; /* refuses now and then */
    bool track_all;
    bool commit_each;
    bool lazy;           /* the global GTT is RAM */
    bool no_defer;       /* unmap at the last release */
    uint32_t tables_max; /* 0: the default */
    uint32_t oos_max;
    uint32_t quota;
    bool fail_hypercalls;
    uint32_t portion; /* units of work that are allowed at a time; 0: everything */
};

struct world_guest {
    struct world *world;
    unsigned number;
    uint32_t domid;
    struct xengt_space *space;
    struct gtt *gtt;
    struct table_gpu_client *client;
    struct gpu_range window[2];
    bool tracked[WORLD_PAGES];
    bool murky[WORLD_PAGES]; /* went while an entry pointed to it: either page may be seen */
    bool out[WORLD_PAGES];   /* ballooned out */
    bool was_root[WORLD_PAGES];
    uint64_t ggtt[2 * WORLD_WINDOW];
    uint8_t halves[2 * WORLD_WINDOW];
    uint64_t late_gpa; /* of a store that was trapped and is not delivered yet; 0: none */
    uint64_t late_value;
    uint64_t *lazy; /* WORLD_GTT entries, or NULL */
    struct gtt_root announced[WORLD_ROOTS_MAX];
    unsigned announcements;
    struct gtt_root submitted[GPU_ENGINES]; /* levels 0: none */
    bool left[GPU_ENGINES];                 /* a submission is under way, and not through */
};

struct world {
    const struct world_config *config;
    struct xengt_sim *sim;
    struct xengt *xengt;
    struct table_gpu gpu;
    struct world_guest guest[WORLD_GUESTS];
    uint64_t serial;
    uint64_t random;
    const uint8_t *input; /* instead of random, where it is not NULL */
    size_t input_left;
    bool tolerant; /* a map may have failed: scratch is right everywhere */
    char problem[256];
};

extern const struct world_config world_configs[];
extern const size_t world_configs_count;

int world_open(struct world *w, const struct world_config *config, uint64_t seed);
void world_close(struct world *w);
uint32_t world_random(struct world *w, uint32_t below);

/* One operation of one of the guests, chosen at random. */
void world_step(struct world *w);

/* Destroys the guest's domain and makes another. */
int world_replace(struct world_guest *g);

uint64_t *world_page(struct world_guest *g, uint64_t gfn); /* NULL: none */

/* A store of the guest's, which is trapped where it is tracked. */
void world_store(struct world_guest *g, uint64_t gpa, uint64_t value, unsigned size);
void world_store_ggtt(struct world_guest *g, uint32_t entry, uint64_t value, bool low, bool high);

/* Turns, until the guest's access is through. Other guests are at work in between. */
void world_finish(struct world_guest *g);

/* A store that was under way when its page stopped being tracked. */
void world_deliver_late(struct world_guest *g);

int world_balloon_out(struct world_guest *g, uint64_t gfn);
int world_balloon_in(struct world_guest *g, uint64_t gfn);

int world_submit(struct world_guest *g, enum gpu_engine engine, const struct gtt_root *root);
void world_reset(struct world_guest *g);

/* Does the GPU's view agree with the guest's? problem says where not. */
bool world_check_root(struct world_guest *g, enum gpu_engine engine);
bool world_check_ggtt(struct world_guest *g);
bool world_verify(struct world_guest *g);

/* The GPU uses a translation: it must lead to the guest's own memory or scratch. */
bool world_access(struct world_guest *g, enum gpu_engine engine, uint64_t page);
bool world_access_ggtt(struct world_guest *g, uint32_t entry);

#endif
