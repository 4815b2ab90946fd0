/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blits of the software GPU, compared with pixel-by-pixel models on random input, and that it
 * does not matter where they are interrupted.
 */

#include "support/gpu_blits.h"

/* --- blits ------------------------------------------------------------------------------- */

/* One side of a blit as a test wants it: where the first pixel lies in the data, in bytes. */
struct surface {
    int32_t origin;
    int32_t pitch;
};

static const uint32_t depth_code[] = {[1] = 0, [2] = 1, [4] = 3};

/* The base that puts pixel x, y of a surface at its origin. */
static uint64_t base_of(const struct fixture *fx, struct surface s, int32_t x, int32_t y,
                        unsigned depth)
{
    return (uint64_t)((int64_t)data_base(fx) + s.origin - (int64_t)y * s.pitch -
                      (int64_t)x * depth);
}

static uint32_t corner(int32_t x, int32_t y)
{
    return (uint32_t)(y & 0xffff) << 16 | (uint32_t)(x & 0xffff);
}

static void emit_fill(struct fixture *fx, struct surface dst, unsigned depth, int32_t w, int32_t h,
                      uint32_t colour)
{
    int32_t x = (int32_t)random_below(fx, 2000) - 1000, y = (int32_t)random_below(fx, 20) - 10;
    uint64_t base = base_of(fx, dst, x, y, depth);

    EMIT(fx, XY_COLOR, depth_code[depth] << 24 | 0xf0u << 16 | (dst.pitch & 0xffff), corner(x, y),
         corner(x + w, y + h), (uint32_t)base, (uint32_t)(base >> 32), colour);
}

static void emit_copy(struct fixture *fx, struct surface dst, struct surface src, unsigned depth,
                      int32_t w, int32_t h)
{
    int32_t x = (int32_t)random_below(fx, 2000) - 1000, y = (int32_t)random_below(fx, 20) - 10;
    uint64_t dst_base = base_of(fx, dst, x, y, depth);
    uint64_t src_base = base_of(fx, src, -y, x / 100, depth);

    EMIT(fx, XY_COPY, depth_code[depth] << 24 | 0xccu << 16 | (dst.pitch & 0xffff), corner(x, y),
         corner(x + w, y + h), (uint32_t)dst_base, (uint32_t)(dst_base >> 32), corner(-y, x / 100),
         (uint32_t)(src.pitch & 0xffff), (uint32_t)src_base, (uint32_t)(src_base >> 32));
}

/* Pixel by pixel, byte by byte; a copy sees its source as it was before. */
static void model_fill(uint8_t *data, struct surface dst, unsigned depth, int32_t w, int32_t h,
                       uint32_t colour)
{
    for (int32_t y = 0; y < h; y++) {
        for (int32_t x = 0; x < w; x++) {
            for (unsigned b = 0; b < depth; b++) {
                data[dst.origin + y * dst.pitch + x * (int32_t)depth + (int32_t)b] =
                    (uint8_t)(colour >> 8 * b);
            }
        }
    }
}

static void model_copy(uint8_t *data, struct surface dst, struct surface src, unsigned depth,
                       int32_t w, int32_t h)
{
    static uint8_t before[DATA_SIZE];

    memcpy(before, data, DATA_SIZE);
    for (int32_t y = 0; y < h; y++) {
        for (int32_t x = 0; x < w * (int32_t)depth; x++) {
            data[dst.origin + y * dst.pitch + x] = before[src.origin + y * src.pitch + x];
        }
    }
}

/* A surface of h rows that lies within [first, first + size) of the data. */
static struct surface random_surface(struct fixture *fx, int32_t first, int32_t size, int32_t row,
                                     int32_t h)
{
    int32_t pitch = row + (int32_t)random_below(fx, 3) * (int32_t)random_below(fx, 200);
    int32_t extent = (h - 1) * pitch + row;
    struct surface s = {.pitch = pitch};

    s.origin = first + (int32_t)random_below(fx, (uint32_t)(size - extent + 1));
    if (random_below(fx, 4) == 0) {
        s.origin += (h - 1) * pitch;
        s.pitch = -pitch;
    }
    return s;
}

BOTH(random_fills)
{
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (unsigned i = 0; i < 300; i++) {
        unsigned depth = 1u << random_below(fx, 3);
        int32_t w = 1 + (int32_t)random_below(fx, i % 10 ? 200 : 1500);
        int32_t h = 1 + (int32_t)random_below(fx, 20);
        uint32_t colour = random_below(fx, UINT32_MAX) * 3;
        struct surface dst = random_surface(fx, 0, DATA_SIZE, w * (int32_t)depth, h);

        emit_fill(fx, dst, depth, w, h, colour);
        model_fill(expected, dst, depth, w, h, colour);
        run_blit(fx, expected);
    }
}

BOTH(random_copies)
{
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (unsigned i = 0; i < 300; i++) {
        unsigned depth = 1u << random_below(fx, 3);
        int32_t w = 1 + (int32_t)random_below(fx, i % 10 ? 200 : 1000);
        int32_t h = 1 + (int32_t)random_below(fx, 20), row = w * (int32_t)depth;
        struct surface dst = random_surface(fx, 0, DATA_SIZE / 2, row, h);
        struct surface src = random_surface(fx, DATA_SIZE / 2, DATA_SIZE / 2, row, h);

        emit_copy(fx, dst, src, depth, w, h);
        model_copy(expected, dst, src, depth, w, h);
        run_blit(fx, expected);
    }
}

/* Within one surface, moved by little: the source must be read before it is overwritten. */
BOTH(random_overlaps)
{
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (unsigned i = 0; i < 300; i++) {
        unsigned depth = 1u << random_below(fx, 3);
        int32_t w = 1 + (int32_t)random_below(fx, i % 10 ? 200 : 1000);
        int32_t h = 1 + (int32_t)random_below(fx, 20), row = w * (int32_t)depth;
        struct surface src = random_surface(fx, 20000, DATA_SIZE - 40000, row, h);
        struct surface dst = src;

        dst.origin += (int32_t)random_below(fx, 3 * (uint32_t)row) - row * 3 / 2;
        emit_copy(fx, dst, src, depth, w, h);
        model_copy(expected, dst, src, depth, w, h);
        run_blit(fx, expected);
    }
}

/* Rows narrower than their distance, none, or negative: with no row order to speak of, downwards.
 */
BOTH(odd_pitches)
{
    static const int32_t pitches[] = {0, 4, -4, 60, -60};
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (size_t i = 0; i < sizeof(pitches) / sizeof(pitches[0]); i++) {
        struct surface dst = {.origin = 20000, .pitch = pitches[i]};
        struct surface src = {.origin = 100000, .pitch = 64 + pitches[i]};

        emit_copy(fx, dst, src, 4, 16, 10);
        model_copy(expected, dst, src, 4, 16, 10);
        run_blit(fx, expected);
        emit_fill(fx, dst, 2, 100, 10, 0x1234);
        model_fill(expected, dst, 2, 100, 10, 0x1234);
        run_blit(fx, expected);
    }
}

TEST(empty_blits)
{
    struct fixture *fx = *state;

    EMIT(fx, XY_COLOR, 0x03f00040, 0, 0, DATA, 0, ~0u);
    EMIT(fx, XY_COLOR, 0x03f00040, 5, 1 << 16 | 5, DATA, 0, ~0u);
    EMIT(fx, XY_COLOR, 0x03f00040, 0, 0xffffu << 16 | 1, DATA, 0, ~0u);
    EMIT(fx, XY_COLOR, 0x03f00040, 0, 1 << 16 | 0x8000, DATA, 0, ~0u);
    EMIT(fx, XY_COPY, 0x03cc0040, 0, 0, 0, 0, 0, 0, 0, 0);
    execute(fx);
    assert_int_equal(fx->port->writes + fx->port->copies, 0);
}

TEST(page_blit_takes_one_transfer_per_page)
{
    struct fixture *fx = *state;

    /* 16 pages as rows of 256 bytes. */
    EMIT(fx, XY_COPY, 0x03cc0100, 0, 256u << 16 | 64, DATA, 0, 0, 0x100, DATA + 16 * PAGE, 0);
    execute(fx);
    assert_int_equal(fx->port->copies, 16);
    EMIT(fx, XY_COLOR, 0x03f00100, 0, 256u << 16 | 64, DATA, 0, 7);
    execute(fx);
    assert_int_equal(fx->port->writes, 16);
}

/* --- old forms --------------------------------------------------------------------------- */

BOTH(old_forms)
{
    static uint8_t expected[DATA_SIZE];
    struct surface dst = {.origin = 5000, .pitch = 200}, src = {.origin = 90000, .pitch = -300};
    struct fixture *fx = *state;
    uint64_t to = data_base(fx) + 5000, from = data_base(fx) + 90000;

    fill_data(fx);
    read_data(fx, expected);
    EMIT(fx, 0x50300004, 0x03f000c8, 7u << 16 | 100, LO(to), HI(to), 0x12345678);
    model_fill(expected, dst, 4, 25, 7, 0x12345678);
    run_blit(fx, expected);
    EMIT(fx, 0x50f00006, 0x03cc00c8, 7u << 16 | 100, LO(to), HI(to), 0xfed4, LO(from), HI(from));
    model_copy(expected, dst, src, 4, 25, 7);
    run_blit(fx, expected);
    if (HI(to) == 0) {
        EMIT(fx, 0x50000003, 0x00f000c8, 7u << 16 | 100, LO(to), 0x77);
        model_fill(expected, dst, 1, 100, 7, 0x77);
        run_blit(fx, expected);
        EMIT(fx, 0x50c00004, 0x01cc00c8, 7u << 16 | 100, LO(to), 0xfed4, LO(from));
        model_copy(expected, dst, src, 1, 100, 7);
        run_blit(fx, expected);
    }
}

/* --- steps ------------------------------------------------------------------------------- */

static void emit_mixture(struct fixture *fx)
{
    PUT(fx, A_BATCH, MI_STORE_DWORD, DATA + 0x100, 0, 77, XY_COPY, 0x03cc0064, 0, 20u << 16 | 20,
        DATA + 0x50, 0, 0, 100, DATA, 0, MI_BATCH_END);
    EMIT(fx, MI_NOOP, XY_COLOR, 0x01f01001, 3, 30u << 16 | 999, DATA + 5, 0, 0xabcd);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0, MI_FLUSH_STORE, DATA | 4, 0, 99);
}

TEST(budget_does_not_matter)
{
    static const unsigned budgets[] = {1000000, 1, 3, 7};
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        fx->random = 7;
        fill_data(fx);
        emit_mixture(fx);
        submit(fx);
        run_all(fx, budgets[i]);
        assert_string_equal(state_of(fx, fx->a).reason, "");
        if (i == 0) {
            read_data(fx, expected);
        }
        expect_data(fx, expected);
    }
}

TEST(head_waits_for_the_blit)
{
    struct fixture *fx = *state;

    EMIT(fx, XY_COLOR, 0x03f01000, 0, 4u << 16 | 1, DATA, 0, 7);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 0));
    for (unsigned i = 0; i < 4; i++) {
        assert_true(fx->gpu->ops->run(fx->gpu, 1));
        assert_int_equal(state_of(fx, fx->a).acthd, A_RING);
        assert_int_equal(fx->port->writes, i);
    }
    assert_false(fx->gpu->ops->run(fx->gpu, 1));
    expect_done(fx);
}

/* From a user's batch, or from the workload itself: a context's blits are in its own space. */
TEST_PPGTT(space_of_blits)
{
    struct fixture *fx = *state;

    PP_PUT(fx, PP_BATCH, XY_COLOR, 0x03f01000, 0, 1u << 16 | 1, LO(PP_DATA), HI(PP_DATA), 7,
           MI_BATCH_END);
    EMIT(fx, PP_BATCH_START, LO(PP_BATCH), HI(PP_BATCH));
    EMIT(fx, XY_COPY, 0x03cc1000, 0, 1u << 16 | 1, LO(PP_DATA + 4), HI(PP_DATA), 0, 0x1000,
         LO(PP_DATA), HI(PP_DATA));
    execute(fx);
    assert_int_equal(pp_get(fx, PP_DATA), 7);
    assert_int_equal(pp_get(fx, PP_DATA + 4), 7);
    EMIT(fx, XY_COLOR, 0x03f01000, 0, 1u << 16 | 1, DATA, 0, 7);
    expect_failure(fx, "not mapped in the PPGTT");
}

TEST(pause_and_reset)
{
    struct fixture *fx = *state;

    EMIT(fx, XY_COLOR, 0x03f01000, 0, 4u << 16 | 1, DATA, 0, 7);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 2));
    fx->gpu->ops->pause(fx->a, true);
    assert_false(fx->gpu->ops->run(fx->gpu, 10));
    assert_false(state_of(fx, fx->a).idle);
    assert_int_equal(fx->port->writes, 1);
    fx->gpu->ops->pause(fx->a, false);
    assert_true(fx->gpu->ops->run(fx->gpu, 1));
    assert_int_equal(fx->port->writes, 2);
    reset(fx);
    assert_false(fx->gpu->ops->run(fx->gpu, 10));
    assert_int_equal(fx->port->writes, 2);
    assert_true(state_of(fx, fx->a).idle);
}
