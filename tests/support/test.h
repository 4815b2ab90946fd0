/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A test is written once: TEST_WITH(name, set_up, tear_down) { ... } defines it and puts it on the
 * program's list, in the order of the file. test_main.c runs the list.
 */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include "support/cmocka_all.h"

void test_register(const struct CMUnitTest *test);

#define TEST_WITH(name, set_up, tear_down)                                         \
    static void name(void **state);                                                \
    __attribute__((constructor)) static void register_##name(void)                 \
    {                                                                              \
        test_register(&(struct CMUnitTest){#name, name, set_up, tear_down, NULL}); \
    }                                                                              \
    static void name(void **state)

/* A test without a fixture. */
#define PLAIN_TEST(name) TEST_WITH(name, NULL, NULL)

#endif
