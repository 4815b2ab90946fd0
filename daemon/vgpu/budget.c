/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Budgets: taken from, and given back as time goes by. */
#include "vgpu/budget.h"

static void give_back(struct budget *budget, const struct budget_rate *rate, uint64_t now_ns)
{
    uint64_t back = now_ns > budget->since_ns ? (now_ns - budget->since_ns) / rate->one_more_ns : 0;
    if (back >= budget->used) {
        *budget = (struct budget){.since_ns = now_ns};
    } else {
        budget->used -= (uint32_t)back;
        budget->since_ns += back * rate->one_more_ns;
    }
}

bool budget_take(struct budget *budget, const struct budget_rate *rate, uint64_t now_ns)
{
    give_back(budget, rate, now_ns);
    if (budget->used >= rate->at_once) {
        return false;
    }
    budget->used++;
    return true;
}
