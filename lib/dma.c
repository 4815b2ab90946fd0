/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of the backend domain's own for DMA: pieces of it, and where they were when given out. */
#include <xengt/dma.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dma.h"

/* More than any device's rings and tables. */
#define PAGES_MAX ((size_t)1 << 20)

struct dma {
    struct dma *next;
    struct hv_own own;
    struct xengt_bfn bfn[]; /* where it was */
};

static const char *reason(int error)
{
    switch (error) {
    case -EOPNOTSUPP:
        return "this back end cannot tell where devices reach it";
    case -ENODEV:
        return "there is no /dev/xen/gntalloc: load the kernel module xen-gntalloc";
    case -EACCES:
        return "not permitted: it takes root, and CAP_SYS_ADMIN for frame numbers";
    case -ENOMEM:
        return "no memory, or not below the limit of xen-gntalloc";
    case -ESTALE:
        return "it was moved: stop the device";
    default:
        return strerror(-error);
    }
}

static int failed(struct xengt *xg, int error)
{
    return handle_fail(xg, error, "memory for DMA: %s", reason(error));
}

static int refuse(struct xengt *xg)
{
    return xg->logging ? handle_fail(xg, -EDEADLK, "from within the log") : 0;
}

static int own_open(struct xengt *xg, size_t n, struct dma **out)
{
    struct hv *hv = xg->hv;
    if (!hv->ops->own_alloc) {
        return -EOPNOTSUPP;
    }
    struct dma *dma = n <= PAGES_MAX ? calloc(1, sizeof(*dma) + n * sizeof(dma->bfn[0])) : NULL;
    if (!dma) {
        return -ENOMEM;
    }
    dma->own.n = n;
    int ret = hv->ops->own_alloc(hv, &dma->own);
    if (ret) {
        free(dma);
        return ret;
    }
    ret = hv->ops->own_where(hv, &dma->own, dma->bfn);
    if (ret) {
        hv->ops->own_free(hv, &dma->own);
        free(dma);
        return ret;
    }
    *out = dma;
    return 0;
}

int xengt_dma_alloc(struct xengt *xg, void **cpu, struct xengt_bfn *bfn, size_t n)
{
    struct dma *dma;
    if (!cpu || (n && !bfn)) {
        return handle_fail(xg, -EINVAL, "no place for the answer");
    }
    *cpu = NULL;
    int ret = refuse(xg);
    if (ret || !n) {
        return ret;
    }
    ret = own_open(xg, n, &dma);
    if (ret) {
        return failed(xg, ret);
    }
    memcpy(bfn, dma->bfn, n * sizeof(*bfn));
    *cpu = dma->own.cpu;
    dma->next = xg->dma;
    xg->dma = dma;
    return 0;
}

/* Where the list points to a piece of memory, or to its end. */
static struct dma **find(struct xengt *xg, const void *cpu)
{
    struct dma **at = &xg->dma;
    while (*at && (*at)->own.cpu != cpu) {
        at = &(*at)->next;
    }
    return at;
}

int xengt_dma_check(struct xengt *xg, const void *cpu)
{
    const struct dma *dma = *find(xg, cpu);
    int ret = refuse(xg);
    if (ret) {
        return ret;
    }
    if (!dma) {
        return handle_fail(xg, -ENOENT, "not memory for DMA");
    }
    struct xengt_bfn *now = calloc(dma->own.n, sizeof(*now));
    ret = now ? xg->hv->ops->own_where(xg->hv, &dma->own, now) : -ENOMEM;
    if (!ret && memcmp(now, dma->bfn, dma->own.n * sizeof(*now)) != 0) {
        ret = -ESTALE;
    }
    free(now);
    return ret ? failed(xg, ret) : 0;
}

static void free_at(struct xengt *xg, struct dma **at)
{
    struct dma *dma = *at;
    *at = dma->next;
    xg->hv->ops->own_free(xg->hv, &dma->own);
    free(dma);
}

void xengt_dma_free(struct xengt *xg, void *cpu)
{
    struct dma **at = find(xg, cpu);
    if (cpu && *at && !xg->logging) {
        free_at(xg, at);
    }
}

void dma_free_all(struct xengt *xg)
{
    while (xg->dma) {
        free_at(xg, &xg->dma);
    }
}
