/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A GPU of page tables and a TLB, whose engines run until the test says that they are done. */
#include "table_gpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct table_gpu *to_table(struct gpu *gpu)
{
    return (struct table_gpu *)gpu;
}

static struct table_gpu_client *to_client(struct gpu_client *client)
{
    return (struct table_gpu_client *)client;
}

static int client_open(struct gpu *gpu, const struct gpu_range ranges[GPU_RANGES], uint32_t weight,
                       struct gpu_client **out)
{
    (void)ranges;
    (void)weight;
    struct table_gpu_client *client = calloc(1, sizeof(*client));
    if (!client) {
        return -ENOMEM;
    }
    client->base.gpu = gpu;
    client->base.scratch_pte = to_table(gpu)->scratch_pte;
    client->next = to_table(gpu)->clients;
    to_table(gpu)->clients = client;
    *out = &client->base;
    return 0;
}

static void client_close(struct gpu_client *client)
{
    struct table_gpu_client **link = &to_table(client->gpu)->clients;
    while (*link != to_client(client)) {
        link = &(*link)->next;
    }
    *link = (*link)->next;
    free(to_client(client));
}

static int table_alloc(struct gpu *gpu, unsigned level, uint64_t pte, uint32_t *table)
{
    struct table_gpu *t = to_table(gpu);
    if (!t->table_allocs_left) {
        return -ENOSPC;
    }
    t->table_allocs_left--;
    return tables_alloc(&t->tables, level, pte, table);
}

static void table_free(struct gpu *gpu, uint32_t table)
{
    to_table(gpu)->table_allocs_left++;
    tables_release(&to_table(gpu)->tables, table);
}

static void write_ptes(struct gpu *gpu, const struct gpu_pte_write *write, size_t n)
{
    struct table_gpu *t = to_table(gpu);
    tables_write_all(&t->tables, write, n);
    t->stats.ptes_written += n;
}

static void read_ptes(const struct gpu *gpu, uint32_t table, uint32_t first, uint32_t n,
                      uint64_t *pte)
{
    tables_read_many(&((const struct table_gpu *)gpu)->tables, table, first, n, pte);
}

static void invalidate(struct gpu *gpu)
{
    tables_invalidate(&to_table(gpu)->tables);
    to_table(gpu)->stats.invalidates++;
}

static int execute(struct gpu_client *client, enum gpu_engine engine,
                   const struct gpu_workload *workload)
{
    struct table_gpu_client *c = to_client(client);
    if (c->busy[engine]) {
        return -EBUSY;
    }
    c->root[engine] = workload->root;
    c->busy[engine] = true;
    to_table(client->gpu)->stats.submissions++;
    return 0;
}

static void engine_state(struct gpu_client *client, enum gpu_engine engine,
                         struct gpu_engine_state *state)
{
    *state = (struct gpu_engine_state){.idle = !to_client(client)->busy[engine]};
}

static void pause_client(struct gpu_client *client, bool paused)
{
    (void)client;
    (void)paused;
}

static void reset(struct gpu_client *client, enum gpu_engine engine)
{
    to_client(client)->busy[engine] = false;
}

static bool run(struct gpu *gpu, uint64_t budget)
{
    (void)gpu;
    (void)budget;
    return false;
}

static bool holds(struct gpu *gpu, uint64_t frame)
{
    return tables_hold(&to_table(gpu)->tables, frame);
}

static void get_stats(const struct gpu *gpu, struct gpu_stats *stats)
{
    *stats = ((const struct table_gpu *)gpu)->stats;
}

static void client_stats(const struct gpu_client *client, struct gpu_stats *stats)
{
    get_stats(client->gpu, stats);
}

static uint64_t ticks(const struct gpu_client *client)
{
    (void)client;
    return 0;
}

static const struct gpu_ops table_ops = {
    .name = "tables",
    .client_open = client_open,
    .client_close = client_close,
    .table_alloc = table_alloc,
    .table_free = table_free,
    .write_ptes = write_ptes,
    .read_ptes = read_ptes,
    .invalidate = invalidate,
    .execute = execute,
    .engine_state = engine_state,
    .pause = pause_client,
    .reset = reset,
    .run = run,
    .ticks = ticks,
    .holds = holds,
    .get_stats = get_stats,
    .client_stats = client_stats,
};

static bool in_use(void *arg, const struct gpu_root *root)
{
    const struct table_gpu *gpu = arg;
    for (const struct table_gpu_client *c = gpu->clients; c; c = c->next) {
        for (unsigned e = 0; e < GPU_ENGINES; e++) {
            if (c->busy[e] && !memcmp(&c->root[e], root, sizeof(*root))) {
                return true;
            }
        }
    }
    return false;
}

int table_gpu_init(struct table_gpu *gpu, uint32_t gtt_entries, uint64_t scratch, bool eager)
{
    *gpu = (struct table_gpu){.table_allocs_left = UINT32_MAX};
    gpu->base.ops = &table_ops;
    gpu->base.gtt_entries = gtt_entries;
    gpu->scratch_pte = scratch | GPU_PTE_PRESENT;
    gpu->tables.in_use = in_use;
    gpu->tables.in_use_arg = gpu;
    return tables_init(&gpu->tables, gtt_entries, gpu->scratch_pte, eager);
}

void table_gpu_fini(struct table_gpu *gpu)
{
    tables_free(&gpu->tables);
}
