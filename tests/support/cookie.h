/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cookie of a plain mapping by its BFN, for tests that keep nothing but that. */
#ifndef TESTS_SUPPORT_COOKIE_H
#define TESTS_SUPPORT_COOKIE_H

#include <stdlib.h>

#include <xengt/map.h>

/* Of the first that has it; XENGT_COOKIE_NONE: none has. */
static inline struct xengt_cookie cookie_of(const struct xengt *xg, struct xengt_bfn bfn)
{
    struct xengt_cookie cookie = XENGT_COOKIE_NONE;
    size_t n = xengt_mappings(xg, NULL, 0);
    struct xengt_mapping *list = calloc(n + 1, sizeof(*list));
    xengt_mappings(xg, list, n);
    for (size_t i = 0; i < n && !cookie.v; i++) {
        cookie = list[i].bfn.v == bfn.v ? list[i].cookie : cookie;
    }
    free(list);
    return cookie;
}

#endif
