/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cost of a hypercall, and of removing a page besides. */
#include <errno.h>
#include <stdio.h>

#include <xenctrl.h>

#include <xen/memory.h>
#include <xen/version.h>

#include "bench_lib.h"
#include "measure.h"

#define SAMPLES 11u

struct many {
    multicall_entry_t call[PAGES];
    struct xen_remove_from_physmap remove[PAGES];
};

/* One call, PAGES times: through the kernel, into Xen and back. */
static double plain_calls(struct bench *b)
{
    double start = now_ns();
    for (unsigned i = 0; i < PAGES; i++) {
        xencall2(b->call, __HYPERVISOR_xen_version, XENVER_version, 0);
    }
    return now_ns() - start;
}

/* PAGES calls that do nothing in one. */
static double null_multicall(struct bench *b, struct many *a)
{
    for (unsigned i = 0; i < PAGES; i++) {
        a->call[i] = (multicall_entry_t){.op = __HYPERVISOR_xen_version, .args = {XENVER_version}};
    }
    double start = now_ns();
    xencall2(b->call, __HYPERVISOR_multicall, (uintptr_t)a->call, PAGES);
    return now_ns() - start;
}

/* PAGES removals of frames where nothing is: the lock and the look, but no change. */
static double empty_multicall(struct bench *b, struct many *a)
{
    for (unsigned i = 0; i < PAGES; i++) {
        a->remove[i] =
            (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = b->raw_base + i};
        a->call[i] = (multicall_entry_t){
            .op = __HYPERVISOR_memory_op,
            .args = {XENMEM_remove_from_physmap, (uintptr_t)&a->remove[i]},
        };
    }
    double start = now_ns();
    xencall2(b->call, __HYPERVISOR_multicall, (uintptr_t)a->call, PAGES);
    return now_ns() - start;
}

int measure_costs(struct bench *b)
{
    double plain[SAMPLES];
    double null[SAMPLES];
    double empty[SAMPLES];
    struct many *a = xencall_alloc_buffer(b->call, sizeof(*a));
    if (!a) {
        return -ENOMEM;
    }
    for (unsigned i = 0; i < SAMPLES; i++) {
        plain[i] = plain_calls(b);
        null[i] = null_multicall(b, a);
        empty[i] = b->raw_base ? empty_multicall(b, a) : 0;
    }
    xencall_free_buffer(b->call, a);
    const double us = 1000.0 * PAGES;
    printf("{\"cost\":\"hypercall_us\",\"value\":%.3f}\n", median(plain, SAMPLES) / us);
    printf("{\"cost\":\"multicall_entry_us\",\"value\":%.3f}\n", median(null, SAMPLES) / us);
    if (b->raw_base) {
        printf("{\"cost\":\"remove_nothing_us\",\"value\":%.3f}\n", median(empty, SAMPLES) / us);
    }
    return 0;
}
