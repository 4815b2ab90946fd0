/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instruments of the benchmarks. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>

struct xengt_space;
struct xengt_gfn;

double now_ns(void);
double median(double *value, size_t n); /* sorts them */

/* Bytes of memory that this process has written to, in files it has mapped, too. */
double written_bytes(void);

/* Medians of nanoseconds a page: to get pages that are in use already, and to put them again. */
struct hits {
    double get_ns;
    double put_ns;
};
#define HITS_MAX 64u
struct hits measure_hits(struct xengt_space *space, const struct xengt_gfn *gfn, unsigned at_once);

#endif
