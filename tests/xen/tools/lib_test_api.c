/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of the library's interface, on real Xen. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#include <xengt/dma.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "lib_test.h"
#include "support/cookie.h"

#define MANY      1000u
#define NO_DOMAIN 0x7000u

static struct xengt_stats stats_of(struct test *t)
{
    struct xengt_stats stats;
    xengt_get_stats(t->xg, &stats);
    return stats;
}

int map1(struct test *t, uint64_t gfn, struct xengt_bfn *bfn, unsigned prot)
{
    struct xengt_gfn g = {gfn};
    struct xengt_cookie cookie;
    return xengt_map(t->xg, t->domid, &g, bfn, &cookie, NULL, 1, prot);
}

int unmap1(struct test *t, struct xengt_bfn bfn)
{
    const struct xengt_cookie cookie = cookie_of(t->xg, bfn);
    return xengt_unmap(t->xg, &cookie, NULL, 1);
}

static void test_targets(struct test *t)
{
    struct xengt_target_info info;
    struct xengt_bfn bfn;
    struct xengt_space *space;
    uint32_t list[2];
    EXPECT(xengt_domain_info(t->xg, t->domid, &info), 0);
    expect(t, info.hvm && info.hap && !info.dying && info.pages > 0, "the guest is described");
    EXPECT(xengt_domain_info(t->xg, NO_DOMAIN, &info), -ESRCH);
    EXPECT(map1(t, GFN_A, &bfn, XENGT_PROT_RW), -EPERM);
    EXPECT(xengt_space_open(t->xg, t->domid, NULL, &space), -EPERM);
    expect(t, stats_of(t).map_calls == 0, "a domain that is no target costs no hypercall");
    EXPECT(xengt_target_add(t->xg, NO_DOMAIN), -ESRCH);
    EXPECT(xengt_target_add(t->xg, 0), -EINVAL);
    EXPECT(xengt_target_remove(t->xg, t->domid), -ENOENT);
    EXPECT(xengt_target_add(t->xg, t->domid), 0);
    EXPECT(xengt_target_add(t->xg, t->domid), -EEXIST);
    expect(t, xengt_target_list(t->xg, list, 2) == 1 && list[0] == t->domid, "it is listed");
}

static void test_errors(struct test *t)
{
    const struct xengt_gfn gfn[6] = {
        {GFN_A}, {GFN_BEYOND}, {GFN_LAPIC}, {XENGT_GFN_MAX + 1}, {XENGT_GFN_MAX}, {GFN_B},
    };
    static const int want[6] = {0, -EINVAL, -EINVAL, -EINVAL, -EINVAL, 0};
    struct xengt_bfn bfn[6];
    struct xengt_cookie cookie[6];
    int err[6];
    EXPECT(xengt_map(t->xg, t->domid, gfn, bfn, cookie, err, 6, XENGT_PROT_RW), 0);
    for (int i = 0; i < 6; i++) {
        expect(t, err[i] == want[i] && (bfn[i].v == XENGT_BFN_INVALID.v) == (want[i] != 0),
               "map of gfn 0x%llx gives %d, got %d", (unsigned long long)gfn[i].v, want[i], err[i]);
    }
    expect(t, stats_of(t).mapped == 2, "the good ones are mapped");
    EXPECT(xengt_target_remove(t->xg, t->domid), -EBUSY);
    EXPECT(xengt_unmap(t->xg, cookie, err, 6), 0);
    expect(t, err[0] == 0 && err[1] == -ENOENT && err[5] == 0, "and unmapped, each by itself");
    EXPECT(xengt_map(t->xg, t->domid, gfn, bfn, cookie, NULL, 6, XENGT_PROT_RW), -EINVAL);
    expect(t, stats_of(t).mapped == 0 && bfn[0].v == XENGT_BFN_INVALID.v,
           "without err[] it is all or nothing");
    EXPECT(xengt_map(t->xg, t->domid, NULL, NULL, NULL, NULL, 0, XENGT_PROT_RW), 0);
    EXPECT(xengt_unmap(t->xg, NULL, NULL, 0), 0);
    EXPECT(map1(t, GFN_A, bfn, 0), -EINVAL);
    EXPECT(unmap1(t, (struct xengt_bfn){0x123456789}), -ENOENT);
}

static void test_duplicates(struct test *t)
{
    const struct xengt_gfn gfn[2] = {{GFN_A}, {GFN_A}};
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    EXPECT(xengt_map(t->xg, t->domid, gfn, bfn, cookie, NULL, 2, XENGT_PROT_RW), 0);
    expect(t, (bfn[0].v == bfn[1].v) == (t->caps->window_base == 0),
           "a gfn named twice has two BFNs where there is a window, and else one");
    EXPECT(unmap1(t, bfn[0]), 0);
    void *view;
    struct xengt_cookie left = cookie_of(t->xg, bfn[1]);
    EXPECT(xengt_view_mapping(t->xg, left, &view), 0);
    EXPECT(unmap1(t, bfn[1]), 0);
    EXPECT(unmap1(t, bfn[1]), -ENOENT);
    EXPECT(xengt_unmap(t->xg, &left, NULL, 1), -ENOENT);
    EXPECT(xengt_view_mapping(t->xg, left, &view), -ENOENT);
}

static uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void test_many(struct test *t)
{
    struct xengt_gfn gfn[MANY];
    struct xengt_bfn bfn[MANY];
    struct xengt_cookie cookie[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        gfn[i].v = 0x800 + i;
    }
    struct xengt_stats before = stats_of(t);
    uint64_t start = now_us();
    EXPECT(xengt_map(t->xg, t->domid, gfn, bfn, cookie, NULL, MANY, XENGT_PROT_RW), 0);
    uint64_t middle = now_us();
    EXPECT(xengt_unmap(t->xg, cookie, NULL, MANY), 0);
    uint64_t end = now_us();
    printf("# %u pages: map %llu us, unmap %llu us\n", MANY, (unsigned long long)(middle - start),
           (unsigned long long)(end - middle));
    struct xengt_stats after = stats_of(t);
    uint64_t calls = (MANY + t->caps->batch - 1) / t->caps->batch;
    expect(t,
           after.map_calls - before.map_calls == calls &&
               after.unmap_calls - before.unmap_calls == calls,
           "%u pages take %llu hypercalls each way", MANY, (unsigned long long)calls);
}

/* Two pages of the guest as the CPU sees them, by no means of the library. */
static void *map_pages(xenforeignmemory_handle *memory, uint32_t domid)
{
    const xen_pfn_t pfn[2] = {GFN_A, GFN_B};
    int err[2];
    return xenforeignmemory_map(memory, domid, PROT_READ | PROT_WRITE, 2, pfn, err);
}

/* Does a copy by DMA from GFN_A arrive in GFN_B? */
static bool dma_lands(struct test *t, struct xengt_bfn from, struct xengt_bfn to, char *pages,
                      uint32_t pattern)
{
    volatile uint32_t *source = (uint32_t *)pages;
    volatile uint32_t *target = (uint32_t *)(pages + XENGT_PAGE_SIZE);
    *source = pattern;
    *target = 0;
    __sync_synchronize();
    if (edu_copy(t->edu, xengt_bfn_to_addr(from), xengt_bfn_to_addr(to), sizeof(pattern))) {
        return false;
    }
    __sync_synchronize();
    return *target == pattern;
}

static void test_dma(struct test *t)
{
    xenforeignmemory_handle *memory = xenforeignmemory_open(NULL, 0);
    char *pages = map_pages(memory, t->domid);
    struct xengt_bfn a;
    struct xengt_bfn b;
    void *view;
    EXPECT(map1(t, GFN_A, &a, XENGT_PROT_RW), 0);
    EXPECT(map1(t, GFN_B, &b, XENGT_PROT_RW), 0);
    expect(t, dma_lands(t, a, b, pages, 0x11223344), "DMA by BFN reads and writes");
    EXPECT(xengt_view_mapping(t->xg, cookie_of(t->xg, b), &view), 0);
    expect(t, *(uint32_t *)view == 0x11223344, "the view is that page");
    EXPECT(unmap1(t, b), 0);
    bool landed = dma_lands(t, a, b, pages, 0x55667788);
    expect(t, landed != t->confined, "DMA to a BFN that was unmapped %s",
           t->confined ? "is stopped" : "is not stopped here, as the library says");
    if (t->caps->read_only) {
        EXPECT(map1(t, GFN_B, &b, XENGT_PROT_READ), 0);
        expect(t, dma_lands(t, a, b, pages, 0x99aabbcc) != t->confined,
               "DMA into a read-only mapping %s", t->confined ? "is stopped" : "is not stopped");
        EXPECT(unmap1(t, b), 0);
    } else {
        EXPECT(map1(t, GFN_B, &b, XENGT_PROT_READ), -EOPNOTSUPP);
    }
    EXPECT(unmap1(t, a), 0);
    xenforeignmemory_unmap(memory, pages, 2);
    xenforeignmemory_close(memory);
}

/* --- dirty pages ------------------------------------------------------------------------- */

#define LOG_PAGES 0x2000u /* 32 MiB */

/* Has Xen collected that the frame is dirty? Begins to collect anew. -1: it does not say. */
static int is_logged(xc_interface *xc, uint32_t domid, uint64_t gfn)
{
    DECLARE_HYPERCALL_BUFFER(uint8_t, bitmap);
    xc_shadow_op_stats_t stats;
    bitmap = xc_hypercall_buffer_alloc_pages(xc, bitmap, 1);
    if (!bitmap) {
        return -1;
    }
    long n = xc_logdirty_control(xc, domid, XEN_DOMCTL_SHADOW_OP_CLEAN, HYPERCALL_BUFFER(bitmap),
                                 LOG_PAGES, 0, &stats);
    int ret = n < 0 ? -1 : bitmap[gfn / 8] >> gfn % 8 & 1;
    xc_hypercall_buffer_free_pages(xc, bitmap, 1);
    return ret;
}

/* As a live migration would: what a device wrote is not seen by Xen until somebody says so. */
static void test_dirty(struct test *t)
{
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    struct xengt_bfn a;
    struct xengt_bfn b;
    EXPECT(map1(t, GFN_A, &a, XENGT_PROT_RW), 0);
    EXPECT(map1(t, GFN_B, &b, XENGT_PROT_RW), 0);
    const struct xengt_cookie written = cookie_of(t->xg, b);
    EXPECT(xengt_report_dirty(t->xg, &written, 1), 0); /* nobody wants to know */
    EXPECT((int)xc_logdirty_control(xc, t->domid, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0, 0,
                                    NULL),
           0);
    EXPECT(edu_copy(t->edu, xengt_bfn_to_addr(a), xengt_bfn_to_addr(b), 16), 0);
    EXPECT(is_logged(xc, t->domid, GFN_B), 0);
    EXPECT(xengt_report_dirty(t->xg, &written, 1), 0);
    EXPECT(is_logged(xc, t->domid, GFN_B), 1);
    EXPECT(is_logged(xc, t->domid, GFN_B), 0);
    EXPECT((int)xc_logdirty_control(xc, t->domid, XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0, 0, NULL), 0);
    EXPECT(unmap1(t, a), 0);
    EXPECT(unmap1(t, b), 0);
    xc_interface_close(xc);
}

/* --- memory of this domain's own --------------------------------------------------------- */

#define OWN  3u
#define HUGE 600u /* more than a huge page */

/* Between the guest's page and memory of ours, by DMA, both ways. */
static void test_own_dma(struct test *t, uint8_t *cpu, const struct xengt_bfn *own)
{
    struct xengt_bfn bfn;
    void *view;
    EXPECT(map1(t, GFN_A, &bfn, XENGT_PROT_RW), 0);
    if (!expect(t, !xengt_view_mapping(t->xg, cookie_of(t->xg, bfn), &view), "it has a view")) {
        return;
    }
    memset(view, 0, 64);
    strcpy((char *)cpu + (size_t)2 * XENGT_PAGE_SIZE, "from the backend");
    EXPECT(edu_copy(t->edu, xengt_bfn_to_addr(own[2]), xengt_bfn_to_addr(bfn), 32), 0);
    expect(t, !strcmp(view, "from the backend"), "DMA reads memory of our own");
    strcpy(view, "from the guest");
    EXPECT(edu_copy(t->edu, xengt_bfn_to_addr(bfn), xengt_bfn_to_addr(own[1]), 32), 0);
    expect(t, !strcmp((char *)cpu + XENGT_PAGE_SIZE, "from the guest"), "and writes it");
    EXPECT(unmap1(t, bfn), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

/* Huge pages, where this domain's frames are the bus's. */
static void test_huge(struct test *t)
{
    struct xengt_bfn bfn[HUGE];
    uint8_t *cpu;
    write_file("/proc/sys/vm/nr_hugepages", "2");
    EXPECT(xengt_dma_alloc(t->xg, (void **)&cpu, bfn, HUGE), 0);
    bool whole = true;
    for (unsigned i = 1; i < 512; i++) {
        whole = whole && bfn[i].v == bfn[0].v + i;
    }
    expect(t, whole && bfn[0].v % 512 == 0, "much memory is of huge pages");
    cpu[(HUGE - 1) * (size_t)XENGT_PAGE_SIZE] = 1;
    EXPECT(xengt_dma_check(t->xg, cpu), 0);
    xengt_dma_free(t->xg, cpu);
    write_file("/proc/sys/vm/nr_hugepages", "0");
}

static void test_own(struct test *t)
{
    struct xengt_bfn bfn[OWN];
    uint8_t *cpu = NULL;
    EXPECT(xengt_dma_alloc(t->xg, (void **)&cpu, bfn, OWN), 0);
    if (!cpu) {
        return;
    }
    expect(t, cpu[0] == 0 && !memcmp(cpu, cpu + 1, (size_t)OWN * XENGT_PAGE_SIZE - 1),
           "memory of our own is zeroed");
    if (t->edu) {
        test_own_dma(t, cpu, bfn);
    }
    EXPECT(xengt_dma_check(t->xg, cpu), 0);
    EXPECT(unmap1(t, bfn[0]), -ENOENT);
    xengt_dma_free(t->xg, cpu);
    if (t->caps->backend == XENGT_BACKEND_PHYSMAP) {
        test_huge(t);
    }
}

/* --- spaces ------------------------------------------------------------------------------ */

static int get1(struct xengt_space *space, uint64_t gfn, struct xengt_bfn *bfn)
{
    struct xengt_gfn g = {gfn};
    return xengt_space_get(space, &g, bfn, NULL, 1);
}

static struct xengt_space_stats space_stats(struct xengt_space *space)
{
    struct xengt_space_stats stats;
    xengt_space_get_stats(space, &stats);
    return stats;
}

static void test_space(struct test *t)
{
    struct xengt_space *space;
    struct xengt_space *second;
    struct xengt_bfn bfn;
    struct xengt_bfn again;
    const struct xengt_space_options options = {.quota = 4};
    EXPECT(xengt_space_open(t->xg, t->domid, &options, &space), 0);
    EXPECT(xengt_space_open(t->xg, t->domid, NULL, &second), -EBUSY);
    EXPECT(xengt_target_remove(t->xg, t->domid), -EBUSY);
    EXPECT(get1(space, GFN_A, &bfn), 0);
    EXPECT(get1(space, GFN_A, &again), 0);
    expect(t, bfn.v == again.v && space_stats(space).map_calls == 1, "a second use is a hit");
    expect(t, xengt_space_users(space, bfn) == 2, "both are counted");
    EXPECT(unmap1(t, bfn), -ENOENT);
    EXPECT(get1(space, GFN_BEYOND, &again), -EINVAL);
    EXPECT(xengt_space_put(space, &bfn, 1), 0);
    EXPECT(xengt_space_put(space, &bfn, 1), 0);
    EXPECT(xengt_space_put(space, &bfn, 1), -ENOENT);
    expect(t, space_stats(space).deferred == 1, "the last release defers");
    EXPECT(get1(space, GFN_A, &again), 0);
    expect(t, space_stats(space).map_calls == 2, "taking back makes no hypercall");
    /* A raw mapping of the same page lives and dies by itself. */
    struct xengt_bfn raw;
    EXPECT(map1(t, GFN_A, &raw, XENGT_PROT_RW), 0);
    EXPECT(unmap1(t, raw), 0);
    expect(t, xengt_space_users(space, again) == 1, "a raw mapping beside it does not matter");
    xengt_space_invalidate(space);
    EXPECT(get1(space, GFN_A, &bfn), 0);
    expect(t, space_stats(space).mapped == 2, "after an invalidate it is mapped anew");
    expect(t,
           xengt_space_users(space, again) + xengt_space_users(space, bfn) ==
               (t->caps->window_base ? 2 : 4),
           "both mappings are in use");
    EXPECT(xengt_space_put(space, &again, 1), 0);
    EXPECT(xengt_space_put(space, &bfn, 1), 0);
    expect(t, xengt_space_expire(space), "an expiry keeps what is young");
    expect(t, !xengt_space_expire(space) && space_stats(space).mapped == 0, "and then no more");
    for (unsigned i = 0; i < 4; i++) {
        get1(space, GFN_A + i, &bfn);
    }
    EXPECT(get1(space, GFN_A + 4, &bfn), -EDQUOT);
    xengt_space_close(space);
}

void test_api(struct test *t)
{
    printf("# %s: %s\n", t->caps->backend_name, t->caps->explanation);
    test_targets(t);
    test_errors(t);
    test_duplicates(t);
    test_many(t);
    if (t->edu) {
        test_dma(t);
    }
    if (t->edu) {
        test_dirty(t);
    }
    test_own(t);
    test_space(t);
    EXPECT(xengt_target_remove(t->xg, t->domid), 0);
}
