/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command streamer of one engine of one client: fetches commands from the ring and from
 * batches, and executes them a step at a time, so that whoever runs it can stop after any step.
 *
 * Everything it reads comes from a guest. A command is copied to private memory, checked there
 * and executed from there; what does not make sense stops the engine with a reason.
 */
#ifndef XENGT_GPU_CS_H
#define XENGT_GPU_CS_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu/dma.h"
#include "gpu/gpu.h"

struct soft_client;

#define CS_COMMAND_MAX 10u /* dwords of the longest command there is */

/* Where commands come from: the ring, a batch, a second-level batch. */
enum cs_level {
    CS_RING,
    CS_BATCH,
    CS_BATCH2,
    CS_LEVELS,
};

/* Commands fetched ahead: never more than to the end of a page. */
struct cs_prefetch {
    uint64_t start;
    uint32_t len;
    uint8_t bytes[DMA_PAGE_SIZE];
};

/* A blit under way: addresses in the GGTT, sizes and pitches in bytes. */
struct blt {
    bool active;
    bool fill;
    bool backward; /* from the highest byte of a row to the lowest: overlapping copies */
    uint64_t dst;  /* of the row in work; addresses may wrap on the way to the window check */
    uint64_t src;
    int64_t dst_step; /* to the next row in work */
    int64_t src_step;
    uint64_t width;
    uint64_t done;  /* of the row in work */
    uint32_t rows;  /* left, the one in work included */
    unsigned depth; /* bytes per pixel: 1, 2 or 4 */
    uint32_t colour;
};

struct cs_command;

struct cs_engine {
    struct soft_client *client;
    enum gpu_engine id;

    uint32_t ring_start;
    uint32_t ring_size; /* 0: no ring yet */
    uint32_t tail;

    /*
     * The next command of each level: an offset in the ring, addresses in batches. A level that
     * waits for a deeper one stands at its MI_BATCH_BUFFER_START.
     */
    uint64_t pos[CS_LEVELS];
    enum cs_level level;
    struct cs_prefetch prefetch[2]; /* ring; batch */

    const struct cs_command *command; /* in execution, for messages; NULL: not decoded yet */
    uint32_t length;                  /* of it, in dwords */
    uint32_t ipehr;
    uint32_t user_interrupts;
    struct blt blt;

    bool error;
    char reason[sizeof(((struct gpu_engine_state *)0)->reason)];
};

/* What executing a command comes to, besides a negative errno value with a reason set. */
enum cs_result {
    CS_DONE, /* on to the next command */
    CS_STAY, /* the command has set the position itself, or takes more steps */
};

struct cs_command {
    const char *name;
    uint8_t min_length; /* in dwords */
    uint8_t max_length;
    uint8_t length_bits; /* of the header's length field, which counts from 2; 0: one dword */
    int (*execute)(struct cs_engine *engine, const uint32_t *dw);
};

#define MI_OPCODES    64u
#define TWO_D_OPCODES 128u
extern const struct cs_command mi_commands[MI_OPCODES];
extern const struct cs_command blt_commands[TWO_D_OPCODES];

void cs_init(struct cs_engine *engine, struct soft_client *client, enum gpu_engine id);
void cs_submit(struct cs_engine *engine, const struct gpu_ring *ring);
void cs_reset(struct cs_engine *engine);
void cs_get_state(const struct cs_engine *engine, struct gpu_engine_state *state);

bool cs_has_work(const struct cs_engine *engine);
void cs_step(struct cs_engine *engine); /* only when there is work */

/* Forgets what was fetched ahead. */
void cs_drop_prefetch(struct cs_engine *engine);

/* For commands: moves on by so many dwords in the current level. */
void cs_advance(struct cs_engine *engine, uint32_t dwords);

/* For commands: goes to a batch, in the same level or another one. */
void cs_jump(struct cs_engine *engine, enum cs_level level, uint64_t address);

/* Stops the engine; the format says why, where is added. Returns code. */
__attribute__((format(printf, 3, 4))) int cs_fail(struct cs_engine *engine, int code,
                                                  const char *format, ...);

/* One transfer of the blit under way: CS_DONE when it was the last. */
int blt_step(struct cs_engine *engine);

#define MI_BATCH_BUFFER_START_LENGTH 3u /* dwords */

#endif
