/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clocks, percentiles and a space to measure with. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <xengt/space.h>

#define SAMPLES   11u
#define HIT_CALLS 100u

double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *value, size_t n)
{
    qsort(value, n, sizeof(*value), compare);
    return (value[(n - 1) / 2] + value[n / 2]) / 2;
}

double written_bytes(void)
{
    char line[128];
    unsigned long kib;
    double sum = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (sscanf(line, "Private_Dirty: %lu kB", &kib) == 1 ||
            sscanf(line, "Shared_Dirty: %lu kB", &kib) == 1) {
            sum += (double)kib * 1024;
        }
    }
    if (f) {
        fclose(f);
    }
    return sum;
}

struct hits measure_hits(struct xengt_space *space, const struct xengt_gfn *gfn, unsigned at_once)
{
    struct xengt_bfn bfn[HITS_MAX];
    int err[HITS_MAX];
    double get[SAMPLES];
    double put[SAMPLES];
    for (unsigned s = 0; s < SAMPLES; s++) {
        double start = now_ns();
        for (unsigned i = 0; i < HIT_CALLS; i++) {
            xengt_space_get(space, gfn, bfn, err, at_once);
        }
        double middle = now_ns();
        for (unsigned i = 0; i < HIT_CALLS; i++) {
            xengt_space_put(space, bfn, at_once);
        }
        get[s] = (middle - start) / HIT_CALLS / at_once;
        put[s] = (now_ns() - middle) / HIT_CALLS / at_once;
    }
    return (struct hits){median(get, SAMPLES), median(put, SAMPLES)};
}
