/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A blit under way: set up by a command, done in steps. */
#ifndef XENGT_GPU_SOFT_BLT_H
#define XENGT_GPU_SOFT_BLT_H

#include <stdbool.h>
#include <stdint.h>

struct cs_engine;

/*
 * One side of a blit; what is horizontal is in bytes. A linear surface begins at its first
 * pixel, a tiled one has it at x, y.
 */
struct blt_surface {
    uint64_t base; /* addresses may wrap on the way to where they are checked */
    int64_t pitch;
    int64_t x, y;
    bool tiled;
};

struct blt {
    bool active;
    bool fill;
    bool backward; /* rows from right to left */
    bool upward;   /* and from the last to the first: overlapping copies */
    struct blt_surface dst, src;
    uint64_t width; /* of a row, in bytes */
    uint64_t done;  /* of the row in work */
    uint32_t rows;
    uint32_t row;   /* in work, by their order */
    unsigned depth; /* bytes per pixel: 1, 2 or 4 */
    uint32_t colour;
};

/* One transfer of the blit under way: CS_DONE when it was the last. */
int blt_step(struct cs_engine *engine);

#endif
