/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-map instructions N
 *
 * What the library costs of a page that is mapped and unmapped on the grant back end, beside its
 * hypercalls: N pages, 512 at a time, over hypercalls that are functions here. To be run under
 * callgrind, which dumps twice: "map" and "unmap"; what the hypercalls themselves cost is in
 * fake_call().
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include <xengt/target.h>

#include "handle.h"
#include "hv/xen/grant.h"
#include "hv/xen/grant_ops.h"

#define BATCH  512u
#define DOMID  1u
#define FRAMES 64u

static uint64_t table[FRAMES][512];

/* Handle and frame are the reference, all is well. */
static int fake_call(void *arg, unsigned op, uint64_t cmd, uint64_t array, uint64_t n)
{
    void *p = (void *)(uintptr_t)array;
    (void)arg;
    (void)op;
    for (uint64_t i = 0; i < n; i++) {
        if (cmd == GNTTABOP_map_grant_ref) {
            struct gnttab_map_grant_ref *map = (struct gnttab_map_grant_ref *)p + i;
            map->handle = map->ref;
            map->dev_bus_addr = (uint64_t)map->ref << XENGT_PAGE_SHIFT;
            map->status = GNTST_okay;
        } else if (cmd == GNTTABOP_unmap_grant_ref) {
            ((struct gnttab_unmap_grant_ref *)p + i)->status = GNTST_okay;
        } else if (cmd == GNTTABOP_get_version) {
            ((struct gnttab_get_version *)p)->version = 1;
        } else {
            ((struct gnttab_query_size *)p)->max_nr_frames = FRAMES;
            ((struct gnttab_query_size *)p)->status = GNTST_okay;
        }
    }
    return 0;
}

static int domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    (void)arg;
    *info = (struct xengt_target_info){.domid = domid, .hvm = true, .hap = true};
    return 0;
}

static int table_map(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie)
{
    (void)arg;
    (void)domid;
    *page = table[frame];
    *cookie = table[frame];
    return 0;
}

static void table_unmap(void *arg, void *cookie)
{
    (void)arg;
    (void)cookie;
}

static int claim(void *arg, uint32_t domid)
{
    (void)arg;
    (void)domid;
    return 0;
}

static void unclaim(void *arg, uint32_t domid)
{
    (void)arg;
    (void)domid;
}

static int open_library(struct xengt **xg)
{
    char text[256] = "";
    struct hv_error error = {text, sizeof(text)};
    const struct grant_env env = {
        .calls = {NULL, fake_call, NULL, NULL},
        .domain_info = domain_info,
        .table_map = table_map,
        .table_unmap = table_unmap,
        .claim = claim,
        .unclaim = unclaim,
    };
    /* No file is kept for what is said to be the simulator. */
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .batch = BATCH};
    int ret = handle_open(xg, &options, grant_new(&env, 0, 0), &error);
    if (ret) {
        fprintf(stderr, "bench-map: %s\n", text);
        return ret;
    }
    return xengt_target_add(*xg, DOMID);
}

static int measure(struct xengt *xg, unsigned rounds)
{
    struct xengt_gfn gfn[BATCH];
    struct xengt_bfn bfn[BATCH];
    struct xengt_cookie cookie[BATCH];
    int ret = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        gfn[i].v = i;
    }
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    for (unsigned r = 0; r < rounds && !ret; r++) {
        ret = xengt_map(xg, DOMID, gfn, bfn, cookie, NULL, BATCH, XENGT_PROT_RW);
        CALLGRIND_DUMP_STATS_AT("map");
        ret = ret ? ret : xengt_unmap(xg, cookie, NULL, BATCH);
        CALLGRIND_DUMP_STATS_AT("unmap");
    }
    CALLGRIND_STOP_INSTRUMENTATION;
    return ret;
}

int main(int argc, char **argv)
{
    unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 0) : 0;
    if (!n || n % BATCH || strcmp(argv[1], "instructions") != 0) {
        fprintf(stderr, "usage: bench-map instructions N\n");
        return 2;
    }
    struct xengt *xg = NULL;
    int ret = open_library(&xg);
    ret = ret ? ret : measure(xg, n / BATCH);
    xengt_close(xg);
    if (ret) {
        fprintf(stderr, "bench-map: %s\n", strerror(-ret));
    }
    return ret != 0;
}
