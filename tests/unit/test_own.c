/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of the backend's own for DMA: on the simulator, and by a PV domain's grants to itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xengt/dma.h>

#include "hv/xen/own.h"
#include "space_fixture.h"

#include <xen/grant_table.h>

/* --- on the simulator -------------------------------------------------------------------- */

#define OWN_TEST(name) TEST_WITH(name, set_up, tear_down)

static bool dma_reads(struct fixture *f, struct xengt_bfn bfn, const void *cpu, size_t offset)
{
    uint8_t byte;
    return xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn) + offset, &byte, 1) == 0 &&
           byte == *((const uint8_t *)cpu + offset);
}

OWN_TEST(the_cpu_and_the_device_see_the_same_memory)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[3];
    uint8_t *cpu;
    assert_int_equal(xengt_dma_alloc(f->xg, (void **)&cpu, bfn, 3), 0);
    assert_int_equal((uintptr_t)cpu % XENGT_PAGE_SIZE, 0);
    for (size_t i = 0; i < 3 * XENGT_PAGE_SIZE; i++) {
        assert_int_equal(cpu[i], 0);
        cpu[i] = (uint8_t)(i / 16);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(dma_reads(f, bfn[i], cpu + i * XENGT_PAGE_SIZE, 0));
        assert_true(dma_reads(f, bfn[i], cpu + i * XENGT_PAGE_SIZE, XENGT_PAGE_SIZE - 1));
    }
    assert_int_equal(xengt_sim_dma_write(f->sim, xengt_bfn_to_addr(bfn[2]) + 5, "device", 6), 0);
    assert_memory_equal(cpu + 2 * XENGT_PAGE_SIZE + 5, "device", 6);
    assert_int_equal(xengt_dma_check(f->xg, cpu), 0);
    xengt_dma_free(f->xg, cpu);
}

OWN_TEST(memory_that_is_freed_is_not_reached_any_more)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    void *cpu;
    char byte;
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, &bfn, 1), 0);
    assert_true(dma_reads(f, bfn, cpu, 0)); /* it is in the IOTLB now */
    xengt_dma_free(f->xg, cpu);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), &byte, 1), -EFAULT);
    assert_int_equal(xengt_dma_check(f->xg, cpu), -ENOENT);
    xengt_dma_free(f->xg, cpu); /* once more: nothing happens */
    xengt_dma_free(f->xg, NULL);
}

OWN_TEST(memory_is_given_back_and_used_again)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[64];
    void *cpu[3];
    for (int round = 0; round < 500; round++) {
        assert_int_equal(xengt_dma_alloc(f->xg, &cpu[0], bfn, 64), 0);
        assert_int_equal(xengt_dma_alloc(f->xg, &cpu[1], bfn, 1), 0);
        xengt_dma_free(f->xg, cpu[0]);
        assert_int_equal(xengt_dma_alloc(f->xg, &cpu[2], bfn, 7), 0);
        assert_true(dma_reads(f, bfn[6], (char *)cpu[2] + (size_t)6 * XENGT_PAGE_SIZE, 0));
        xengt_dma_free(f->xg, cpu[1]);
        xengt_dma_free(f->xg, cpu[2]);
    }
}

/* What a guest may map, unmap and view are its own pages, not these. */
OWN_TEST(own_memory_is_no_mapping)
{
    struct fixture *f = *state;
    struct xengt_stats stats;
    struct xengt_bfn bfn;
    void *cpu;
    void *view;
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, &bfn, 1), 0);
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.mapped, 0);
    assert_int_equal(xengt_unmap(f->xg, &(struct xengt_cookie){bfn.v}, NULL, 1), -ENOENT);
    assert_int_equal(xengt_view(f->xg, bfn, &view), -ENOENT);
    assert_int_equal(xengt_space_put(f->space, &bfn, 1), -ENOENT);
    assert_true(dma_reads(f, bfn, cpu, 0));
}

OWN_TEST(what_is_left_is_freed_by_the_close)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[2];
    void *cpu;
    char byte;
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, bfn, 1), 0);
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, bfn + 1, 1), 0);
    xengt_close(f->xg);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn[0]), &byte, 1), -EFAULT);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn[1]), &byte, 1), -EFAULT);
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = f->sim};
    assert_int_equal(xengt_open(&f->xg, &options, NULL, 0), 0);
    assert_int_equal(xengt_target_add(f->xg, f->domid), 0);
    assert_int_equal(xengt_space_open(f->xg, f->domid, NULL, &f->space), 0);
}

OWN_TEST(arguments_without_sense_are_refused)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    void *cpu = &bfn;
    assert_int_equal(xengt_dma_alloc(f->xg, NULL, &bfn, 1), -EINVAL);
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, NULL, 1), -EINVAL);
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, NULL, 0), 0);
    assert_null(cpu);
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, &bfn, SIZE_MAX), -ENOMEM);
    assert_int_equal(xengt_dma_alloc(f->xg, &cpu, &bfn, (size_t)1 << 32), -ENOMEM);
    assert_null(cpu);
    assert_non_null(strstr(xengt_last_error(f->xg), "no memory"));
    assert_int_equal(xengt_dma_check(f->xg, NULL), -ENOENT);
}

/* --- a PV domain ------------------------------------------------------------------------- */

#define FIRST_REF   40u
#define FIRST_FRAME 0x5000u

/* gntalloc, and a Xen that maps this domain's own grants. */
struct pv {
    struct own own;
    unsigned refs;     /* shared with whom, from FIRST_REF on */
    uint32_t peer;     /* whom */
    bool mapped[256];  /* by reference - FIRST_REF */
    unsigned fail_ref; /* the map of this one is refused; 0: none */
    bool keep;         /* nothing is unmapped */
    int ret;           /* what a map returns as a whole */
    uint64_t moved;    /* frames are elsewhere by so much */
    int share_error;   /* why there are no pages */
};

static void *pv_share(void *arg, uint32_t domid, uint32_t n, uint32_t *ref)
{
    struct pv *pv = arg;
    if (pv->share_error) {
        errno = pv->share_error;
        return NULL;
    }
    pv->refs = n;
    pv->peer = domid;
    for (uint32_t i = 0; i < n; i++) {
        ref[i] = FIRST_REF + i;
    }
    return mmap(NULL, (size_t)n * XENGT_PAGE_SIZE, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void pv_unshare(void *arg, void *cpu, uint32_t n)
{
    struct pv *pv = arg;
    assert_int_equal(n, pv->refs);
    pv->refs = 0;
    munmap(cpu, (size_t)n * XENGT_PAGE_SIZE);
}

static void pv_map(struct pv *pv, struct gnttab_map_grant_ref *op)
{
    uint32_t i = op->ref - FIRST_REF;
    assert_true(i < pv->refs && i < 256);
    assert_int_equal(op->flags, GNTMAP_device_map);
    assert_int_equal(op->dom, pv->peer);
    if (op->ref == pv->fail_ref) {
        op->status = GNTST_no_space;
        return;
    }
    assert_false(pv->mapped[i]);
    pv->mapped[i] = true;
    op->status = GNTST_okay;
    op->handle = 7 * op->ref;
    op->dev_bus_addr = (FIRST_FRAME + pv->moved + 3 * i) << XENGT_PAGE_SHIFT;
}

static void pv_unmap(struct pv *pv, struct gnttab_unmap_grant_ref *op)
{
    uint32_t i = op->handle / 7 - FIRST_REF;
    assert_true(i < pv->refs && pv->mapped[i]);
    assert_true(op->host_addr == 0);
    assert_true(op->dev_bus_addr == (FIRST_FRAME + pv->moved + 3 * i) << XENGT_PAGE_SHIFT);
    op->status = pv->keep ? GNTST_general_error : GNTST_okay;
    pv->mapped[i] = pv->keep;
}

static int pv_call(void *arg, unsigned op, uint64_t cmd, uint64_t args, uint64_t n)
{
    struct pv *pv = arg;
    struct gnttab_map_grant_ref *map = (void *)(uintptr_t)args;
    struct gnttab_unmap_grant_ref *unmap = (void *)(uintptr_t)args;
    assert_int_equal(op, __HYPERVISOR_grant_table_op);
    for (uint64_t i = 0; i < n; i++) {
        if (cmd == GNTTABOP_map_grant_ref) {
            pv_map(pv, &map[i]);
        } else {
            assert_int_equal(cmd, GNTTABOP_unmap_grant_ref);
            pv_unmap(pv, &unmap[i]);
        }
    }
    return cmd == GNTTABOP_map_grant_ref ? pv->ret : 0;
}

static void *pv_alloc(void *arg, size_t size)
{
    (void)arg;
    return calloc(1, size);
}

static void pv_free(void *arg, void *p)
{
    (void)arg;
    free(p);
}

static int set_up_pv(void **state)
{
    struct pv *pv = test_calloc(1, sizeof(*pv));
    pv->own = (struct own){{pv, pv_call, pv_alloc, pv_free}, false, pv, pv_share, pv_unshare};
    *state = pv;
    return 0;
}

static unsigned pv_mappings(const struct pv *pv)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 256; i++) {
        n += pv->mapped[i];
    }
    return n;
}

static int tear_down_pv(void **state)
{
    struct pv *pv = *state;
    assert_int_equal(pv->refs, 0);
    test_free(pv);
    return 0;
}

#define PV_TEST(name) TEST_WITH(name, set_up_pv, tear_down_pv)

PV_TEST(xen_tells_a_pv_domain_its_frames)
{
    struct pv *pv = *state;
    struct xengt_bfn bfn[150];
    struct hv_own mem = {.n = 150};
    assert_int_equal(own_alloc(&pv->own, &mem), 0);
    assert_int_equal(pv->peer, 0); /* dom0 itself */
    assert_int_equal(own_where(&pv->own, &mem, bfn), 0);
    for (size_t i = 0; i < 150; i++) {
        assert_int_equal(bfn[i].v, FIRST_FRAME + 3 * i);
    }
    assert_int_equal(pv_mappings(pv), 0);
    own_free(&pv->own, &mem);
}

PV_TEST(a_grant_that_xen_does_not_map_has_no_frame)
{
    struct pv *pv = *state;
    struct xengt_bfn bfn[100];
    struct hv_own mem = {.n = 100};
    assert_int_equal(own_alloc(&pv->own, &mem), 0);
    for (unsigned i = 0; i < 100; i += 33) {
        pv->fail_ref = FIRST_REF + i;
        assert_int_equal(own_where(&pv->own, &mem, bfn), -EIO);
        assert_int_equal(pv_mappings(pv), 0);
    }
    pv->fail_ref = 0;
    pv->ret = -EFAULT;
    assert_int_equal(own_where(&pv->own, &mem, bfn), -EIO);
    assert_int_equal(pv_mappings(pv), 0);
    own_free(&pv->own, &mem);
}

PV_TEST(a_grant_that_stays_mapped_is_said)
{
    struct pv *pv = *state;
    struct xengt_bfn bfn[2];
    struct hv_own mem = {.n = 2};
    assert_int_equal(own_alloc(&pv->own, &mem), 0);
    pv->keep = true;
    assert_int_equal(own_where(&pv->own, &mem, bfn), -EIO);
    own_free(&pv->own, &mem);
}

PV_TEST(why_there_are_no_pages_is_said)
{
    static const int errors[][2] = {{ENOENT, -ENODEV}, {ENXIO, -ENODEV},  {EACCES, -EACCES},
                                    {EPERM, -EACCES},  {ENOSPC, -ENOMEM}, {ENOMEM, -ENOMEM}};
    struct pv *pv = *state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct hv_own mem = {.n = 2};
        pv->share_error = errors[i][0];
        assert_int_equal(own_alloc(&pv->own, &mem), errors[i][1]);
    }
}

/* --- a translated domain ----------------------------------------------------------------- */

/* Its grants are for nobody: if it mapped one itself, Xen would take the page from the kernel. */
PV_TEST(a_translated_domain_asks_its_kernel)
{
    struct pv *pv = *state;
    struct xengt_bfn bfn[3] = {{0}};
    struct xengt_bfn again[3] = {{0}};
    struct hv_own mem = {.n = 3};
    pv->own.translated = true;
    pv->own.calls.call = NULL;
    assert_int_equal(own_alloc(&pv->own, &mem), 0);
    assert_int_equal(pv->peer, DOMID_INVALID);
    int ret = own_where(&pv->own, &mem, bfn);
    assert_int_equal(own_where(&pv->own, &mem, again), ret);
    if (ret) {
        assert_int_equal(ret, -EACCES); /* who may not see frames is told so */
    } else {
        assert_memory_equal(bfn, again, sizeof(bfn));
        assert_true(bfn[0].v && bfn[0].v != bfn[1].v && bfn[1].v != bfn[2].v);
    }
    own_free(&pv->own, &mem);
}
