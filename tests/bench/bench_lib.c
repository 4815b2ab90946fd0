/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-lib DIR DOMID [ROUNDS]
 *
 * How long it takes to map and unmap pages of a guest, in dom0: by libxengt, by the hypercalls
 * it makes, written out by hand, and by other libraries. DIR is an empty state directory on a
 * tmpfs, DOMID a PVH guest of 64 MiB that is paused.
 *
 * A sample is PAGES pages mapped and then unmapped, n at a time. In a round each method gives one
 * sample for each n, in an order that is turned round every time, so that what else happens on
 * the machine happens to all. The library and the bare hypercalls, which differ least, have a
 * sample for large n in every round; the rest in every fourth. Figures are medians; a ratio is
 * the median of the ratios within the rounds. The answer is on standard output, one JSON object a
 * line.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/target.h>

#include "bench_lib.h"
#include "measure.h"

#define ROUNDS_DEFAULT 36u
#define ROUNDS_MAX     400u
#define RARE           4u /* rounds between samples of what differs clearly */
#define BATCH_LARGE    64u

static const unsigned batches[] = {1, 16, 64, 128, 512};
#define BATCHES (sizeof(batches) / sizeof(batches[0]))

static const struct method *const methods[] = {
    &method_xengt,   &method_raw_physmap, &method_raw_grant,
    &method_offered, &method_foreign,     &method_gnttab,
};
#define METHODS       (sizeof(methods) / sizeof(methods[0]))
#define METHODS_OFTEN 3u
#define OFFERED       3u

/* Nanoseconds for PAGES pages. */
struct sample {
    double map;
    double unmap;
};

struct series {
    void *state; /* NULL: the method cannot be used here */
    bool failed;
    struct sample sample[BATCHES][ROUNDS_MAX]; /* zero: none in that round */
};

static int take(const struct method *m, void *state, unsigned n, struct sample *out)
{
    double start = now_ns();
    for (size_t i = 0; i < PAGES; i += n) {
        int ret = m->map(state, i, n);
        if (ret) {
            return ret;
        }
    }
    double middle = now_ns();
    for (size_t i = 0; i < PAGES; i += n) {
        int ret = m->unmap(state, i, n);
        if (ret) {
            return ret;
        }
    }
    *out = (struct sample){middle - start, now_ns() - middle};
    return 0;
}

static void skip(const char *name, const char *why)
{
    printf("{\"skip\":\"%s\",\"why\":\"%s\"}\n", name, why);
}

/* A fair sample each, for one n. */
static void do_batch(struct series *series, unsigned round, unsigned k)
{
    for (size_t i = 0; i < METHODS; i++) {
        size_t m = round % 2 ? METHODS - 1 - i : i;
        struct series *s = &series[m];
        bool often = batches[k] >= BATCH_LARGE && m < METHODS_OFTEN;
        if (!s->state || s->failed || (round % RARE && !often)) {
            continue;
        }
        int ret = take(methods[m], s->state, batches[k], &s->sample[k][round]);
        if (ret) {
            s->failed = true;
            skip(methods[m]->name, strerror(-ret));
        }
    }
}

/* The first round counts only once everything has been done once. */
static void do_rounds(const struct bench *b, struct series *series)
{
    for (unsigned k = 0; k < BATCHES; k++) {
        do_batch(series, 0, k);
    }
    for (unsigned round = 0; round < b->rounds; round++) {
        for (unsigned k = 0; k < BATCHES; k++) {
            do_batch(series, round, k);
        }
    }
}

/* Microseconds a page. */
static double median_of(const struct bench *b, const struct sample *sample, bool map, bool unmap)
{
    double value[ROUNDS_MAX];
    size_t n = 0;
    for (unsigned r = 0; r < b->rounds; r++) {
        if (sample[r].map > 0) {
            value[n++] = (map ? sample[r].map : 0) + (unmap ? sample[r].unmap : 0);
        }
    }
    return median(value, n) / PAGES / 1000;
}

/* How many times as long as another method one takes, in the rounds that have both. */
static void print_ratio(const struct bench *b, const char *name, const char *of, unsigned batch,
                        const struct sample *one, const struct sample *other)
{
    double value[ROUNDS_MAX];
    size_t n = 0;
    for (unsigned r = 0; r < b->rounds; r++) {
        if (one[r].map > 0 && other[r].map > 0) {
            value[n++] = (one[r].map + one[r].unmap) / (other[r].map + other[r].unmap);
        }
    }
    double middle = median(value, n); /* and sorted */
    printf("{\"ratio\":\"%s\",\"of\":\"%s\",\"batch\":%u,\"value\":%.4f,\"low\":%.4f,"
           "\"high\":%.4f}\n",
           name, of, batch, middle, value[n / 4], value[n - 1 - n / 4]);
}

static void report_times(const struct bench *b, const char *name, const struct series *s)
{
    for (size_t k = 0; k < BATCHES; k++) {
        const struct sample *sample = s->sample[k];
        printf("{\"method\":\"%s\",\"batch\":%u,\"us\":%.3f,\"map_us\":%.3f,"
               "\"unmap_us\":%.3f}\n",
               name, batches[k], median_of(b, sample, true, true),
               median_of(b, sample, true, false), median_of(b, sample, false, true));
    }
}

static void report(const struct bench *b, const struct series *series)
{
    const struct series *own = &series[0];
    const struct series *offered = &series[OFFERED];
    for (size_t m = 0; m < METHODS; m++) {
        const struct series *s = &series[m];
        const char *name = methods[m]->name;
        if (!s->state || s->failed) {
            continue;
        }
        report_times(b, name, s);
        for (size_t k = 0; m && m != OFFERED && k < BATCHES; k++) {
            unsigned batch = batches[k];
            print_ratio(b, name, "xengt", batch, s->sample[k], own->sample[k]);
            if (offered->state && !offered->failed) {
                print_ratio(b, name, "xengt-offered", batch, s->sample[k], offered->sample[k]);
            }
            if (!strcmp(name, "raw")) {
                print_ratio(b, "xengt", "raw", batch, own->sample[k], s->sample[k]);
                print_ratio(b, "single", "xengt", batch, s->sample[0], own->sample[k]);
            }
        }
    }
}

static int measure(struct bench *b)
{
    struct series *series = calloc(METHODS, sizeof(*series));
    if (!series) {
        return -ENOMEM;
    }
    for (size_t m = 0; m < METHODS; m++) {
        const char *why = NULL;
        series[m].state = methods[m]->open(b, &why);
        if (!series[m].state) {
            skip(methods[m]->name, why);
        }
    }
    do_rounds(b, series);
    report(b, series);
    int ret = series[0].state && !series[0].failed ? 0 : -EIO;
    for (size_t m = 0; m < METHODS; m++) {
        if (series[m].state) {
            methods[m]->close(series[m].state);
        }
    }
    free(series);
    return ret;
}

/* --- life -------------------------------------------------------------------------------- */

static int open_library(struct bench *b)
{
    char error[256];
    xengt_close(b->xg);
    b->xg = NULL;
    int ret = xengt_open(&b->xg, &b->options, error, sizeof(error));
    if (ret) {
        fprintf(stderr, "bench-lib: %s\n", error);
        return ret;
    }
    b->caps = xengt_get_caps(b->xg);
    return xengt_target_add(b->xg, b->domid);
}

/* The library gets the lower half of the window that it finds, bare hypercalls the upper. */
static int begin(struct bench *b, const char *dir)
{
    b->call = xencall_open(NULL, 0);
    b->memory = xenforeignmemory_open(NULL, 0);
    if (!b->call || !b->memory) {
        return -errno;
    }
    b->options = (struct xengt_options){.state_dir = dir, .batch = PAGES};
    int ret = open_library(b);
    if (!ret && b->caps->window_base) {
        b->options.window_base = b->caps->window_base;
        b->options.window_pages = b->caps->window_pages / 2 / PAGES * PAGES;
        b->raw_base = b->options.window_base + b->options.window_pages;
        ret = open_library(b);
    }
    if (!ret) {
        printf("{\"backend\":\"%s\",\"explanation\":\"%s\",\"rounds\":%u,\"pages\":%u}\n",
               b->caps->backend_name, b->caps->explanation, b->rounds, PAGES);
    }
    return ret;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench-lib DIR DOMID [ROUNDS]\n");
        return 2;
    }
    struct bench b = {
        .domid = strtoul(argv[2], NULL, 0),
        .rounds = argc > 3 ? strtoul(argv[3], NULL, 0) : ROUNDS_DEFAULT,
    };
    if (b.rounds < 1 || b.rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench-lib: 1 to %u rounds\n", ROUNDS_MAX);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int ret = begin(&b, argv[1]);
    ret = ret ? ret : measure(&b);
    ret = ret ? ret : measure_costs(&b);
    ret = ret ? ret : open_library(&b); /* a fresh one, whose memory has not been touched */
    ret = ret ? ret : measure_space(&b);
    xengt_close(b.xg);
    if (b.memory) {
        xenforeignmemory_close(b.memory);
    }
    if (b.call) {
        xencall_close(b.call);
    }
    if (ret) {
        fprintf(stderr, "bench-lib: %s\n", strerror(-ret));
    }
    return ret != 0;
}
