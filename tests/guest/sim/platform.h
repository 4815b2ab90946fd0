/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hosted guest's platform: the guest that runs on it. */
#ifndef TESTS_GUEST_SIM_PLATFORM_H
#define TESTS_GUEST_SIM_PLATFORM_H

#include "guest.h"

#define GUEST_FREE_MAX 65536u

struct guest_instance {
    const struct guest_run *run;
    uint64_t next_gfn;
    uint64_t now_us;
    uint32_t free_count;
    uint32_t free[GUEST_FREE_MAX];
};

struct guest_instance *guest_now(void);

/* Lets the next guest run, when there are several. */
void guest_turn(void);

/* The same, at some calls of many. */
void guest_may_turn(void);

#endif
