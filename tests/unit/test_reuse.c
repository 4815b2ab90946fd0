/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A domid that is used again: at any hypercall, and at any question, the guest dies and a stranger
 * comes, who has its number as soon as Xen gives it away. Not a page of his may be reached.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/grant.h>

#include "space_fixture.h"

#define GUEST_PAGES 16u
#define STRANGER    0xbad0bad0bad0bad0u

struct reuse {
    struct xengt_sim *sim;
    struct xengt *xg;
    uint32_t domid;
    unsigned calls;   /* so far */
    unsigned die_at;  /* the call at which the guest dies */
    bool dead;        /* it has died */
    bool is_stranger; /* who has the number now */
    unsigned reached; /* pages of the guest's that DMA has seen */
};

static void fill(struct reuse *r, uint64_t value)
{
    for (uint64_t gfn = 0; gfn < GUEST_PAGES; gfn++) {
        uint64_t *page = xengt_sim_guest_page(r->sim, r->domid, (struct xengt_gfn){gfn});
        for (size_t i = 0; i < XENGT_PAGE_SIZE / sizeof(*page); i++) {
            page[i] = value;
        }
    }
}

/* The number is free once nothing of the guest is mapped any more. */
static void stranger_comes(struct reuse *r)
{
    const struct xengt_sim_domain cfg = {
        .name = "stranger", .pages = GUEST_PAGES, .domid = r->domid};
    uint32_t domid;
    if (r->dead && !r->is_stranger && !xengt_sim_domain_exists(r->sim, r->domid)) {
        assert_int_equal(xengt_sim_domain_create(r->sim, &cfg, &domid), 0);
        r->is_stranger = true;
        fill(r, STRANGER);
    }
}

static void between(void *arg)
{
    struct reuse *r = arg;
    if (r->calls++ == r->die_at) {
        assert_int_equal(xengt_sim_domain_destroy(r->sim, r->domid), 0);
        r->dead = true;
    }
    stranger_comes(r);
}

/* What a device reaches by a BFN that a call has given. */
static void use(struct reuse *r, struct xengt_bfn bfn, int err)
{
    uint64_t word = 0;
    if (err) {
        assert_true(bfn.v == XENGT_BFN_INVALID.v);
        return;
    }
    assert_int_equal(xengt_sim_dma_read(r->sim, xengt_bfn_to_addr(bfn), &word, sizeof(word)), 0);
    assert_true(word != STRANGER);
    r->reached++;
}

static void use_plain(struct reuse *r, uint64_t first)
{
    struct xengt_cookie cookie[3];
    struct xengt_bfn bfn[3];
    int err[3] = {-1, -1, -1};
    int ret = xengt_map_range(r->xg, r->domid, (struct xengt_gfn){first}, bfn, cookie, err, 3,
                              XENGT_PROT_RW);
    assert_true(ret == 0 || ret == -EPERM); /* -EPERM: it could not be made a target */
    for (size_t i = 0; !ret && i < 3; i++) {
        use(r, bfn[i], err[i]);
    }
    for (size_t i = 0; !ret && i < 3; i++) {
        assert_int_equal(xengt_unmap(r->xg, &cookie[i], NULL, 1), err[i] ? -ENOENT : 0);
    }
}

static void use_space(struct reuse *r, struct xengt_space *space)
{
    struct xengt_bfn bfn[4];
    int err[4];
    for (int round = 0; round < 2; round++) {
        assert_int_equal(xengt_space_get_range(space, (struct xengt_gfn){round * 2}, bfn, err, 4),
                         0);
        for (size_t i = 0; i < 4; i++) {
            use(r, bfn[i], err[i]);
        }
        xengt_space_put(space, bfn, 4);
        xengt_space_flush(space);
    }
}

static void whole_life(struct reuse *r)
{
    struct xengt_space *space;
    uint32_t dead;
    xengt_target_add(r->xg, r->domid);
    use_plain(r, 0);
    if (!xengt_space_open(r->xg, r->domid, NULL, &space)) {
        use_space(r, space);
        use_plain(r, 7);
        use_space(r, space);
        xengt_space_close(space);
    }
    if (r->dead && xengt_target_list(r->xg, NULL, 0)) {
        assert_int_equal(xengt_target_dead(r->xg, &dead, 1), 1);
    }
    xengt_target_remove(r->xg, r->domid);
}

/* Returns how many calls a life takes. */
static unsigned live(unsigned die_at)
{
    struct reuse r = {.sim = xengt_sim_new(), .die_at = die_at};
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = r.sim, .batch = 2};
    const struct xengt_sim_domain cfg = {.name = "guest", .pages = GUEST_PAGES};
    assert_int_equal(xengt_sim_domain_create(r.sim, &cfg, &r.domid), 0);
    fill(&r, 1);
    assert_int_equal(xengt_open(&r.xg, &options, NULL, 0), 0);
    xengt_sim_on_hypercall(r.sim, between, &r);
    whole_life(&r);
    assert_true(r.dead || r.reached == 3 + 8 + 3 + 8);
    xengt_close(r.xg);
    assert_string_equal(xengt_sim_violation(r.sim), "");
    stranger_comes(&r);
    assert_true(!r.dead || r.is_stranger); /* nothing keeps the number */
    xengt_sim_free(r.sim);
    return r.calls;
}

PLAIN_TEST(a_stranger_with_the_number_of_a_guest_is_never_reached)
{
    (void)state;
    unsigned calls = live(UINT32_MAX);
    assert_true(calls > 20);
    /* At the first it is the stranger whom we make a target. */
    for (unsigned at = 1; at < calls; at++) {
        live(at);
    }
}
