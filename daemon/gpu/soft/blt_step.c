/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A blit's steps of one transfer each: a row, or the part of a row that lies in one page, in one
 * row of a tile. Linear rows that follow each other without a gap are one long row, so that a
 * blit of whole pages takes one transfer per page.
 */

#include "gpu/soft/blt.h"

#include "gpu/soft/soft.h"

/* An X tile: a page of 8 rows of 512 bytes. */
#define TILE_SHIFT_X 9
#define TILE_SHIFT_Y 3
#define TILE_WIDTH   (INT64_C(1) << TILE_SHIFT_X)
#define TILE_HEIGHT  (INT64_C(1) << TILE_SHIFT_Y)

static uint64_t address_of(const struct blt_surface *s, uint32_t row, uint64_t offset)
{
    int64_t x = s->x + (int64_t)offset;
    int64_t y = s->y + row;

    if (!s->tiled) {
        return s->base + (uint64_t)(y * s->pitch) + (uint64_t)x;
    }
    return s->base + (uint64_t)((y >> TILE_SHIFT_Y) * s->pitch * TILE_HEIGHT) +
           (uint64_t)((x >> TILE_SHIFT_X) * DMA_PAGE_SIZE) +
           (uint64_t)((y & (TILE_HEIGHT - 1)) * TILE_WIDTH + (x & (TILE_WIDTH - 1)));
}

/* How many bytes follow each other from an offset on, or up to it. */
static uint32_t run_after(const struct blt_surface *s, uint32_t row, uint64_t offset)
{
    if (s->tiled) {
        return (uint32_t)(TILE_WIDTH - ((s->x + (int64_t)offset) & (TILE_WIDTH - 1)));
    }
    return mem_to_page_end(address_of(s, row, offset));
}

static uint32_t run_before(const struct blt_surface *s, uint32_t row, uint64_t offset)
{
    if (s->tiled) {
        return (uint32_t)((s->x + (int64_t)offset - 1) & (TILE_WIDTH - 1)) + 1;
    }
    return mem_to_page_start(address_of(s, row, offset));
}

static uint32_t shorter(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- filling ----------------------------------------------------------------------------- */

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
    return mem_write(engine, cs_data_space(engine), dst, words, len);
}

/* --- the steps --------------------------------------------------------------------------- */

/* The next part of the row: as much as is left of it, of the pages and the tiles it lies in. */
static int transfer(struct cs_engine *engine, struct blt *blt)
{
    uint32_t row = blt->upward ? blt->rows - 1 - blt->row : blt->row;
    uint64_t left = blt->width - blt->done;
    uint32_t len = left < DMA_PAGE_SIZE ? (uint32_t)left : DMA_PAGE_SIZE;
    uint64_t offset = blt->done;
    int ret;

    if (blt->backward) {
        len = shorter(len, run_before(&blt->dst, row, left));
        len = shorter(len, run_before(&blt->src, row, left));
        offset = left - len;
    } else {
        len = shorter(len, run_after(&blt->dst, row, offset));
        if (!blt->fill) {
            len = shorter(len, run_after(&blt->src, row, offset));
        }
    }

    if (blt->fill) {
        ret = fill_part(engine, blt, address_of(&blt->dst, row, offset), len);
    } else {
        ret = mem_copy(engine, cs_data_space(engine), address_of(&blt->dst, row, offset),
                       address_of(&blt->src, row, offset), len);
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
    blt->row++;
    if (blt->row < blt->rows) {
        return CS_STAY;
    }
    blt->active = false;
    return CS_DONE;
}
