/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blits of the GPU's fixture: their data, and whether these are as expected. */
#include "support/gpu_blits.h"

uint64_t data_base(const struct fixture *fx)
{
    return fx->root.levels ? PP_DATA : DATA;
}

static uint8_t *data_at(struct fixture *fx, uint32_t offset)
{
    return fx->root.levels ? pp_at(fx, PP_DATA + offset) : at(fx, DATA + offset);
}

void read_data(struct fixture *fx, uint8_t *data)
{
    for (uint32_t i = 0; i < DATA_SIZE; i += PAGE) {
        memcpy(data + i, data_at(fx, i), PAGE);
    }
}

void fill_data(struct fixture *fx)
{
    for (uint32_t i = 0; i < DATA_SIZE; i += 4) {
        uint32_t value = random_below(fx, UINT32_MAX);

        memcpy(data_at(fx, i), &value, sizeof(value));
    }
}

void expect_data(struct fixture *fx, const uint8_t *expected)
{
    static uint8_t data[DATA_SIZE];

    read_data(fx, data);
    for (uint32_t i = 0; i < DATA_SIZE; i++) {
        if (data[i] != expected[i]) {
            fail_msg("byte 0x%x is 0x%02x, not 0x%02x", i, data[i], expected[i]);
        }
    }
}

void run_blit(struct fixture *fx, const uint8_t *expected)
{
    submit(fx);
    run_all(fx, random_below(fx, 2) ? 1 : 1000000);
    assert_string_equal(state_of(fx, fx->a).reason, "");
    expect_data(fx, expected);
}
