/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One long use of the library, again and again: each time another allocation is refused, another
 * hypercall fails, or the process is killed at another instant, which is before any store to its
 * journal and before any hypercall. No rule may be broken, and what is left must be released, or
 * handed over, by the next one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "support/test.h"

#include <xengt/grant.h>
#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "victim.h"

/* The linker sends every allocation of the program here (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
char *__wrap_strdup(const char *s);

static uint64_t allocations;
static uint64_t fail_at; /* 0: none */

static bool refused(void)
{
    return ++allocations == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    errno = ENOMEM;
    return refused() ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, offset);
}

char *__wrap_strdup(const char *s)
{
    return refused() ? NULL : __real_strdup(s);
}

#define PAGES  64u
#define WINDOW 48u
#define BATCH  5u
#define MANY   20u
#define OFFERS 8u

struct world {
    char dir[64];
    struct xengt_sim *sim;
    uint32_t domid[2];
    uint32_t offer[OFFERS]; /* of the second domain; the last is read-only */
    struct xengt_options options;
};

static void world_open(struct world *w)
{
    victim_make_dir(w->dir, sizeof(w->dir));
    w->sim = xengt_sim_new();
    assert_non_null(w->sim);
    for (int d = 0; d < 2; d++) {
        const struct xengt_sim_domain cfg = {.name = "guest", .pages = PAGES};
        assert_int_equal(xengt_sim_domain_create(w->sim, &cfg, &w->domid[d]), 0);
        for (uint64_t g = 0; g < PAGES; g++) {
            *(uint64_t *)xengt_sim_guest_page(w->sim, w->domid[d], (struct xengt_gfn){g}) = g + 1;
        }
    }
    for (uint64_t i = 0; i < OFFERS; i++) {
        const struct xengt_gfn g = {40 + i};
        assert_int_equal(xengt_sim_offer(w->sim, w->domid[1], g, i == OFFERS - 1, &w->offer[i]), 0);
    }
    w->options = (struct xengt_options){
        .backend = XENGT_BACKEND_SIM,
        .sim = w->sim,
        .window_pages = WINDOW,
        .batch = BATCH,
        .state_dir = w->dir,
    };
}

/* Nothing is mapped, nobody is half dead, no rule was broken. */
static void world_close(struct world *w)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(w->sim, &stats);
    if (stats.violations) {
        fail_msg("violation: %s", xengt_sim_violation(w->sim));
    }
    assert_true(stats.mapped == 0);
    assert_false(xengt_sim_domain_is_zombie(w->sim, w->domid[0]));
    assert_false(xengt_sim_domain_is_zombie(w->sim, w->domid[1]));
    xengt_sim_free(w->sim);
    victim_remove_dir(w->dir);
}

/* --- the use ----------------------------------------------------------------------------- */

static void fill(struct xengt_gfn *gfn, uint64_t first)
{
    for (uint64_t i = 0; i < MANY; i++) {
        gfn[i].v = i % 7 == 6 ? gfn[i - 3].v : first + i; /* some stand twice */
    }
}

static void use_plain(struct xengt *xg, uint32_t domid)
{
    struct xengt_gfn gfn[MANY];
    struct xengt_bfn bfn[MANY];
    struct xengt_cookie cookie[MANY];
    int err[MANY];
    fill(gfn, PAGES - MANY + 5); /* the last are beyond its memory */
    if (!xengt_map(xg, domid, gfn, bfn, cookie, err, MANY, XENGT_PROT_RW)) {
        xengt_unmap(xg, cookie, err, MANY / 2);
    }
    if (!xengt_map(xg, domid, gfn, bfn, cookie, NULL, MANY / 2, XENGT_PROT_RW)) {
        xengt_unmap(xg, cookie, NULL, MANY / 2);
    }
}

static void use_offered(struct world *w, struct xengt *xg)
{
    struct xengt_bfn bfn[OFFERS];
    struct xengt_cookie cookie[OFFERS];
    struct xengt_bfn read_only;
    struct xengt_cookie read_only_cookie;
    int err[OFFERS];
    if (!xengt_map_offered(xg, w->domid[1], w->offer, bfn, cookie, err, OFFERS, XENGT_PROT_RW)) {
        xengt_unmap(xg, cookie, err, OFFERS / 2);
    }
    xengt_map_offered(xg, w->domid[1], &w->offer[OFFERS - 1], &read_only, &read_only_cookie, NULL,
                      1, XENGT_PROT_READ);
}

static void balloon(struct world *w, struct xengt_space *space, uint64_t gfn)
{
    const struct xengt_gfn g = {gfn};
    xengt_sim_balloon_out(w->sim, w->domid[1], g);
    xengt_space_invalidate(space);
    if (!xengt_sim_balloon_in(w->sim, w->domid[1], g)) {
        *(uint64_t *)xengt_sim_guest_page(w->sim, w->domid[1], g) = gfn + 1;
    }
}

static void use_space(struct world *w, struct xengt *xg, uint32_t domid)
{
    const struct xengt_space_options options = {.quota = 30, .defer_pages = 6};
    struct xengt_space *space;
    struct xengt_gfn gfn[MANY];
    struct xengt_bfn first[MANY];
    struct xengt_bfn second[MANY];
    int err[MANY];
    if (xengt_space_open(xg, domid, &options, &space)) {
        return;
    }
    fill(gfn, 3);
    xengt_space_get(space, gfn, first, err, MANY);
    xengt_space_put(space, first, MANY / 2);
    balloon(w, space, 17);
    fill(gfn, 10);
    xengt_space_get(space, gfn, second, NULL, MANY);
    xengt_space_put(space, second, MANY / 4);
    xengt_space_expire(space);
    xengt_space_put(space, first, MANY);
    xengt_space_expire(space);
    xengt_space_flush(space);
    if (domid == w->domid[0]) {
        xengt_sim_domain_destroy(w->sim, domid);
    }
    xengt_space_close(space);
}

/* The whole life of a handle that is open; what is left of it is for xengt_close(). */
static void use(struct world *w, struct xengt *xg)
{
    for (int d = 0; d < 2; d++) {
        xengt_target_add(xg, w->domid[d]);
    }
    use_plain(xg, w->domid[1]);
    use_offered(w, xg);
    use_space(w, xg, w->domid[0]);
    xengt_target_remove(xg, w->domid[0]);
    use_space(w, xg, w->domid[1]);
}

/* --- what fails -------------------------------------------------------------------------- */

static void close_and_follow(struct world *w, struct xengt *xg)
{
    xengt_close(xg);
    assert_int_equal(xengt_open(&xg, &w->options, NULL, 0), 0);
    xengt_close(xg);
}

static uint64_t run_with_allocation(uint64_t nth)
{
    struct world w = {0};
    struct xengt *xg;
    world_open(&w);
    allocations = 0;
    fail_at = nth;
    int ret = xengt_open(&xg, &w.options, NULL, 0);
    assert_true(!ret || ret == -ENOMEM);
    if (!ret) {
        use(&w, xg);
    }
    uint64_t n = allocations;
    fail_at = 0;
    close_and_follow(&w, xg);
    world_close(&w);
    return n;
}

PLAIN_TEST(each_allocation_may_fail)
{
    (void)state;
    uint64_t n = run_with_allocation(0);
    assert_true(n > 10);
    for (uint64_t nth = 1; nth <= n; nth++) {
        run_with_allocation(nth);
    }
    print_message("# %llu allocations, each refused once\n", (unsigned long long)n);
}

static uint64_t run_with_hypercall(uint64_t nth)
{
    struct world w = {0};
    struct xengt *xg;
    struct xengt_sim_stats sim;
    struct xengt_stats stats;
    world_open(&w);
    assert_int_equal(xengt_open(&xg, &w.options, NULL, 0), 0);
    xengt_sim_fail_hypercall(w.sim, nth, -ENOMEM);
    use(&w, xg);
    xengt_sim_get_stats(w.sim, &sim);
    xengt_get_stats(xg, &stats);
    assert_true(sim.mapped == stats.mapped + stats.leaked);
    close_and_follow(&w, xg);
    world_close(&w);
    return sim.hypercalls;
}

PLAIN_TEST(each_hypercall_may_fail)
{
    (void)state;
    uint64_t n = run_with_hypercall(0);
    assert_true(n > 10);
    for (uint64_t nth = 1; nth <= n; nth++) {
        run_with_hypercall(nth);
    }
    print_message("# %llu hypercalls, each refused once\n", (unsigned long long)n);
}

/* --- killing ----------------------------------------------------------------------------- */

/* Lives until the nth instant; 0: to the end. Returns how many there were. */
static uint64_t live(struct world *w, uint64_t nth)
{
    struct xengt *xg;
    assert_int_equal(victim_open(&xg, &w->options, nth, true), 0);
    use(w, xg);
    uint64_t n = victim_instants();
    victim_bury(xg);
    return n;
}

/* What was kept is all there is, and is what the journal says. */
static void check_kept(struct world *w, struct xengt *xg)
{
    struct xengt_mapping list[WINDOW];
    struct xengt_sim_stats sim;
    struct xengt_stats stats;
    size_t n = xengt_mappings(xg, list, WINDOW);
    xengt_sim_get_stats(w->sim, &sim);
    xengt_get_stats(xg, &stats);
    assert_true(sim.mapped == n && stats.adopted == n && stats.mapped == n);
    for (size_t i = 0; i < n; i++) {
        uint64_t number;
        assert_int_equal(
            xengt_sim_dma_read(w->sim, xengt_bfn_to_addr(list[i].bfn), &number, sizeof(number)), 0);
        /* what it names is a frame, or the place of an offer */
        assert_true(number == list[i].gfn.v + (list[i].offered ? 41 : 1));
        assert_true(list[i].domid == w->domid[0] || list[i].domid == w->domid[1]);
        bool read_only = list[i].offered && list[i].gfn.v == w->offer[OFFERS - 1];
        assert_int_equal(list[i].prot, read_only ? XENGT_PROT_READ : XENGT_PROT_RW);
    }
}

/* Some go into a space, some are unmapped, the rest is left to xengt_close(). */
static void use_kept(struct world *w, struct xengt *xg)
{
    struct xengt_mapping list[WINDOW];
    struct xengt_space *space;
    size_t n = xengt_mappings(xg, list, WINDOW);
    if (xengt_target_add(xg, w->domid[1])) {
        return;
    }
    assert_int_equal(xengt_space_open(xg, w->domid[1], NULL, &space), 0);
    for (size_t i = 0; i < n; i++) {
        int err;
        if (i % 3 == 0) {
            assert_int_equal(xengt_unmap(xg, &list[i].cookie, NULL, 1), 0);
            continue;
        }
        assert_int_equal(xengt_space_adopt(space, &list[i].cookie, &err, 1), 0);
        assert_int_equal(err, list[i].domid == w->domid[1] && !list[i].offered ? 0 : -ENOENT);
        if (!err && i % 3 == 1) {
            assert_int_equal(xengt_space_put(space, &list[i].bfn, 1), 0);
        }
    }
}

static void kill_at(uint64_t nth, bool adopt)
{
    struct world w = {0};
    struct xengt *xg;
    world_open(&w);
    live(&w, nth);
    w.options.adopt = adopt;
    /* Those who follow are killed, too, as they take over. */
    for (uint64_t at = 1; at <= 2; at++) {
        victim_open(&xg, &w.options, at, false);
        victim_bury(xg);
    }
    assert_int_equal(xengt_open(&xg, &w.options, NULL, 0), 0);
    if (adopt) {
        check_kept(&w, xg);
        use_kept(&w, xg);
    }
    xengt_close(xg);
    world_close(&w);
}

PLAIN_TEST(it_may_be_killed_anywhere)
{
    (void)state;
    struct world w = {0};
    struct xengt *xg;
    world_open(&w);
    uint64_t n = live(&w, 0);
    assert_true(n > 100);
    assert_int_equal(xengt_open(&xg, &w.options, NULL, 0), 0);
    xengt_close(xg);
    world_close(&w);
    for (uint64_t nth = 1; nth <= n; nth++) {
        kill_at(nth, false);
        kill_at(nth, true);
    }
    print_message("# %llu instants, killed at each, followed and adopted\n", (unsigned long long)n);
}

/* What Xen does not release is leaked and shown; the library opens, and the next one tries again.
 */
PLAIN_TEST(a_stuck_mapping_does_not_keep_the_library_closed)
{
    (void)state;
    struct world w = {0};
    struct xengt *xg;
    struct xengt_stats stats;
    world_open(&w);
    live(&w, 0);
    xengt_sim_fail_hypercall(w.sim, 1, -EIO);
    assert_int_equal(xengt_open(&xg, &w.options, NULL, 0), 0);
    xengt_get_stats(xg, &stats);
    assert_true(stats.leaked > 0 && stats.mapped == 0);
    uint64_t leaked = stats.leaked;
    xengt_close(xg);
    assert_int_equal(xengt_open(&xg, &w.options, NULL, 0), 0);
    xengt_get_stats(xg, &stats);
    assert_true(stats.leaked == 0 && stats.reclaimed == leaked);
    xengt_close(xg);
    world_close(&w);
}
