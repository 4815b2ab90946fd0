/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blits of the GPU's fixture: an area of data to blit in, compared as a whole. */
#ifndef TESTS_SUPPORT_GPU_BLITS_H
#define TESTS_SUPPORT_GPU_BLITS_H

#include "support/gpu_fixture.h"

#define DATA_SIZE ((size_t)A_PAGES * PAGE)

/* The data are where the blits are: in the PPGTT when there is one. */
uint64_t data_base(const struct fixture *fx);
void read_data(struct fixture *fx, uint8_t *data);
void fill_data(struct fixture *fx);
void expect_data(struct fixture *fx, const uint8_t *expected);
void run_blit(struct fixture *fx, const uint8_t *expected);

/* In the global GTT, and in a PPGTT. */
#define BOTH(name)                  \
    static void name(void **state); \
    TEST(name##_by_ggtt)            \
    {                               \
        name(state);                \
    }                               \
    TEST_PPGTT(name##_by_ppgtt)     \
    {                               \
        name(state);                \
    }                               \
    static void name(void **state)

#endif
