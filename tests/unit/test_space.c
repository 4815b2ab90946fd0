/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets, plain maps and spaces, over the simulator. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

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

static uint32_t domain(struct fixture *f, const char *name, bool pv, bool no_hap)
{
    const struct xengt_sim_domain cfg = {name, PAGES, pv, no_hap};
    uint32_t domid = 0;
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    return domid;
}

static int set_up_with(void **state, const struct xengt_options *extra,
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

static int set_up(void **state)
{
    return set_up_with(state, NULL, NULL);
}

static int set_up_small(void **state)
{
    return set_up_with(state, &(struct xengt_options){.window_pages = 16, .batch = 4},
                       &(struct xengt_space_options){.quota = 12, .defer_pages = 4});
}

/* Whatever a test did: closing leaves nothing mapped and no rule broken. */
static int tear_down(void **state)
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

static struct xengt_sim_stats sim_stats(struct fixture *f)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(f->sim, &stats);
    return stats;
}

static struct xengt_space_stats space_stats(struct fixture *f)
{
    struct xengt_space_stats stats;
    xengt_space_get_stats(f->space, &stats);
    return stats;
}

/* One gfn through the space; returns the error. */
static int get(struct fixture *f, uint64_t gfn, struct xengt_bfn *bfn)
{
    int err = 1;
    struct xengt_gfn g = {gfn};
    assert_int_equal(xengt_space_get(f->space, &g, bfn, &err, 1), 0);
    return err;
}

/* --- targets ------------------------------------------------------------------------------- */

static void only_targets_are_mapped(void **state)
{
    struct fixture *f = *state;
    uint32_t other = domain(f, "other", false, false);
    struct xengt_gfn gfn = {0};
    struct xengt_bfn bfn;
    struct xengt_space *space;
    uint64_t before = sim_stats(f).hypercalls;
    assert_int_equal(xengt_map(f->xg, other, &gfn, &bfn, NULL, 1, XENGT_PROT_RW), -EPERM);
    assert_int_equal(xengt_space_open(f->xg, other, NULL, &space), -EPERM);
    assert_true(sim_stats(f).hypercalls == before);
}

static void a_target_must_be_mappable(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(xengt_target_add(f->xg, domain(f, "pv", true, false)), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "PV"));
    assert_int_equal(xengt_target_add(f->xg, domain(f, "shadow", false, true)), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "hap"));
    assert_int_equal(xengt_target_add(f->xg, 4711), -ESRCH);
    assert_int_equal(xengt_target_add(f->xg, f->domid), -EEXIST);
    assert_int_equal(xengt_target_remove(f->xg, 4711), -ENOENT);
}

static void a_target_in_use_stays(void **state)
{
    struct fixture *f = *state;
    uint32_t list[4];
    assert_int_equal(xengt_target_remove(f->xg, f->domid), -EBUSY);
    xengt_space_close(f->space);
    struct xengt_gfn gfn = {3};
    struct xengt_bfn bfn;
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_target_remove(f->xg, f->domid), -EBUSY);
    assert_int_equal(xengt_unmap(f->xg, &bfn, NULL, 1), 0);
    assert_int_equal(xengt_target_remove(f->xg, f->domid), 0);
    assert_int_equal(xengt_target_list(f->xg, list, 4), 0);
}

/* --- plain maps ---------------------------------------------------------------------------- */

static void a_mapped_page_is_the_guests(void **state)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn = {7};
    struct xengt_bfn bfn;
    char text[8];
    void *view;
    strcpy(xengt_sim_guest_page(f->sim, f->domid, gfn), "hello");
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), text, sizeof(text)), 0);
    assert_string_equal(text, "hello");
    assert_int_equal(xengt_view(f->xg, bfn, &view), 0);
    assert_string_equal(view, "hello");
    assert_int_equal(xengt_unmap(f->xg, &bfn, NULL, 1), 0);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), text, 1), -EFAULT);
    assert_int_equal(xengt_view(f->xg, bfn, &view), -ENOENT);
}

static void err_makes_entries_independent(void **state)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[4] = {{1}, {PAGES}, {2}, {XENGT_GFN_MAX + 1}};
    struct xengt_bfn bfn[4];
    int err[4];
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, err, 4, XENGT_PROT_RW), 0);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -EINVAL);
    assert_int_equal(err[2], 0);
    assert_int_equal(err[3], -EINVAL);
    assert_true(bfn[1].v == XENGT_BFN_INVALID.v);
    assert_int_equal(xengt_unmap(f->xg, bfn, err, 4), 0);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -ENOENT);
}

static void without_err_it_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[3] = {{1}, {2}, {PAGES}};
    struct xengt_bfn bfn[3];
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, NULL, 3, XENGT_PROT_RW), -EINVAL);
    assert_true(bfn[0].v == XENGT_BFN_INVALID.v);
    assert_true(sim_stats(f).mapped == 0);
    assert_int_equal(xengt_space_get(f->space, gfn, bfn, NULL, 3), -EINVAL);
    assert_int_equal(space_stats(f).in_use, 0);
}

static void odd_arguments_are_defined(void **state)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[2] = {{5}, {5}};
    struct xengt_bfn bfn[2];
    assert_int_equal(xengt_map(f->xg, f->domid, NULL, NULL, NULL, 0, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, NULL, 1, 0), -EINVAL);
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, NULL, 1, XENGT_PROT_READ), -EOPNOTSUPP);
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, NULL, 2, XENGT_PROT_RW), 0);
    assert_true(bfn[0].v != bfn[1].v);
    assert_int_equal(xengt_unmap(f->xg, bfn, NULL, 2), 0);
    assert_int_equal(xengt_unmap(f->xg, bfn, NULL, 2), -ENOENT);
    bfn[1] = bfn[0] = (struct xengt_bfn){12345};
    assert_int_equal(xengt_unmap(f->xg, bfn, NULL, 1), -ENOENT);
}

static void a_large_array_takes_few_hypercalls(void **state)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[PAGES];
    struct xengt_bfn bfn[PAGES];
    for (unsigned i = 0; i < PAGES; i++) {
        gfn[i].v = i;
    }
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, NULL, PAGES, XENGT_PROT_RW), 0);
    assert_true(sim_stats(f).map_calls == PAGES / XENGT_BATCH_DEFAULT);
    assert_int_equal(xengt_unmap(f->xg, bfn, NULL, PAGES), 0);
    assert_true(sim_stats(f).unmap_calls == PAGES / XENGT_BATCH_DEFAULT);
}

/* --- spaces -------------------------------------------------------------------------------- */

static void a_gfn_is_mapped_once(void **state)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[3] = {{9}, {10}, {9}};
    struct xengt_bfn bfn[3];
    struct xengt_bfn again;
    int err[3];
    assert_int_equal(xengt_space_get(f->space, gfn, bfn, err, 3), 0);
    assert_true(bfn[0].v == bfn[2].v && bfn[0].v != bfn[1].v);
    assert_int_equal(space_stats(f).mapped, 2);
    assert_int_equal(xengt_space_users(f->space, bfn[0]), 2);
    assert_int_equal(get(f, 9, &again), 0);
    assert_true(again.v == bfn[0].v);
    assert_true(sim_stats(f).map_calls == 1);
}

static void a_released_gfn_is_taken_back_without_a_hypercall(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_bfn again;
    assert_int_equal(get(f, 9, &bfn), 0);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    assert_int_equal(space_stats(f).deferred, 1);
    uint64_t before = sim_stats(f).hypercalls;
    assert_int_equal(get(f, 9, &again), 0);
    assert_true(again.v == bfn.v);
    assert_true(sim_stats(f).hypercalls == before);
    assert_int_equal(space_stats(f).deferred, 0);
}

static void a_released_gfn_expires(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    assert_int_equal(get(f, 9, &bfn), 0);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    assert_true(xengt_space_expire(f->space));
    assert_true(sim_stats(f).mapped == 1);
    assert_false(xengt_space_expire(f->space));
    assert_true(sim_stats(f).mapped == 0);
}

/* Taken back and released again after an expiry: it is young again. */
static void taken_back_means_young_again(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    assert_int_equal(get(f, 9, &bfn), 0);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    assert_true(xengt_space_expire(f->space));
    assert_int_equal(get(f, 9, &bfn), 0);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    assert_true(xengt_space_expire(f->space));
    assert_true(sim_stats(f).mapped == 1);
}

static void what_was_not_got_cannot_be_put(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_bfn twice[2];
    assert_int_equal(get(f, 9, &bfn), 0);
    twice[0] = twice[1] = bfn;
    assert_int_equal(xengt_space_put(f->space, twice, 2), -ENOENT);
    assert_int_equal(space_stats(f).in_use, 0);
    assert_int_equal(xengt_unmap(f->xg, &bfn, NULL, 1), -ENOENT);
    bfn.v = 4;
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), -ENOENT);
    assert_int_equal(xengt_space_users(f->space, bfn), 0);
}

/* The guest swaps the page behind a gfn: users of the old one keep it, new users see the new. */
static void after_an_invalidate_a_gfn_is_mapped_anew(void **state)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn = {9};
    struct xengt_bfn old;
    struct xengt_bfn new;
    char text[8];
    strcpy(xengt_sim_guest_page(f->sim, f->domid, gfn), "old");
    assert_int_equal(get(f, 9, &old), 0);
    assert_int_equal(xengt_sim_balloon_out(f->sim, f->domid, gfn), 0);
    assert_int_equal(xengt_sim_balloon_in(f->sim, f->domid, gfn), 0);
    strcpy(xengt_sim_guest_page(f->sim, f->domid, gfn), "new");
    xengt_space_invalidate(f->space);
    assert_int_equal(get(f, 9, &new), 0);
    assert_true(new.v != old.v);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(old), text, sizeof(text)), 0);
    assert_string_equal(text, "old");
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(new), text, sizeof(text)), 0);
    assert_string_equal(text, "new");
    assert_int_equal(xengt_space_put(f->space, &old, 1), 0);
    assert_int_equal(xengt_space_put(f->space, &new, 1), 0);
    assert_int_equal(get(f, 9, &old), 0);
    assert_true(old.v == new.v);
}

/* The generation is one byte: a mapping must not look fresh again when it wraps. */
static void stale_stays_stale_through_all_generations(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn old;
    struct xengt_bfn bfn;
    assert_int_equal(get(f, 9, &old), 0);
    for (int i = 0; i < 600; i++) {
        xengt_space_invalidate(f->space);
        assert_int_equal(get(f, 9, &bfn), 0);
        assert_true(bfn.v != old.v);
        assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    }
}

static void a_quota_is_kept(void **state)
{
    struct fixture *f = *state; /* window of 16, quota of 12, 4 deferred, batches of 4 */
    struct xengt_bfn bfn[16];
    for (uint64_t i = 0; i < 12; i++) {
        assert_int_equal(get(f, i, &bfn[i]), 0);
    }
    assert_int_equal(get(f, 12, &bfn[12]), -EDQUOT);
    assert_int_equal(xengt_space_put(f->space, &bfn[0], 1), 0);
    assert_int_equal(get(f, 12, &bfn[12]), 0); /* room was made */
    assert_int_equal(space_stats(f).high_water, 12);
}

static void a_full_window_is_not_fatal(void **state)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[20];
    struct xengt_bfn bfn[20];
    int err[20];
    for (unsigned i = 0; i < 20; i++) {
        gfn[i].v = 100 + i;
    }
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, err, 20, XENGT_PROT_RW), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(err[i], i < 16 ? 0 : -ENOSPC);
    }
    struct xengt_bfn one;
    assert_int_equal(get(f, 1, &one), -ENOSPC);
    assert_int_equal(xengt_unmap(f->xg, bfn, err, 20), 0);
    assert_int_equal(get(f, 1, &one), 0);
}

static void deferral_is_bounded_in_pages(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(get(f, i, &bfn), 0);
        assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
        assert_true(space_stats(f).deferred <= 4);
    }
}

static void a_failed_hypercall_is_an_answer(void **state)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[2] = {{1}, {2}};
    struct xengt_bfn bfn[2];
    int err[2];
    xengt_sim_fail_hypercall(f->sim, 1, -ENOMEM);
    assert_int_equal(xengt_space_get(f->space, gfn, bfn, err, 2), 0);
    assert_int_equal(err[0], -ENOMEM);
    assert_int_equal(err[1], -ENOMEM);
    assert_int_equal(space_stats(f).mapped, 0);
    assert_int_equal(get(f, 1, bfn), 0);
}

static void a_failed_unmap_leaks_the_slot(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_bfn other;
    struct xengt_stats stats;
    assert_int_equal(get(f, 1, &bfn), 0);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    xengt_sim_fail_hypercall(f->sim, 1, -EIO);
    xengt_space_flush(f->space);
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.leaked, 1);
    assert_int_equal(get(f, 1, &other), 0);
    assert_true(other.v != bfn.v);
}

/* The leak is real: closing cannot undo it, so the end of that test differs. */
static int tear_down_leaky(void **state)
{
    struct fixture *f = *state;
    xengt_close(f->xg);
    int bad = sim_stats(f).mapped != 1;
    xengt_sim_free(f->sim);
    test_free(f);
    return bad;
}

static void a_destroyed_guest_is_a_zombie_until_it_is_released(void **state)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_bfn none;
    assert_int_equal(get(f, 1, &bfn), 0);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, f->domid), 0);
    assert_true(xengt_sim_domain_is_zombie(f->sim, f->domid));
    xengt_space_invalidate(f->space);
    assert_int_equal(get(f, 1, &none), -EINVAL);
    xengt_space_close(f->space);
    assert_false(xengt_sim_domain_exists(f->sim, f->domid));
    assert_int_equal(xengt_target_remove(f->xg, f->domid), 0);
}

static void two_spaces_do_not_mix(void **state)
{
    struct fixture *f = *state;
    uint32_t other = domain(f, "other", false, false);
    struct xengt_space *space;
    struct xengt_bfn mine;
    struct xengt_bfn theirs;
    struct xengt_gfn gfn = {9};
    assert_int_equal(xengt_target_add(f->xg, other), 0);
    assert_int_equal(xengt_space_open(f->xg, other, NULL, &space), 0);
    assert_int_equal(xengt_space_open(f->xg, other, NULL, &space), -EBUSY);
    assert_null(space);
    assert_int_equal(get(f, 9, &mine), 0);
    assert_int_equal(xengt_map(f->xg, other, &gfn, &theirs, NULL, 1, XENGT_PROT_RW), 0);
    assert_true(mine.v != theirs.v);
    assert_int_equal(xengt_space_put(f->space, &theirs, 1), -ENOENT);
}

#define SPACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define SMALL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_small, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPACE_TEST(only_targets_are_mapped),
        SPACE_TEST(a_target_must_be_mappable),
        SPACE_TEST(a_target_in_use_stays),
        SPACE_TEST(a_mapped_page_is_the_guests),
        SPACE_TEST(err_makes_entries_independent),
        SPACE_TEST(without_err_it_is_all_or_nothing),
        SPACE_TEST(odd_arguments_are_defined),
        SPACE_TEST(a_large_array_takes_few_hypercalls),
        SPACE_TEST(a_gfn_is_mapped_once),
        SPACE_TEST(a_released_gfn_is_taken_back_without_a_hypercall),
        SPACE_TEST(a_released_gfn_expires),
        SPACE_TEST(taken_back_means_young_again),
        SPACE_TEST(what_was_not_got_cannot_be_put),
        SPACE_TEST(after_an_invalidate_a_gfn_is_mapped_anew),
        SPACE_TEST(stale_stays_stale_through_all_generations),
        SMALL_TEST(a_quota_is_kept),
        SMALL_TEST(a_full_window_is_not_fatal),
        SMALL_TEST(deferral_is_bounded_in_pages),
        SPACE_TEST(a_failed_hypercall_is_an_answer),
        cmocka_unit_test_setup_teardown(a_failed_unmap_leaks_the_slot, set_up, tear_down_leaky),
        SPACE_TEST(a_destroyed_guest_is_a_zombie_until_it_is_released),
        SPACE_TEST(two_spaces_do_not_mix),
    };
    return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
