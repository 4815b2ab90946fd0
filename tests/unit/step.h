/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps: a child process that is stopped after each instruction, so that what a kill would leave
 * behind there can be looked at.
 */
#ifndef TESTS_UNIT_STEP_H
#define TESTS_UNIT_STEP_H

#include <stdbool.h>

struct step_watch {
    /* In a child process of its own. */
    void (*run)(void *arg);
    /* Has anything of what is left behind changed since the last call? */
    bool (*changed)(void *arg);
    /* The child would be killed now. */
    void (*look)(void *arg);
    void *arg;
};

/* Returns how often look was called; at each change and at the end. */
unsigned step_through(const struct step_watch *watch);

#endif
