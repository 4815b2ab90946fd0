/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spaces, over the simulator. */
#include <errno.h>

#include "handle.h"
#include "space_fixture.h"

SPACE_TEST(a_gfn_is_mapped_once)
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

SPACE_TEST(a_released_gfn_is_taken_back_without_a_hypercall)
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

SPACE_TEST(a_released_gfn_expires)
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
SPACE_TEST(taken_back_means_young_again)
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

SPACE_TEST(what_was_not_got_cannot_be_put)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_bfn twice[2];
    const struct xengt_cookie cookie = {xengt_get_caps(f->xg)->window_base};
    assert_int_equal(get(f, 9, &bfn), 0);
    twice[0] = twice[1] = bfn;
    assert_int_equal(xengt_space_put(f->space, twice, 2), -ENOENT);
    assert_int_equal(space_stats(f).in_use, 0);
    assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), -ENOENT);
    bfn.v = 4;
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), -ENOENT);
    assert_int_equal(xengt_space_users(f->space, bfn), 0);
}

/* The guest swaps the page behind a gfn: users of the old one keep it, new users see the new. */
SPACE_TEST(after_an_invalidate_a_gfn_is_mapped_anew)
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
SPACE_TEST(stale_stays_stale_through_all_generations)
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

SMALL_TEST(a_quota_is_kept)
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

SMALL_TEST(a_full_window_is_not_fatal)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[20];
    struct xengt_bfn bfn[20];
    struct xengt_cookie cookie[20];
    int err[20];
    for (unsigned i = 0; i < 20; i++) {
        gfn[i].v = 100 + i;
    }
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, err, 20, XENGT_PROT_RW), 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(err[i], i < 16 ? 0 : -ENOSPC);
    }
    struct xengt_bfn one;
    assert_int_equal(get(f, 1, &one), -ENOSPC);
    assert_int_equal(xengt_unmap(f->xg, cookie, err, 20), 0);
    assert_int_equal(get(f, 1, &one), 0);
}

SMALL_TEST(deferral_is_bounded_in_pages)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(get(f, i, &bfn), 0);
        assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
        assert_true(space_stats(f).deferred <= 4);
    }
}

SPACE_TEST(a_failed_hypercall_is_an_answer)
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

/* The leak is real: closing cannot undo it, so the end of the next test differs. */
static int tear_down_leaky(void **state)
{
    struct fixture *f = *state;
    xengt_close(f->xg);
    int bad = sim_stats(f).mapped != 1;
    xengt_sim_free(f->sim);
    test_free(f);
    return bad;
}

TEST_WITH(a_failed_unmap_leaks_the_slot, set_up, tear_down_leaky)
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

SPACE_TEST(a_destroyed_guest_is_a_zombie_until_it_is_released)
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

SPACE_TEST(two_spaces_do_not_mix)
{
    struct fixture *f = *state;
    uint32_t other = domain(f, "other", false, false);
    struct xengt_space *space;
    struct xengt_bfn mine;
    struct xengt_bfn theirs;
    struct xengt_cookie theirs_cookie;
    struct xengt_gfn gfn = {9};
    assert_int_equal(xengt_target_add(f->xg, other), 0);
    assert_int_equal(xengt_space_open(f->xg, other, NULL, &space), 0);
    assert_int_equal(xengt_space_open(f->xg, other, NULL, &space), -EBUSY);
    assert_null(space);
    assert_int_equal(get(f, 9, &mine), 0);
    assert_int_equal(xengt_map(f->xg, other, &gfn, &theirs, &theirs_cookie, NULL, 1, XENGT_PROT_RW),
                     0);
    assert_true(mine.v != theirs.v);
    assert_int_equal(xengt_space_put(f->space, &theirs, 1), -ENOENT);
}

/* --- quotas and reserves ----------------------------------------------------------------- */

static struct xengt_space *second_space(struct fixture *f,
                                        const struct xengt_space_options *options)
{
    struct xengt_space *space;
    uint32_t domid = domain(f, "other", false, false);
    assert_int_equal(xengt_target_add(f->xg, domid), 0);
    assert_int_equal(xengt_space_open(f->xg, domid, options, &space), 0);
    return space;
}

/* Maps n pages from gfn 0 on, one by one; returns the first failure. */
static int take(struct xengt_space *space, unsigned n, struct xengt_bfn *bfn)
{
    int err = 0;
    for (unsigned i = 0; i < n && !err; i++) {
        const struct xengt_gfn gfn = {i};
        assert_int_equal(xengt_space_get(space, &gfn, &bfn[i], &err, 1), 0);
    }
    return err;
}

static void keep(struct xengt_space *space, unsigned n)
{
    struct xengt_bfn bfn[PAGES];
    assert_int_equal(take(space, n, bfn), 0);
    assert_int_equal(xengt_space_put(space, bfn, n), 0);
}

static unsigned kept(const struct xengt_space *space)
{
    struct xengt_space_stats stats;
    xengt_space_get_stats(space, &stats);
    return stats.deferred;
}

static int set_up_quota(void **state)
{
    return set_up_with(state, NULL,
                       &(struct xengt_space_options){.quota = 600, .defer_pages = 2048});
}

TEST_WITH(a_miss_at_the_quota_unmaps_few, set_up_quota, tear_down)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    keep(f->space, 600);
    assert_int_equal(get(f, 700, &bfn), 0);
    assert_in_range(kept(f->space), 600 - 32, 599);
}

SMALL_TEST(what_is_stale_counts_against_the_quota)
{
    struct fixture *f = *state; /* quota of 12 */
    struct xengt_bfn bfn[12];
    assert_int_equal(take(f->space, 12, bfn), 0);
    xengt_space_invalidate(f->space);
    assert_int_equal(get(f, 0, bfn), -EDQUOT);
}

static int set_up_window(void **state)
{
    return set_up_with(state, &(struct xengt_options){.window_pages = 400},
                       &(struct xengt_space_options){.defer_pages = 2048});
}

#define WINDOW_TEST(name) TEST_WITH(name, set_up_window, tear_down)

WINDOW_TEST(a_miss_in_a_full_window_takes_its_own_first)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_space *other = second_space(f, &(struct xengt_space_options){.defer_pages = 2048});
    keep(other, 300);
    keep(f->space, 100);
    assert_int_equal(get(f, 500, &bfn), 0);
    assert_int_equal(kept(other), 300);
    assert_in_range(kept(f->space), 100 - 32, 99);
}

WINDOW_TEST(a_miss_in_a_full_window_costs_others_few)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[100];
    struct xengt_space *other = second_space(f, &(struct xengt_space_options){.defer_pages = 2048});
    keep(other, 300);
    assert_int_equal(take(f->space, 100, bfn), 0);
    assert_int_equal(get(f, 500, bfn), 0);
    assert_in_range(kept(other), 300 - 32, 299);
}

WINDOW_TEST(a_reserve_is_not_evicted)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[400];
    struct xengt_space *other =
        second_space(f, &(struct xengt_space_options){.defer_pages = 2048, .reserve = 290});
    keep(other, 300);
    assert_int_equal(take(f->space, 400, bfn), -ENOSPC);
    assert_int_equal(space_stats(f).mapped, 110);
    assert_int_equal(kept(other), 290);
}

WINDOW_TEST(a_reserve_is_always_to_be_had)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[400];
    struct xengt_cookie cookie[400];
    struct xengt_bfn theirs[250];
    struct xengt_space *other = second_space(f, &(struct xengt_space_options){.reserve = 250});
    assert_int_equal(take(f->space, 400, bfn), -ENOSPC);
    assert_int_equal(space_stats(f).mapped, 150);
    const struct xengt_gfn gfn = {500};
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, bfn, cookie, NULL, 1, XENGT_PROT_RW),
                     -ENOSPC);
    assert_int_equal(take(other, 250, theirs), 0);
    assert_int_equal(xengt_space_put(other, theirs, 250), 0);
    xengt_space_close(other);
    assert_int_equal(get(f, 600, bfn), 0);
}

WINDOW_TEST(what_cannot_be_promised_is_refused)
{
    struct fixture *f = *state;
    struct xengt_space *space;
    struct xengt_bfn bfn[20];
    uint32_t domid = domain(f, "third", false, false);
    second_space(f, &(struct xengt_space_options){.reserve = 300});
    assert_int_equal(take(f->space, 20, bfn), 0);
    assert_int_equal(xengt_target_add(f->xg, domid), 0);
    const struct xengt_space_options odd = {.reserve = 20, .quota = 19};
    assert_int_equal(xengt_space_open(f->xg, domid, &odd, &space), -EINVAL);
    const struct xengt_space_options much = {.reserve = 81};
    assert_int_equal(xengt_space_open(f->xg, domid, &much, &space), -ENOSPC);
    assert_null(space);
    const struct xengt_space_options huge = {.reserve = UINT32_MAX};
    assert_int_equal(xengt_space_open(f->xg, domid, &huge, &space), -ENOSPC);
    /* What is only kept beyond a reserve makes way. */
    assert_int_equal(xengt_space_put(f->space, bfn, 20), 0);
    assert_int_equal(xengt_space_open(f->xg, domid, &much, &space), 0);
    assert_int_equal(kept(f->space), 19);
}

/* A process that took over what its predecessor mapped opens the spaces after that. */
WINDOW_TEST(plain_mappings_count_as_the_reserve)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[300];
    struct xengt_bfn bfn[300];
    struct xengt_cookie cookie[300];
    int err[300];
    uint32_t domid = domain(f, "third", false, false);
    struct xengt_space *space;
    const struct xengt_space_options options = {.reserve = 400};
    for (unsigned i = 0; i < 300; i++) {
        gfn[i].v = i;
    }
    assert_int_equal(xengt_target_add(f->xg, domid), 0);
    assert_int_equal(xengt_map(f->xg, domid, gfn, bfn, cookie, NULL, 300, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_space_open(f->xg, domid, &options, &space), 0);
    struct xengt_bfn none;
    assert_int_equal(get(f, 1, &none), -ENOSPC);
    assert_int_equal(xengt_mappings(f->xg, NULL, 0), 300);
    assert_int_equal(xengt_space_adopt(space, cookie, err, 300), 0);
    assert_int_equal(err[299], 0);
    assert_int_equal(get(f, 1, &none), -ENOSPC);
}

/* --- slices ------------------------------------------------------------------------------ */

WINDOW_TEST(what_is_kept_goes_in_slices)
{
    struct fixture *f = *state;
    keep(f->space, 400);
    assert_int_equal(xengt_space_shrink(f->space, 150), 250);
    assert_int_equal(space_stats(f).mapped, 250);
    assert_int_equal(xengt_space_shrink(f->space, 300), 0);
}

WINDOW_TEST(an_expiry_is_bounded)
{
    struct fixture *f = *state;
    keep(f->space, 400);
    assert_true(xengt_space_expire(f->space)); /* now they are old */
    assert_true(xengt_space_expire(f->space));
    assert_int_equal(kept(f->space), 400 - XENGT_EXPIRE_PAGES);
    assert_false(xengt_space_expire(f->space));
    assert_int_equal(kept(f->space), 0);
}

SPACE_TEST(a_space_ends_in_slices)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[300];
    const struct xengt_gfn gfn = {1};
    assert_int_equal(take(f->space, 300, bfn), 0);
    assert_int_equal(xengt_space_put(f->space, bfn, 100), 0);
    uint32_t left = 300;
    for (int i = 0; left; i++) {
        uint32_t before = left;
        assert_in_range(i, 0, 100);
        left = xengt_space_drain(f->space, 10);
        assert_in_range(before - left, 0, 10);
        assert_int_equal(xengt_space_get(f->space, &gfn, bfn, NULL, 1), -ESHUTDOWN);
    }
    assert_true(sim_stats(f).mapped == 0);
    xengt_space_close(f->space);
    assert_int_equal(xengt_target_remove(f->xg, f->domid), 0);
}

/* Nobody can come back to it: it is not kept in place of one that somebody can. */
SPACE_TEST(a_stale_mapping_goes_before_a_fresh_one)
{
    struct fixture *f = *state;
    struct xengt_bfn stale;
    struct xengt_bfn fresh;
    assert_int_equal(get(f, 9, &stale), 0);
    xengt_space_invalidate(f->space);
    assert_int_equal(get(f, 9, &fresh), 0);
    assert_int_equal(xengt_space_put(f->space, &fresh, 1), 0);
    assert_int_equal(xengt_space_put(f->space, &stale, 1), 0);
    assert_int_equal(xengt_space_shrink(f->space, 1), 1);
    uint64_t before = sim_stats(f).hypercalls;
    assert_int_equal(get(f, 9, &stale), 0);
    assert_true(stale.v == fresh.v && sim_stats(f).hypercalls == before);
}

/* Otherwise a guest would choose frames that all fall into one chain. */
SPACE_TEST(where_a_gfn_falls_is_not_foreseeable)
{
    struct fixture *f = *state;
    struct xengt *xg;
    struct xengt_sim *sim = xengt_sim_new();
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = sim};
    assert_int_equal(xengt_open(&xg, &options, NULL, 0), 0);
    assert_true(xg->hash_key != f->xg->hash_key);
    assert_true(xg->hash_key & f->xg->hash_key & 1);
    xengt_close(xg);
    xengt_sim_free(sim);
}
