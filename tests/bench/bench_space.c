/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-space memory|instructions|hits N [bare]
 *
 * What the library's own bookkeeping costs with N mappings: on the simulator, which has a window,
 * or on a bare back end without one, whose bookkeeping is that of the grant back end.
 *
 *   memory        bytes of the library for each mapping: how much more memory this process has
 *                 written to when N pages are mapped. The simulator's own has been in use before,
 *                 by an earlier handle that mapped the same pages.
 *   instructions  to be run under callgrind, which dumps twice: "map" and "unmap"
 *   hits          nanoseconds to use a page that is mapped already
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <valgrind/callgrind.h>

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "handle.h"
#include "measure.h"

#define CHUNK 256u /* gfns a call, as a device model's commit would */

/*
 * The simulator allocates a page of memory for each page of a domain. With a million of them that
 * is 4 GiB, if only because malloc() writes its header into each. Nobody looks at their contents
 * here, so they come from a range that takes no memory until it is written to.
 */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

#define ARENA_SIZE (UINT64_C(1) << 33)

static char *arena_take(size_t size, bool just_ask)
{
    static char *base;
    static size_t used;
    if (!base) {
        base = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) {
            abort();
        }
    }
    if (!just_ask) {
        used += size;
    }
    return just_ask ? base : used <= ARENA_SIZE ? base + used - size : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return n == 1 && size == XENGT_PAGE_SIZE ? arena_take(size, false) : __real_calloc(n, size);
}

void __wrap_free(void *p)
{
    char *base = arena_take(0, true);
    if ((char *)p < base || (char *)p >= base + ARENA_SIZE) {
        __real_free(p);
    }
}

/* --- a back end that does nothing -------------------------------------------------------- */

static int bare_domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    (void)hv;
    *info = (struct xengt_target_info){.domid = domid, .hvm = true, .hap = true};
    return 0;
}

static size_t bare_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                       unsigned prot)
{
    (void)domid;
    (void)prot;
    for (size_t i = 0; i < n; i++) {
        slots_set_held(hv->journal, slot[i], slots_gfn(hv->journal, slot[i]).v, 1);
        err[i] = 0;
    }
    return 0;
}

static size_t bare_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    (void)hv;
    (void)slot;
    for (size_t i = 0; i < n; i++) {
        err[i] = 0;
    }
    return 0;
}

static void bare_close(struct hv *hv)
{
    free(hv);
}

static struct hv *bare_new(uint32_t slots)
{
    static const struct hv_ops ops = {
        .domain_info = bare_domain_info,
        .map = bare_map,
        .unmap = bare_unmap,
        .close = bare_close,
    };
    struct hv *hv = calloc(1, sizeof(*hv));
    if (hv) {
        *hv = (struct hv){.ops = &ops, .name = "bare", .slots = slots, .held_is_proof = true};
    }
    return hv;
}

/* ------------------------------------------------------------------------------------------ */

struct bench {
    uint32_t n;
    bool bare;
    struct xengt_sim *sim;
    uint32_t domid;
    struct xengt_gfn *gfn;
    struct xengt_bfn *bfn;
    struct xengt *xg;
    struct xengt_space *space;
};

static int prepare(struct bench *b)
{
    const struct xengt_sim_domain cfg = {.name = "bench", .pages = b->n};
    b->sim = xengt_sim_new();
    b->gfn = calloc(b->n, sizeof(*b->gfn));
    b->bfn = malloc(b->n * sizeof(*b->bfn));
    if (!b->sim || !b->gfn || !b->bfn) {
        return -ENOMEM;
    }
    memset(b->bfn, 0xff, b->n * sizeof(*b->bfn));
    for (uint32_t i = 0; i < b->n; i++) {
        b->gfn[i].v = i;
    }
    return xengt_sim_domain_create(b->sim, &cfg, &b->domid);
}

static int open_library(struct bench *b)
{
    char error[256];
    struct hv_error hv_error = {error, sizeof(error)};
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = b->sim};
    int ret = b->bare ? handle_open(&b->xg, &options, bare_new(b->n), &hv_error)
                      : xengt_open(&b->xg, &options, error, sizeof(error));
    return ret ? ret : xengt_target_add(b->xg, b->domid);
}

static int map_all(struct bench *b)
{
    int ret = 0;
    for (uint32_t i = 0; i < b->n && !ret; i += CHUNK) {
        ret = xengt_space_get(b->space, &b->gfn[i], &b->bfn[i], NULL, CHUNK);
    }
    return ret;
}

/* Releases all, and has those unmapped that still wait for their users to come back. */
static int unmap_all(struct bench *b)
{
    int ret = 0;
    for (uint32_t i = 0; i < b->n && !ret; i += CHUNK) {
        ret = xengt_space_put(b->space, &b->bfn[i], CHUNK);
    }
    xengt_space_flush(b->space);
    return ret;
}

static int bench_memory(struct bench *b)
{
    int ret = xengt_space_open(b->xg, b->domid, NULL, &b->space);
    ret = ret ? ret : map_all(b);
    if (ret) {
        return ret;
    }
    xengt_close(b->xg);
    ret = open_library(b);
    double before = written_bytes();
    ret = ret ? ret : xengt_space_open(b->xg, b->domid, NULL, &b->space);
    ret = ret ? ret : map_all(b);
    printf("{\"space\":\"bytes_per_mapping\",\"mappings\":%u,\"value\":%.1f}\n", b->n,
           (written_bytes() - before) / b->n);
    return ret;
}

static int bench_instructions(struct bench *b)
{
    int ret = xengt_space_open(b->xg, b->domid, NULL, &b->space);
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    ret = ret ? ret : map_all(b);
    CALLGRIND_DUMP_STATS_AT("map");
    ret = ret ? ret : unmap_all(b);
    CALLGRIND_DUMP_STATS_AT("unmap");
    CALLGRIND_STOP_INSTRUMENTATION;
    return ret;
}

static int bench_hits(struct bench *b)
{
    int ret = xengt_space_open(b->xg, b->domid, NULL, &b->space);
    ret = ret ? ret : map_all(b);
    if (ret) {
        return ret;
    }
    struct hits many = measure_hits(b->space, b->gfn, HITS_MAX);
    struct hits one = measure_hits(b->space, b->gfn, 1);
    printf("{\"space\":\"hit_ns\",\"mappings\":%u,\"value\":%.1f}\n", b->n, many.get_ns);
    printf("{\"space\":\"put_ns\",\"mappings\":%u,\"value\":%.1f}\n", b->n, many.put_ns);
    printf("{\"space\":\"hit_alone_ns\",\"mappings\":%u,\"value\":%.1f}\n", b->n, one.get_ns);
    return 0;
}

static int run(const char *what, struct bench *b)
{
    if (!strcmp(what, "memory")) {
        return bench_memory(b);
    }
    if (!strcmp(what, "instructions")) {
        return bench_instructions(b);
    }
    return strcmp(what, "hits") ? -EINVAL : bench_hits(b);
}

int main(int argc, char **argv)
{
    struct bench b = {
        .n = argc >= 3 ? strtoul(argv[2], NULL, 0) : 0,
        .bare = argc >= 4 && !strcmp(argv[3], "bare"),
    };
    if (!b.n || b.n % CHUNK || argc > 4 || (argc == 4 && !b.bare)) {
        fprintf(stderr, "usage: bench-space memory|instructions|hits N [bare]\n");
        return 2;
    }
    /* What is freed goes back at once, so that it is not there already the next time. */
    mallopt(M_MMAP_THRESHOLD, 2 * XENGT_PAGE_SIZE);
    int ret = prepare(&b);
    ret = ret ? ret : open_library(&b);
    ret = ret ? ret : run(argv[1], &b);
    xengt_close(b.xg);
    xengt_sim_free(b.sim);
    free(b.gfn);
    free(b.bfn);
    if (ret) {
        fprintf(stderr, "bench-space: %s\n", strerror(-ret));
    }
    return ret != 0;
}
