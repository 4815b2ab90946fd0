/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random operations of two guests on their GTTs, in every configuration, against the oracle of
 * gtt_world.h: at each submission the GPU must see what the guest's tables say, at every moment
 * nothing but the guest's own pages, and the simulator must not have seen a rule broken.
 *
 * XENGT_MODEL_OPERATIONS=N: operations per configuration, XENGT_MODEL_SEED=N: another sequence.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"

#include "gtt_world.h"

#define OPERATIONS 12000u
#define PAGE       ((uint64_t)XENGT_PAGE_SIZE)

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

/* --- operations ---------------------------------------------------------------------------- */

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
}

static void op_withdraw(struct world_guest *g)
{
    if (!g->announcements) {
        struct gtt_root root = random_root(g->world);
        gtt_ppgtt_destroy(g->gtt, &root);
        return;
    }
    unsigned i = world_random(g->world, g->announcements);
    assert_int_equal(gtt_ppgtt_destroy(g->gtt, &g->announced[i]), 0);
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

static void op_submit(struct world_guest *g)
{
    struct world *w = g->world;
    enum gpu_engine engine = world_random(w, GPU_ENGINES);
    struct gtt_root root = g->announcements && world_random(w, 4)
                               ? g->announced[world_random(w, g->announcements)]
                               : random_root(w);
    g->client->busy[engine] = false;
    bool good = root_is_good(g, &root);
    int ret = world_submit(g, engine, &root);
    if (ret == -ENOSPC && (w->config->tables_max || w->config->fail_hypercalls)) {
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

static void op_finish(struct world_guest *g)
{
    g->client->busy[world_random(g->world, GPU_ENGINES)] = false;
}

static void op_access(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t page = 0;
    for (unsigned level = 0; level < 4; level++) {
        page = page << 9 | place(w);
    }
    world_access(g, world_random(w, GPU_ENGINES), page);
}

static void op_flush(struct world_guest *g)
{
    gtt_forward(g->gtt, &(struct gtt_access){.kind = GTT_ACCESS_FLUSH});
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

/* Takes every entry that points to a page out, gives the page away, gets another one, uses it. */
static void op_balloon_well(struct world_guest *g)
{
    struct world *w = g->world;
    uint64_t gfn = data_gfn(w);
    uint64_t at = random_table_address(w);
    uint64_t entry = gfn * PAGE | 3;
    if (g->out[gfn]) {
        return;
    }
    world_store(g, at, entry, 8);
    op_submit(g);
    world_store(g, at, 0, 8);
    world_balloon_out(g, gfn);
    world_balloon_in(g, gfn);
    world_store(g, at, entry, 8);
    op_submit(g);
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

static void op_replace(struct world_guest *g)
{
    assert_int_equal(world_replace(g), 0);
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
    {2, op_reset},    {1, op_replace},       {12, op_verify},
};

static void step(struct world *w)
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
}

/* --- the runs ------------------------------------------------------------------------------ */

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *value = getenv(name);
    return value ? strtoul(value, NULL, 0) : otherwise;
}

static void check_no_violation(struct world *w, unsigned long n)
{
    struct xengt_sim_stats stats;
    xengt_sim_get_stats(w->sim, &stats);
    if (stats.violations) {
        fail_msg("%s, operation %lu: %s", w->config->name, n, xengt_sim_violation(w->sim));
    }
    if (w->problem[0]) {
        fail_msg("%s, operation %lu: %s", w->config->name, n, w->problem);
    }
}

static void run_model(void **state)
{
    const struct world_config *config = *state;
    unsigned long operations_max = setting("XENGT_MODEL_OPERATIONS", OPERATIONS);
    static struct world world;
    assert_int_equal(world_open(&world, config, setting("XENGT_MODEL_SEED", 20141203)), 0);
    world.tolerant = config->fail_hypercalls || config->quota;
    for (unsigned long n = 0; n < operations_max; n++) {
        step(&world);
        check_no_violation(&world, n);
    }
    world_close(&world);
    assert_string_equal(world.problem, "");
}

static struct world_config configs[] = {
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
};

int main(void)
{
    struct CMUnitTest tests[sizeof(configs) / sizeof(configs[0])];
    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        tests[i] = (struct CMUnitTest){
            .name = configs[i].name, .test_func = run_model, .initial_state = &configs[i]};
    }
    return _cmocka_run_group_tests("gtt model", tests, sizeof(tests) / sizeof(tests[0]), NULL,
                                   NULL);
}
