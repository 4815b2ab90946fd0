/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the one case the command line names and says how it went. */

#include "platform.h"

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static const struct test_case *find_case(const char *name)
{
    for (const struct test_case *c = test_cases; c->name; c++) {
        if (same(c->name, name))
            return c;
    }
    return NULL;
}

int main(void)
{
    const struct test_case *found = find_case(case_name());
    const char *reason = found ? found->run() : "no such case";

    if (reason)
        say("FAIL %s: %s", case_name(), reason);
    else
        say("PASS %s", case_name());
    return reason ? 1 : 0;
}
