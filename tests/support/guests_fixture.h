/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests' fixture: what tests of the guests share. A stack with everything below the guests
 * real, and guests that make accesses.
 */
#ifndef TESTS_SUPPORT_GUESTS_FIXTURE_H
#define TESTS_SUPPORT_GUESTS_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xengt/target.h>

#include "support/stack.h"
#include "support/test.h"

#define MMIO_BASE   UINT64_C(0xe0000000)
#define GTT_ENTRIES 65536u
#define PTE_FLAGS   UINT64_C(3) /* present, writeable */
#define DEFER_MS    20u

/* The stack is small where nothing is said. */
int setup_like(void **state, struct stack_options like);
int setup(void **state);

/* After every test: no rule was broken, and nothing is mapped once the guests are gone. */
int teardown(void **state);

uint32_t new_domain(struct stack *f, const char *name);
void attach_type(struct stack *f, const char *domain, const char *type, struct guest_info *info);
void attach(struct stack *f, const char *domain, struct guest_info *info);

/* A new domain, attached. */
void new_guest(struct stack *f, const char *name, struct guest_info *info);
void assert_attach_fails(struct stack *f, const char *domain, int ret, const char *part);
void refresh(struct stack *f, const char *domain, struct guest_info *info);

/* Until what the guest stored is committed, which no access of it makes urgent here. */
void settle(struct stack *f, const char *domain);

/* The guest's driver stores n entries, the first ones of its mappable window. */
void guest_stores(struct stack *f, const struct guest_info *info, uint64_t first, uint64_t step,
                  unsigned n);
void guest_maps(struct stack *f, const struct guest_info *info, uint64_t gfn, unsigned n);
void guest_clears(struct stack *f, const struct guest_info *info, unsigned n);
uint32_t guest_reads(struct stack *f, uint32_t domid, uint64_t base, uint32_t reg);
void guest_writes(struct stack *f, uint32_t domid, uint32_t reg, uint32_t value);

#endif
