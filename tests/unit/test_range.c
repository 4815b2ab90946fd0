/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges of frames, and dirty pages. */
#include <errno.h>
#include <string.h>

#include "space_fixture.h"

#define RANGE_TEST(name) TEST_WITH(name, set_up, tear_down)
#define MANY             700u /* some pieces */

static void fill(struct fixture *f)
{
    for (uint64_t gfn = 0; gfn < PAGES; gfn++) {
        memcpy(xengt_sim_guest_page(f->sim, f->domid, (struct xengt_gfn){gfn}), &gfn, sizeof(gfn));
    }
}

static uint64_t read_word(struct fixture *f, struct xengt_bfn bfn)
{
    uint64_t word = UINT64_MAX;
    xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), &word, sizeof(word));
    return word;
}

RANGE_TEST(a_range_is_its_frames_one_after_the_other)
{
    struct fixture *f = *state;
    const struct xengt_gfn first = {100};
    struct xengt_bfn bfn[MANY];
    struct xengt_cookie cookie[MANY];
    struct xengt_stats stats;
    fill(f);
    assert_int_equal(
        xengt_map_range(f->xg, f->domid, first, bfn, cookie, NULL, MANY, XENGT_PROT_RW), 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(read_word(f, bfn[i]), 100 + i);
    }
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.map_calls, (MANY + XENGT_BATCH_DEFAULT - 1) / XENGT_BATCH_DEFAULT);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, MANY), 0);
    assert_int_equal(xengt_space_get_range(f->space, first, bfn, NULL, MANY), 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(read_word(f, bfn[i]), 100 + i);
    }
    assert_int_equal(xengt_space_put(f->space, bfn, MANY), 0);
}

RANGE_TEST(a_range_is_mapped_as_a_whole_or_each_by_itself)
{
    struct fixture *f = *state;
    const struct xengt_gfn first = {PAGES - 600}; /* 600 are there, 100 are not */
    struct xengt_bfn bfn[MANY];
    struct xengt_cookie cookie[MANY];
    struct xengt_stats stats;
    int err[MANY];
    assert_int_equal(
        xengt_map_range(f->xg, f->domid, first, bfn, cookie, NULL, MANY, XENGT_PROT_RW), -EINVAL);
    assert_int_equal(xengt_space_get_range(f->space, first, bfn, NULL, MANY), -EINVAL);
    for (size_t i = 0; i < MANY; i++) {
        assert_true(bfn[i].v == XENGT_BFN_INVALID.v);
    }
    xengt_space_flush(f->space);
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.mapped, 0);
    assert_int_equal(xengt_map_range(f->xg, f->domid, first, bfn, cookie, err, MANY, XENGT_PROT_RW),
                     0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(err[i], i < 600 ? 0 : -EINVAL);
    }
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 600), 0);
    assert_int_equal(xengt_space_get_range(f->space, first, bfn, err, MANY), 0);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(err[i], i < 600 ? 0 : -EINVAL);
    }
    assert_int_equal(xengt_space_put(f->space, bfn, 600), 0);
}

/* 2^64 - 2 and what follows: the third would be frame 0. */
RANGE_TEST(a_range_does_not_wrap_around)
{
    struct fixture *f = *state;
    static const uint64_t firsts[] = {UINT64_MAX - 1, XENGT_GFN_MAX - 1, UINT64_MAX};
    struct xengt_bfn bfn[8];
    struct xengt_cookie cookie[8];
    int err[8];
    for (size_t k = 0; k < 3; k++) {
        const struct xengt_gfn first = {firsts[k]};
        assert_int_equal(
            xengt_map_range(f->xg, f->domid, first, bfn, cookie, err, 8, XENGT_PROT_RW), 0);
        for (size_t i = 0; i < 8; i++) {
            assert_int_equal(err[i], -EINVAL);
        }
        assert_int_equal(xengt_space_get_range(f->space, first, bfn, NULL, 8), -EINVAL);
    }
}

RANGE_TEST(a_range_is_refused_as_an_array_is)
{
    struct fixture *f = *state;
    const struct xengt_gfn first = {1};
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    assert_int_equal(xengt_map_range(f->xg, f->domid, first, NULL, NULL, NULL, 2, XENGT_PROT_RW),
                     -EINVAL);
    assert_int_equal(xengt_map_range(f->xg, f->domid, first, NULL, NULL, NULL, 0, XENGT_PROT_RW),
                     0);
    assert_int_equal(xengt_map_range(f->xg, f->domid, first, NULL, NULL, NULL, 0, 7), -EINVAL);
    assert_int_equal(
        xengt_map_range(f->xg, f->domid + 1, first, bfn, cookie, NULL, 2, XENGT_PROT_RW), -EPERM);
    assert_int_equal(xengt_space_get_range(f->space, first, NULL, NULL, 2), -EINVAL);
    assert_int_equal(xengt_space_get_range(f->space, first, NULL, NULL, 0), 0);
}

/* --- dirty pages ------------------------------------------------------------------------- */

static bool is_dirty(struct fixture *f, uint64_t gfn)
{
    return xengt_sim_is_dirty(f->sim, f->domid, (struct xengt_gfn){gfn});
}

RANGE_TEST(what_devices_wrote_is_reported)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[MANY + 1];
    struct xengt_cookie cookie[MANY];
    const struct xengt_gfn gfn = {3};
    assert_int_equal(xengt_map_range(f->xg, f->domid, (struct xengt_gfn){100}, bfn, cookie, NULL,
                                     MANY, XENGT_PROT_RW),
                     0);
    assert_int_equal(xengt_space_get(f->space, &gfn, &bfn[MANY], NULL, 1), 0);
    assert_int_equal(xengt_report_dirty(f->xg, &cookie[5], 2), 0);
    assert_true(is_dirty(f, 105) && is_dirty(f, 106));
    assert_false(is_dirty(f, 104) || is_dirty(f, 107) || is_dirty(f, 3));
    assert_int_equal(xengt_report_dirty(f->xg, cookie, MANY), 0);
    assert_false(is_dirty(f, 3));
    assert_int_equal(xengt_space_report_dirty(f->space, &bfn[MANY], 1), 0);
    assert_true(is_dirty(f, 100) && is_dirty(f, 100 + MANY - 1) && is_dirty(f, 3));
    assert_false(is_dirty(f, 99) || is_dirty(f, 100 + MANY));
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, MANY), 0);
    assert_int_equal(xengt_space_put(f->space, &bfn[MANY], 1), 0);
}

RANGE_TEST(what_is_no_mapping_is_not_reported)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[3];
    assert_int_equal(xengt_map_range(f->xg, f->domid, (struct xengt_gfn){7}, bfn, cookie, NULL, 2,
                                     XENGT_PROT_RW),
                     0);
    cookie[2] = cookie[1];
    cookie[1] = XENGT_COOKIE_NONE;
    assert_int_equal(xengt_report_dirty(f->xg, cookie, 3), -ENOENT);
    assert_true(is_dirty(f, 7));
    assert_false(is_dirty(f, 8));
    assert_int_equal(xengt_space_report_dirty(f->space, &bfn[1], 1), -ENOENT); /* not a space's */
    assert_false(is_dirty(f, 8));
    assert_int_equal(xengt_report_dirty(f->xg, NULL, 1), -EINVAL);
    assert_int_equal(xengt_report_dirty(f->xg, NULL, 0), 0);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, f->domid), 0);
    assert_int_equal(xengt_report_dirty(f->xg, cookie, 1), -ESRCH);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 1), 0);
    assert_int_equal(xengt_unmap(f->xg, &cookie[2], NULL, 1), 0);
}
