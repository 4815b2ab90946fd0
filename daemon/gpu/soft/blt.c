/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 2D commands of the blitter: a rectangle filled with a colour or copied, between linear or
 * X-tiled surfaces. A command only sets the blit up; blt_step() does it.
 *
 * Coordinates, pitches and addresses are anything a guest cares to write. Arithmetic on them
 * wraps at 64 bits at worst, and each transfer is checked where it is done.
 */

#include "gpu/soft/blt.h"

#include <errno.h>

#include "gpu/soft/soft.h"

#define BLT_WRITE_RGBA (3u << 20) /* of 32-bit pixels: which bytes are written */
#define BLT_SRC_TILED  (1u << 15)
#define BLT_DST_TILED  (1u << 11)

#define BR13_CLIPPING (1u << 30)

#define SWCTRL_SRC_Y (1u << 0)
#define SWCTRL_DST_Y (1u << 1)

#define ROP_COPY   0xccu
#define ROP_COLOUR 0xf0u

#define TILE_ROW_BYTES 512

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

static int check_modes(struct cs_engine *engine, const uint32_t *dw, uint32_t rop)
{
    static const unsigned depths[4] = {1, 2, 2, 4};
    uint32_t br13 = dw[1];

    engine->blt.depth = depths[br13 >> 24 & 3];
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

static void set_linear(struct blt_surface *surface, uint64_t base, int64_t pitch, struct point at,
                       unsigned depth)
{
    *surface = (struct blt_surface){
        .base = base + (uint64_t)(at.y * pitch + (int64_t)at.x * depth),
        .pitch = pitch,
    };
}

/* The pitch of a tiled surface is in dwords; a row of tiles is a whole number of them. */
static int set_tiled(struct cs_engine *engine, struct blt_surface *surface, uint64_t base,
                     int64_t pitch, struct point at)
{
    *surface = (struct blt_surface){
        .base = base & ~(uint64_t)(DMA_PAGE_SIZE - 1),
        .pitch = pitch * 4,
        .x = (int64_t)at.x * engine->blt.depth,
        .y = at.y,
        .tiled = true,
    };
    if (surface->pitch <= 0 || surface->pitch % TILE_ROW_BYTES) {
        return cs_fail(engine, -EINVAL, "a tiled surface's pitch of %d dwords", (int)pitch);
    }
    return 0;
}

/* The same bit tiles in Y when the blitter's control register says so. */
static int set_destination(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;

    if (!(dw[0] & BLT_DST_TILED)) {
        set_linear(&blt->dst, cs_address(dw + 4, ~0u), pitch_at(dw[1]), point_at(dw[2]),
                   blt->depth);
        return 0;
    }
    if (cs_reg_get(engine, RING_SWCTRL) & SWCTRL_DST_Y) {
        return cs_fail(engine, -EOPNOTSUPP, "Y-tiled destination");
    }
    return set_tiled(engine, &blt->dst, cs_address(dw + 4, ~0u), pitch_at(dw[1]), point_at(dw[2]));
}

static int set_source(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;

    if (!(dw[0] & BLT_SRC_TILED)) {
        set_linear(&blt->src, cs_address(dw + 8, ~0u), pitch_at(dw[7]), point_at(dw[6]),
                   blt->depth);
        return 0;
    }
    if (cs_reg_get(engine, RING_SWCTRL) & SWCTRL_SRC_Y) {
        return cs_fail(engine, -EOPNOTSUPP, "Y-tiled source");
    }
    return set_tiled(engine, &blt->src, cs_address(dw + 8, ~0u), pitch_at(dw[7]), point_at(dw[6]));
}

/* --- the order of an overlapping copy ---------------------------------------------------- */

/* Rows that lie in memory one after the other become one. */
static void join_rows(struct blt *blt)
{
    int64_t width = (int64_t)blt->width;

    if (blt->dst.tiled || blt->dst.pitch != width ||
        (!blt->fill && (blt->src.tiled || blt->src.pitch != width))) {
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
static void order_linear(struct blt *blt)
{
    int64_t pitch = blt->dst.pitch;

    if (blt->rows > 1 &&
        (pitch != blt->src.pitch || (uint64_t)(pitch < 0 ? -pitch : pitch) < blt->width)) {
        return;
    }
    blt->backward = blt->dst.base > blt->src.base;
    blt->upward = blt->backward != (pitch < 0);
}

/* Of tiles, only those of the same surface overlap in a way that makes sense. */
static void order_tiled(struct blt *blt)
{
    if (blt->dst.base != blt->src.base || blt->dst.pitch != blt->src.pitch) {
        return;
    }
    blt->upward = blt->dst.y > blt->src.y;
    blt->backward = blt->dst.y == blt->src.y && blt->dst.x > blt->src.x;
}

/* The rest of the set-up, once the surfaces are known. Sizes: bytes, rows. */
static int start(struct blt *blt, int64_t width, int32_t rows)
{
    if (width <= 0 || rows <= 0) {
        return CS_DONE; /* an empty rectangle */
    }
    blt->width = (uint64_t)width;
    blt->rows = (uint32_t)rows;
    blt->row = 0;
    blt->done = 0;
    blt->backward = false;
    blt->upward = false;
    join_rows(blt);
    if (!blt->fill && !blt->dst.tiled && !blt->src.tiled) {
        order_linear(blt);
    } else if (!blt->fill && blt->dst.tiled && blt->src.tiled) {
        order_tiled(blt);
    }
    blt->active = true;
    return CS_STAY;
}

/* From one corner to the other, which is not in it. */
static int start_between(struct blt *blt, struct point from, struct point to)
{
    return start(blt, (int64_t)(to.x - from.x) * blt->depth, to.y - from.y);
}

/* --- the commands ------------------------------------------------------------------------ */

static int xy_color_blt(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    int ret = check_modes(engine, dw, ROP_COLOUR);

    blt->fill = true;
    blt->colour = dw[6];
    if (ret == 0) {
        ret = set_destination(engine, dw);
    }
    return ret ? ret : start_between(blt, point_at(dw[2]), point_at(dw[3]));
}

static int xy_src_copy_blt(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    int ret = check_modes(engine, dw, ROP_COPY);

    blt->fill = false;
    if (ret == 0) {
        ret = set_destination(engine, dw);
    }
    if (ret == 0) {
        ret = set_source(engine, dw);
    }
    return ret ? ret : start_between(blt, point_at(dw[2]), point_at(dw[3]));
}

/* The old forms: width in bytes, no coordinates; addresses of one dword, or of two. */
static int color_blt(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    bool wide = engine->length == 6;
    struct point size = point_at(dw[2]);
    int ret = check_modes(engine, dw, ROP_COLOUR);

    if (ret) {
        return ret;
    }
    blt->fill = true;
    blt->colour = dw[engine->length - 1];
    set_linear(&blt->dst, wide ? cs_address(dw + 3, ~0u) : dw[3], pitch_at(dw[1]),
               (struct point){0}, blt->depth);
    return start(blt, size.x, size.y);
}

static int src_copy_blt(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    bool wide = engine->length == 8;
    const uint32_t *src = wide ? dw + 5 : dw + 4; /* pitch, address */
    struct point size = point_at(dw[2]);
    int ret = check_modes(engine, dw, ROP_COPY);

    if (ret) {
        return ret;
    }
    if (engine->length == 7) {
        return cs_fail(engine, -EINVAL, "length of 7 dwords");
    }
    blt->fill = false;
    set_linear(&blt->dst, wide ? cs_address(dw + 3, ~0u) : dw[3], pitch_at(dw[1]),
               (struct point){0}, blt->depth);
    set_linear(&blt->src, wide ? cs_address(src + 1, ~0u) : src[1], pitch_at(src[0]),
               (struct point){0}, blt->depth);
    return start(blt, size.x, size.y);
}

const struct cs_command blt_commands[TWO_D_OPCODES] = {
    [0x40] = {"COLOR_BLT", 5, 6, 8, false, 0, color_blt},
    [0x43] = {"SRC_COPY_BLT", 6, 8, 8, false, 0, src_copy_blt},
    [0x50] = {"XY_COLOR_BLT", 7, 7, 8, false, 0, xy_color_blt},
    [0x53] = {"XY_SRC_COPY_BLT", 10, 10, 8, false, 0, xy_src_copy_blt},
};
