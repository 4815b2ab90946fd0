/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 2D commands of the blitter: a rectangle filled with a colour or copied, between linear
 * surfaces. A command only sets the blit up; it is then done in steps of one transfer each, a
 * row or the part of a row that lies in one page. Rows that follow each other without a gap are
 * one long row, so that a blit of whole pages takes one transfer per page.
 *
 * Coordinates, pitches and addresses are anything a guest cares to write. Arithmetic on them
 * wraps at 64 bits at worst, and each transfer is checked against the windows where it is done.
 */

#include <errno.h>
#include <string.h>

#include "gpu/soft.h"

#define BLT_WRITE_RGBA (3u << 20) /* of 32-bit pixels: which bytes are written */
#define BLT_SRC_TILED  (1u << 15)
#define BLT_DST_TILED  (1u << 11)

#define BR13_CLIPPING (1u << 30)

#define ROP_COPY   0xccu
#define ROP_COLOUR 0xf0u

/* A corner or a size: signed 16 bits each. */
struct point {
    int32_t x, y;
};

static struct point point_at(uint32_t dw)
{
    return (struct point){.x = (int16_t)(dw & 0xffff), .y = (int16_t)(dw >> 16)};
}

static int64_t pitch_at(uint32_t dw)
{
    return (int16_t)(dw & 0xffff);
}

static uint64_t pixel_address(const uint32_t *base, int64_t pitch, struct point at, unsigned depth)
{
    uint64_t address = (uint64_t)base[1] << 32 | base[0];

    return address + (uint64_t)(at.y * pitch + (int64_t)at.x * depth);
}

static int check_modes(struct cs_engine *engine, const uint32_t *dw, uint32_t tiled, uint32_t rop)
{
    static const unsigned depths[4] = {1, 2, 2, 4};
    uint32_t br13 = dw[1];

    engine->blt.depth = depths[br13 >> 24 & 3];
    if (dw[0] & tiled) {
        return cs_fail(engine, -EOPNOTSUPP, "tiled surface");
    }
    if (engine->blt.depth == 4 && (dw[0] & BLT_WRITE_RGBA) != BLT_WRITE_RGBA) {
        return cs_fail(engine, -EOPNOTSUPP, "not all bytes of a pixel enabled");
    }
    if (br13 & BR13_CLIPPING) {
        return cs_fail(engine, -EOPNOTSUPP, "clipping");
    }
    if ((br13 >> 16 & 0xff) != rop) {
        return cs_fail(engine, -EOPNOTSUPP, "ROP 0x%02x", br13 >> 16 & 0xff);
    }
    return 0;
}

/* Rows that lie in memory one after the other become one. */
static void join_rows(struct blt *blt)
{
    if (blt->dst_step != (int64_t)blt->width ||
        (!blt->fill && blt->src_step != (int64_t)blt->width)) {
        return;
    }
    blt->width *= blt->rows;
    blt->rows = 1;
}

/*
 * Within one surface, a copy to higher addresses has to begin at the highest one, and a copy to
 * lower addresses at the lowest. Rows that overlap among themselves, or are apart differently in
 * source and destination, have no right order; they are done from the first to the last.
 */
static void choose_direction(struct blt *blt)
{
    int64_t pitch = blt->dst_step;
    uint64_t distance = (uint64_t)pitch * (blt->rows - 1);

    if (blt->fill) {
        return;
    }
    if (blt->rows > 1 &&
        (pitch != blt->src_step || (uint64_t)(pitch < 0 ? -pitch : pitch) < blt->width)) {
        return;
    }
    blt->backward = blt->dst > blt->src;
    if (blt->backward == (pitch < 0)) {
        return;
    }
    blt->dst += distance;
    blt->src += distance;
    blt->dst_step = -pitch;
    blt->src_step = -pitch;
}

/* The rest of the set-up, once addresses and steps of the first row are known. */
static int start(struct blt *blt, struct point from, struct point to)
{
    if (to.x <= from.x || to.y <= from.y) {
        return CS_DONE; /* an empty rectangle */
    }
    blt->width = (uint64_t)(to.x - from.x) * blt->depth;
    blt->rows = (uint32_t)(to.y - from.y);
    blt->done = 0;
    blt->backward = false;
    join_rows(blt);
    choose_direction(blt);
    blt->active = true;
    return CS_STAY;
}

static int xy_color_blt(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    int ret = check_modes(engine, dw, BLT_DST_TILED, ROP_COLOUR);

    if (ret) {
        return ret;
    }
    blt->fill = true;
    blt->colour = dw[6];
    blt->dst_step = pitch_at(dw[1]);
    blt->dst = pixel_address(dw + 4, blt->dst_step, point_at(dw[2]), blt->depth);
    return start(blt, point_at(dw[2]), point_at(dw[3]));
}

static int xy_src_copy_blt(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    int ret = check_modes(engine, dw, BLT_DST_TILED | BLT_SRC_TILED, ROP_COPY);

    if (ret) {
        return ret;
    }
    blt->fill = false;
    blt->dst_step = pitch_at(dw[1]);
    blt->dst = pixel_address(dw + 4, blt->dst_step, point_at(dw[2]), blt->depth);
    blt->src_step = pitch_at(dw[7]);
    blt->src = pixel_address(dw + 8, blt->src_step, point_at(dw[6]), blt->depth);
    return start(blt, point_at(dw[2]), point_at(dw[3]));
}

const struct cs_command blt_commands[TWO_D_OPCODES] = {
    [0x50] = {"XY_COLOR_BLT", 7, 7, 8, xy_color_blt},
    [0x53] = {"XY_SRC_COPY_BLT", 10, 10, 8, xy_src_copy_blt},
};

/* --- the steps ------------------------------------------------------------------------------ */

/* The colour repeated over 64 bits, as it looks from a byte of a pixel on. */
static uint64_t colour_pattern(const struct blt *blt, unsigned byte)
{
    uint64_t pattern = blt->colour;

    if (blt->depth == 1) {
        pattern = (pattern & 0xff) * 0x0101;
    }
    if (blt->depth <= 2) {
        pattern = (pattern & 0xffff) * 0x00010001;
    }
    pattern |= pattern << 32;
    return byte ? pattern >> 8 * byte | pattern << (64 - 8 * byte) : pattern;
}

static int fill_part(struct cs_engine *engine, const struct blt *blt, uint64_t dst, uint32_t len)
{
    uint64_t words[DMA_PAGE_SIZE / sizeof(uint64_t)];
    uint64_t pattern = colour_pattern(blt, (unsigned)(blt->done % blt->depth));

    for (uint32_t i = 0; i < (len + 7) / 8; i++) {
        words[i] = pattern;
    }
    return mem_write(engine, dst, words, len);
}

static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The next part of the row: as much as is left of it and of the pages it lies in. */
static int transfer(struct cs_engine *engine, struct blt *blt)
{
    uint64_t left = blt->width - blt->done;
    uint32_t len = left < DMA_PAGE_SIZE ? (uint32_t)left : DMA_PAGE_SIZE;
    uint64_t offset = blt->done;
    int ret;

    if (blt->backward) {
        len = shorter(len, mem_to_page_start(blt->dst + left));
        len = shorter(len, mem_to_page_start(blt->src + left));
        offset = left - len;
    } else {
        len = shorter(len, mem_to_page_end(blt->dst + offset));
        if (!blt->fill) {
            len = shorter(len, mem_to_page_end(blt->src + offset));
        }
    }

    if (blt->fill) {
        ret = fill_part(engine, blt, blt->dst + offset, len);
    } else {
        ret = mem_copy(engine, blt->dst + offset, blt->src + offset, len);
    }
    blt->done += len;
    return ret;
}

int blt_step(struct cs_engine *engine)
{
    struct blt *blt = &engine->blt;
    int ret = transfer(engine, blt);

    if (ret) {
        return ret;
    }
    if (blt->done < blt->width) {
        return CS_STAY;
    }
    blt->done = 0;
    blt->dst += (uint64_t)blt->dst_step;
    blt->src += (uint64_t)blt->src_step;
    blt->rows--;
    if (blt->rows > 0) {
        return CS_STAY;
    }
    blt->active = false;
    return CS_DONE;
}
