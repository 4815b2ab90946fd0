/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains' names: an array, in the order of domids. */
#include "host/xen/names.h"

#include <stdlib.h>
#include <string.h>

/* Where the domain is, or would be. */
static unsigned place(const struct names *names, uint32_t domid)
{
    unsigned low = 0, high = names->n;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (names->name[middle].domid < domid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct name *names_get(const struct names *names, uint32_t domid)
{
    unsigned i = place(names, domid);

    return i < names->n && names->name[i].domid == domid ? &names->name[i] : NULL;
}

static bool grow(struct names *names)
{
    unsigned room = names->room ? 2 * names->room : 64;
    struct name *more = realloc(names->name, room * sizeof(*more));

    if (!more) {
        return false;
    }
    names->name = more;
    names->room = room;
    return true;
}

struct name *names_add(struct names *names, uint32_t domid)
{
    unsigned i = place(names, domid);

    if (i < names->n && names->name[i].domid == domid) {
        return &names->name[i];
    }
    if (names->n == names->room && !grow(names)) {
        return NULL;
    }
    memmove(&names->name[i + 1], &names->name[i], (names->n - i) * sizeof(names->name[0]));
    names->n++;
    names->name[i] = (struct name){.domid = domid};
    return &names->name[i];
}

void names_drop(struct names *names, uint32_t domid)
{
    unsigned i = place(names, domid);

    if (i < names->n && names->name[i].domid == domid) {
        names->n--;
        memmove(&names->name[i], &names->name[i + 1], (names->n - i) * sizeof(names->name[0]));
    }
}

bool names_find(const struct names *names, const char *text, uint32_t from, uint32_t *domid)
{
    for (unsigned i = 0; i < names->n && *text; i++) {
        if (names->name[i].domid >= from && !strcmp(names->name[i].text, text)) {
            *domid = names->name[i].domid;
            return true;
        }
    }
    return false;
}

void names_clear(struct names *names)
{
    free(names->name);
    *names = (struct names){0};
}
