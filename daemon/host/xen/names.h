/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains' names as they were heard of last, in the order of their domids. */
#ifndef XENGT_HOST_XEN_NAMES_H
#define XENGT_HOST_XEN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A domain with a longer name is found by its domid only. */
#define NAMES_LENGTH 128u

struct name {
    uint32_t domid;
    bool seen;               /* these two are the user's: by its last look at all of them */
    bool watched;            /* a change of it is heard of */
    char text[NAMES_LENGTH]; /* "": none that is known */
};

struct names {
    struct name *name; /* n of them, no more than there can be domains */
    unsigned n;
    unsigned room;
};

struct name *names_get(const struct names *names, uint32_t domid); /* NULL: unknown */

/* The domain, new and without a name, or as it is. NULL: no memory. */
struct name *names_add(struct names *names, uint32_t domid);
void names_drop(struct names *names, uint32_t domid);
/* The first of that name, of those from one on. */
bool names_find(const struct names *names, const char *text, uint32_t from, uint32_t *domid);
void names_clear(struct names *names);

#endif
