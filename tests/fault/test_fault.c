/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything that can fail, fails once: a scenario that uses the whole daemon is run again and
 * again, and each time another allocation, or another hypercall, is refused. Whatever comes of
 * it, no rule may be broken and nothing may be lost: at the end no page is mapped but those the
 * library knows to have leaked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#include <xengt/xengt.h>

#include "guest/sim/guest.h"

/* The linker sends every allocation of the program here (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);

static uint64_t allocations;
static uint64_t fail_at; /* 0: none */

static bool refused(void)
{
    return ++allocations == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refused() ? NULL : __real_calloc(n, size);
}

#define PAGES 256u

static const struct world_options options = {.space = {.no_defer = true}, .mute = true};

/* What may remain when everything was taken down. */
static void check_end(struct world *world, uint64_t leaked)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(world->sim, &stats);
    if (stats.violations) {
        fail_msg("violation: %s", xengt_sim_violation(world->sim));
    }
    assert_true(stats.mapped <= leaked);
}

static uint64_t leaked_pages(struct world *world)
{
    struct xengt_stats stats;
    xengt_get_stats(world->xengt, &stats);
    return stats.leaked;
}

/* A guest's life; false when it could not even be begun. */
static bool scenario(struct world *world, uint64_t fail_hypercall)
{
    uint32_t domid;
    char error[256] = "";
    if (world_guest(world, "guest", PAGES, &domid)) {
        return false;
    }
    if (fail_hypercall) {
        xengt_sim_fail_hypercall(world->sim, fail_hypercall, -ENOMEM);
    }
    struct guest_run run = {.world = world,
                            .domid = domid,
                            .pages = PAGES,
                            .command_line = "blit+repoint+badgfn+halves pages=20"};
    guest_run(&run);
    fail_at = 0; /* the proof needs memory of its own */
    int violations = guests_verify(world->guests, "guest", error, sizeof(error));
    if (violations > 0) {
        fail_msg("verify: %s", error);
    }
    xengt_sim_domain_destroy(world->sim, domid);
    host_sim_notice_deaths(world->host);
    world_run(world);
    return true;
}

static uint64_t allocations_of_a_run(uint64_t nth)
{
    struct world world;
    allocations = 0;
    fail_at = nth;
    if (world_open(&world, &options)) {
        fail_at = 0;
        return allocations;
    }
    scenario(&world, 0);
    fail_at = 0;
    check_end(&world, leaked_pages(&world));
    world_close(&world);
    return allocations;
}

PLAIN_TEST(each_allocation_may_fail)
{
    (void)state;
    uint64_t n = allocations_of_a_run(0);
    assert_true(n > 100);
    for (uint64_t nth = 1; nth <= n; nth++) {
        allocations_of_a_run(nth);
    }
    print_message("# %llu allocations, each refused once\n", (unsigned long long)n);
}

static uint64_t hypercalls_of_a_run(uint64_t nth)
{
    struct world world;
    struct xengt_sim_stats stats;
    assert_int_equal(world_open(&world, &options), 0);
    assert_true(scenario(&world, nth));
    check_end(&world, leaked_pages(&world));
    xengt_sim_get_stats(world.sim, &stats);
    world_close(&world);
    return stats.hypercalls;
}

PLAIN_TEST(each_hypercall_may_fail)
{
    (void)state;
    uint64_t n = hypercalls_of_a_run(0);
    assert_true(n >= 3);
    for (uint64_t nth = 1; nth <= n; nth++) {
        hypercalls_of_a_run(nth);
    }
    print_message("# %llu hypercalls, each refused once\n", (unsigned long long)n);
}
