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

#include "gpu/soft/executors.h"
#include "gpu/soft/soft.h"

#define SWCTRL_SRC_Y (1u << 0)
#define SWCTRL_DST_Y (1u << 1)

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

static void set_depth(struct blt *blt, const uint32_t *dw)
{
    static const unsigned depths[4] = {1, 2, 2, 4};

    blt->depth = depths[BR13_DEPTH(dw[1])];
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
static void set_tiled(const struct blt *blt, struct blt_surface *surface, uint64_t base,
                      int64_t pitch, struct point at)
{
    *surface = (struct blt_surface){
        .base = base & ~(uint64_t)(DMA_PAGE_SIZE - 1),
        .pitch = pitch * 4,
        .x = (int64_t)at.x * blt->depth,
        .y = at.y,
        .tiled = true,
    };
}

/* The same bit tiles in Y when the blitter's control register says so. */
static int set_destination(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;

    if (!(dw[0] & BLT_TILED_DST)) {
        set_linear(&blt->dst, cs_address(dw + 4, ~0u), pitch_at(dw[1]), point_at(dw[2]),
                   blt->depth);
        return 0;
    }
    if (cs_reg_get(engine, RING_SWCTRL) & SWCTRL_DST_Y) {
        return cs_fail(engine, -EOPNOTSUPP, "Y-tiled destination");
    }
    set_tiled(blt, &blt->dst, cs_address(dw + 4, ~0u), pitch_at(dw[1]), point_at(dw[2]));
    return 0;
}

static int set_source(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;

    if (!(dw[0] & BLT_TILED_SRC)) {
        set_linear(&blt->src, cs_address(dw + 8, ~0u), pitch_at(dw[7]), point_at(dw[6]),
                   blt->depth);
        return 0;
    }
    if (cs_reg_get(engine, RING_SWCTRL) & SWCTRL_SRC_Y) {
        return cs_fail(engine, -EOPNOTSUPP, "Y-tiled source");
    }
    set_tiled(blt, &blt->src, cs_address(dw + 8, ~0u), pitch_at(dw[7]), point_at(dw[6]));
    return 0;
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

int blt_xy_color(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    int ret;

    set_depth(blt, dw);
    blt->fill = true;
    blt->colour = dw[6];
    ret = set_destination(engine, dw);
    return ret ? ret : start_between(blt, point_at(dw[2]), point_at(dw[3]));
}

int blt_xy_src_copy(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    int ret;

    set_depth(blt, dw);
    blt->fill = false;
    ret = set_destination(engine, dw);
    if (ret == 0) {
        ret = set_source(engine, dw);
    }
    return ret ? ret : start_between(blt, point_at(dw[2]), point_at(dw[3]));
}

/* The old forms: width in bytes, no coordinates; addresses of one dword, or of two. */
int blt_color(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    bool wide = engine->length == 6;
    struct point size = point_at(dw[2]);

    set_depth(blt, dw);
    blt->fill = true;
    blt->colour = dw[engine->length - 1];
    set_linear(&blt->dst, wide ? cs_address(dw + 3, ~0u) : dw[3], pitch_at(dw[1]),
               (struct point){0}, blt->depth);
    return start(blt, size.x, size.y);
}

int blt_src_copy(struct cs_engine *engine, const uint32_t *dw)
{
    struct blt *blt = &engine->blt;
    bool wide = engine->length == 8;
    const uint32_t *src = wide ? dw + 5 : dw + 4; /* pitch, address */
    struct point size = point_at(dw[2]);

    set_depth(blt, dw);
    blt->fill = false;
    set_linear(&blt->dst, wide ? cs_address(dw + 3, ~0u) : dw[3], pitch_at(dw[1]),
               (struct point){0}, blt->depth);
    set_linear(&blt->src, wide ? cs_address(src + 1, ~0u) : src[1], pitch_at(src[0]),
               (struct point){0}, blt->depth);
    return start(blt, size.x, size.y);
}
