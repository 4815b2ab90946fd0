/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Histograms of how long something took. Three buckets a decade, from a microsecond to ten seconds:
 * to count is two readings of the clock and a few comparisons.
 */
#ifndef XENGT_HISTOGRAM_H
#define XENGT_HISTOGRAM_H

#include <stdint.h>
#include <time.h>

#define HISTOGRAM_BOUNDS 15u

/* Nanoseconds: what took no longer than a bound, and longer than the one before, is counted there.
 */
static const uint64_t histogram_bounds[HISTOGRAM_BOUNDS] = {
    1000,     3000,     10000,     30000,     100000,     300000,     1000000,     3000000,
    10000000, 30000000, 100000000, 300000000, 1000000000, 3000000000, 10000000000,
};

struct histogram {
    uint64_t total_ns;
    uint64_t count[HISTOGRAM_BOUNDS + 1]; /* the last one: longer than every bound */
};

static inline uint64_t histogram_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline void histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned i = 0;

    while (i < HISTOGRAM_BOUNDS && ns > histogram_bounds[i]) {
        i++;
    }
    histogram->count[i]++;
    histogram->total_ns += ns;
}

/* Something that began then is over. */
static inline void histogram_add_since(struct histogram *histogram, uint64_t began_ns)
{
    histogram_add(histogram, histogram_now_ns() - began_ns);
}

#endif
