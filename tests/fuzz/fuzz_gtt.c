/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests of the GTT's model, whose every choice is a byte of the input: which operation, which
 * table, which entry, what value. The oracle and the simulator judge.
 */
#include <stdlib.h>

#include "gtt_world.h"

#define STEPS_MAX 400u

static void judge(struct world *w)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(w->sim, &stats);
    if (stats.violations || w->problem[0]) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    if (size < 2) {
        return 0;
    }
    if (world_open(&world, &world_configs[data[0] % world_configs_count], data[1] + 1u)) {
        abort();
    }
    world.input = data + 2;
    world.input_left = size - 2;
    for (unsigned n = 0; n < STEPS_MAX && world.input_left; n++) {
        world_step(&world);
        judge(&world);
    }
    world_close(&world);
    if (world.problem[0]) {
        abort();
    }
    return 0;
}
