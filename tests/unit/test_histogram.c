/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Histograms of times: each time is counted once, in the first bucket that it fits into. */
#include "histogram.h"

#include "support/test.h"

PLAIN_TEST(bounds_go_up)
{
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++) {
        assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
    }
}

PLAIN_TEST(a_bound_is_in_its_bucket_and_a_nanosecond_more_in_the_next)
{
    (void)state;
    for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
        struct histogram histogram = {0};

        histogram_add(&histogram, histogram_bounds[i]);
        assert_int_equal(histogram.count[i], 1);
        histogram_add(&histogram, histogram_bounds[i] + 1);
        assert_int_equal(histogram.count[i], 1);
        assert_int_equal(histogram.count[i + 1], 1);
        assert_int_equal(histogram.total_ns, 2 * histogram_bounds[i] + 1);
    }
}

PLAIN_TEST(nothing_and_ever_are_counted)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_add(&histogram, 0);
    histogram_add(&histogram, UINT64_MAX);
    assert_int_equal(histogram.count[0], 1);
    assert_int_equal(histogram.count[HISTOGRAM_BOUNDS], 1);
}

PLAIN_TEST(what_began_just_now_took_little)
{
    struct histogram histogram = {0};

    (void)state;
    histogram_add_since(&histogram, histogram_now_ns());
    assert_int_equal(histogram.count[HISTOGRAM_BOUNDS], 0);
    assert_true(histogram.total_ns < histogram_bounds[HISTOGRAM_BOUNDS - 1]);
}
