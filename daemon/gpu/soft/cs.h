/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command streamer of one engine of one client: executes a workload a step at a time, so that
 * whoever runs it can stop after any step.
 *
 * Everything it reads comes from a guest. A command is copied to private memory, checked there
 * and executed from there; what does not make sense stops the engine with a reason.
 */
#ifndef XENGT_GPU_SOFT_CS_H
#define XENGT_GPU_SOFT_CS_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/commands.h"
#include "gpu/dma/dma.h"
#include "gpu/gpu.h"
#include "gpu/soft/blt.h"
#include "gpu/soft/regs.h"
#include "gpu/soft/work_copy.h"

struct soft_client;

/* Dwords of the longest command that has operands to look at: an MI_STORE_DATA_IMM. */
#define CS_COMMAND_MAX 1025u

/* Where addresses point to. */
enum mem_space {
    MEM_GGTT,
    MEM_PPGTT,
};

/* Who called whom: a buffer of the workload, a batch, a second-level batch. */
enum cs_level {
    CS_RING,
    CS_BATCH,
    CS_BATCH2,
    CS_LEVELS,
};

/*
 * Where commands are executed. The global GTT is for the driver, the PPGTT for anyone: commands
 * of a space are privileged, or not.
 */
struct cs_place {
    enum mem_space space;
    const struct workload_buffer *buffer; /* copied; NULL: they are fetched */
    uint64_t address;                     /* of the next command */
};

/* Commands fetched ahead: never more than to the end of a page. */
struct cs_prefetch {
    uint64_t start;
    uint64_t bus; /* what start is behind the page tables */
    uint32_t len;
    uint8_t bytes[DMA_PAGE_SIZE];
};

struct cs_engine {
    struct soft_client *client;
    enum gpu_engine id;

    struct workload *work; /* NULL: idle */
    /* A level that waits for a deeper one stands at its MI_BATCH_BUFFER_START. */
    struct cs_place place[CS_LEVELS];
    enum cs_level level;
    struct cs_prefetch prefetch;

    const struct command *command; /* in execution, for messages; NULL: not decoded yet */
    uint32_t length;               /* of it, in dwords */
    uint32_t ipehr;
    bool predicated; /* MI_SET_PREDICATE: nothing is executed until the next one */
    bool waiting;    /* for a value in memory */
    uint64_t looked; /* at it, when the GPU had made so many steps */
    struct blt blt;

    uint64_t context;
    struct registers regs;

    uint32_t done;
    uint32_t user_interrupts;
    uint32_t notify_interrupts;

    bool error;
    char reason[sizeof(((struct gpu_engine_state *)0)->reason)];
};

/* What executing a command comes to, besides a negative errno value with a reason set. */
enum cs_result {
    CS_DONE, /* on to the next command */
    CS_STAY, /* the command has set the position itself, or takes more steps */
    CS_WAIT, /* to be executed again later */
};

/* dw: the whole command. A negative errno value: stopped, with a reason. */
typedef int cs_execute_fn(struct cs_engine *engine, const uint32_t *dw);

/* By what a command is; NULL: it is skipped. Of what it would set up there is nothing here. */
extern cs_execute_fn *const cs_executors[COMMAND_IDS];

void cs_init(struct cs_engine *engine, struct soft_client *client, enum gpu_engine id);
void cs_fini(struct cs_engine *engine);
int cs_execute(struct cs_engine *engine, const struct gpu_workload *workload);
void cs_reset(struct cs_engine *engine);
void cs_get_state(const struct cs_engine *engine, struct gpu_engine_state *state);

bool cs_has_work(const struct cs_engine *engine);
void cs_step(struct cs_engine *engine); /* only when there is work */

/* Forgets what was fetched ahead. */
void cs_drop_prefetch(struct cs_engine *engine);

/* --- for commands ------------------------------------------------------------------------ */

/* May the commands in work do anything, or only what a user of the GPU may? */
static inline bool cs_privileged(const struct cs_engine *engine)
{
    return engine->place[engine->level].space == MEM_GGTT;
}

/* Where the pipelines read and write: a context's own address space, when it has one. */
static inline enum mem_space cs_data_space(const struct cs_engine *engine)
{
    return engine->work->root.levels ? MEM_PPGTT : MEM_GGTT;
}

/* An address of two dwords, the low one with these bits. */
static inline uint64_t cs_address(const uint32_t *dw, uint32_t low_mask)
{
    return (uint64_t)dw[1] << 32 | (dw[0] & low_mask);
}

/*
 * Not privileged enough: counted, and the command, or the part of it, is not done. This is what
 * hardware does; it goes on with the next command. Returns CS_DONE.
 */
int cs_deny(struct cs_engine *engine);

/* Goes to a batch, in the same level or the next one. */
void cs_jump(struct cs_engine *engine, enum cs_level level, const struct cs_place *place);

/* Ends the batch or, in the workload itself, the buffer. Returns CS_STAY. */
int cs_return(struct cs_engine *engine);

/* Stops the engine; the format says why, where is added. Returns code. */
__attribute__((format(printf, 3, 4))) int cs_fail(struct cs_engine *engine, int code,
                                                  const char *format, ...);

#endif
