/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random operations of two guests on their GTTs, in every configuration, against the oracle of
 * gtt_world.h: at each submission the GPU must see what the guest's tables say, at every moment
 * nothing but the guest's own pages, and the simulator must not have seen a rule broken.
 *
 * XENGT_MODEL_OPERATIONS=N: operations per configuration, XENGT_MODEL_SEED=N: another sequence,
 * XENGT_MODEL_FAIL_FAST=1: end at the first failure.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/test.h"

#include "gtt_world.h"

#define OPERATIONS 12000u
/* --- the runs ---------------------------------------------------------------------------- */

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);
    return value ? strtoul(value, NULL, 0) : otherwise;
}

static void stop_if_fast(const char *problem)
{
    if (problem[0] && setting("XENGT_MODEL_FAIL_FAST", 0)) {
        fprintf(stderr, "%s\n", problem);
        exit(1);
    }
}

static void check_no_violation(struct world *w, unsigned long n)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(w->sim, &stats);
    stop_if_fast(xengt_sim_violation(w->sim));
    stop_if_fast(w->problem);
    if (stats.violations) {
        fail_msg("%s, operation %lu: %s", w->config->name, n, xengt_sim_violation(w->sim));
    }
    if (w->problem[0]) {
        fail_msg("%s, operation %lu: %s", w->config->name, n, w->problem);
    }
}

static void run_model(void **state)
{
    const struct world_config *config = *state;
    unsigned long operations_max = setting("XENGT_MODEL_OPERATIONS", OPERATIONS);
    static struct world world;
    assert_int_equal(world_open(&world, config, setting("XENGT_MODEL_SEED", 20141203)), 0);
    for (unsigned long n = 0; n < operations_max; n++) {
        world_step(&world);
        check_no_violation(&world, n);
    }
    world_close(&world);
    assert_string_equal(world.problem, "");
}

/* Each configuration is a test of its own. */
__attribute__((constructor)) static void register_configs(void)
{
    for (size_t i = 0; i < world_configs_count; i++) {
        test_register(&(struct CMUnitTest){.name = world_configs[i].name,
                                           .test_func = run_model,
                                           .initial_state = (void *)(uintptr_t)&world_configs[i]});
    }
}
