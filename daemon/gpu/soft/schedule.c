/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The schedule: deficit round robin by measured time (Shreedhar and Varghese, 1995). */
#include "gpu/soft/schedule.h"

/* --- the clock --------------------------------------------------------------------------- */

/* Of a turn, for each unit of weight. All turns together are soon over, also with 16 clients. */
#define TURN_NS 10000u

/*
 * Between two looks at the clock, about: it costs as much as a command does; or a thousand times
 * that, where it is a system call of an emulated processor.
 */
#define BURST_NS   5000u
#define BURST_MAX  64u
#define CLOCK_PART 16u /* of a burst at least, in looks at the clock */

/* Bytes that are moved in the time of a step, where time is the GPU's own. */
#define BYTES_PER_STEP 64u

static uint64_t now(const struct soft_gpu *soft)
{
    return soft->clock ? soft->clock() : soft->steps + soft->stats.dma_bytes / BYTES_PER_STEP;
}

static int64_t turn_of(const struct soft_client *client)
{
    return (int64_t)client->weight * (client->gpu->clock ? TURN_NS : 1);
}

/* What a step costs depends on the commands, and on what memory is: a device may take ages. */
static void adapt_burst(struct soft_client *client, uint64_t took)
{
    if (!client->gpu->clock) {
        return;
    }
    uint64_t burst_ns = client->gpu->burst_ns;

    if (took > burst_ns && client->burst > 1) {
        client->burst /= 2;
    } else if (took < burst_ns / 4 && client->burst < BURST_MAX) {
        client->burst *= 2;
    }
}

/* The least of some: others may have the processor in between. */
void schedule_init(struct soft_gpu *soft)
{
    uint64_t look = UINT64_MAX;

    for (unsigned i = 0; soft->clock && i < 16; i++) {
        uint64_t before = soft->clock();
        uint64_t took = soft->clock() - before;

        look = took < look ? took : look;
    }
    soft->burst_ns = soft->clock && look > BURST_NS / CLOCK_PART ? look * CLOCK_PART : BURST_NS;
}

/* --- turns ------------------------------------------------------------------------------- */

/* Work that can go on: who waits for memory looks again when something may have changed it. */
static bool can_go_on(const struct cs_engine *engine)
{
    return cs_has_work(engine) &&
           (!engine->waiting || engine->looked != engine->client->gpu->moves);
}

static struct cs_engine *next_of_client(struct soft_client *client)
{
    bool busy = false;

    if (!client->busy || client->paused) {
        return NULL;
    }
    for (unsigned i = 0; i < GPU_ENGINES; i++) {
        struct cs_engine *engine = &client->engines[(client->turn + i) % GPU_ENGINES];

        if (can_go_on(engine)) {
            return engine;
        }
        busy |= cs_has_work(engine);
    }
    client->busy = busy;
    return NULL;
}

/* Has any other client than this one work? */
static bool others_have_work(const struct soft_gpu *soft, const struct soft_client *client)
{
    struct soft_client *c = soft->clients;

    while (c && (c == client || !next_of_client(c))) {
        c = c->next;
    }
    return c;
}

/* Has anybody? That no client is busy is noted, for as long as it lasts. */
static bool any_has_work(struct soft_gpu *soft)
{
    bool work = soft->busy && others_have_work(soft, NULL);

    if (soft->busy && !work) {
        const struct soft_client *c = soft->clients;

        while (c && !c->busy) {
            c = c->next;
        }
        soft->busy = c;
    }
    return work;
}

/* Nobody saves up: what is left of a turn is lost. What was too much of one is paid back. */
static struct soft_client *give_turn(struct soft_gpu *soft)
{
    struct soft_client *client = soft->turn ? soft->turn->next : NULL;

    client = client ? client : soft->clients;
    client->credit = turn_of(client) + (client->credit < 0 ? client->credit : 0);
    soft->turn = client;
    return client;
}

/*
 * The engine to go on with: of the client whose turn it is, while that lasts, then of the next one
 * that has work; within a client its engines take turns. Who is alone owes nobody anything.
 */
static struct cs_engine *next_engine(struct soft_gpu *soft)
{
    struct soft_client *client = soft->turn;
    struct cs_engine *engine = client && client->credit > 0 ? next_of_client(client) : NULL;

    if (!engine && !any_has_work(soft)) {
        return NULL;
    }
    while (!engine) {
        client = give_turn(soft);
        engine = next_of_client(client);
        if (engine && !others_have_work(soft, client)) {
            client->credit = turn_of(client);
        }
        engine = client->credit > 0 ? engine : NULL;
    }
    return engine;
}

void schedule_forget(struct soft_gpu *soft, const struct soft_client *client)
{
    if (soft->turn == client) {
        soft->turn = NULL;
    }
}

/* --- working ----------------------------------------------------------------------------- */

static void step(struct soft_gpu *soft, struct cs_engine *engine)
{
    cs_step(engine);
    soft->steps++;
    if (engine->waiting) {
        engine->looked = soft->moves;
    } else {
        soft->moves++;
    }
}

/* Some steps; what they took since then is the client's. Returns what the clock says now. */
static uint64_t work(struct soft_gpu *soft, struct cs_engine *engine, uint64_t since)
{
    struct soft_client *client = engine->client;
    uint64_t end, took;

    for (unsigned i = 0; i < client->burst && can_go_on(engine); i++) {
        step(soft, engine);
    }
    end = now(soft);
    took = end - since;
    client->turn = ((unsigned)engine->id + 1) % GPU_ENGINES;
    client->credit -= (int64_t)took;
    client->stats.busy += took;
    soft->stats.busy += took;
    adapt_burst(client, took);
    return end;
}

bool schedule_run(struct gpu *gpu, uint64_t budget)
{
    struct soft_gpu *soft = (struct soft_gpu *)gpu;
    uint64_t start = now(soft), time = start;
    struct cs_engine *engine;

    soft->moves++;
    engine = next_engine(soft);
    while (engine && time - start < budget) {
        time = work(soft, engine, time);
        engine = next_engine(soft);
    }
    return engine;
}

bool schedule_waiting(const struct gpu *gpu)
{
    const struct soft_gpu *soft = (const struct soft_gpu *)gpu;
    const struct soft_client *client = soft->busy ? soft->clients : NULL;

    for (; client; client = client->next) {
        for (unsigned i = 0; i < GPU_ENGINES && client->busy && !client->paused; i++) {
            if (client->engines[i].waiting && cs_has_work(&client->engines[i])) {
                return true;
            }
        }
    }
    return false;
}
