/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test guest's platform on the simulator: guests that are driven in the process. */
#ifndef TESTS_GUEST_SIM_GUEST_H
#define TESTS_GUEST_SIM_GUEST_H

#include "support/stack.h"

/* Called with each line the guest says, before it goes on: what a bystander would do then. */
typedef void guest_line_fn(void *arg, const char *line);

struct guest_run {
    struct stack *stack;
    uint32_t domid;
    uint32_t pages;
    const char *command_line; /* "case key=value ..." */
    guest_line_fn *on_line;
    void *on_line_arg;
    void (*on_wait)(void *arg); /* called whenever it waits; on_line_arg is its arg, too */
};

/* NULL: passed; otherwise the reason. */
const char *guest_run(const struct guest_run *run);

/*
 * Guests at once, on one stack: they take turns whenever one of them waits, and now and then at a
 * store or a register. Each gets its reason.
 */
#define GUESTS_AT_ONCE_MAX 4u
void guest_run_together(const struct guest_run *run, unsigned n, const char **reason);

#endif
