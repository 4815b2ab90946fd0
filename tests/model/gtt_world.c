/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The world of the GTT's model: guests, their memory and tables, and the oracle that walks them. */
#include "gtt_world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/target.h>
#include <xengt/xengt.h>

#define PTE_PRESENT 1u
#define PTE_PS      (1u << 7)
#define PTE_IPS     (1u << 11)
#define PTE_ADDRESS UINT64_C(0x00003ffffffff000)

/* xorshift64: the same sequence on every machine. */
uint32_t world_random(struct world *w, uint32_t below)
{
    if (w->input) {
        uint32_t value = 0;
        for (uint32_t rest = below - 1; rest && w->input_left; rest >>= 8) {
            value = value << 8 | *w->input++;
            w->input_left--;
        }
        return value % below;
    }
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 16) % below;
}

__attribute__((format(printf, 2, 3))) static bool wrong(struct world *w, const char *format, ...)
{
    va_list ap;
    if (!w->problem[0]) {
        va_start(ap, format);
        vsnprintf(w->problem, sizeof(w->problem), format, ap);
        va_end(ap);
    }
    return false;
}

/* --- pages ------------------------------------------------------------------------------- */

static uint64_t stamp_of(const struct world_guest *g, uint64_t gfn, uint64_t serial)
{
    return serial << 24 | gfn << 8 | g->number << 4;
}

static bool stamp_is(const struct world_guest *g, uint64_t gfn, uint64_t stamp)
{
    return (stamp >> 4 & 0xf) == g->number && (stamp >> 8 & 0xffff) == gfn && stamp >> 24;
}

uint64_t *world_page(struct world_guest *g, uint64_t gfn)
{
    return gfn < WORLD_PAGES
               ? xengt_sim_guest_page(g->world->sim, g->domid, (struct xengt_gfn){gfn})
               : NULL;
}

static void stamp(struct world_guest *g, uint64_t gfn)
{
    world_page(g, gfn)[WORLD_STAMP] = stamp_of(g, gfn, ++g->world->serial);
}

/* Entries that a portion writes beyond what it was allowed. */
#define WORLD_BATCH 256u

/* --- the callbacks ----------------------------------------------------------------------- */

static bool gpu_holds(void *arg, struct xengt_bfn bfn)
{
    struct world *w = arg;
    return tables_hold(&w->gpu.tables, bfn.v);
}

static void allow(struct world_guest *g)
{
    uint32_t portion = g->world->config->portion;
    if (portion) {
        gtt_allow(g->gtt, 1 + world_random(g->world, portion));
    }
}

/*
 * One portion: what is done in it must be bounded by what was allowed, and by what is begun with
 * the last unit of it, a batch.
 */
static bool finish_some(struct world_guest *g)
{
    const struct gpu_stats *stats = &g->world->gpu.stats;
    uint64_t before = stats->ptes_written;
    bool done = gtt_finish(g->gtt);
    uint64_t ptes = stats->ptes_written - before;
    if (g->world->config->portion && ptes > g->world->config->portion + WORLD_BATCH) {
        wrong(g->world, "%" PRIu64 " PTEs are written in one portion", ptes);
    }
    return done;
}

void world_finish(struct world_guest *g)
{
    struct world *w = g->world;
    while (!finish_some(g)) {
        struct world_guest *other = &w->guest[world_random(w, WORLD_GUESTS)];
        allow(g);
        if (other->gtt && other != g) {
            allow(other);
            gtt_work(other->gtt);
        }
    }
}

static void layout_changed(void *arg, uint32_t domid)
{
    struct world *w = arg;
    for (unsigned i = 0; i < WORLD_GUESTS; i++) {
        if (w->guest[i].domid == domid && w->guest[i].gtt) {
            gtt_guest_layout_changed(w->guest[i].gtt);
            world_finish(&w->guest[i]);
        }
    }
}

/*
 * Another of the guest's processors stores at the moment when tracking is switched: on, the store
 * just goes through; off, it was trapped and comes later.
 */
static void race(struct world_guest *g, uint64_t gfn, bool on)
{
    struct world *w = g->world;
    uint64_t gpa = gfn * XENGT_PAGE_SIZE + world_random(w, WORLD_STAMP) * 8ull;
    uint64_t entry = world_random(w, WORLD_PAGES) * (uint64_t)XENGT_PAGE_SIZE | 3;
    uint64_t *page = world_page(g, gfn);
    if (world_random(w, 4) || !page) {
        return;
    }
    if (on) {
        page[gpa % XENGT_PAGE_SIZE / 8] = entry;
    } else if (!g->late_gpa) {
        g->late_gpa = gpa;
        g->late_value = entry;
    }
}

void world_deliver_late(struct world_guest *g)
{
    if (g->late_gpa) {
        uint64_t gpa = g->late_gpa;
        g->late_gpa = 0;
        gtt_table_write(g->gtt, gpa, g->late_value, 8);
        world_finish(g);
    }
}

static int track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    struct world_guest *g = arg;
    bool fails = g->world->config->faulty_tracker && world_random(g->world, 4) == 0;
    for (size_t i = 0; i < (fails ? n / 2 : n); i++) {
        if (gfn[i].v >= WORLD_PAGES) {
            continue;
        }
        if (!fails && g->gtt && g->tracked[gfn[i].v] != on) {
            race(g, gfn[i].v, on);
        }
        g->tracked[gfn[i].v] = on;
    }
    return fails ? -EAGAIN : 0;
}

/* --- making ------------------------------------------------------------------------------ */

static int open_guest(struct world_guest *g)
{
    struct world *w = g->world;
    char name[16];
    snprintf(name, sizeof(name), "guest%u", g->number);
    const struct xengt_sim_domain domain = {.name = name, .pages = WORLD_PAGES};
    const struct xengt_space_options space = {.quota = w->config->quota,
                                              .no_defer = w->config->no_defer};
    int ret = xengt_sim_domain_create(w->sim, &domain, &g->domid);
    if (!ret) {
        ret = xengt_target_add(w->xengt, g->domid);
    }
    if (!ret) {
        ret = xengt_space_open(w->xengt, g->domid, &space, &g->space);
    }
    if (ret) {
        return ret;
    }
    for (uint64_t gfn = 0; gfn < WORLD_PAGES; gfn++) {
        stamp(g, gfn);
    }
    g->window[0] = (struct gpu_range){(g->number - 1) * WORLD_WINDOW, WORLD_WINDOW};
    g->window[1] = (struct gpu_range){WORLD_GTT - g->number * WORLD_WINDOW, WORLD_WINDOW};
    if (w->config->lazy) {
        g->lazy = calloc(WORLD_GTT, sizeof(*g->lazy));
    }
    const struct gtt_config gtt = {
        .xengt = w->xengt,
        .space = g->space,
        .gpu = &w->gpu.base,
        .tracker = {.track = w->config->no_tracker ? NULL : track, .arg = g},
        .lazy = g->lazy,
        .mappable = g->window[0],
        .unmappable = g->window[1],
        .tables_max = w->config->tables_max,
        .oos_max = w->config->oos_max,
        .track_after = 4,
        .hash_key = UINT64_C(0x9e3779b97f4a7c15),
        .track_all = w->config->track_all,
        .commit_each = w->config->commit_each,
    };
    ret = gtt_create(&gtt, &g->gtt);
    g->client = w->gpu.clients;
    if (!ret) {
        allow(g);
    }
    return ret;
}

int world_open(struct world *w, const struct world_config *config, uint64_t seed)
{
    struct xengt_bfn scratch;
    void *page;
    memset(w, 0, sizeof(*w));
    w->config = config;
    w->tolerant = config->fail_hypercalls || config->quota;
    w->random = seed;
    w->sim = xengt_sim_new();
    if (!w->sim) {
        return -ENOMEM;
    }
    char error[256];
    const struct xengt_options xo = {.backend = XENGT_BACKEND_SIM, .sim = w->sim};
    int ret = xengt_open(&w->xengt, &xo, error, sizeof(error));
    if (!ret) {
        ret = xengt_sim_own_frame(w->sim, &scratch, &page);
    }
    if (!ret) {
        ret = table_gpu_init(&w->gpu, WORLD_GTT, xengt_bfn_to_addr(scratch), true);
    }
    for (unsigned i = 0; !ret && i < WORLD_GUESTS; i++) {
        w->guest[i] = (struct world_guest){.world = w, .number = i + 1};
        ret = open_guest(&w->guest[i]);
    }
    xengt_sim_on_unmap(w->sim, gpu_holds, w);
    xengt_sim_on_invalidate(w->sim, layout_changed, w);
    return ret;
}

static void close_guest(struct world_guest *g)
{
    struct world *w = g->world;
    gtt_destroy(g->gtt);
    g->gtt = NULL;
    xengt_space_close(g->space);
    xengt_target_remove(w->xengt, g->domid);
    free(g->lazy);
    for (unsigned gfn = 0; gfn < WORLD_PAGES; gfn++) {
        if (g->tracked[gfn] && !w->config->faulty_tracker) {
            wrong(w, "gfn %u stays tracked after the GTT's end", gfn);
        }
    }
    if (!w->config->fail_hypercalls && xengt_sim_domain_is_zombie(w->sim, g->domid)) {
        wrong(w, "guest %u is a zombie", g->number);
    }
}

void world_close(struct world *w)
{
    for (unsigned i = 0; i < WORLD_GUESTS; i++) {
        if (w->guest[i].world) {
            close_guest(&w->guest[i]);
        }
    }
    xengt_close(w->xengt);
    table_gpu_fini(&w->gpu);
    xengt_sim_free(w->sim);
}

int world_replace(struct world_guest *g)
{
    struct world *w = g->world;
    xengt_sim_domain_destroy(w->sim, g->domid);
    close_guest(g);
    *g = (struct world_guest){.world = w, .number = g->number};
    return open_guest(g);
}

/* --- what is tracked --------------------------------------------------------------------- */

/* Does a table that is tracked, and so is what the guest last made it, lead to the page? */
static bool is_led_to(struct world_guest *g, uint64_t gfn)
{
    for (uint64_t t = 0; t < WORLD_PAGES; t++) {
        const uint64_t *page = g->tracked[t] ? world_page(g, t) : NULL;
        for (uint32_t i = 0; page && i < GPU_TABLE_ENTRIES; i++) {
            if (page[i] & PTE_PRESENT && (page[i] & PTE_ADDRESS) >> XENGT_PAGE_SHIFT == gfn) {
                return true;
            }
        }
    }
    return false;
}

/*
 * No page is tracked that the guest may take for a page like any other. Where it gave a table's
 * page away, the old page still is the table, and the guest cannot say any more what is in it.
 */
static bool check_tracked(struct world_guest *g)
{
    if (g->world->config->faulty_tracker || g->world->config->track_all) {
        return true;
    }
    for (uint64_t gfn = 0; gfn < WORLD_PAGES; gfn++) {
        if (g->tracked[gfn] && g->murky[gfn]) {
            return true;
        }
    }
    for (uint64_t gfn = 0; gfn < WORLD_PAGES; gfn++) {
        if (g->tracked[gfn] && !g->was_root[gfn] && !is_led_to(g, gfn)) {
            return wrong(g->world, "gfn %" PRIu64 " is tracked, and no table leads to it", gfn);
        }
    }
    return true;
}

/* --- what a guest does ------------------------------------------------------------------- */

void world_store(struct world_guest *g, uint64_t gpa, uint64_t value, unsigned size)
{
    uint64_t gfn = gpa / XENGT_PAGE_SIZE;
    uint8_t *page = (uint8_t *)world_page(g, gfn);
    if (gfn >= WORLD_PAGES || !g->tracked[gfn]) {
        if (page) {
            memcpy(page + gpa % XENGT_PAGE_SIZE, &value, size);
        }
        return;
    }
    gtt_table_write(g->gtt, gpa, value, size);
    world_finish(g);
    /* Where the guest gave a page away that is a table, its store goes to the old one. */
    if (page && !g->murky[gfn] && memcmp(page + gpa % XENGT_PAGE_SIZE, &value, size) != 0) {
        wrong(g->world, "a trapped store at 0x%" PRIx64 " was not done", gpa);
    }
    check_tracked(g);
}

void world_store_ggtt(struct world_guest *g, uint32_t entry, uint64_t value, bool low, bool high)
{
    uint32_t index = entry < WORLD_WINDOW ? g->window[0].first + entry
                                          : g->window[1].first + (entry - WORLD_WINDOW);
    uint64_t mask = (low ? UINT32_MAX : 0) | (high ? (uint64_t)UINT32_MAX << 32 : 0);
    g->ggtt[entry] = (g->ggtt[entry] & ~mask) | (value & mask);
    if (g->lazy) {
        g->lazy[index] = g->ggtt[entry];
        return;
    }
    if (low && high) {
        g->halves[entry] = 0;
        gtt_write(g->gtt, index * 8ull, value, 8);
        return;
    }
    g->halves[entry] |= low ? 1 : 2;
    if (g->halves[entry] == 3) {
        g->halves[entry] = 0;
    }
    gtt_write(g->gtt, index * 8ull + (low ? 0 : 4), low ? (uint32_t)value : value >> 32, 4);
}

/* Any entry of a table or of the global GTT, alone or as part of a larger page. */
static bool is_referred_to(struct world_guest *g, uint64_t gfn)
{
    for (uint64_t t = 0; t < WORLD_PAGES; t++) {
        const uint64_t *page = world_page(g, t);
        for (uint32_t i = 0; page && i < GPU_TABLE_ENTRIES; i++) {
            uint64_t first = (page[i] & PTE_ADDRESS) >> XENGT_PAGE_SHIFT;
            uint64_t frames = page[i] & PTE_PS ? 512 : 16;
            if (page[i] & PTE_PRESENT && (first ^ gfn) < frames) {
                return true;
            }
        }
    }
    for (uint32_t e = 0; e < 2 * WORLD_WINDOW; e++) {
        if (g->ggtt[e] & PTE_PRESENT && (g->ggtt[e] & PTE_ADDRESS) >> XENGT_PAGE_SHIFT == gfn) {
            return true;
        }
    }
    return false;
}

int world_balloon_out(struct world_guest *g, uint64_t gfn)
{
    bool table = gfn < WORLD_TABLES;
    g->murky[gfn] |= table || is_referred_to(g, gfn);
    int ret = xengt_sim_balloon_out(g->world->sim, g->domid, (struct xengt_gfn){gfn});
    if (!ret) {
        g->out[gfn] = true;
    }
    return ret;
}

int world_balloon_in(struct world_guest *g, uint64_t gfn)
{
    int ret = xengt_sim_balloon_in(g->world->sim, g->domid, (struct xengt_gfn){gfn});
    g->murky[gfn] |= gfn < WORLD_TABLES || is_referred_to(g, gfn);
    if (!ret) {
        g->out[gfn] = false;
        stamp(g, gfn);
    }
    return ret;
}

int world_submit(struct world_guest *g, enum gpu_engine engine, const struct gtt_root *root)
{
    static const uint32_t noop = 0;
    const struct gpu_buffer buffer = {.dw = &noop, .count = 1, .run = true};
    const struct gtt_workload work = {
        .engine = engine, .root = *root, .buffer = &buffer, .buffers = 1};
    int ret = gtt_submit(g->gtt, &work);
    while (ret == -EAGAIN && world_random(g->world, 8)) {
        allow(g);
        ret = gtt_submit(g->gtt, &work);
    }
    for (unsigned i = 0; i < 4; i++) { /* never announced, it may stay tracked for long */
        if (root->pdp[i] / XENGT_PAGE_SIZE < WORLD_PAGES) {
            g->was_root[root->pdp[i] / XENGT_PAGE_SIZE] = true;
        }
    }
    if (!ret) {
        g->submitted[engine] = *root;
    }
    return ret;
}

void world_reset(struct world_guest *g)
{
    gtt_reset(g->gtt);
    world_finish(g);
    memset(g->left, 0, sizeof(g->left));
    memset(g->ggtt, 0, sizeof(g->ggtt));
    memset(g->halves, 0, sizeof(g->halves));
    memset(g->submitted, 0, sizeof(g->submitted));
    g->announcements = 0;
    xengt_space_flush(g->space);
}

/* --- the oracle -------------------------------------------------------------------------- */

/* One walk: which of the GPU's tables stands for which page, seen as which kind of table. */
struct walk {
    struct world_guest *g;
    struct {
        uint32_t kind; /* level, and 8 for one of 64 KiB pages */
        uint64_t gfn;
        uint32_t table;
    } seen[4 * WORLD_TABLES + 64];
    unsigned seen_count;
    uint32_t scratch[4]; /* tables found to be all scratch, by level */
};

static uint32_t table_in(uint64_t pte)
{
    return pte & PTE_PRESENT ? (uint32_t)((pte & PTE_ADDRESS) >> XENGT_PAGE_SHIFT) : 0;
}

/* Nothing below the entry leads anywhere but to the scratch page. */
static bool is_scratch(struct walk *walk, unsigned level, uint64_t pte)
{
    struct world *w = walk->g->world;
    if (level == 1) {
        return (pte & ~(uint64_t)GPU_PTE_WRITABLE) == w->gpu.scratch_pte;
    }
    uint32_t table = table_in(pte);
    if (table && table == walk->scratch[level - 1]) {
        return true;
    }
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        if (!table || !is_scratch(walk, level - 1, tables_read(&w->gpu.tables, table, i))) {
            return false;
        }
    }
    walk->scratch[level - 1] = table;
    return true;
}

static uint64_t stamp_at(struct world *w, uint64_t pte)
{
    uint64_t stamp = 0;
    if (xengt_sim_dma_read(w->sim, (pte & PTE_ADDRESS) + WORLD_STAMP * 8ull, &stamp, 8)) {
        wrong(w, "the IOMMU stopped an access by entry 0x%" PRIx64, pte);
    }
    return stamp;
}

/* An entry that the guest has made point to gfn. */
static bool check_page(struct walk *walk, uint64_t gfn, uint64_t pte)
{
    struct world_guest *g = walk->g;
    struct world *w = g->world;
    const uint64_t *page = world_page(g, gfn);
    bool murky = gfn < WORLD_PAGES && g->murky[gfn];
    if (is_scratch(walk, 1, pte)) {
        return !page || murky || w->tolerant || wrong(w, "gfn 0x%" PRIx64 " is scratch", gfn);
    }
    uint64_t stamp = stamp_at(w, pte);
    if (murky ? stamp_is(g, gfn, stamp) : page && page[WORLD_STAMP] == stamp) {
        return true;
    }
    return wrong(w, "guest %u gfn 0x%" PRIx64 ": the GPU sees page 0x%" PRIx64 ", not 0x%" PRIx64,
                 g->number, gfn, stamp, page ? page[WORLD_STAMP] : 0);
}

static bool check_table(struct walk *walk, unsigned level, bool pages_64k, uint64_t gfn,
                        uint32_t table);
static bool check_entries(struct walk *walk, unsigned level, bool pages_64k, uint64_t gfn,
                          uint32_t table);

static bool check_small(struct walk *walk, const uint64_t *guest, bool pages_64k, uint32_t i,
                        uint64_t pte)
{
    uint64_t entry = guest[pages_64k ? i & ~15u : i];
    uint64_t gfn = (entry & PTE_ADDRESS) >> XENGT_PAGE_SHIFT;
    if (pages_64k) {
        gfn = (gfn & ~UINT64_C(15)) + i % 16;
    }
    if (entry & PTE_PRESENT) {
        return check_page(walk, gfn, pte);
    }
    return is_scratch(walk, 1, pte) ||
           wrong(walk->g->world, "entry 0x%" PRIx64 " is not scratch but 0x%" PRIx64, entry, pte);
}

/* Pieces of a page of 2 MiB. */
static bool check_split(struct walk *walk, uint64_t entry, uint32_t table)
{
    uint64_t first = (entry & PTE_ADDRESS) >> XENGT_PAGE_SHIFT & ~UINT64_C(511);
    bool good = true;
    for (uint32_t i = 0; good && i < GPU_TABLE_ENTRIES; i++) {
        good = check_page(walk, first + i, tables_read(&walk->g->world->gpu.tables, table, i));
    }
    return good;
}

static bool check_link(struct walk *walk, unsigned level, uint64_t entry, uint64_t pte)
{
    struct world *w = walk->g->world;
    uint64_t gfn = (entry & PTE_ADDRESS) >> XENGT_PAGE_SHIFT;
    bool huge = entry & PTE_PS && level <= 3;
    bool murky = gfn < WORLD_PAGES && walk->g->murky[gfn];
    bool good =
        entry & PTE_PRESENT && !(huge && level == 3) && (huge || world_page(walk->g, gfn) || murky);
    bool scratch = is_scratch(walk, level, pte);
    if (!good) {
        return scratch ||
               wrong(w, "entry 0x%" PRIx64 " of level %u should be scratch, not 0x%" PRIx64, entry,
                     level, pte);
    }
    if (scratch && (w->tolerant || murky)) {
        return true;
    }
    if (huge) {
        return check_split(walk, entry, table_in(pte));
    }
    bool pages_64k = level == 2 && entry & PTE_IPS;
    /* A table in which the guest has nothing looks like scratch; what it has would be missed. */
    return scratch ? check_entries(walk, level - 1, pages_64k, gfn, table_in(pte))
                   : check_table(walk, level - 1, pages_64k, gfn, table_in(pte));
}

static bool check_entries(struct walk *walk, unsigned level, bool pages_64k, uint64_t gfn,
                          uint32_t table)
{
    const uint64_t *guest = world_page(walk->g, gfn);
    bool good = true;
    if (!guest || walk->g->murky[gfn]) {
        return true; /* what the GPU sees of a table that was given away is not defined */
    }
    for (uint32_t i = 0; good && i < GPU_TABLE_ENTRIES; i++) {
        uint64_t pte = tables_read(&walk->g->world->gpu.tables, table, i);
        good = level == 1 ? check_small(walk, guest, pages_64k, i, pte)
                          : check_link(walk, level, guest[i], pte);
    }
    return good;
}

/* Each page is looked at once as each kind of table; it has one shadow only. */
static bool check_table(struct walk *walk, unsigned level, bool pages_64k, uint64_t gfn,
                        uint32_t table)
{
    uint32_t kind = level | (pages_64k ? 8 : 0);
    for (unsigned i = 0; i < walk->seen_count; i++) {
        if (walk->seen[i].kind == kind && walk->seen[i].gfn == gfn) {
            return walk->seen[i].table == table || walk->g->world->tolerant ||
                   wrong(walk->g->world, "table gfn 0x%" PRIx64 " has two shadows", gfn);
        }
    }
    if (walk->seen_count == sizeof(walk->seen) / sizeof(walk->seen[0])) {
        return true;
    }
    walk->seen[walk->seen_count].kind = kind;
    walk->seen[walk->seen_count].gfn = gfn;
    walk->seen[walk->seen_count++].table = table;
    return check_entries(walk, level, pages_64k, gfn, table);
}

bool world_check_root(struct world_guest *g, enum gpu_engine engine)
{
    const struct gtt_root *root = &g->submitted[engine];
    const struct gpu_root *shadow = &g->client->root[engine];
    struct walk walk = {.g = g};
    bool good = true;
    for (unsigned i = 0; good && i < (root->levels == 4 ? 1 : 4); i++) {
        uint64_t gfn = root->pdp[i] >> XENGT_PAGE_SHIFT;
        if (gfn && gfn < WORLD_PAGES && world_page(g, gfn)) {
            good = check_table(&walk, root->levels == 4 ? 4 : 2, false, gfn, shadow->table[i]);
        }
    }
    return good;
}

bool world_check_ggtt(struct world_guest *g)
{
    struct walk walk = {.g = g};
    bool good = true;
    for (uint32_t e = 0; good && e < 2 * WORLD_WINDOW; e++) {
        uint32_t index =
            e < WORLD_WINDOW ? g->window[0].first + e : g->window[1].first + (e - WORLD_WINDOW);
        uint64_t pte = tables_read(&g->world->gpu.tables, GPU_GGTT, index);
        if (g->ggtt[e] & PTE_PRESENT && !g->halves[e]) {
            good = check_page(&walk, (g->ggtt[e] & PTE_ADDRESS) >> XENGT_PAGE_SHIFT, pte);
        } else {
            good = pte == g->world->gpu.scratch_pte ||
                   wrong(g->world, "GGTT entry %u is not scratch", e);
        }
    }
    return good;
}

bool world_verify(struct world_guest *g)
{
    char error[200] = "";
    if (gtt_verify(g->gtt, error, sizeof(error))) {
        return wrong(g->world, "verify: %s", error);
    }
    world_finish(g);
    return check_tracked(g);
}

static bool reaches_own(struct world_guest *g, uint64_t pte)
{
    struct world *w = g->world;
    if (!(pte & PTE_PRESENT) || is_scratch(&(struct walk){.g = g}, 1, pte)) {
        return true;
    }
    uint64_t stamp = stamp_at(w, pte);
    return (stamp >> 4 & 0xf) == g->number ||
           wrong(w, "guest %u reaches page 0x%" PRIx64, g->number, stamp);
}

bool world_access(struct world_guest *g, enum gpu_engine engine, uint64_t page)
{
    return !g->client->busy[engine] ||
           reaches_own(g,
                       tables_lookup_ppgtt(&g->world->gpu.tables, &g->client->root[engine], page));
}

bool world_access_ggtt(struct world_guest *g, uint32_t entry)
{
    uint32_t index = entry < WORLD_WINDOW ? g->window[0].first + entry
                                          : g->window[1].first + (entry - WORLD_WINDOW);
    return reaches_own(g, tables_lookup_ggtt(&g->world->gpu.tables, index));
}
