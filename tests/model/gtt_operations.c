/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations of guests on their GTTs, one after the other, as the world's chance will have it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gtt_world.h"

#define PAGE ((uint64_t)XENGT_PAGE_SIZE)

/* Few entries of each table are used, so that they meet. */
static const uint32_t places[] = {0, 1, 2, 3, 15, 16, 17, 31, 255, 256, 496, 510};

static uint32_t place(struct world *w)
{
    return places[world_random(w, sizeof(places) / sizeof(places[0]))];
}

static uint64_t data_gfn(struct world *w)
{
    return WORLD_TABLES + world_random(w, WORLD_PAGES - WORLD_TABLES);
}

/* What a guest may put into an entry, and what it should not. */
static uint64_t random_entry(struct world *w)
{
    uint64_t flags = 1 | world_random(w, 2) << 1 | world_random(w, 4) << 3;
    switch (world_random(w, 16)) {
    case 0:
    case 1:
    case 2:
        return 0;
    case 3:
        return (WORLD_PAGES + world_random(w, 1000)) * PAGE | flags; /* beyond RAM */
    case 4:
        return 0xe0000 * PAGE | flags; /* MMIO */
    case 5:
        return UINT64_C(0x3ffffffff) * PAGE | flags; /* as far as an entry reaches */
    case 6:
        return data_gfn(w) * PAGE | flags | 1 << 7; /* 2 MiB, 1 GiB or PAT */
    case 7:
        return world_random(w, WORLD_TABLES) * PAGE | flags | 1 << 11; /* 64 KiB pages */
    case 8:
        return (uint64_t)world_random(w, 1u << 31) << 32 | world_random(w, UINT32_MAX);
    case 9:
    case 10:
    case 11:
        return data_gfn(w) * PAGE | flags;
    default:
        return (1 + world_random(w, WORLD_TABLES - 1)) * PAGE | flags;
    }
}

static uint64_t random_table_address(struct world *w)
{
    return world_random(w, WORLD_TABLES) * PAGE + place(w) * 8u;
}

/* --- operations -------------------------------------------------------------------------- */

static void op_store(struct world_guest *g)
{
    world_store(g, random_table_address(g->world), random_entry(g->world), 8);
}

/* The way tables are filled: neighbouring entries, one after the other. */
static void op_store_run(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t at = world_random(w, WORLD_TABLES) * PAGE + world_random(w, 63) * 64ull;
    uint64_t gfn = data_gfn(w);
    for (unsigned i = 0; i < 8; i++, at += 8) {
        world_store(g, at, (gfn + i) % WORLD_PAGES * PAGE | 3, 8);
    }
}

static void op_store_half(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t entry = random_entry(w);
    uint64_t at = random_table_address(w);
    if (world_random(w, 2)) {
        world_store(g, at, entry, 4);
    }
    world_store(g, at + 4, entry >> 32, 4);
}

/* Not as page tables are written: the page is something else by now. The stamp stays. */
static void op_store_odd(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t at = world_random(w, WORLD_TABLES) * PAGE + world_random(w, 4000);
    static const unsigned sizes[] = {1, 2, 4, 8};
    world_store(g, at, world_random(w, UINT32_MAX), sizes[world_random(w, 4)]);
}

static void op_ggtt(struct world_guest *g)
{
    struct world *w = g->world;
    uint32_t entry = world_random(w, 2 * WORLD_WINDOW);
    unsigned how = world_random(w, 8);
    bool low = how != 0;
    bool high = how != 1;
    uint64_t value = world_random(w, 4) ? data_gfn(w) * PAGE | 1 : random_entry(w);
    world_store_ggtt(g, entry, value, low, high);
}

static void op_ggtt_outside(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t index = world_random(w, 2 * WORLD_GTT);
    bool mine =
        index - g->window[0].first < WORLD_WINDOW || index - g->window[1].first < WORLD_WINDOW;
    if (!mine) {
        gtt_write(g->gtt, index * 8, data_gfn(w) * PAGE | 1, 8);
    }
}

static struct gtt_root random_root(struct world *w)
{
    struct gtt_root root = {.levels = world_random(w, 3) ? 4 : 3};
    for (unsigned i = 0; i < 4; i++) {
        root.pdp[i] = world_random(w, world_random(w, 8) ? 6 : 2 * WORLD_PAGES) * PAGE;
    }
    if (world_random(w, 200) == 0) {
        root.pdp[0] += 8;
    }
    return root;
}

static void op_announce(struct world_guest *g)
{
    struct gtt_root root = random_root(g->world);
    if (g->announcements < WORLD_ROOTS_MAX && !gtt_ppgtt_create(g->gtt, &root)) {
        g->announced[g->announcements++] = root;
    }
    world_finish(g);
}

static void op_withdraw(struct world_guest *g)
{
    if (!g->announcements) {
        struct gtt_root root = random_root(g->world);
        gtt_ppgtt_destroy(g->gtt, &root);
        world_finish(g);
        return;
    }
    unsigned i = world_random(g->world, g->announcements);
    int ret = gtt_ppgtt_destroy(g->gtt, &g->announced[i]);
    world_finish(g);
    if (ret) {
        snprintf(g->world->problem, sizeof(g->world->problem), "destroy: %s", strerror(-ret));
    }
    g->announced[i] = g->announced[--g->announcements];
}

static bool root_is_good(struct world_guest *g, const struct gtt_root *root)
{
    bool any = false;
    for (unsigned i = 0; i < (root->levels == 4 ? 1 : 4); i++) {
        uint64_t gfn = root->pdp[i] / PAGE;
        if (root->pdp[i] % PAGE) {
            return false;
        }
        any |= gfn && world_page(g, gfn);
    }
    return any;
}

static void submit(struct world_guest *g, enum gpu_engine engine, const struct gtt_root *root)
{
    struct world *w = g->world;
    bool good = root_is_good(g, root);
    bool left;
    int ret;
    do { /* what was stored since it was left need not be in it */
        left = g->left[engine];
        g->client->busy[engine] = false;
        ret = world_submit(g, engine, root);
        g->left[engine] = ret == -EAGAIN;
    } while (left && !ret);
    if (ret == -EAGAIN ||
        (ret == -ENOSPC && (w->config->tables_max || w->config->fail_hypercalls))) {
        return;
    }
    if (good && ret && !w->tolerant) {
        snprintf(w->problem, sizeof(w->problem), "a good root is refused: %s", strerror(-ret));
    }
    if (!ret) {
        world_check_root(g, engine);
        world_check_ggtt(g);
    }
}

static void op_submit(struct world_guest *g)
{
    struct world *w = g->world;
    struct gtt_root root = g->announcements && world_random(w, 4)
                               ? g->announced[world_random(w, g->announcements)]
                               : random_root(w);
    submit(g, world_random(w, GPU_ENGINES), &root);
}

static void op_finish(struct world_guest *g)
{
    g->client->busy[world_random(g->world, GPU_ENGINES)] = false;
}

/* Many, so that the TLB knows what changes next. */
static void op_access(struct world_guest *g)
{
    struct world *w = g->world;
    enum gpu_engine engine = world_random(w, GPU_ENGINES);
    for (unsigned i = 0; i < 40; i++) {
        uint64_t page = 0;
        for (unsigned level = 0; level < 4; level++) {
            page = page << 9 | place(w);
        }
        world_access(g, engine, page);
        world_access_ggtt(g, world_random(w, 2 * WORLD_WINDOW));
    }
}

static void op_flush(struct world_guest *g)
{
    gtt_commit(g->gtt);
    world_finish(g);
    world_check_ggtt(g);
}

/* Sane guests take a page out of their tables before they give it away. */
static void op_balloon(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t gfn = world_random(w, 12) ? data_gfn(w) : world_random(w, WORLD_TABLES);
    if (g->out[gfn]) {
        world_balloon_in(g, gfn);
    } else {
        world_balloon_out(g, gfn);
    }
}

/* Tables of which the first entries lead from a root to a page. */
static void build_path(struct world_guest *g, const struct gtt_root *root, uint64_t *leaf)
{
    uint64_t at = root->pdp[0];
    for (uint64_t table = 6; table < 9; table++) {
        world_store(g, at, table * PAGE | 3, 8);
        at = table * PAGE;
    }
    *leaf = at + place(g->world) * 8u;
}

/* As drivers do it: takes the page out of its tables, gives it away, gets another, uses that. */
static void op_balloon_well(struct world_guest *g)
{
    struct world *w = g->world;
    const struct gtt_root root = {.levels = 4, .pdp = {5 * PAGE}};
    uint64_t gfn = data_gfn(w);
    uint64_t leaf;
    for (uint64_t table = 5; table < 9; table++) {
        if (g->out[table] || g->out[gfn]) {
            return;
        }
    }
    build_path(g, &root, &leaf);
    for (unsigned round = 0; round < 2; round++) {
        world_store(g, leaf, gfn * PAGE | 3, 8);
        submit(g, world_random(w, GPU_ENGINES), &root);
        world_store(g, leaf, 0, 8);
        if (round == 0) {
            world_balloon_out(g, gfn);
            world_balloon_in(g, gfn);
        }
    }
}

static void op_fail(struct world_guest *g)
{
    struct world *w = g->world;
    if (w->config->fail_hypercalls) {
        xengt_sim_fail_hypercall(w->sim, 1 + world_random(w, 6), -ENOMEM);
    }
}

static void op_expire(struct world_guest *g)
{
    xengt_space_expire(g->space);
}

static void op_reset(struct world_guest *g)
{
    world_reset(g);
    for (uint64_t gfn = 0; gfn < WORLD_PAGES; gfn++) {
        g->murky[gfn] = false;
        for (uint32_t i = 0; gfn < WORLD_TABLES && !g->out[gfn] && i < WORLD_STAMP; i++) {
            world_page(g, gfn)[i] = 0; /* a new driver, new tables */
        }
    }
}

/* The place of an entry that leads to a table, by chance the first or the last; none: no such. */
#define NO_PLACE UINT32_MAX
static uint32_t find_link(struct world_guest *g, uint64_t gfn)
{
    size_t count = sizeof(places) / sizeof(places[0]);
    size_t first = world_random(g->world, (uint32_t)count);
    const uint64_t *page = gfn < WORLD_PAGES ? world_page(g, gfn) : NULL;
    for (size_t i = 0; page && i < count; i++) {
        uint32_t at = places[(first + i) % count];
        if ((page[at] & (1 | 1 << 7)) == 1) {
            return at;
        }
    }
    return NO_PLACE;
}

/* A table is used, and then taken out of the one above while the GPU remembers its entries. */
static void op_unlink(struct world_guest *g)
{
    enum gpu_engine engine = world_random(g->world, GPU_ENGINES);
    const struct gtt_root *root = &g->submitted[engine];
    unsigned level = root->levels == 4 ? 4 : 2;
    uint64_t gfn = root->pdp[0] / PAGE;
    uint64_t page = 0;
    if (!root->levels) {
        return;
    }
    for (;; level--) {
        uint32_t at = find_link(g, gfn);
        if (at == NO_PLACE) {
            return;
        }
        page = page << 9 | at;
        uint64_t entry = gfn * PAGE + at * 8u;
        gfn = (world_page(g, gfn)[at] & UINT64_C(0x3ffffffff000)) / PAGE;
        if (level == 2) {
            for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                world_access(g, engine, page << 9 | places[i]);
            }
            world_store(g, entry, 0, 8);
            return;
        }
    }
}

static void op_replace(struct world_guest *g)
{
    struct world *w = g->world;
    int ret = world_replace(g);
    if (ret) {
        snprintf(w->problem, sizeof(w->problem), "no new guest: %s", strerror(-ret));
    }
}

static void op_verify(struct world_guest *g)
{
    world_verify(g);
}

static const struct {
    unsigned weight;
    void (*run)(struct world_guest *g);
} operations[] = {
    {300, op_store},  {100, op_store_run},   {40, op_store_half}, {6, op_store_odd},
    {100, op_ggtt},   {10, op_ggtt_outside}, {30, op_announce},   {25, op_withdraw},
    {80, op_submit},  {40, op_finish},       {200, op_access},    {20, op_flush},
    {10, op_balloon}, {10, op_balloon_well}, {4, op_fail},        {10, op_expire},
    {20, op_unlink},  {2, op_reset},         {1, op_replace},     {12, op_verify},
};

void world_step(struct world *w)
{
    unsigned total = 0;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        total += operations[i].weight;
    }
    unsigned at = world_random(w, total);
    size_t i = 0;
    for (; at >= operations[i].weight; i++) {
        at -= operations[i].weight;
    }
    operations[i].run(&w->guest[world_random(w, WORLD_GUESTS)]);
    for (unsigned g = 0; g < WORLD_GUESTS; g++) {
        world_deliver_late(&w->guest[g]);
    }
}

/* --- the configurations ------------------------------------------------------------------ */

const struct world_config world_configs[] = {
    {.name = "as it is"},
    {.name = "unmapping at once", .no_defer = true},
    {.name = "nobody can tell of stores", .no_tracker = true, .no_defer = true},
    {.name = "tracking fails now and then", .faulty_tracker = true},
    {.name = "every table tracked", .track_all = true, .no_defer = true},
    {.name = "each store committed", .track_all = true, .commit_each = true, .no_defer = true},
    {.name = "few copies", .oos_max = 3, .no_defer = true},
    {.name = "no tracking, few copies", .oos_max = 3, .no_tracker = true},
    {.name = "few tables", .tables_max = 9, .no_defer = true},
    {.name = "global GTT in RAM", .lazy = true, .no_defer = true},
    {.name = "quota", .quota = 40, .no_defer = true},
    {.name = "hypercalls fail", .fail_hypercalls = true},
    {.name = "in small portions", .portion = 100, .no_defer = true},
    {.name = "in portions, few copies", .portion = 700, .oos_max = 3, .no_defer = true},
    {.name = "in portions, few tables", .portion = 400, .tables_max = 9, .no_defer = true},
    {.name = "in portions, global GTT in RAM", .portion = 200, .lazy = true, .no_defer = true},
    {.name = "in portions, every table tracked", .portion = 200, .track_all = true},
};
const size_t world_configs_count = sizeof(world_configs) / sizeof(world_configs[0]);
