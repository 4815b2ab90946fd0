/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gpu/dma/dma.h"

static bool gpu_holds(void *arg, struct xengt_bfn bfn)
{
    struct gpu *gpu = arg;
    return gpu->ops->holds(gpu, bfn.v);
}

static int open_gpu(struct world *world, uint32_t gtt_entries)
{
    struct dma_port *port;
    int ret = dma_sim_open(world->sim, &port);
    if (ret) {
        return ret;
    }
    const struct gpu_soft_options soft = {.gtt_entries = gtt_entries, .eager = true};
    ret = gpu_soft_open(port, &soft, &world->gpu);
    if (!ret) {
        xengt_sim_on_unmap(world->sim, gpu_holds, world->gpu);
    }
    return ret;
}

int world_open(struct world *world, const struct world_options *options)
{
    *world = (struct world){.sim = xengt_sim_new(), .mute = options->mute};
    if (!world->sim) {
        return -ENOMEM;
    }
    char error[256] = "";
    const struct xengt_options xo = {
        .backend = XENGT_BACKEND_SIM, .sim = world->sim, .window_pages = options->window_pages};
    int ret = xengt_open(&world->xengt, &xo, error, sizeof(error));
    if (!ret) {
        ret = open_gpu(world, options->gtt_entries ? options->gtt_entries : 1u << 18);
    }
    if (!ret) {
        ret = host_sim_open(world->sim, &world->host);
    }
    if (!ret) {
        const struct guests_config config = {
            .xengt = world->xengt,
            .gpu = world->gpu,
            .host = world->host,
            .mmio_base = WORLD_MMIO_BASE,
            .mappable_pages = options->mappable_pages ? options->mappable_pages : 4096,
            .unmappable_pages = options->unmappable_pages ? options->unmappable_pages : 16384,
            .space = options->space,
            .gtt_mode = options->gtt_mode,
            .track_after = options->track_after,
        };
        ret = guests_create(&config, &world->guests);
    }
    if (ret) {
        if (!options->mute) {
            fprintf(stderr, "world: %s %s\n", strerror(-ret), error);
        }
        world_close(world);
    }
    return ret;
}

void world_close(struct world *world)
{
    guests_destroy(world->guests);
    if (world->host) {
        world->host->ops->close(world->host);
    }
    xengt_close(world->xengt);
    if (world->gpu) {
        world->gpu->ops->close(world->gpu);
    }
    xengt_sim_free(world->sim);
    *world = (struct world){0};
}

int world_guest(struct world *world, const char *name, uint32_t pages, uint32_t *domid)
{
    const struct xengt_sim_domain cfg = {.name = name, .pages = pages};
    int ret = xengt_sim_domain_create(world->sim, &cfg, domid);
    if (ret) {
        return ret;
    }
    char error[256];
    ret = guests_attach(world->guests, name, NULL, NULL, error, sizeof(error));
    if (ret && !world->mute) {
        fprintf(stderr, "world: %s\n", error);
    }
    return ret;
}

void world_run(struct world *world)
{
    while (guests_turn(world->guests)) {
    }
}

int world_stranger(struct world *world, const char *name, uint32_t pages, uint64_t pattern,
                   uint32_t *domid)
{
    const struct xengt_sim_domain cfg = {.name = name, .pages = pages};
    int ret = xengt_sim_domain_create(world->sim, &cfg, domid);
    for (uint64_t gfn = 0; !ret && gfn < pages; gfn++) {
        uint64_t *word = xengt_sim_guest_page(world->sim, *domid, (struct xengt_gfn){gfn});
        for (size_t i = 0; i < XENGT_PAGE_SIZE / sizeof(*word); i++) {
            word[i] = pattern;
        }
    }
    return ret;
}

uint64_t world_changed_bytes(struct world *world, uint32_t domid, uint64_t pattern)
{
    uint64_t changed = 0;
    const uint8_t *expected = (const uint8_t *)&pattern;
    const uint8_t *page;
    for (uint64_t gfn = 0;
         (page = xengt_sim_guest_page(world->sim, domid, (struct xengt_gfn){gfn})); gfn++) {
        for (size_t i = 0; i < XENGT_PAGE_SIZE; i++) {
            changed += page[i] != expected[i % sizeof(pattern)];
        }
    }
    return changed;
}
