/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fetching and decoding commands, and where an engine stands between them. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/soft/soft.h"

/* --- state ------------------------------------------------------------------------------- */

void cs_init(struct cs_engine *engine, struct soft_client *client, enum gpu_engine id)
{
    memset(engine, 0, sizeof(*engine));
    engine->client = client;
    engine->id = id;
}

void cs_fini(struct cs_engine *engine)
{
    free(engine->work);
    engine->work = NULL;
}

void cs_drop_prefetch(struct cs_engine *engine)
{
    engine->prefetch.len = 0;
}

/* The counters outlive it: whoever compares them with older ones sees no step back. */
void cs_reset(struct cs_engine *engine)
{
    uint32_t done = engine->done;
    uint32_t user_interrupts = engine->user_interrupts;
    uint32_t notify_interrupts = engine->notify_interrupts;

    cs_fini(engine);
    cs_init(engine, engine->client, engine->id);
    engine->done = done;
    engine->user_interrupts = user_interrupts;
    engine->notify_interrupts = notify_interrupts;
}

int cs_fail(struct cs_engine *engine, int code, const char *format, ...)
{
    const char *where = engine->level == CS_RING ? "ring" : "batch";
    uint64_t address = engine->place[engine->level].address;
    size_t used;
    va_list args;

    if (engine->command) {
        snprintf(engine->reason, sizeof(engine->reason), "%s at %s 0x%" PRIx64 ": ",
                 engine->command->name, where, address);
    } else {
        snprintf(engine->reason, sizeof(engine->reason), "%s 0x%" PRIx64 ": ", where, address);
    }
    used = strlen(engine->reason);
    va_start(args, format);
    vsnprintf(engine->reason + used, sizeof(engine->reason) - used, format, args);
    va_end(args);
    engine->error = true;
    return code;
}

int cs_deny(struct cs_engine *engine)
{
    engine->client->stats.denied++;
    engine->client->gpu->stats.denied++;
    return CS_DONE;
}

bool cs_has_work(const struct cs_engine *engine)
{
    return engine->work && !engine->error;
}

void cs_get_state(const struct cs_engine *engine, struct gpu_engine_state *state)
{
    memset(state, 0, sizeof(*state));
    state->idle = !cs_has_work(engine);
    state->error = engine->error;
    state->done = engine->done;
    state->acthd = engine->place[engine->level].address;
    state->ipehr = engine->ipehr;
    state->user_interrupts = engine->user_interrupts;
    state->notify_interrupts = engine->notify_interrupts;
    memcpy(state->reason, engine->reason, sizeof(state->reason));
}

/* --- position ---------------------------------------------------------------------------- */

/* On to the next buffer of the workload; after the last one the engine is idle. */
static void next_buffer(struct cs_engine *engine)
{
    const struct workload_buffer *buffer = cs_workload_next(engine->work);

    engine->level = CS_RING;
    if (buffer) {
        engine->place[CS_RING] = (struct cs_place){
            .space = MEM_GGTT,
            .buffer = buffer,
            .address = buffer->address,
        };
        return;
    }
    free(engine->work);
    engine->work = NULL;
    engine->place[CS_RING].buffer = NULL;
    engine->done++;
}

static void advance(struct cs_engine *engine, uint32_t dwords)
{
    struct cs_place *place = &engine->place[engine->level];

    place->address += UINT64_C(4) * dwords;
    if (engine->level == CS_RING &&
        place->address - place->buffer->address >= UINT64_C(4) * place->buffer->count) {
        next_buffer(engine);
    }
}

void cs_jump(struct cs_engine *engine, enum cs_level level, const struct cs_place *place)
{
    /* Fetched anew: somebody waiting in a loop may be let out by a store into it. */
    cs_drop_prefetch(engine);
    engine->level = level;
    engine->place[level] = *place;
}

int cs_return(struct cs_engine *engine)
{
    if (engine->level == CS_RING) {
        next_buffer(engine);
        return CS_STAY;
    }
    cs_drop_prefetch(engine);
    engine->level--;
    advance(engine, BBS_LENGTH);
    return CS_STAY;
}

int cs_execute(struct cs_engine *engine, const struct gpu_workload *workload)
{
    int ret;

    if (engine->error) {
        return -EIO;
    }
    if (engine->work) {
        return -EBUSY;
    }
    ret = cs_workload_copy(workload, &engine->work);
    if (ret) {
        return ret;
    }
    if (workload->context != engine->context) {
        engine->context = workload->context;
        engine->regs = (struct registers){0};
    }
    engine->client->busy = engine->client->gpu->busy = true;
    engine->predicated = false;
    cs_drop_prefetch(engine);
    next_buffer(engine);
    return 0;
}

/* --- fetching ---------------------------------------------------------------------------- */

/* How many dwords of commands there are from the current position on, as far as is known. */
static uint64_t dwords_left(const struct cs_place *place)
{
    uint64_t passed;

    if (!place->buffer) {
        return UINT64_MAX;
    }
    passed = (place->address - place->buffer->address) / 4;
    return passed < place->buffer->count ? place->buffer->count - passed : 0;
}

/* Fetches the nth dword from the current position on. */
static int fetch(struct cs_engine *engine, uint32_t n, uint32_t *dw)
{
    const struct cs_place *place = &engine->place[engine->level];
    struct cs_prefetch *window = &engine->prefetch;
    uint64_t address = place->address + UINT64_C(4) * n;
    int ret;

    if (place->buffer) {
        if (n >= dwords_left(place)) {
            return cs_fail(engine, -EINVAL, "the batch has no end");
        }
        *dw = place->buffer->dw[(address - place->buffer->address) / 4];
        return 0;
    }
    if (address - window->start >= window->len) {
        ret = mem_prefetch(engine, place->space, address);
        if (ret) {
            return ret;
        }
    }
    memcpy(dw, window->bytes + (address - window->start), sizeof(*dw));
    return 0;
}

/* --- executing --------------------------------------------------------------------------- */

/* A command that is only skipped may be as long as it says. */
static int check_length(struct cs_engine *engine)
{
    const struct command *command = engine->command;

    if (cs_executors[command->id] && !command_length_ok(command, engine->length)) {
        return cs_fail(engine, -EINVAL, "length of %u dwords", engine->length);
    }
    if (engine->length > dwords_left(&engine->place[engine->level])) {
        return cs_fail(engine, -EINVAL, "%u dwords reach over the end", engine->length);
    }
    return 0;
}

/* Is it to be passed over? */
static bool is_skipped(struct cs_engine *engine)
{
    const struct command *command = engine->command;

    if (engine->predicated && !(command->flags & UNPREDICATED)) {
        return true;
    }
    if ((engine->ipehr & command->privileged) && !cs_privileged(engine)) {
        cs_deny(engine);
        return true;
    }
    return !cs_executors[command->id];
}

static int execute(struct cs_engine *engine, uint32_t header)
{
    uint32_t dw[CS_COMMAND_MAX];
    const char *fault;

    if (is_skipped(engine)) {
        return CS_DONE;
    }
    dw[0] = header;
    for (uint32_t i = 1; i < engine->length; i++) {
        int ret = fetch(engine, i, &dw[i]);

        if (ret) {
            return ret;
        }
    }
    fault = command_fault(engine->command, dw, engine->length);
    if (fault) {
        return cs_fail(engine, -EINVAL, "%s", fault);
    }
    return cs_executors[engine->command->id](engine, dw);
}

static int execute_next(struct cs_engine *engine)
{
    uint32_t header = 0;
    int ret;

    engine->command = NULL;
    ret = fetch(engine, 0, &header);
    if (ret) {
        return ret;
    }
    engine->ipehr = header;
    engine->command = command_find(engine->id, header);
    if (!engine->command) {
        return cs_fail(engine, -EINVAL, "unknown command 0x%08x", header);
    }
    engine->length = command_length(engine->command, header);
    ret = check_length(engine);
    if (ret) {
        return ret;
    }
    if (!engine->waiting) {
        engine->client->stats.commands++;
        engine->client->gpu->stats.commands++;
    }
    return execute(engine, header);
}

/* A command that failed leaves the engine where it is: at that command, stopped. */
void cs_step(struct cs_engine *engine)
{
    int ret = engine->blt.active ? blt_step(engine) : execute_next(engine);

    engine->waiting = ret == CS_WAIT;
    if (ret == CS_DONE) {
        advance(engine, engine->length);
    }
}
