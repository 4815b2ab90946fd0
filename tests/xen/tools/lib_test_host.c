/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests with dom0 and other domains: frames, page tables, rights, and a predecessor's mappings.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xencall.h>
#include <xenctrl.h>

#include <xen/grant_table.h>
#include <xen/memory.h>

#include <xengt/space.h>
#include <xengt/target.h>

#include "lib_test.h"

#define NO_DOMAIN 0x7000u

/* --- what Xen says of a frame, which the library relies on ------------------------------- */

union args {
    struct gnttab_query_size size;
    struct xen_add_to_physmap add;
    struct xen_remove_from_physmap remove;
};

/* Puts the last frame of dom0's grant table there. */
static int put_frame(xencall_handle *call, union args *a, uint64_t frame)
{
    a->size = (struct gnttab_query_size){.dom = DOMID_SELF};
    if (xencall3(call, __HYPERVISOR_grant_table_op, GNTTABOP_query_size, (uintptr_t)a, 1)) {
        return -errno;
    }
    a->add = (struct xen_add_to_physmap){
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_grant_table,
        .idx = a->size.max_nr_frames - 1,
        .gpfn = frame,
    };
    return xencall2(call, __HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uintptr_t)a) ? -errno : 0;
}

static int remove_frame(xencall_handle *call, union args *a, uint64_t frame)
{
    a->remove = (struct xen_remove_from_physmap){.domid = DOMID_SELF, .gpfn = frame};
    return xencall2(call, __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, (uintptr_t)a) ? -errno
                                                                                            : 0;
}

/* The first frame of a device's registers. */
static uint64_t frame_of_device(const char *device)
{
    char path[256];
    unsigned long long start = 0;
    snprintf(path, sizeof(path), "%s/resource", device);
    FILE *f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%llx", &start) != 1) {
            start = 0;
        }
        fclose(f);
    }
    return start >> XENGT_PAGE_SHIFT;
}

static void test_frames(struct test *t)
{
    xencall_handle *call = xencall_open(NULL, 0);
    union args *a = xencall_alloc_buffer(call, sizeof(*a));
    uint64_t hole = t->caps->window_base + t->caps->window_pages - 1;
    struct xengt_bfn bfn;
    EXPECT(put_frame(call, a, hole), 0);
    EXPECT(remove_frame(call, a, hole), 0);
    EXPECT(remove_frame(call, a, hole), -ENOENT);
    EXPECT(map1(t, GFN_A, &bfn, XENGT_PROT_RW), 0);
    EXPECT(put_frame(call, a, bfn.v), -ENXIO);
    EXPECT(unmap1(t, bfn), 0);
    if (t->edu) {
        EXPECT(put_frame(call, a, frame_of_device(t->edu)), -EPERM);
    }
    xencall_free_buffer(call, a);
    xencall_close(call);
}

/* --- memory for page tables -------------------------------------------------------------- */

static void keep_advice(void *arg, int level, const char *line)
{
    (void)level;
    if (strstr(line, "paging pool")) {
        snprintf(arg, 320, "%s", line);
    }
}

/* Opens a handle on what api() left of the window, where no page table is yet; maps a page there.
 */
static int map_far(struct test *t, bool grow, char *said)
{
    const struct xengt_options options = {
        .state_dir = "/run/lib-test-far",
        .window_base = t->caps->window_base + t->caps->window_pages,
        .window_pages = FAR_PAGES,
        .grow_pool = grow,
        .log = keep_advice,
        .log_arg = said,
    };
    struct test far = {.domid = t->domid};
    struct xengt_bfn bfn;
    int ret = xengt_open(&far.xg, &options, said, 320);
    if (ret) {
        return ret;
    }
    ret = xengt_target_add(far.xg, t->domid);
    ret = ret ? ret : map1(&far, GFN_A, &bfn, XENGT_PROT_RW);
    xengt_close(far.xg);
    return ret;
}

static void test_pool(struct test *t)
{
    char said[320] = "";
    uint64_t size = 0;
    uint64_t grown = 0;
    xc_interface *xc = xc_interface_open(NULL, NULL, 0);
    EXPECT(xc_get_paging_mempool_size(xc, 0, &size), 0);
    xc_set_paging_mempool_size(xc, 0, XENGT_PAGE_SIZE); /* takes what is free, and then fails */
    EXPECT(map_far(t, false, said), -ENOMEM);
    printf("# %s\n", said);
    expect(t, strstr(said, "KiB would do") != NULL, "it says how much would do");
    EXPECT(map_far(t, true, said), 0);
    xc_get_paging_mempool_size(xc, 0, &grown);
    printf("# the pool: %llu KiB, then %llu\n", (unsigned long long)size >> 10,
           (unsigned long long)grown >> 10);
    EXPECT(xc_set_paging_mempool_size(xc, 0, size > grown ? size : grown), 0);
    xc_interface_close(xc);
}

void test_host(struct test *t)
{
    EXPECT(xengt_target_add(t->xg, t->domid), 0);
    test_frames(t);
    test_pool(t);
    EXPECT(xengt_target_remove(t->xg, t->domid), 0);
}

/* --- other domains ----------------------------------------------------------------------- */

static void test_nested(struct test *t, uint32_t nested, uint32_t driver)
{
    EXPECT(xengt_target_add(t->xg, nested), -EOPNOTSUPP);
    expect(t, strstr(xengt_last_error(t->xg), "nestedhvm") != NULL, "and says what to remove: %s",
           xengt_last_error(t->xg));
    EXPECT(xengt_backend_assign(t->xg, driver, nested), -EOPNOTSUPP);
}

void test_rights(struct test *t, uint32_t nested, uint32_t driver)
{
    if (nested) {
        test_nested(t, nested, driver);
    }
    EXPECT(xengt_backend_assign(t->xg, driver, NO_DOMAIN), -ESRCH);
    EXPECT(xengt_backend_assign(t->xg, driver, driver), -EINVAL);
    EXPECT(xengt_backend_assign(t->xg, driver, t->domid), 0);
    EXPECT(xengt_backend_assign(t->xg, driver, t->domid), -EINVAL); /* it has one already */
    EXPECT(xengt_target_add(t->xg, driver), 0);
}

/* --- a predecessor's mappings ------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
    const struct xengt_mapping *x = a;
    const struct xengt_mapping *y = b;
    return x->domid != y->domid ? (x->domid > y->domid) - (x->domid < y->domid)
                                : (x->bfn.v > y->bfn.v) - (x->bfn.v < y->bfn.v);
}

void test_adopt(struct test *t)
{
    struct xengt_stats stats;
    struct xengt_space *space;
    struct xengt_mapping *list;
    unsigned adopted = 0;
    unsigned views = 0;
    xengt_get_stats(t->xg, &stats);
    size_t n = xengt_mappings(t->xg, NULL, 0);
    expect(t, n > 0 && n == stats.adopted && n == stats.mapped,
           "%zu mappings are kept, %llu that were on their way are not", n,
           (unsigned long long)stats.reclaimed);
    list = calloc(n + 1, sizeof(*list));
    EXPECT((int)xengt_mappings(t->xg, list, n), (int)n);
    qsort(list, n, sizeof(*list), compare);
    EXPECT(xengt_target_add(t->xg, t->domid), 0);
    EXPECT(xengt_target_remove(t->xg, t->domid), -EBUSY);
    EXPECT(xengt_space_open(t->xg, t->domid, NULL, &space), 0);
    for (size_t i = 0; i < n; i++) {
        void *view;
        int err;
        views += xengt_view_mapping(t->xg, list[i].cookie, &view) == 0;
        adopted += !xengt_space_adopt(space, &list[i].cookie, &err, 1) && !err;
    }
    expect(t, views == n && adopted > 0 && adopted <= n, "%u go into the space of one domain",
           adopted);
    expect(t, xengt_mappings(t->xg, NULL, 0) == n - adopted, "the others are plain mappings");
    for (size_t i = 0; i < n; i++) {
        if (list[i].domid == t->domid) {
            t->failed += xengt_space_put(space, &list[i].bfn, 1) != 0;
        } else {
            t->failed += xengt_unmap(t->xg, &list[i].cookie, NULL, 1) != 0;
        }
    }
    xengt_space_close(space);
    EXPECT(xengt_target_remove(t->xg, t->domid), 0);
    free(list);
}
