/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The back end above the simulator: the same calls in the same batches as on Xen. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "hv/hv.h"
#include "hv/sim/model.h"

struct hv_sim {
    struct hv hv;
    struct xengt_sim *sim;
};

static struct xengt_sim *sim_of(struct hv *hv)
{
    return ((struct hv_sim *)hv)->sim;
}

static int domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    return sim_domain_info(sim_of(hv), domid, info);
}

static const char *unsafe(struct hv *hv, uint32_t domid)
{
    return sim_unsafe(sim_of(hv), domid);
}

static int assign(struct hv *hv, uint32_t backend, uint32_t domid)
{
    return sim_set_target(sim_of(hv), backend, domid);
}

static int claim(struct hv *hv, uint64_t first, uint32_t n, struct hv_error *error)
{
    int ret = sim_claim(sim_of(hv), hv, first, n);
    if (ret) {
        hv_error(error, "window 0x%llx+%u of the simulator: another handle owns a part of it",
                 (unsigned long long)first, n);
    }
    return ret;
}

static size_t map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                  unsigned prot)
{
    int ret = sim_hypercall(sim_of(hv), true);
    for (size_t i = 0; i < n; i++) {
        err[i] = ret ? ret
                     : sim_add_to_physmap(sim_of(hv), domid, slots_gfn(hv->journal, slot[i]),
                                          hv->window_base + slot[i], prot & XENGT_PROT_WRITE);
        err[i] = err[i] == -ENXIO ? HV_TAKEN : err[i];
    }
    return hv_count_failures(err, n);
}

static size_t unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    int ret = sim_hypercall(sim_of(hv), false);
    for (size_t i = 0; i < n; i++) {
        err[i] = ret ? ret : sim_remove_from_physmap(sim_of(hv), hv->window_base + slot[i]);
    }
    return hv_count_failures(err, n);
}

static size_t map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                          unsigned prot)
{
    int ret = sim_hypercall(sim_of(hv), true);
    for (size_t i = 0; i < n; i++) {
        uint32_t gref = (uint32_t)slots_gfn(hv->journal, slot[i]).v;
        err[i] = ret ? ret
                     : sim_map_grant(sim_of(hv), domid, gref, prot & XENGT_PROT_WRITE,
                                     hv->window_base + slot[i]);
        err[i] = err[i] == -ENXIO ? HV_TAKEN : err[i];
    }
    return hv_count_failures(err, n);
}

static size_t unmap_offered(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    int ret = sim_hypercall(sim_of(hv), false);
    for (size_t i = 0; i < n; i++) {
        err[i] = ret ? ret : sim_unmap_grant(sim_of(hv), hv->window_base + slot[i]);
    }
    return hv_count_failures(err, n);
}

static int view_at(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view)
{
    (void)domid;
    (void)gfn;
    *view = sim_window_page(sim_of(hv), hv->window_base + slot);
    return *view ? 0 : -EINVAL;
}

static int view_offered(struct hv *hv, uint32_t domid, uint32_t gref, uint32_t slot, unsigned prot,
                        void **view)
{
    (void)prot;
    return view_at(hv, domid, (struct xengt_gfn){gref}, slot, view);
}

static void unview(struct hv *hv, void *view)
{
    (void)hv;
    (void)view;
}

static int dirty(struct hv *hv, uint32_t domid, const struct xengt_gfn *gfn, size_t n)
{
    return sim_dirty(sim_of(hv), domid, gfn, n);
}

static int own_alloc(struct hv *hv, struct hv_own *own)
{
    uint64_t first;
    int ret = own->n > OWN_FRAMES ? -ENOMEM
                                  : sim_own_alloc(sim_of(hv), (uint32_t)own->n, &first, &own->cpu);
    own->first = ret ? 0 : first;
    return ret == -ENOSPC ? -ENOMEM : ret;
}

static int own_where(struct hv *hv, const struct hv_own *own, struct xengt_bfn *bfn)
{
    (void)hv;
    for (size_t i = 0; i < own->n; i++) {
        bfn[i].v = own->first + i;
    }
    return 0;
}

static void own_free(struct hv *hv, struct hv_own *own)
{
    sim_own_free(sim_of(hv), own->first, (uint32_t)own->n);
}

static void hv_sim_close(struct hv *hv)
{
    sim_claim_drop(sim_of(hv), hv);
    free(hv);
}

static const struct hv_ops ops = {
    .claim = claim,
    .domain_info = domain_info,
    .unsafe = unsafe,
    .assign = assign,
    .map = map,
    .unmap = unmap,
    .map_offered = map_offered,
    .unmap_offered = unmap_offered,
    .dirty = dirty,
    .own_alloc = own_alloc,
    .own_where = own_where,
    .own_free = own_free,
    .view = view_at,
    .unview = unview,
    .view_offered = view_offered,
    .unview_offered = unview,
    .close = hv_sim_close,
};

int hv_sim_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    uint64_t base = options->window_base ? options->window_base : SIM_WINDOW_BASE;
    uint32_t pages = options->window_pages ? options->window_pages : SIM_WINDOW_PAGES;
    if (!options->sim) {
        hv_error(error, "the sim back end needs a simulator: options.sim is NULL");
        return -EINVAL;
    }
    if (base < SIM_WINDOW_BASE || base - SIM_WINDOW_BASE > SIM_WINDOW_PAGES ||
        pages > SIM_WINDOW_PAGES - (base - SIM_WINDOW_BASE)) {
        hv_error(error, "window 0x%llx+%u is outside the simulator's 0x%llx+%u",
                 (unsigned long long)base, pages, (unsigned long long)SIM_WINDOW_BASE,
                 SIM_WINDOW_PAGES);
        return -EINVAL;
    }
    struct hv_sim *hv = calloc(1, sizeof(*hv));
    if (!hv) {
        return -ENOMEM;
    }
    hv->sim = options->sim;
    hv->hv = (struct hv){
        .ops = &ops,
        .name = "sim",
        .backend = XENGT_BACKEND_SIM,
        .window_base = base,
        .slots = pages,
        .windowed = true,
    };
    snprintf(hv->hv.explanation, sizeof(hv->hv.explanation),
             "a simulator was given; window of %u frames at 0x%llx", pages,
             (unsigned long long)base);
    *out = &hv->hv;
    return 0;
}
