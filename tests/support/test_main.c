/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The main() of a test program: runs what its files registered. */
#include <errno.h>
#include <stdlib.h>

#include "support/test.h"

static struct CMUnitTest *tests;
static size_t tests_n;

void test_register(const struct CMUnitTest *test)
{
    struct CMUnitTest *more = realloc(tests, (tests_n + 1) * sizeof(*tests));
    if (!more) {
        abort();
    }
    tests = more;
    tests[tests_n++] = *test;
}

int main(void)
{
    int failed = _cmocka_run_group_tests(program_invocation_short_name, tests, tests_n, NULL, NULL);
    free(tests);
    return failed;
}
