/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expiry by the clock: when an event loop has to come back, and what it finds to unmap then. */
#include <limits.h>

#include "space_fixture.h"

static int set_up_default(void **state)
{
    return set_up_with(state, NULL, NULL);
}

static int set_up_slow(void **state)
{
    return set_up_with(state, NULL, &(struct xengt_space_options){.defer_ms = 700});
}

static struct xengt_bfn get_of(struct xengt_space *space, uint64_t gfn)
{
    const struct xengt_gfn g = {gfn};
    struct xengt_bfn bfn;
    assert_int_equal(xengt_space_get(space, &g, &bfn, NULL, 1), 0);
    return bfn;
}

static void use_once(struct xengt_space *space, uint64_t gfn)
{
    struct xengt_bfn bfn = get_of(space, gfn);
    assert_int_equal(xengt_space_put(space, &bfn, 1), 0);
}

static uint32_t kept(struct xengt_space *space)
{
    struct xengt_space_stats stats;
    xengt_space_get_stats(space, &stats);
    return stats.deferred;
}

TEST_WITH(nothing_kept_is_no_date, set_up_default, tear_down)
{
    struct fixture *f = *state;
    assert_int_equal(xengt_expire(f->xg, 1000), -1);
    struct xengt_bfn bfn = get_of(f->space, 1);
    assert_int_equal(xengt_expire(f->xg, 2000), -1);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), 0);
    assert_int_equal(xengt_expire(f->xg, 3000), XENGT_DEFER_MS_DEFAULT);
    get_of(f->space, 1); /* it is taken back */
    assert_int_equal(xengt_expire(f->xg, 3001), -1);
}

TEST_WITH(what_is_kept_goes_after_once_to_twice_its_time, set_up_slow, tear_down)
{
    struct fixture *f = *state;
    use_once(f->space, 1);
    assert_int_equal(xengt_expire(f->xg, 1000), 700);
    use_once(f->space, 2);
    assert_int_equal(xengt_expire(f->xg, 1699), 1);
    assert_int_equal(kept(f->space), 2);
    assert_int_equal(xengt_expire(f->xg, 1700), 700);
    assert_int_equal(kept(f->space), 2); /* now they are old */
    use_once(f->space, 3);
    assert_int_equal(xengt_expire(f->xg, 9999), 700); /* a loop that comes late */
    assert_int_equal(kept(f->space), 1);
    assert_int_equal(xengt_expire(f->xg, 9999 + 700), -1);
    assert_int_equal(kept(f->space), 0);
}

TEST_WITH(each_space_has_a_time_of_its_own, set_up_slow, tear_down)
{
    struct fixture *f = *state;
    uint32_t domid = domain(f, "other", false, false);
    struct xengt_space *other;
    assert_int_equal(xengt_target_add(f->xg, domid), 0);
    assert_int_equal(
        xengt_space_open(f->xg, domid, &(struct xengt_space_options){.defer_ms = 50}, &other), 0);
    use_once(f->space, 1);
    use_once(other, 1);
    assert_int_equal(xengt_expire(f->xg, 0), 50);
    assert_int_equal(xengt_expire(f->xg, 50), 50);
    assert_int_equal(xengt_expire(f->xg, 100), 600);
    assert_int_equal(kept(other), 0);
    assert_int_equal(kept(f->space), 1);
    xengt_space_close(other);
    assert_int_equal(xengt_target_remove(f->xg, domid), 0);
}

static int set_up_never(void **state)
{
    return set_up_with(state, NULL, &(struct xengt_space_options){.defer_ms = UINT_MAX});
}

TEST_WITH(a_date_beyond_an_int_is_no_date_in_the_past, set_up_never, tear_down)
{
    struct fixture *f = *state;
    use_once(f->space, 1);
    assert_int_equal(xengt_expire(f->xg, 1000), INT_MAX);
    assert_int_equal(xengt_expire(f->xg, 2000), INT_MAX);
    assert_int_equal(kept(f->space), 1);
}
