/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs the cases that the command line's first word names, "case" or "case+case+...", and says
 * how it went: a line for each, and PASS for all of them or FAIL for the first that failed.
 */

#include "platform.h"

/* Does the word at @list, up to a '+' or its end, say @name? */
static bool names(const char *list, const char *name)
{
    while (*name && *list == *name) {
        list++;
        name++;
    }
    return !*name && (!*list || *list == '+');
}

static const struct test_case *find_case(const char *list)
{
    for (const struct test_case *c = test_cases; c->name; c++) {
        if (names(list, c->name)) {
            return c;
        }
    }
    return NULL;
}

/* The next name of the list, or NULL. */
static const char *next_case(const char *list)
{
    while (*list && *list != '+') {
        list++;
    }
    return *list ? list + 1 : NULL;
}

int main(void)
{
    for (const char *list = case_name(); list; list = next_case(list)) {
        const struct test_case *found = find_case(list);
        const char *reason = found ? found->run() : "no such case";

        if (reason) {
            say("FAIL %s: %s", found ? found->name : list, reason);
            return 1;
        }
        say("done: %s", found->name);
    }
    say("PASS %s", case_name());
    return 0;
}
