/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Blits of the software GPU between X-tiled and linear surfaces, compared with byte-wise models. */

#include "support/gpu_blits.h"

/* --- tiles ------------------------------------------------------------------------------- */

/* A surface of both kinds: first is the page it starts in, width in tiles or in bytes. */
struct tiled {
    bool tiled;
    uint32_t first;
    uint32_t pitch; /* bytes */
    uint32_t rows;
};

static uint32_t offset_in(const struct tiled *s, uint32_t x, uint32_t y)
{
    uint32_t tile = y / 8 * (s->pitch / 512) + x / 512;

    if (!s->tiled) {
        return s->first * PAGE + y * s->pitch + x;
    }
    return (s->first + tile) * PAGE + y % 8 * 512 + x % 512;
}

static struct tiled random_tiled(struct fixture *fx, uint32_t first, uint32_t pages)
{
    struct tiled s = {.tiled = random_below(fx, 4) > 0, .first = first};

    s.pitch = 512 * (1 + random_below(fx, 4));
    s.rows = pages * PAGE / s.pitch / 8 * 8;
    return s;
}

static uint32_t pitch_field(const struct tiled *s)
{
    return s->tiled ? s->pitch / 4 : s->pitch;
}

static void emit_tiled_fill(struct fixture *fx, const struct tiled *dst, const uint32_t at[4],
                            uint32_t colour)
{
    uint64_t base = data_base(fx) + dst->first * PAGE;

    EMIT(fx, XY_COLOR | (uint32_t)dst->tiled << 11, 0x03f00000 | pitch_field(dst),
         at[1] << 16 | at[0], (at[1] + at[3]) << 16 | (at[0] + at[2]), LO(base), HI(base), colour);
}

static void emit_tiled_copy(struct fixture *fx, const struct tiled *dst, const struct tiled *src,
                            const uint32_t at[4], const uint32_t from[2])
{
    uint64_t to_base = data_base(fx) + dst->first * PAGE;
    uint64_t from_base = data_base(fx) + src->first * PAGE;

    EMIT(fx, XY_COPY | (uint32_t)dst->tiled << 11 | (uint32_t)src->tiled << 15,
         0x03cc0000 | pitch_field(dst), at[1] << 16 | at[0],
         (at[1] + at[3]) << 16 | (at[0] + at[2]), LO(to_base), HI(to_base), from[1] << 16 | from[0],
         pitch_field(src), LO(from_base), HI(from_base));
}

/* x, y, width, height, in pixels of 4 bytes, within both surfaces. */
static void random_rectangle(struct fixture *fx, const struct tiled *a, const struct tiled *b,
                             uint32_t at[4])
{
    uint32_t pitch = a->pitch < b->pitch ? a->pitch : b->pitch;
    uint32_t rows = a->rows < b->rows ? a->rows : b->rows;

    at[2] = 1 + random_below(fx, pitch / 4);
    at[3] = 1 + random_below(fx, rows < 40 ? rows : 40);
    at[0] = random_below(fx, a->pitch / 4 - at[2] + 1);
    at[1] = random_below(fx, a->rows - at[3] + 1);
}

static void model_tiled_copy(uint8_t *data, const struct tiled *dst, const struct tiled *src,
                             const uint32_t at[4], const uint32_t from[2])
{
    static uint8_t before[DATA_SIZE];

    memcpy(before, data, DATA_SIZE);
    for (uint32_t y = 0; y < at[3]; y++) {
        for (uint32_t x = 0; x < 4 * at[2]; x++) {
            data[offset_in(dst, 4 * at[0] + x, at[1] + y)] =
                before[offset_in(src, 4 * from[0] + x, from[1] + y)];
        }
    }
}

BOTH(tiled_fills)
{
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (unsigned i = 0; i < 100; i++) {
        struct tiled dst = random_tiled(fx, random_below(fx, 8), A_PAGES - 8);
        uint32_t at[4], colour = random_below(fx, UINT32_MAX);

        dst.tiled = true;
        random_rectangle(fx, &dst, &dst, at);
        emit_tiled_fill(fx, &dst, at, colour);
        for (uint32_t y = 0; y < at[3]; y++) {
            for (uint32_t x = 0; x < 4 * at[2]; x++) {
                expected[offset_in(&dst, 4 * at[0] + x, at[1] + y)] =
                    (uint8_t)(colour >> 8 * (x % 4));
            }
        }
        run_blit(fx, expected);
    }
}

BOTH(tiled_copies)
{
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (unsigned i = 0; i < 200; i++) {
        struct tiled dst = random_tiled(fx, 0, A_PAGES / 2);
        struct tiled src = random_tiled(fx, A_PAGES / 2, A_PAGES / 2);
        uint32_t at[4], from[2];

        random_rectangle(fx, &dst, &src, at);
        from[0] = random_below(fx, src.pitch / 4 - at[2] + 1);
        from[1] = random_below(fx, src.rows - at[3] + 1);
        emit_tiled_copy(fx, &dst, &src, at, from);
        model_tiled_copy(expected, &dst, &src, at, from);
        run_blit(fx, expected);
    }
}

/* Within one tiled surface, moved by little. */
BOTH(tiled_overlaps)
{
    static uint8_t expected[DATA_SIZE];
    struct fixture *fx = *state;

    fill_data(fx);
    read_data(fx, expected);
    for (unsigned i = 0; i < 200; i++) {
        struct tiled dst = random_tiled(fx, 0, A_PAGES);
        uint32_t at[4], from[2];

        dst.tiled = true;
        random_rectangle(fx, &dst, &dst, at);
        from[0] = random_below(fx, 3) ? random_below(fx, dst.pitch / 4 - at[2] + 1) : at[0];
        from[1] = random_below(fx, 3) ? at[1] - (at[1] > 0 ? random_below(fx, 2) : 0)
                                      : random_below(fx, dst.rows - at[3] + 1);
        emit_tiled_copy(fx, &dst, &dst, at, from);
        model_tiled_copy(expected, &dst, &dst, at, from);
        run_blit(fx, expected);
    }
}

/* Corners beyond the surface's first ones lead out of it, not astray. */
BOTH(tiled_negative_corner)
{
    struct fixture *fx = *state;
    uint64_t base = data_base(fx);

    EMIT(fx, XY_COLOR | 1u << 11, 0x03f00080, 0xffff0000, 0x00000001, LO(base), HI(base), 1);
    expect_failure(fx, fx->root.levels ? "not mapped in the PPGTT" : "outside the windows");
}
