/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A budget: what a guest may provoke so often at once, and then as often as time goes by. Zeroed,
 * it is full. Time is the caller's.
 */
#ifndef XENGT_VGPU_BUDGET_H
#define XENGT_VGPU_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct budget_rate {
    uint32_t at_once;
    uint64_t one_more_ns; /* one more after each of these */
};

struct budget {
    uint32_t used;
    uint64_t since_ns; /* when the oldest of these began to come back */
};

/* False: it is used up. */
bool budget_take(struct budget *budget, const struct budget_rate *rate, uint64_t now_ns);

#endif
