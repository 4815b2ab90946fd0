/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding and running cases by their names. */

#include "platform.h"

/* Does the word at @list, up to a '+', a space or its end, say @name? */
static bool names(const char *list, const char *name)
{
    while (*name && *list == *name) {
        list++;
        name++;
    }
    return !*name && (!*list || *list == '+' || *list == ' ');
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
    while (*list && *list != '+' && *list != ' ') {
        list++;
    }
    return *list == '+' ? list + 1 : NULL;
}

const char *run_cases(const char *list)
{
    for (; list; list = next_case(list)) {
        const struct test_case *found = find_case(list);
        const char *reason = found ? found->run() : "no such case";

        if (reason) {
            say("failed: %s", found ? found->name : list);
            return reason;
        }
        say("done: %s", found->name);
    }
    return NULL;
}
