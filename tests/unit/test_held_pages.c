/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tracked pages that must stay tracked until Xen is done with a store into them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "host/xen/held_pages.h"

static uint64_t next(struct held_pages *held)
{
    uint64_t gfn;
    return held_pages_next(held, &gfn) ? gfn : 0;
}

static void test_nobody_stores(void **state)
{
    struct held_pages held = {0};
    (void)state;
    assert_true(held_pages_may_end(&held, 5));
    assert_int_equal(next(&held), 0);
    assert_false(held_pages_begin(&held, 5));
}

static void test_until_the_next_request(void **state)
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

static void test_two_vcpus(void **state)
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
static void test_answer_taken(void **state)
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

static void test_tracked_again_meanwhile(void **state)
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

static void test_as_many_as_there_are(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_stores),
        cmocka_unit_test(test_until_the_next_request),
        cmocka_unit_test(test_two_vcpus),
        cmocka_unit_test(test_answer_taken),
        cmocka_unit_test(test_tracked_again_meanwhile),
        cmocka_unit_test(test_as_many_as_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
