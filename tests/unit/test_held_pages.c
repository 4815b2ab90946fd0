/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tracked pages that must stay tracked until Xen is done with a store into them. */
#include <stdint.h>

#include "support/test.h"

#include "host/xen/held_pages.h"

static uint64_t next(struct held_pages *held)
{
    uint64_t gfn;
    return held_pages_next(held, &gfn) ? gfn : 0;
}

PLAIN_TEST(nobody_stores)
{
    struct held_pages held = {0};
    (void)state;
    assert_true(held_pages_may_end(&held, 5));
    assert_int_equal(next(&held), 0);
    assert_false(held_pages_begin(&held, 5));
}

PLAIN_TEST(until_the_next_request)
{
    struct held_pages held = {0};
    (void)state;
    held_pages_store(&held, 1, 5, 6);
    assert_true(held_pages_may_end(&held, 4));
    assert_false(held_pages_may_end(&held, 5));
    assert_false(held_pages_may_end(&held, 6));
    assert_false(held_pages_may_end(&held, 6)); /* noted once */
    assert_int_equal(next(&held), 0);
    held_pages_store(&held, 1, 6, 6); /* a REP STOS goes on in the second page */
    assert_int_equal(next(&held), 5);
    assert_int_equal(next(&held), 0);
    held_pages_other(&held, 1);
    assert_int_equal(next(&held), 6);
    assert_int_equal(next(&held), 0);
}

PLAIN_TEST(two_vcpus)
{
    struct held_pages held = {0};
    (void)state;
    held_pages_store(&held, 0, 5, 5);
    held_pages_store(&held, IOREQ_VCPUS_MAX - 1, 5, 5);
    assert_false(held_pages_may_end(&held, 5));
    held_pages_other(&held, 0);
    assert_int_equal(next(&held), 0);
    held_pages_other(&held, IOREQ_VCPUS_MAX - 1);
    assert_int_equal(next(&held), 5);
}

/* A vCPU that makes no more requests: once its answer is taken, and some time has gone. */
PLAIN_TEST(answer_taken)
{
    struct held_pages held = {0};
    (void)state;
    held_pages_store(&held, 0, 5, 5);
    assert_false(held_pages_may_end(&held, 5));
    held_pages_taken(&held, 0);
    assert_int_equal(next(&held), 0);
    held_pages_store(&held, 0, 5, 5); /* another one: from the beginning */
    held_pages_taken(&held, 0);
    assert_int_equal(next(&held), 0);
    held_pages_taken(&held, 0);
    assert_int_equal(next(&held), 5);
}

PLAIN_TEST(tracked_again_meanwhile)
{
    struct held_pages held = {0};
    (void)state;
    held_pages_store(&held, 0, 5, 5);
    assert_false(held_pages_may_end(&held, 5));
    assert_true(held_pages_begin(&held, 5));
    held_pages_other(&held, 0);
    assert_int_equal(next(&held), 0);
    assert_false(held_pages_begin(&held, 5));
}

PLAIN_TEST(as_many_as_there_are)
{
    struct held_pages held = {0};
    (void)state;
    for (unsigned vcpu = 0; vcpu < IOREQ_VCPUS_MAX; vcpu++) {
        held_pages_store(&held, vcpu, 2 * vcpu, 2 * vcpu + 1);
    }
    for (unsigned gfn = 0; gfn < HELD_PAGES_MAX; gfn++) {
        assert_false(held_pages_may_end(&held, gfn));
    }
    assert_int_equal(held.late_n, HELD_PAGES_MAX);
    for (unsigned vcpu = 0; vcpu < IOREQ_VCPUS_MAX; vcpu++) {
        held_pages_other(&held, vcpu);
    }
    uint64_t gfn;
    while (held_pages_next(&held, &gfn)) {
        assert_true(gfn < HELD_PAGES_MAX);
    }
    assert_int_equal(held.late_n, 0);
}
