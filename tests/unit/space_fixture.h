/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest on the simulator, its space, and what must be true at the end of every test. */
#ifndef TESTS_UNIT_SPACE_FIXTURE_H
#define TESTS_UNIT_SPACE_FIXTURE_H

#include <stdio.h>
#include <string.h>

#include "support/test.h"

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>

#define PAGES 1024u

struct fixture {
    struct xengt_sim *sim;
    struct xengt *xg;
    struct xengt_space *space;
    uint32_t domid;
};

static inline uint32_t domain(struct fixture *f, const char *name, bool pv, bool no_hap)
{
    const struct xengt_sim_domain cfg = {.name = name, .pages = PAGES, .pv = pv, .no_hap = no_hap};
    uint32_t domid = 0;
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    return domid;
}

static inline int set_up_with(void **state, const struct xengt_options *extra,
                              const struct xengt_space_options *space)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    f->sim = xengt_sim_new();
    struct xengt_options options = extra ? *extra : (struct xengt_options){0};
    options.backend = XENGT_BACKEND_SIM;
    options.sim = f->sim;
    assert_int_equal(xengt_open(&f->xg, &options, NULL, 0), 0);
    f->domid = domain(f, "guest", false, false);
    assert_int_equal(xengt_target_add(f->xg, f->domid), 0);
    assert_int_equal(xengt_space_open(f->xg, f->domid, space, &f->space), 0);
    *state = f;
    return 0;
}

static inline int set_up(void **state)
{
    return set_up_with(state, NULL, NULL);
}

static inline int set_up_small(void **state)
{
    return set_up_with(state, &(struct xengt_options){.window_pages = 16, .batch = 4},
                       &(struct xengt_space_options){.quota = 12, .defer_pages = 4});
}

/* Whatever a test did: closing leaves nothing mapped and no rule broken. */
static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    struct xengt_sim_stats stats;
    xengt_close(f->xg);
    xengt_sim_get_stats(f->sim, &stats);
    int bad = stats.mapped != 0 || stats.violations != 0;
    if (bad) {
        print_error("%llu mapped, %llu violations: %s\n", (unsigned long long)stats.mapped,
                    (unsigned long long)stats.violations, xengt_sim_violation(f->sim));
    }
    xengt_sim_free(f->sim);
    test_free(f);
    return bad;
}

static inline struct xengt_sim_stats sim_stats(struct fixture *f)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(f->sim, &stats);
    return stats;
}

static inline struct xengt_space_stats space_stats(struct fixture *f)
{
    struct xengt_space_stats stats;
    xengt_space_get_stats(f->space, &stats);
    return stats;
}

/* One gfn through the space; returns the error. */
static inline int get(struct fixture *f, uint64_t gfn, struct xengt_bfn *bfn)
{
    int err = 1;
    struct xengt_gfn g = {gfn};
    assert_int_equal(xengt_space_get(f->space, &g, bfn, &err, 1), 0);
    return err;
}

#define SPACE_TEST(name) TEST_WITH(name, set_up, tear_down)
#define SMALL_TEST(name) TEST_WITH(name, set_up_small, tear_down)

#endif
