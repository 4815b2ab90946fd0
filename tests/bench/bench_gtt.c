/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-gtt changes GUESTS PAGES [random] | instructions GUESTS PAGES | unchanged | clear | memory
 *
 * What the shadow GTT costs, over a back end and a GPU that do nothing: see gtt_rig.h. PAGES are
 * mapped by each guest, by tables that are tracked; the tables that change are out of sync.
 *
 *   changes       nanoseconds for each PTE: changed to another page that is mapped already, from
 *                 the guest's store to the release of the old page; and to one that is not
 *   instructions  the same, to be run under callgrind, which dumps at "changed" and "first_map"
 *   unchanged     comparison of tables in which nothing changed, by memcmp of as many bytes
 *   clear         of a window of 1 GiB, by memset of as many bytes as it has entries
 *   memory        bytes for each table, beside shadow and copy
 */
#include <err.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>
#include <xengt/space.h>

#include "gtt/state.h"
#include "gtt_rig.h"
#include "measure.h"

#define SAMPLES    31u
#define HOT        4u /* tables that change: one batch */
#define HOT_PTES   (HOT * GPU_TABLE_ENTRIES)
#define SETTLED    64u /* commits after which tables that are quiet are tracked */
#define INSTR_RUNS 8u

static void say(const char *name, double value, const char *unit)
{
    printf("{\"gtt\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"}\n", name, value, unit);
}

static void fill_tables(const struct rig *rig, unsigned guest, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        rig_table(rig, guest, i / GPU_TABLE_ENTRIES)[i % GPU_TABLE_ENTRIES] = rig_pte(i);
    }
}

/* --- changes ----------------------------------------------------------------------------- */

struct changes {
    struct rig *rig;
    uint32_t pages;  /* that are mapped */
    uint32_t *order; /* in which changed entries point to them, and behind them to others */
    uint32_t next;
};

/* The same sequence each time. */
static void shuffle(uint32_t *order, uint32_t n)
{
    uint64_t random = 88172645463325252u;
    for (uint32_t i = n - 1; i > 0; i--) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint32_t other = (uint32_t)(random >> 16) % (i + 1);
        uint32_t kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

static uint32_t cold_tables(uint32_t pages)
{
    return (pages + GPU_TABLE_ENTRIES - 1) / GPU_TABLE_ENTRIES;
}

/* Stores as a driver fills tables, to each in turn. */
static void store_hot(const struct changes *c, unsigned guest, const uint32_t *page)
{
    for (uint32_t t = 0; t < HOT; t++) {
        uint64_t *table = rig_table(c->rig, guest, cold_tables(c->pages) + t);
        for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
            table[i] = rig_pte(page[t * GPU_TABLE_ENTRIES + i]);
        }
    }
}

static void change_hot(struct changes *c, unsigned guest)
{
    if (c->next + HOT_PTES > c->pages) {
        c->next = (c->next + 1) % GPU_TABLE_ENTRIES;
    }
    store_hot(c, guest, &c->order[c->next]);
    gtt_commit(c->rig->guest[guest].gtt);
    c->next += HOT_PTES;
}

static struct changes changes_open(unsigned guests, uint32_t pages, bool random)
{
    const struct rig_options options = {.guests = guests, .tables = cold_tables(pages) + HOT};
    struct changes c = {.rig = rig_open(&options), .pages = pages};
    c.order = calloc(pages + HOT_PTES, sizeof(*c.order));
    if (!c.order) {
        err(1, "order");
    }
    for (uint32_t i = 0; i < pages + HOT_PTES; i++) {
        c.order[i] = i;
    }
    if (random) {
        shuffle(c.order, pages);
        shuffle(c.order + pages, HOT_PTES);
    }
    for (unsigned g = 0; g < guests; g++) {
        fill_tables(c.rig, g, pages);
        for (unsigned i = 0; i < SETTLED; i++) {
            change_hot(&c, g);
        }
    }
    return c;
}

static void changes_close(struct changes *c)
{
    rig_close(c->rig);
    free(c->order);
}

/* Entries that held nothing point to pages that are not mapped. */
static void first_map(struct changes *c, unsigned guest)
{
    store_hot(c, guest, &c->order[c->pages]);
    gtt_commit(c->rig->guest[guest].gtt);
}

static void forget_hot(struct changes *c, unsigned guest)
{
    for (uint32_t t = 0; t < HOT; t++) {
        memset(rig_table(c->rig, guest, cold_tables(c->pages) + t), 0, XENGT_PAGE_SIZE);
    }
    gtt_commit(c->rig->guest[guest].gtt);
    xengt_space_flush(c->rig->guest[guest].space);
}

static void bench_changes(unsigned guests, uint32_t pages, bool random)
{
    double changed[SAMPLES];
    double first[SAMPLES];
    struct changes c = changes_open(guests, pages, random);
    for (unsigned s = 0; s < SAMPLES; s++) {
        double start = now_ns();
        for (unsigned g = 0; g < guests; g++) {
            change_hot(&c, g);
        }
        changed[s] = (now_ns() - start) / guests / HOT_PTES;
    }
    for (unsigned s = 0; s < SAMPLES; s++) {
        for (unsigned g = 0; g < guests; g++) {
            forget_hot(&c, g);
        }
        double start = now_ns();
        for (unsigned g = 0; g < guests; g++) {
            first_map(&c, g);
        }
        first[s] = (now_ns() - start) / guests / HOT_PTES;
    }
    say("changed_pte_ns", median(changed, SAMPLES), "ns");
    say("first_map_ns", median(first, SAMPLES), "ns");
    changes_close(&c);
}

static void bench_instructions(unsigned guests, uint32_t pages)
{
    struct changes c = changes_open(guests, pages, false);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    for (unsigned i = 0; i < INSTR_RUNS; i++) {
        for (unsigned g = 0; g < guests; g++) {
            change_hot(&c, g);
        }
    }
    CALLGRIND_DUMP_STATS_AT("changed");
    CALLGRIND_STOP_INSTRUMENTATION;
    for (unsigned g = 0; g < guests; g++) {
        forget_hot(&c, g);
    }
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    for (unsigned g = 0; g < guests; g++) {
        first_map(&c, g);
    }
    CALLGRIND_DUMP_STATS_AT("first_map");
    CALLGRIND_STOP_INSTRUMENTATION;
    printf("{\"mark\":\"changed\",\"n\":%u}\n", INSTR_RUNS * guests * HOT_PTES);
    printf("{\"mark\":\"first_map\",\"n\":%u}\n", guests * HOT_PTES);
    changes_close(&c);
}

/* --- nothing changed --------------------------------------------------------------------- */

/* Not just declared to do so: the compiler may not leave it out. */
static int (*volatile compare)(const void *, const void *, size_t) = memcmp;

struct pair {
    const void *guest;
    const void *copy;
};

static double memcmp_ns(const struct pair *pair, uint32_t n)
{
    double start = now_ns();
    for (uint32_t i = 0; i < n; i++) {
        if (compare(pair[i].copy, pair[i].guest, XENGT_PAGE_SIZE)) {
            errx(1, "a table has changed");
        }
    }
    return now_ns() - start;
}

static double commit_ns(struct gtt *gtt)
{
    double start = now_ns();
    gtt_commit(gtt);
    return now_ns() - start;
}

/* The same bytes are compared in both ways, those of the tables above the leaves, too. */
static void bench_unchanged(void)
{
    const struct rig_options options = {.guests = 1, .tables = 64, .never_tracked = true};
    struct rig *rig = rig_open(&options);
    struct gtt *gtt = rig->guest[0].gtt;
    struct pair *pair = calloc(gtt->stats.oos_copies, sizeof(*pair));
    const struct spt *spt;
    uint32_t n = 0;
    double ratio[SAMPLES];
    double ns[SAMPLES];
    if (!pair) {
        err(1, "pairs");
    }
    fill_tables(rig, 0, rig->tables * GPU_TABLE_ENTRIES);
    gtt_commit(gtt);
    TAILQ_FOREACH(spt, &gtt->loose, loose)
    {
        pair[n++] = (struct pair){(const void *)spt->guest, spt->copy};
    }
    for (unsigned s = 0; s < SAMPLES; s++) {
        memcmp_ns(pair, n); /* each way finds in the cache what it left there */
        double plain = memcmp_ns(pair, n);
        commit_ns(gtt);
        double ours = commit_ns(gtt);
        ratio[s] = ours / plain;
        ns[s] = ours / n;
    }
    say("oos_unchanged_vs_memcmp", median(ratio, SAMPLES), "ratio");
    say("oos_unchanged_ns", median(ns, SAMPLES), "ns");
    free(pair);
    rig_close(rig);
}

/* --- clearing ---------------------------------------------------------------------------- */

#define WINDOW (UINT32_C(1) << 18) /* entries */

enum clear_way {
    CLEAR_RESET, /* of the vGPU */
    CLEAR_EACH,  /* the guest stores 0 to each entry, and each store is trapped */
    CLEAR_LAZY,  /* the same where the table is RAM of the guest's: its stores are not counted */
};

static void *volatile kept; /* so that the memset is done */

static double memset_ns(uint64_t *buffer)
{
    double start = now_ns();
    memset(buffer, 0, WINDOW * sizeof(*buffer));
    kept = buffer;
    return now_ns() - start;
}

/* In runs of 512, which are spread over the window. */
static void fill(const struct rig_guest *g, uint32_t mapped)
{
    uint32_t runs = mapped / GPU_TABLE_ENTRIES;
    for (uint32_t r = 0; r < runs; r++) {
        uint32_t first = WINDOW / runs * (r + 1) - GPU_TABLE_ENTRIES;
        for (uint32_t i = first; i < first + GPU_TABLE_ENTRIES; i++) {
            if (g->lazy) {
                g->lazy[i] = rig_pte(i);
            } else {
                gtt_write(g->gtt, i * UINT64_C(8), rig_pte(i), 8);
            }
        }
    }
    gtt_commit(g->gtt);
    xengt_space_flush(g->space);
}

static double clear_ns(const struct rig_guest *g, enum clear_way way)
{
    if (way == CLEAR_LAZY) {
        memset(g->lazy, 0, WINDOW * sizeof(*g->lazy));
    }
    double start = now_ns();
    if (way == CLEAR_RESET) {
        gtt_reset(g->gtt);
    }
    for (uint32_t i = 0; way == CLEAR_EACH && i < WINDOW; i++) {
        gtt_write(g->gtt, i * UINT64_C(8), 0, 8);
    }
    gtt_commit(g->gtt);
    return now_ns() - start;
}

static void bench_clear(enum clear_way way, uint32_t mapped, uint32_t defer, const char *name)
{
    const struct rig_options options = {
        .guests = 1, .window = WINDOW, .lazy = way == CLEAR_LAZY, .defer_pages = defer};
    struct rig *rig = rig_open(&options);
    uint64_t *buffer = malloc(WINDOW * sizeof(*buffer));
    double ratio[SAMPLES];
    if (!buffer) {
        err(1, "buffer");
    }
    memset_ns(buffer);
    for (unsigned s = 0; s < SAMPLES; s++) {
        fill(&rig->guest[0], mapped);
        double clear = clear_ns(&rig->guest[0], way);
        fill(&rig->guest[0], mapped);
        ratio[s] = clear / memset_ns(buffer);
    }
    say(name, median(ratio, SAMPLES), "ratio");
    free(buffer);
    rig_close(rig);
}

static void bench_clears(void)
{
    bench_clear(CLEAR_RESET, 4096, 0, "clear_vs_memset");
    bench_clear(CLEAR_RESET, 0, 0, "clear.empty.reset_vs_memset");
    bench_clear(CLEAR_RESET, 512, 0, "clear.mapped512.reset_vs_memset");
    bench_clear(CLEAR_RESET, 4096, 8192, "clear.mapped4096.kept.reset_vs_memset");
    bench_clear(CLEAR_RESET, WINDOW, 0, "clear.full.reset_vs_memset");
    bench_clear(CLEAR_EACH, 4096, 0, "clear.mapped4096.each_vs_memset");
    bench_clear(CLEAR_EACH, WINDOW, 0, "clear.full.each_vs_memset");
    bench_clear(CLEAR_LAZY, 4096, 0, "clear.mapped4096.lazy_vs_memset");
    bench_clear(CLEAR_LAZY, WINDOW, 0, "clear.full.lazy_vs_memset");
}

/* --- memory ------------------------------------------------------------------------------ */

#define MEMORY_TABLES 3072u /* neither the best nor the worst for what doubles */

/* What the tables of the GPU take by themselves: the shadow. */
static double shadow_bytes(void)
{
    struct table_gpu gpu;
    uint32_t table;
    double before = (double)mallinfo2().uordblks;
    if (table_gpu_init(&gpu, 1, 0, false)) {
        errx(1, "GPU");
    }
    for (uint32_t t = 0; t < MEMORY_TABLES; t++) {
        if (gpu.base.ops->table_alloc(&gpu.base, 1, 0, &table)) {
            errx(1, "table");
        }
    }
    double bytes = (double)mallinfo2().uordblks - before;
    table_gpu_fini(&gpu);
    return bytes / MEMORY_TABLES;
}

static double used_by(const struct rig_options *options, struct rig **rig)
{
    double before = (double)mallinfo2().uordblks;
    *rig = rig_open(options);
    return (double)mallinfo2().uordblks - before;
}

/* By what malloc() has given out, its own headers included. */
static void bench_memory(void)
{
    const struct rig_options few = {.guests = 1, .tables = 1};
    const struct rig_options many = {.guests = 1, .tables = MEMORY_TABLES};
    struct rig *small;
    struct rig *large;
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    double shadow = shadow_bytes();
    double base = used_by(&few, &small);
    double all = used_by(&many, &large);
    double tables = large->guest[0].gtt->stats.spt_tables - small->guest[0].gtt->stats.spt_tables;
    say("table_bytes", (all - base) / tables - shadow - XENGT_PAGE_SIZE, "bytes");
    double before = (double)mallinfo2().uordblks;
    for (unsigned i = 0; i < SETTLED * 2; i++) {
        gtt_commit(large->guest[0].gtt);
    }
    all -= before - (double)mallinfo2().uordblks;
    say("tracked_table_bytes", (all - base) / tables - shadow, "bytes");
    say("table_bytes_asked_for",
        sizeof(struct spt) + 2.0 * sizeof(struct spt *) * large->guest[0].gtt->hash_size /
                                 large->guest[0].gtt->stats.spt_tables,
        "bytes");
    rig_close(small);
    rig_close(large);
}

/* ------------------------------------------------------------------------------------------ */

int main(int argc, char **argv)
{
    const char *what = argc >= 2 ? argv[1] : "";
    unsigned guests = argc >= 3 ? strtoul(argv[2], NULL, 0) : 0;
    uint32_t pages = argc >= 4 ? strtoul(argv[3], NULL, 0) : 0;
    bool sizes = guests && guests <= RIG_GUESTS_MAX && pages >= HOT_PTES + GPU_TABLE_ENTRIES &&
                 guests * (pages + HOT_PTES) <= RIG_DATA_MAX;
    if (!strcmp(what, "changes") && sizes) {
        bench_changes(guests, pages, argc >= 5 && !strcmp(argv[4], "random"));
    } else if (!strcmp(what, "instructions") && sizes) {
        bench_instructions(guests, pages);
    } else if (!strcmp(what, "unchanged")) {
        bench_unchanged();
    } else if (!strcmp(what, "clear")) {
        bench_clears();
    } else if (!strcmp(what, "memory")) {
        bench_memory();
    } else {
        errx(2, "usage: bench-gtt changes GUESTS PAGES [random] | instructions GUESTS PAGES | "
                "unchanged | clear | memory");
    }
    return 0;
}
