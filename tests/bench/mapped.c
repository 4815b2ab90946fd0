/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cost of a page that is mapped already: time to use it once more, and memory to know it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/space.h>

#include "bench_lib.h"
#include "measure.h"

#define SPACE_PAGES 8192u

static int fill_space(struct xengt_space *space, const struct xengt_gfn *gfn, struct xengt_bfn *bfn)
{
    double before = written_bytes();
    int ret = xengt_space_get(space, gfn, bfn, NULL, SPACE_PAGES);
    if (ret) {
        return ret;
    }
    printf("{\"space\":\"bytes_per_mapping\",\"value\":%.1f}\n",
           (written_bytes() - before) / SPACE_PAGES);
    struct hits many = measure_hits(space, gfn, HITS_MAX);
    struct hits one = measure_hits(space, gfn, 1);
    printf("{\"space\":\"hit_ns\",\"value\":%.1f}\n", many.get_ns);
    printf("{\"space\":\"put_ns\",\"value\":%.1f}\n", many.put_ns);
    printf("{\"space\":\"hit_alone_ns\",\"value\":%.1f}\n", one.get_ns);
    return xengt_space_put(space, bfn, SPACE_PAGES);
}

int measure_space(struct bench *b)
{
    struct xengt_gfn *gfn = calloc(SPACE_PAGES, sizeof(*gfn));
    struct xengt_bfn *bfn = malloc(SPACE_PAGES * sizeof(*bfn));
    struct xengt_space *space = NULL;
    int ret = gfn && bfn ? xengt_space_open(b->xg, b->domid, NULL, &space) : -ENOMEM;
    if (!ret) {
        memset(bfn, 0xff, SPACE_PAGES * sizeof(*bfn)); /* its pages are not the library's */
        for (unsigned i = 0; i < SPACE_PAGES; i++) {
            gfn[i].v = FIRST_GFN + i;
        }
        ret = fill_space(space, gfn, bfn);
        xengt_space_close(space);
    }
    free(gfn);
    free(bfn);
    return ret;
}
