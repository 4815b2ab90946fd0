/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spaces, over the simulator. */
#include <errno.h>

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
