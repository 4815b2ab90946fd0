/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table is compared, and later tracked: what the guest stores in between must not be lost. Here
 * it does, whenever a page is to be tracked that holds entries of two different pages.
 */
#include "late.h"

#include <stddef.h>

#define ENTRIES (XENGT_PAGE_SIZE / sizeof(uint64_t))

static struct {
    struct stack *stack;
    const struct host_ops *real;
    struct host_ops ops;
    unsigned stores;
} late;

/* The guest has one domain, and it is the one that is attached. */
static uint64_t *page_of(struct xengt_gfn gfn)
{
    struct guest_info info;

    return guests_list(late.stack->guests, 0, &info)
               ? xengt_sim_guest_page(late.stack->sim, info.domid, gfn)
               : NULL;
}

/* Two entries change places. */
static void store_late(uint64_t *entry)
{
    for (size_t i = 1; entry && i < ENTRIES; i++) {
        uint64_t one = entry[i - 1], other = entry[i];

        if (one & other & 1 && one != other) {
            entry[i - 1] = other;
            entry[i] = one;
            late.stores++;
            return;
        }
    }
}

/* Leaf tables only: what the cases can follow is which pages there are, not which tables. */
static bool is_leaf(const uint64_t *entry)
{
    size_t present = 0;

    for (size_t i = 0; entry && i < ENTRIES; i++) {
        present += entry[i] != entry[ENTRIES - 1];
    }
    return present > ENTRIES / 2;
}

static int track(struct host_guest *guest, const struct xengt_gfn *gfn, size_t n, bool on)
{
    for (size_t i = 0; on && i < n; i++) {
        uint64_t *page = page_of(gfn[i]);

        if (is_leaf(page)) {
            store_late(page);
        }
    }
    return late.real->track(guest, gfn, n, on);
}

void late_begin(struct stack *stack)
{
    late.stack = stack;
    late.real = stack->host->ops;
    late.stores = 0;
    late.ops = *late.real;
    late.ops.track = track;
    stack->host->ops = &late.ops;
}

unsigned late_stores(void)
{
    return late.stores;
}
