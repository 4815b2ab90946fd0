/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shadow GTTs to measure, above a GPU of nothing but tables and a back end that says yes. */
#include "gtt_rig.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "handle.h"

/* Where a guest's tables are. Gfn 0 is none. */
enum {
    PML4_GFN = 1,
    PDP_GFN = 2,
    PD_GFN = 3,
    TABLE_GFN = PD_GFN + RIG_TABLES_MAX / GPU_TABLE_ENTRIES,
    TABLE_FRAMES = TABLE_GFN + RIG_TABLES_MAX,
};

#define WINDOW_MIN UINT32_C(64)

/* --- the back end that says yes ---------------------------------------------------------- */

struct yes {
    struct hv hv;
    const struct rig *rig;
};

static int yes_domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    (void)hv;
    *info = (struct xengt_target_info){.domid = domid, .hvm = true, .hap = true};
    return 0;
}

static size_t yes_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                      unsigned prot)
{
    (void)hv;
    (void)domid;
    (void)slot;
    (void)prot;
    memset(err, 0, n * sizeof(*err));
    return 0;
}

static size_t yes_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    (void)hv;
    (void)slot;
    memset(err, 0, n * sizeof(*err));
    return 0;
}

static int yes_view(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view)
{
    (void)slot;
    if (gfn.v >= TABLE_FRAMES) {
        return -EINVAL;
    }
    *view = ((struct yes *)hv)->rig->guest[domid - 1].memory + gfn.v * XENGT_PAGE_SIZE;
    return 0;
}

static void yes_unview(struct hv *hv, void *view)
{
    (void)hv;
    (void)view;
}

static void yes_close(struct hv *hv)
{
    free(hv);
}

static struct hv *yes_new(const struct rig *rig)
{
    static const struct hv_ops ops = {
        .domain_info = yes_domain_info,
        .map = yes_map,
        .unmap = yes_unmap,
        .view = yes_view,
        .unview = yes_unview,
        .close = yes_close,
    };
    struct yes *yes = calloc(1, sizeof(*yes));
    if (!yes) {
        return NULL;
    }
    yes->rig = rig;
    yes->hv = (struct hv){
        .ops = &ops,
        .name = "yes",
        .backend = XENGT_BACKEND_SIM,
        .window_base = UINT64_C(1) << 24,
        .slots = RIG_DATA_MAX,
        .windowed = true,
    };
    return &yes->hv;
}

/* ------------------------------------------------------------------------------------------ */

static void must(int ret, const char *what)
{
    if (ret) {
        errx(1, "%s: %s", what, strerror(-ret));
    }
}

/* Takes no memory where nothing is written. */
static void *empty_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
        err(1, "mmap");
    }
    return p;
}

static int track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    (void)arg;
    (void)gfn;
    (void)n;
    (void)on;
    return 0;
}

static uint64_t *frame(const struct rig_guest *g, uint64_t gfn)
{
    return (uint64_t *)(g->memory + gfn * XENGT_PAGE_SIZE);
}

static void link_tables(struct rig_guest *g, uint32_t tables)
{
    frame(g, PML4_GFN)[0] = (uint64_t)PDP_GFN << XENGT_PAGE_SHIFT | 3;
    for (uint32_t t = 0; t < tables; t++) {
        uint32_t pd = t / GPU_TABLE_ENTRIES;
        frame(g, PDP_GFN)[pd] = (uint64_t)(PD_GFN + pd) << XENGT_PAGE_SHIFT | 3;
        frame(g, PD_GFN + pd)[t % GPU_TABLE_ENTRIES] =
            (uint64_t)(TABLE_GFN + t) << XENGT_PAGE_SHIFT | 3;
    }
    g->root = (struct gtt_root){.levels = 4, .pdp = {PML4_GFN * (uint64_t)XENGT_PAGE_SIZE}};
}

static void open_guest(struct rig *rig, unsigned i, const struct rig_options *options)
{
    static const uint32_t noop = 0;
    const struct gpu_buffer buffer = {.dw = &noop, .count = 1, .run = true};
    const struct xengt_space_options space = {.defer_pages = options->defer_pages};
    struct rig_guest *g = &rig->guest[i];
    uint32_t domid = i + 1;
    uint32_t window = options->window ? options->window : WINDOW_MIN;
    g->memory = empty_memory((size_t)TABLE_FRAMES * XENGT_PAGE_SIZE);
    link_tables(g, options->tables);
    if (options->lazy) {
        g->lazy = empty_memory((size_t)options->guests * window * sizeof(*g->lazy));
    }
    must(xengt_target_add(rig->xg, domid), "target");
    must(xengt_space_open(rig->xg, domid, &space, &g->space), "space");
    const struct gtt_config gtt = {
        .xengt = rig->xg,
        .space = g->space,
        .gpu = &rig->gpu.base,
        .track_after = 8,
        .tracker = {.track = options->never_tracked ? NULL : track},
        .lazy = g->lazy,
        .mappable = {i * window, window},
    };
    must(gtt_create(&gtt, &g->gtt), "GTT");
    if (options->tables) {
        const struct gtt_workload work = {
            .engine = GPU_RCS, .root = g->root, .buffer = &buffer, .buffers = 1};
        must(gtt_submit(g->gtt, &work), "submission");
    }
}

struct rig *rig_open(const struct rig_options *options)
{
    char error[256] = "";
    struct hv_error hv_error = {error, sizeof(error)};
    struct rig *rig = calloc(1, sizeof(*rig));
    if (!rig) {
        err(1, "rig");
    }
    rig->guests = options->guests;
    rig->tables = options->tables;
    uint32_t window = options->window ? options->window : WINDOW_MIN;
    const struct xengt_options xo = {.backend = XENGT_BACKEND_SIM};
    must(handle_open(&rig->xg, &xo, yes_new(rig), &hv_error), "library");
    must(table_gpu_init(&rig->gpu, options->guests * window, 0, false), "GPU");
    for (unsigned i = 0; i < options->guests; i++) {
        open_guest(rig, i, options);
    }
    return rig;
}

void rig_close(struct rig *rig)
{
    for (unsigned i = 0; i < rig->guests; i++) {
        gtt_destroy(rig->guest[i].gtt);
        xengt_space_close(rig->guest[i].space);
        munmap(rig->guest[i].memory, (size_t)TABLE_FRAMES * XENGT_PAGE_SIZE);
        if (rig->guest[i].lazy) {
            munmap(rig->guest[i].lazy, (size_t)rig->gpu.base.gtt_entries * sizeof(uint64_t));
        }
    }
    xengt_close(rig->xg);
    table_gpu_fini(&rig->gpu);
    free(rig);
}

uint64_t *rig_table(const struct rig *rig, unsigned guest, uint32_t table)
{
    return frame(&rig->guest[guest], TABLE_GFN + table);
}
