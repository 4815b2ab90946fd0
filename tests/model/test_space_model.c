/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random operations on two guests against a naive oracle. Each page that a guest ever owns carries
 * a number of its own, so that the device's view through a BFN can be compared with what the
 * guest saw at the moment of the get: whoever holds a mapping must see that page, and no other,
 * until he gives it back.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>

#define GUESTS     2u
#define PAGES      96u
#define HOLDS_MAX  200u
#define OPERATIONS 300000u
#define WINDOW     160u /* tight: it fills up now and then */
#define QUOTA      100u
#define RESERVE    60u
#define BATCH_MAX  24u

struct hold {
    unsigned guest;
    struct xengt_bfn bfn;
    uint64_t number; /* of the page, at the get */
};

struct guest {
    uint32_t domid;
    struct xengt_space *space;
    uint64_t number[PAGES]; /* 0: ballooned out */
};

struct model {
    struct xengt_sim *sim;
    struct xengt *xg;
    struct guest guest[GUESTS];
    struct hold hold[HOLDS_MAX];
    unsigned holds;
    uint64_t next_number;
    uint64_t random;
    unsigned lives;
    bool full;    /* a get was refused for want of room, which the oracle cannot foresee */
    bool crowded; /* ... although the guest was below its quota */
};

/* xorshift64: the same sequence on every machine. */
static uint32_t rnd(struct model *m, uint32_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 16) % below;
}

static void stamp(struct model *m, struct guest *g, uint64_t gfn)
{
    uint64_t *page = xengt_sim_guest_page(m->sim, g->domid, (struct xengt_gfn){gfn});
    assert_non_null(page);
    g->number[gfn] = *page = ++m->next_number;
}

static void on_invalidate(void *arg, uint32_t domid)
{
    struct model *m = arg;
    for (unsigned i = 0; i < GUESTS; i++) {
        if (m->guest[i].domid == domid) {
            xengt_space_invalidate(m->guest[i].space);
        }
    }
}

/* What the simulator asks at each unmap. */
static bool is_held(void *arg, struct xengt_bfn bfn)
{
    const struct model *m = arg;
    for (unsigned i = 0; i < m->holds; i++) {
        if (m->hold[i].bfn.v == bfn.v) {
            return true;
        }
    }
    return false;
}

static void be_born(struct model *m, unsigned i)
{
    char name[32];
    struct guest *g = &m->guest[i];
    snprintf(name, sizeof(name), "guest%u-%u", i, m->lives++);
    const struct xengt_sim_domain cfg = {.name = name, .pages = PAGES};
    assert_int_equal(xengt_sim_domain_create(m->sim, &cfg, &g->domid), 0);
    for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
        stamp(m, g, gfn);
    }
    const struct xengt_space_options options = {
        .quota = QUOTA, .reserve = RESERVE, .defer_pages = 16};
    assert_int_equal(xengt_target_add(m->xg, g->domid), 0);
    assert_int_equal(xengt_space_open(m->xg, g->domid, &options, &g->space), 0);
}

/* --- operations -------------------------------------------------------------------------- */

static void check_get(struct model *m, unsigned guest, uint64_t gfn, struct xengt_bfn bfn, int err)
{
    struct guest *g = &m->guest[guest];
    struct xengt_space_stats stats;
    xengt_space_get_stats(g->space, &stats);
    assert_true(stats.mapped <= QUOTA);
    if (err == -ENOSPC || err == -EDQUOT) {
        /* All that is deferred was given up before, so what it has is in use. */
        assert_true(stats.in_use + BATCH_MAX >= (err == -ENOSPC ? RESERVE : QUOTA));
        m->full = true;
        m->crowded |= err == -ENOSPC;
        return;
    }
    bool exists = gfn < PAGES && g->number[gfn] != 0;
    assert_int_equal(err, exists ? 0 : -EINVAL);
    if (!err) {
        m->hold[m->holds++] = (struct hold){guest, bfn, g->number[gfn]};
    }
}

static void do_get(struct model *m)
{
    unsigned guest = rnd(m, GUESTS);
    unsigned n = 1 + rnd(m, BATCH_MAX);
    struct xengt_gfn gfn[BATCH_MAX];
    struct xengt_bfn bfn[BATCH_MAX];
    int err[BATCH_MAX];
    if (m->holds + n > HOLDS_MAX) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        gfn[i].v = rnd(m, PAGES + 4);
    }
    assert_int_equal(xengt_space_get(m->guest[guest].space, gfn, bfn, err, n), 0);
    for (unsigned i = 0; i < n; i++) {
        check_get(m, guest, gfn[i].v, bfn[i], err[i]);
    }
}

static void do_put(struct model *m)
{
    for (unsigned n = rnd(m, BATCH_MAX); n && m->holds; n--) {
        unsigned i = rnd(m, m->holds);
        struct hold h = m->hold[i];
        m->hold[i] = m->hold[--m->holds];
        assert_int_equal(xengt_space_put(m->guest[h.guest].space, &h.bfn, 1), 0);
    }
}

static void do_balloon(struct model *m)
{
    struct guest *g = &m->guest[rnd(m, GUESTS)];
    struct xengt_gfn gfn = {rnd(m, PAGES)};
    if (g->number[gfn.v]) {
        assert_int_equal(xengt_sim_balloon_out(m->sim, g->domid, gfn), 0);
        g->number[gfn.v] = 0;
    } else {
        assert_int_equal(xengt_sim_balloon_in(m->sim, g->domid, gfn), 0);
        stamp(m, g, gfn.v);
    }
}

/* Every holder of the guest lets go, in one stroke: what closing the space means. */
static void do_destroy(struct model *m)
{
    unsigned guest = rnd(m, GUESTS);
    struct guest *g = &m->guest[guest];
    bool holds_any = false;
    for (unsigned i = 0; i < m->holds;) {
        if (m->hold[i].guest == guest) {
            m->hold[i] = m->hold[--m->holds];
            holds_any = true;
        } else {
            i++;
        }
    }
    assert_int_equal(xengt_sim_domain_destroy(m->sim, g->domid), 0);
    if (holds_any) {
        assert_true(xengt_sim_domain_is_zombie(m->sim, g->domid));
    }
    xengt_space_close(g->space);
    assert_false(xengt_sim_domain_exists(m->sim, g->domid));
    assert_int_equal(xengt_target_remove(m->xg, g->domid), 0);
    be_born(m, guest);
}

static void check_holds(struct model *m)
{
    for (unsigned i = 0; i < m->holds; i++) {
        uint64_t number = 0;
        assert_int_equal(
            xengt_sim_dma_read(m->sim, xengt_bfn_to_addr(m->hold[i].bfn), &number, sizeof(number)),
            0);
        assert_true(number == m->hold[i].number);
    }
}

static void check_counts(struct model *m)
{
    struct xengt_sim_stats sim;
    struct xengt_stats stats;
    xengt_sim_get_stats(m->sim, &sim);
    xengt_get_stats(m->xg, &stats);
    assert_true(sim.violations == 0);
    assert_true(sim.iommu_faults == 0);
    assert_true(stats.mapped == sim.mapped);
    assert_true(stats.leaked == 0);
}

static void step(struct model *m)
{
    uint32_t what = rnd(m, 1000);
    if (what < 450) {
        do_get(m);
    } else if (what < 880) {
        do_put(m);
    } else if (what < 960) {
        do_balloon(m);
    } else if (what < 980) {
        xengt_space_expire(m->guest[rnd(m, GUESTS)].space);
    } else if (what < 998) {
        xengt_space_flush(m->guest[rnd(m, GUESTS)].space);
    } else {
        do_destroy(m);
    }
}

PLAIN_TEST(random_operations_agree_with_the_oracle)
{
    (void)state;
    struct model m = {.sim = xengt_sim_new(), .random = 88172645463325252u};
    const struct xengt_options options = {
        .backend = XENGT_BACKEND_SIM, .sim = m.sim, .window_pages = WINDOW, .batch = 7};
    assert_int_equal(xengt_open(&m.xg, &options, NULL, 0), 0);
    xengt_sim_on_invalidate(m.sim, on_invalidate, &m);
    xengt_sim_on_unmap(m.sim, is_held, &m);
    for (unsigned i = 0; i < GUESTS; i++) {
        be_born(&m, i);
    }
    for (unsigned i = 0; i < OPERATIONS; i++) {
        step(&m);
        if (i % 16 == 0) {
            check_holds(&m);
            check_counts(&m);
        }
    }
    assert_true(m.full && m.crowded); /* otherwise the full window was never tried */
    m.holds = 0;
    xengt_close(m.xg);
    struct xengt_sim_stats sim;
    xengt_sim_get_stats(m.sim, &sim);
    assert_true(sim.mapped == 0);
    assert_true(sim.violations == 0);
    xengt_sim_free(m.sim);
}
