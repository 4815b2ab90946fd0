/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Own memory: huge pages or gntalloc's, and their frames by pagemap or by a grant to oneself. */
#include "hv/xen/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>

#include "hv/xen/grant_ops.h"

#define DOM0      0u /* the only PV domain that there is a back end for */
#define HUGE_SIZE ((size_t)2 << 20)

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_FRAME   ((UINT64_C(1) << 55) - 1)

#define STATUS_NONE 1 /* Xen's own are 0 and negative */

/* --- pages ------------------------------------------------------------------------------- */

static size_t huge_size(size_t n)
{
    size_t size = n * XENGT_PAGE_SIZE;
    return (size + HUGE_SIZE - 1) / HUGE_SIZE * HUGE_SIZE;
}

/* Shared, so that no fork makes a copy of it for this process to write to. */
static void *alloc_huge(size_t n)
{
    void *cpu = mmap(NULL, huge_size(n), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_LOCKED | MAP_POPULATE, -1, 0);
    return cpu == MAP_FAILED ? NULL : cpu;
}

static int alloc_shared(const struct own *own, struct hv_own *mem)
{
    mem->ref = mem->n <= INT_MAX ? calloc(mem->n, sizeof(*mem->ref)) : NULL;
    if (!mem->ref) {
        return -ENOMEM;
    }
    uint32_t peer = own->translated ? DOMID_INVALID : DOM0;
    errno = 0;
    mem->cpu = own->share(own->arg, peer, (uint32_t)mem->n, mem->ref);
    if (mem->cpu) {
        return 0;
    }
    int ret = errno;
    free(mem->ref);
    switch (ret) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return -ENODEV;
    case EACCES:
    case EPERM:
        return -EACCES;
    default: /* ENOSPC: gntalloc's limit */
        return -ENOMEM;
    }
}

static void close_pagemap(struct hv_own *mem)
{
    if (mem->pagemap >= 0) {
        close(mem->pagemap);
    }
    mem->pagemap = -1;
}

/*
 * What the pagemap shows is decided when it is opened: a process that gives up its privileges later
 * can go on to ask.
 */
int own_alloc(const struct own *own, struct hv_own *mem)
{
    mem->ref = NULL;
    mem->pagemap = own->translated ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
    if (own->translated && mem->n * XENGT_PAGE_SIZE >= HUGE_SIZE) {
        mem->cpu = alloc_huge(mem->n);
        if (mem->cpu) {
            return 0;
        }
    }
    int ret = alloc_shared(own, mem);
    if (ret) {
        close_pagemap(mem);
        return ret;
    }
    memset(mem->cpu, 0, mem->n * XENGT_PAGE_SIZE);
    return 0;
}

void own_free(const struct own *own, struct hv_own *mem)
{
    close_pagemap(mem);
    if (mem->ref) {
        own->unshare(own->arg, mem->cpu, (uint32_t)mem->n);
        free(mem->ref);
    } else {
        munmap(mem->cpu, huge_size(mem->n));
    }
}

/* --- frames ------------------------------------------------------------------------------ */

/* The kernel's word, which says 0 for every frame to whom it does not trust. */
static int ask_pagemap(const struct hv_own *mem, struct xengt_bfn *bfn)
{
    if (mem->pagemap < 0) {
        return -EACCES;
    }
    size_t size = mem->n * sizeof(uint64_t);
    off_t at = (off_t)((uintptr_t)mem->cpu / XENGT_PAGE_SIZE * sizeof(uint64_t));
    ssize_t got = pread(mem->pagemap, bfn, size, at);
    if (got < 0 || (size_t)got != size) {
        return -EIO;
    }
    for (size_t i = 0; i < mem->n; i++) {
        if (!(bfn[i].v & PAGEMAP_PRESENT)) {
            return -EIO;
        }
        bfn[i].v &= PAGEMAP_FRAME;
        if (!bfn[i].v) {
            return -EACCES;
        }
    }
    return 0;
}

/* What Xen reads and writes for some pages at a time. */
#define PAGES_AT_A_TIME 64u
struct grant_args {
    struct gnttab_map_grant_ref map[PAGES_AT_A_TIME];
    struct gnttab_unmap_grant_ref unmap[PAGES_AT_A_TIME];
};

static int grant_op(const struct own *own, unsigned op, void *args, size_t n)
{
    return own->calls.call(own->calls.arg, __HYPERVISOR_grant_table_op, op, (uintptr_t)args, n);
}

/* Undoes what was mapped of n. A page whose mapping stays is never given to anybody else. */
static int unmap_grants(const struct own *own, struct grant_args *a, size_t n)
{
    size_t ops = 0;
    for (size_t i = 0; i < n; i++) {
        if (a->map[i].status == GNTST_okay) {
            a->unmap[ops++] = (struct gnttab_unmap_grant_ref){
                .dev_bus_addr = a->map[i].dev_bus_addr,
                .handle = a->map[i].handle,
                .status = STATUS_NONE,
            };
        }
    }
    int ret = ops ? grant_op(own, GNTTABOP_unmap_grant_ref, a->unmap, ops) : 0;
    for (size_t k = 0; k < ops && ret >= 0; k++) {
        ret = a->unmap[k].status == GNTST_okay ? 0 : -EIO;
    }
    return ret < 0 ? -EIO : 0;
}

static int ask_some(const struct own *own, struct grant_args *a, const uint32_t *ref,
                    struct xengt_bfn *bfn, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        a->map[i] = (struct gnttab_map_grant_ref){
            .flags = GNTMAP_device_map,
            .ref = ref[i],
            .dom = DOM0,
            .status = STATUS_NONE,
        };
    }
    int ret = grant_op(own, GNTTABOP_map_grant_ref, a->map, n) < 0 ? -EIO : 0;
    for (size_t i = 0; i < n; i++) {
        bfn[i].v = a->map[i].dev_bus_addr >> XENGT_PAGE_SHIFT;
        ret = a->map[i].status == GNTST_okay ? ret : -EIO;
    }
    int unmapped = unmap_grants(own, a, n);
    return ret ? ret : unmapped;
}

static int ask_xen(const struct own *own, const struct hv_own *mem, struct xengt_bfn *bfn)
{
    struct grant_args *a = own->calls.alloc(own->calls.arg, sizeof(*a));
    int ret = a ? 0 : -ENOMEM;
    for (size_t done = 0; !ret && done < mem->n; done += PAGES_AT_A_TIME) {
        size_t left = mem->n - done;
        ret = ask_some(own, a, &mem->ref[done], &bfn[done],
                       left < PAGES_AT_A_TIME ? left : PAGES_AT_A_TIME);
    }
    own->calls.free(own->calls.arg, a);
    return ret;
}

int own_where(const struct own *own, const struct hv_own *mem, struct xengt_bfn *bfn)
{
    return own->translated ? ask_pagemap(mem, bfn) : ask_xen(own, mem, bfn);
}

/* --- on the real Xen --------------------------------------------------------------------- */

static void *real_share(void *arg, uint32_t domid, uint32_t n, uint32_t *ref)
{
    struct xen *xen = arg;
    xen->share = xen->share ? xen->share : xengntshr_open(xen->logger, 0);
    return xen->share ? xengntshr_share_pages(xen->share, domid, (int)n, ref, 1) : NULL;
}

static void real_unshare(void *arg, void *cpu, uint32_t n)
{
    const struct xen *xen = arg;
    xengntshr_unshare(xen->share, cpu, n);
}

struct own own_of(struct xen *xen, bool translated)
{
    return (struct own){xen->calls, translated, xen, real_share, real_unshare};
}
