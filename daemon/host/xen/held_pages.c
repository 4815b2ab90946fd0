/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages held as tracked, at most a range for each vCPU. */
#include "host/xen/held_pages.h"

void held_pages_store(struct held_pages *held, unsigned vcpu, uint64_t first, uint64_t last)
{
    held->vcpu[vcpu].holds = true;
    held->vcpu[vcpu].idle = false;
    held->vcpu[vcpu].first = first;
    held->vcpu[vcpu].last = last;
}

void held_pages_other(struct held_pages *held, unsigned vcpu)
{
    held->vcpu[vcpu].holds = false;
}

void held_pages_taken(struct held_pages *held, unsigned vcpu)
{
    held->vcpu[vcpu].holds &= !held->vcpu[vcpu].idle;
    held->vcpu[vcpu].idle = true;
}

static bool is_held(const struct held_pages *held, uint64_t gfn)
{
    for (unsigned vcpu = 0; vcpu < IOREQ_VCPUS_MAX; vcpu++) {
        if (held->vcpu[vcpu].holds && gfn >= held->vcpu[vcpu].first &&
            gfn <= held->vcpu[vcpu].last) {
            return true;
        }
    }
    return false;
}

/* Its place among those noted, or late_n. */
static size_t find_late(const struct held_pages *held, uint64_t gfn)
{
    size_t i = 0;

    while (i < held->late_n && held->late[i] != gfn) {
        i++;
    }
    return i;
}

bool held_pages_may_end(struct held_pages *held, uint64_t gfn)
{
    if (!is_held(held, gfn)) {
        return true;
    }
    if (find_late(held, gfn) == held->late_n && held->late_n < HELD_PAGES_MAX) {
        held->late[held->late_n++] = gfn;
    }
    return false;
}

bool held_pages_begin(struct held_pages *held, uint64_t gfn)
{
    size_t i = find_late(held, gfn);

    if (i == held->late_n) {
        return false;
    }
    held->late[i] = held->late[--held->late_n];
    return true;
}

bool held_pages_next(struct held_pages *held, uint64_t *gfn)
{
    for (size_t i = 0; i < held->late_n; i++) {
        if (!is_held(held, held->late[i])) {
            *gfn = held->late[i];
            held->late[i] = held->late[--held->late_n];
            return true;
        }
    }
    return false;
}
