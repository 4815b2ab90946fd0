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

static const struct stack_options options = {.space = {.no_defer = true}, .mute = true};

/* What may remain when everything was taken down. */
static void check_end(struct stack *stack, uint64_t leaked)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(stack->sim, &stats);
    if (stats.violations) {
        fail_msg("violation: %s", xengt_sim_violation(stack->sim));
    }
    assert_true(stats.mapped <= leaked);
}

static uint64_t leaked_pages(struct stack *stack)
{
    struct xengt_stats stats;
    xengt_get_stats(stack->xengt, &stats);
    return stats.leaked;
}

/* A guest's life; false when it could not even be begun. */
static bool scenario(struct stack *stack, uint64_t fail_hypercall)
{
    uint32_t domid;
    char error[256] = "";
    if (stack_guest(stack, "guest", PAGES, &domid)) {
        return false;
    }
    if (fail_hypercall) {
        xengt_sim_fail_hypercall(stack->sim, fail_hypercall, -ENOMEM);
    }
    struct guest_run run = {.stack = stack,
                            .domid = domid,
                            .pages = PAGES,
                            .command_line = "blit+repoint+badgfn+halves pages=20"};
    guest_run(&run);
    fail_at = 0; /* the proof needs memory of its own */
    int violations = guests_verify(stack->guests, "guest", error, sizeof(error));
    if (violations > 0) {
        fail_msg("verify: %s", error);
    }
    xengt_sim_domain_destroy(stack->sim, domid);
    host_sim_notice_deaths(stack->host);
    stack_run(stack);
    return true;
}

static uint64_t allocations_of_a_run(uint64_t nth)
{
    struct stack stack;
    allocations = 0;
    fail_at = nth;
    if (stack_open(&stack, &options)) {
        fail_at = 0;
        return allocations;
    }
    scenario(&stack, 0);
    fail_at = 0;
    check_end(&stack, leaked_pages(&stack));
    stack_close(&stack);
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
    struct stack stack;
    struct xengt_sim_stats stats;
    assert_int_equal(stack_open(&stack, &options), 0);
    assert_true(scenario(&stack, nth));
    check_end(&stack, leaked_pages(&stack));
    xengt_sim_get_stats(stack.sim, &stats);
    stack_close(&stack);
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
