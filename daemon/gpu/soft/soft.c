/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The software GPU: the object, its clients, and what they ask of it. */

#include "gpu/soft/soft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen/clock.h"
#include "gpu/soft/open.h"
#include "gpu/soft/schedule.h"

#define GTT_ENTRIES_MAX (1u << 20)

static struct soft_gpu *to_soft(struct gpu *gpu)
{
    return (struct soft_gpu *)gpu;
}

static struct soft_client *to_client(struct gpu_client *client)
{
    return (struct soft_client *)client;
}

/* --- clients ----------------------------------------------------------------------------- */

static bool overlap(const struct gpu_range *a, const struct gpu_range *b)
{
    /* Both lie within the GTT: no sum wraps. */
    return a->first < b->first + b->count && b->first < a->first + a->count && a->count && b->count;
}

static bool ranges_are_free(const struct soft_gpu *soft, const struct gpu_range *ranges)
{
    for (unsigned i = 0; i < GPU_RANGES; i++) {
        if ((uint64_t)ranges[i].first + ranges[i].count > soft->tables.ggtt_entries) {
            return false;
        }
        for (unsigned j = 0; j < i; j++) {
            if (overlap(&ranges[i], &ranges[j])) {
                return false;
            }
        }
        for (const struct soft_client *c = soft->clients; c; c = c->next) {
            for (unsigned j = 0; j < GPU_RANGES; j++) {
                if (overlap(&ranges[i], &c->ranges[j])) {
                    return false;
                }
            }
        }
    }
    return true;
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t soft_ticks(const struct soft_client *client)
{
    return clock_ticks(monotonic_ns() - client->opened_ns);
}

static uint64_t soft_client_ticks(const struct gpu_client *client)
{
    return soft_ticks((const struct soft_client *)client);
}

static int soft_client_open(struct gpu *gpu, const struct gpu_range ranges[GPU_RANGES],
                            uint32_t weight, struct gpu_client **out)
{
    struct soft_gpu *soft = to_soft(gpu);
    struct soft_client *client;

    if (!ranges_are_free(soft, ranges)) {
        return -ENOSPC;
    }
    client = calloc(1, sizeof(*client));
    if (!client) {
        return -ENOMEM;
    }
    client->base.gpu = gpu;
    client->base.scratch_pte = soft->scratch_pte;
    client->gpu = soft;
    client->opened_ns = monotonic_ns();
    client->weight = weight ? weight : 1;
    client->burst = 1;
    for (unsigned i = 0; i < GPU_ENGINES; i++) {
        cs_init(&client->engines[i], client, (enum gpu_engine)i);
    }
    for (unsigned i = 0; i < GPU_RANGES; i++) {
        client->ranges[i] = ranges[i];
        for (uint32_t n = 0; n < ranges[i].count; n++) {
            tables_write(&soft->tables, GPU_GGTT, ranges[i].first + n, soft->scratch_pte);
        }
    }
    tables_invalidate(&soft->tables); /* nothing of the entries' last owner may be left */
    client->next = soft->clients;
    soft->clients = client;
    *out = &client->base;
    return 0;
}

static void free_client(struct soft_client *client)
{
    for (unsigned i = 0; i < GPU_ENGINES; i++) {
        cs_fini(&client->engines[i]);
    }
    free(client);
}

static void soft_client_close(struct gpu_client *gpu_client)
{
    struct soft_client *client = to_client(gpu_client);
    struct soft_gpu *soft = client->gpu;
    struct soft_client **link = &soft->clients;

    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    schedule_forget(soft, client);
    free_client(client);
}

/* --- page tables ------------------------------------------------------------------------- */

static int soft_table_alloc(struct gpu *gpu, unsigned level, uint64_t pte, uint32_t *table)
{
    return tables_alloc(&to_soft(gpu)->tables, level, pte, table);
}

static void soft_table_free(struct gpu *gpu, uint32_t table)
{
    tables_release(&to_soft(gpu)->tables, table);
}

static void soft_write_ptes(struct gpu *gpu, const struct gpu_pte_write *write, size_t n)
{
    struct soft_gpu *soft = to_soft(gpu);

    tables_write_all(&soft->tables, write, n);
    soft->stats.ptes_written += n;
}

static void soft_read_ptes(const struct gpu *gpu, uint32_t table, uint32_t first, uint32_t n,
                           uint64_t *pte)
{
    tables_read_many(&((const struct soft_gpu *)gpu)->tables, table, first, n, pte);
}

static void soft_invalidate(struct gpu *gpu)
{
    struct soft_gpu *soft = to_soft(gpu);

    tables_invalidate(&soft->tables);
    for (struct soft_client *client = soft->clients; client; client = client->next) {
        for (unsigned i = 0; i < GPU_ENGINES; i++) {
            cs_drop_prefetch(&client->engines[i]);
        }
    }
    soft->stats.invalidates++;
}

static bool soft_holds(struct gpu *gpu, uint64_t frame)
{
    return tables_hold(&to_soft(gpu)->tables, frame);
}

/* --- engines ----------------------------------------------------------------------------- */

static void soft_engine_state(struct gpu_client *client, enum gpu_engine engine,
                              struct gpu_engine_state *state)
{
    cs_get_state(&to_client(client)->engines[engine], state);
}

static void soft_pause(struct gpu_client *client, bool paused)
{
    to_client(client)->paused = paused;
}

static void soft_reset(struct gpu_client *client, enum gpu_engine engine)
{
    cs_reset(&to_client(client)->engines[engine]);
}

/* --- submitting -------------------------------------------------------------------------- */

/* How far an eager GPU comes before the submitter's next instruction. */
#define EAGER_WORK 4u

static void submitted(struct soft_client *client)
{
    client->stats.submissions++;
    client->gpu->stats.submissions++;
    if (client->gpu->tables.eager) {
        schedule_run(&client->gpu->base, EAGER_WORK);
    }
}

static int soft_execute(struct gpu_client *gpu_client, enum gpu_engine engine,
                        const struct gpu_workload *workload)
{
    struct soft_client *client = to_client(gpu_client);
    int ret = cs_execute(&client->engines[engine], workload);

    if (ret == 0) {
        submitted(client);
    }
    return ret;
}

/* --- the object -------------------------------------------------------------------------- */

static void soft_get_stats(const struct gpu *gpu, struct gpu_stats *stats)
{
    *stats = ((const struct soft_gpu *)gpu)->stats;
}

static void soft_client_stats(const struct gpu_client *client, struct gpu_stats *stats)
{
    *stats = ((const struct soft_client *)client)->stats;
}

static void soft_close(struct gpu *gpu)
{
    struct soft_gpu *soft = to_soft(gpu);
    struct soft_client *client = soft->clients;

    while (client) {
        struct soft_client *next = client->next;

        free_client(client);
        client = next;
    }
    tables_free(&soft->tables);
    dma_close(soft->port);
    free(soft);
}

static const struct gpu_ops soft_ops = {
    .name = "soft",
    .client_open = soft_client_open,
    .client_close = soft_client_close,
    .table_alloc = soft_table_alloc,
    .table_free = soft_table_free,
    .write_ptes = soft_write_ptes,
    .read_ptes = soft_read_ptes,
    .invalidate = soft_invalidate,
    .execute = soft_execute,
    .engine_state = soft_engine_state,
    .pause = soft_pause,
    .reset = soft_reset,
    .run = schedule_run,
    .waiting = schedule_waiting,
    .ticks = soft_client_ticks,
    .holds = soft_holds,
    .get_stats = soft_get_stats,
    .client_stats = soft_client_stats,
    .close = soft_close,
};

static bool root_in_use(void *arg, const struct gpu_root *root)
{
    const struct soft_gpu *soft = arg;

    for (const struct soft_client *client = soft->clients; client; client = client->next) {
        for (unsigned i = 0; i < GPU_ENGINES; i++) {
            const struct cs_engine *engine = &client->engines[i];

            if (engine->work && !memcmp(&engine->work->root, root, sizeof(*root))) {
                return true;
            }
        }
    }
    return false;
}

int gpu_soft_open(struct dma_port *port, const struct gpu_soft_options *options, struct gpu **out)
{
    uint32_t entries = options->gtt_entries;
    struct soft_gpu *soft;
    int ret = -EINVAL;

    if (entries == 0 || entries > GTT_ENTRIES_MAX || (entries & (entries - 1)) ||
        (port->scratch & ~GPU_PTE_ADDR_MASK)) {
        goto fail;
    }
    ret = -ENOMEM;
    soft = calloc(1, sizeof(*soft));
    if (!soft) {
        goto fail;
    }
    soft->base.ops = &soft_ops;
    soft->base.gtt_entries = entries;
    soft->scratch_pte = port->scratch | GPU_PTE_PRESENT;
    soft->port = port;
    soft->clock = options->clock;
    schedule_init(soft);
    soft->tables.in_use = root_in_use;
    soft->tables.in_use_arg = soft;
    ret = tables_init(&soft->tables, entries, soft->scratch_pte, options->eager);
    if (ret) {
        free(soft);
        goto fail;
    }
    *out = &soft->base;
    return 0;

fail:
    dma_close(port);
    return ret;
}
