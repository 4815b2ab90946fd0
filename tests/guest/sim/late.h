/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stores of a guest's that come in the worst moment: just before its page is tracked. */
#ifndef TESTS_GUEST_SIM_LATE_H
#define TESTS_GUEST_SIM_LATE_H

#include "support/stack.h"

/* Before the first guest; ends with the stack. One stack at a time. */
void late_begin(struct stack *stack);

unsigned late_stores(void);

#endif
