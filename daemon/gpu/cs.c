/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fetching and decoding commands, and where an engine stands between them. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gpu/soft.h"

#define HEADER_TYPE(header)      ((header) >> 29)
#define HEADER_MI                0u
#define HEADER_2D                2u
#define HEADER_MI_OPCODE(header) ((header) >> 23 & (MI_OPCODES - 1))
#define HEADER_2D_OPCODE(header) ((header) >> 22 & (TWO_D_OPCODES - 1))

#define RING_SIZE_MAX (512u * DMA_PAGE_SIZE) /* the length field of RING_CTL */

/* --- state ---------------------------------------------------------------------------------- */

void cs_init(struct cs_engine *engine, struct soft_client *client, enum gpu_engine id)
{
    memset(engine, 0, sizeof(*engine));
    engine->client = client;
    engine->id = id;
}

void cs_drop_prefetch(struct cs_engine *engine)
{
    engine->prefetch[0].len = 0;
    engine->prefetch[1].len = 0;
}

void cs_reset(struct cs_engine *engine)
{
    uint32_t user_interrupts = engine->user_interrupts;

    cs_init(engine, engine->client, engine->id);
    engine->user_interrupts = user_interrupts;
}

int cs_fail(struct cs_engine *engine, int code, const char *format, ...)
{
    const char *where = engine->level == CS_RING ? "ring" : "batch";
    size_t used;
    va_list args;

    if (engine->command) {
        snprintf(engine->reason, sizeof(engine->reason), "%s at %s 0x%" PRIx64 ": ",
                 engine->command->name, where, engine->pos[engine->level]);
    } else {
        snprintf(engine->reason, sizeof(engine->reason), "%s 0x%" PRIx64 ": ", where,
                 engine->pos[engine->level]);
    }
    used = strlen(engine->reason);
    va_start(args, format);
    vsnprintf(engine->reason + used, sizeof(engine->reason) - used, format, args);
    va_end(args);
    engine->error = true;
    return code;
}

/* All of it came out of a guest's registers. */
static bool ring_is_sane(const struct gpu_ring *ring)
{
    return ring->size > 0 && ring->size <= RING_SIZE_MAX && ring->size % DMA_PAGE_SIZE == 0 &&
           ring->start % DMA_PAGE_SIZE == 0 && ring->head < ring->size && ring->tail < ring->size &&
           ring->head % 4 == 0 && ring->tail % 4 == 0;
}

void cs_submit(struct cs_engine *engine, const struct gpu_ring *ring)
{
    if (engine->error) {
        return;
    }
    if (ring->start != engine->ring_start || ring->size != engine->ring_size) {
        cs_reset(engine);
        engine->ring_start = ring->start;
        engine->ring_size = ring->size;
        engine->pos[CS_RING] = ring->head;
    }
    cs_drop_prefetch(engine);
    engine->tail = ring->tail;
    if (!ring_is_sane(ring)) {
        engine->command = NULL;
        cs_fail(engine, -EINVAL, "bad ring: start 0x%x size 0x%x tail 0x%x", ring->start,
                ring->size, ring->tail);
    }
}

bool cs_has_work(const struct cs_engine *engine)
{
    return !engine->error &&
           (engine->blt.active || engine->level != CS_RING || engine->pos[CS_RING] != engine->tail);
}

void cs_get_state(const struct cs_engine *engine, struct gpu_engine_state *state)
{
    memset(state, 0, sizeof(*state));
    state->head = (uint32_t)engine->pos[CS_RING];
    state->idle = !cs_has_work(engine);
    state->error = engine->error;
    state->ipehr = engine->ipehr;
    state->user_interrupts = engine->user_interrupts;
    memcpy(state->reason, engine->reason, sizeof(state->reason));
}

/* --- position ------------------------------------------------------------------------------- */

void cs_advance(struct cs_engine *engine, uint32_t dwords)
{
    engine->pos[engine->level] += UINT64_C(4) * dwords;
    if (engine->level == CS_RING) {
        engine->pos[CS_RING] %= engine->ring_size;
    }
}

void cs_jump(struct cs_engine *engine, enum cs_level level, uint64_t address)
{
    /* Fetched anew: somebody waiting in a loop may be let out by a store into it. */
    engine->prefetch[1].len = 0;
    engine->level = level;
    engine->pos[level] = address;
}

/* --- fetching ------------------------------------------------------------------------------- */

/* How many bytes of commands there are from the current position on, as far as is known. */
static uint64_t bytes_left(const struct cs_engine *engine)
{
    uint64_t head = engine->pos[CS_RING];

    if (engine->level != CS_RING) {
        return UINT64_MAX;
    }
    return engine->tail >= head ? engine->tail - head : engine->ring_size - head + engine->tail;
}

/* Fetches ahead what may be: not beyond the page, the ring's end or its tail. */
static int prefetch(struct cs_engine *engine, struct cs_prefetch *window, uint64_t address,
                    uint32_t ring_offset)
{
    uint32_t len = mem_to_page_end(address);
    int ret;

    if (engine->level == CS_RING && engine->tail > ring_offset &&
        engine->tail - ring_offset < len) {
        len = engine->tail - ring_offset;
    }
    window->len = 0;
    ret = mem_read(engine, address, window->bytes, len);
    if (ret) {
        return ret;
    }
    window->start = address;
    window->len = len;
    return 0;
}

/* Fetches the nth dword from the current position on. */
static int fetch(struct cs_engine *engine, uint32_t n, uint32_t *dw)
{
    struct cs_prefetch *window = &engine->prefetch[engine->level != CS_RING];
    uint64_t pos = engine->pos[engine->level] + UINT64_C(4) * n;
    uint64_t address = pos;
    int ret;

    if (engine->level == CS_RING) {
        pos %= engine->ring_size;
        address = engine->ring_start + pos;
    }
    if (address - window->start >= window->len) {
        ret = prefetch(engine, window, address, (uint32_t)pos);
        if (ret) {
            return ret;
        }
    }
    memcpy(dw, window->bytes + (address - window->start), sizeof(*dw));
    return 0;
}

/* --- executing ------------------------------------------------------------------------------ */

static const struct cs_command *find_command(const struct cs_engine *engine, uint32_t header)
{
    const struct cs_command *command = NULL;

    if (HEADER_TYPE(header) == HEADER_MI) {
        command = &mi_commands[HEADER_MI_OPCODE(header)];
    } else if (HEADER_TYPE(header) == HEADER_2D && engine->id == GPU_BCS) {
        command = &blt_commands[HEADER_2D_OPCODE(header)];
    }
    return command && command->execute ? command : NULL;
}

static int check_length(struct cs_engine *engine)
{
    const struct cs_command *command = engine->command;
    uint32_t field = engine->ipehr & ((1u << command->length_bits) - 1);

    engine->length = command->length_bits ? field + 2 : 1;
    if (engine->length < command->min_length || engine->length > command->max_length) {
        return cs_fail(engine, -EINVAL, "length of %u dwords", engine->length);
    }
    if (UINT64_C(4) * engine->length > bytes_left(engine)) {
        return cs_fail(engine, -EINVAL, "%u dwords reach over the tail", engine->length);
    }
    return 0;
}

static int decode(struct cs_engine *engine, uint32_t dw[CS_COMMAND_MAX])
{
    int ret = fetch(engine, 0, &dw[0]);

    if (ret) {
        return ret;
    }
    engine->ipehr = dw[0];
    engine->command = find_command(engine, dw[0]);
    if (!engine->command) {
        return cs_fail(engine, -EINVAL, "unknown command 0x%08x", dw[0]);
    }
    ret = check_length(engine);
    for (uint32_t i = 1; ret == 0 && i < engine->length; i++) {
        ret = fetch(engine, i, &dw[i]);
    }
    return ret;
}

static int execute_next(struct cs_engine *engine)
{
    uint32_t dw[CS_COMMAND_MAX] = {0};
    int ret;

    engine->command = NULL;
    ret = decode(engine, dw);
    if (ret) {
        return ret;
    }
    engine->client->stats.commands++;
    engine->client->gpu->stats.commands++;
    return engine->command->execute(engine, dw);
}

/* A command that failed leaves the engine where it is: at that command, stopped. */
void cs_step(struct cs_engine *engine)
{
    int ret = engine->blt.active ? blt_step(engine) : execute_next(engine);

    if (ret == CS_DONE) {
        cs_advance(engine, engine->length);
    }
}
