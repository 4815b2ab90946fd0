/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grant: the backend domain is a PV dom0 on a stock Xen, which has no call that maps a foreign
 * frame and tells the bus address. Grants do both, and dom0 can write them into the guest's
 * table itself.
 *
 *   map    an entry of the guest's grant table (seed.h), GNTTABOP_map_grant_ref for the device
 *   unmap  GNTTABOP_unmap_grant_ref, then the entry is cleared
 *
 * The BFN is the machine frame. Every mapping has a handle, and Xen counts them.
 *
 * A slot stands for one entry: each guest that is mapped has a pool of slots, whose places are the
 * places of entries in its table. So a record names the reference, and the free slots of the pool
 * are the entries that are free. What guests offer is in pools of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hv/xen/claim.h"
#include "hv/xen/grant.h"
#include "hv/xen/grant_ops.h"
#include "hv/xen/grant_table.h"
#include "hv/xen/own.h"

#include <xen/memory.h>

#define DOM0          0u
#define TABLES_MAX    (XENGT_TARGETS_MAX + 1) /* one to clear entries in */
#define OFFERED_POOLS 4u
#define POOLS         (TABLES_MAX + OFFERED_POOLS)
#define SLOTS_DEFAULT (1u << 17) /* half of the grant mappings Xen lets a domain have */

_Static_assert(POOLS <= POOLS_MAX, "a slot table has as many");

struct hv_grant {
    struct hv hv;
    struct grant_env env;
    struct xen xen;
    struct seed_frames frames;
    uint32_t frames_max;
    struct table {
        struct seed_table *seed; /* NULL: none */
        struct pool *pool;       /* of its slots; NULL: entries were just cleared */
    } table[TABLES_MAX];
};

static struct hv_grant *grant_of(struct hv *hv)
{
    return (struct hv_grant *)hv;
}

static int domain_info(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    return grant_of(hv)->env.domain_info(grant_of(hv)->env.arg, domid, info);
}

static const char *unsafe(struct hv *hv, uint32_t domid)
{
    struct hv_grant *g = grant_of(hv);
    return g->xen.xc ? xen_unsafe(&g->xen, domid) : NULL;
}

static int assign(struct hv *hv, uint32_t backend, uint32_t domid)
{
    struct hv_grant *g = grant_of(hv);
    return g->xen.xc ? xen_assign(&g->xen, backend, domid) : -EOPNOTSUPP;
}

/* --- the guests' tables ------------------------------------------------------------------ */

static int table_op(struct hv_grant *g, unsigned cmd, void *arg)
{
    return g->env.calls.call(g->env.calls.arg, __HYPERVISOR_grant_table_op, cmd, (uintptr_t)arg, 1);
}

static int table_version(void *arg, uint32_t domid)
{
    struct hv_grant *g = arg;
    struct gnt_area *a = g->hv.journal->area;
    struct gnttab_get_version *version = (void *)a->unmap; /* memory that Xen can reach */
    *version = (struct gnttab_get_version){.dom = (domid_t)domid};
    int ret = table_op(g, GNTTABOP_get_version, version);
    return ret ? ret : version->version > 1 ? -EOPNOTSUPP : 0;
}

static int table_limit(void *arg, uint32_t domid, uint32_t *frames)
{
    struct hv_grant *g = arg;
    struct gnt_area *a = g->hv.journal->area;
    struct gnttab_query_size *size = (void *)a->unmap;
    *size = (struct gnttab_query_size){.dom = (domid_t)domid};
    int ret = table_op(g, GNTTABOP_query_size, size);
    *frames = size->max_nr_frames;
    return ret ? ret : gnt_errno(size->status);
}

static int table_map(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie)
{
    struct hv_grant *g = arg;
    return g->env.table_map(g->env.arg, domid, frame, page, cookie);
}

static void table_unmap(void *arg, void *cookie)
{
    struct hv_grant *g = arg;
    g->env.table_unmap(g->env.arg, cookie);
}

/* One process at a time writes into a guest's table. */
static int open_table(struct hv_grant *g, uint32_t domid, struct table *t)
{
    int ret = g->env.claim(g->env.arg, domid);
    if (ret) {
        return ret;
    }
    ret = seed_open(&g->frames, domid, DOM0, g->frames_max, &t->seed);
    if (ret) {
        g->env.unclaim(g->env.arg, domid);
    }
    return ret;
}

static void close_table(struct hv_grant *g, struct table *t)
{
    if (t->seed) {
        g->env.unclaim(g->env.arg, t->seed->domid);
        seed_close(t->seed);
        *t = (struct table){0};
    }
}

static int get_table(struct hv_grant *g, uint32_t domid, struct table **out)
{
    struct table *place = NULL;
    for (size_t i = 0; i < TABLES_MAX; i++) {
        struct table *t = &g->table[i];
        if (t->seed && t->seed->domid == domid) {
            *out = t;
            return 0;
        }
        place = place || t->seed ? place : t;
    }
    *out = place;
    return place ? open_table(g, domid, place) : -ENOSPC;
}

/* The pages of a grant table are the domain's: holding them would keep it as a zombie. */
static void forget(struct hv *hv, uint32_t domid)
{
    struct hv_grant *g = grant_of(hv);
    for (size_t i = 0; i < TABLES_MAX; i++) {
        if (g->table[i].seed && g->table[i].seed->domid == domid) {
            close_table(g, &g->table[i]);
        }
    }
}

/* Those that were opened to clear entries of what is no target, or not used as one yet. */
static void close_others(struct hv_grant *g)
{
    for (size_t i = 0; i < TABLES_MAX; i++) {
        if (!g->table[i].pool) {
            close_table(g, &g->table[i]);
        }
    }
}

/* --- slots ------------------------------------------------------------------------------- */

/* Whose entries the slots of a pool stand for, as its records say; UINT32_MAX: nobody's. */
static uint32_t domid_of(const struct slots *journal, const struct pool *pool)
{
    for (uint32_t s = pool->first; s < pool->fresh; s++) {
        if (slots_state(journal, s) == SLOT_MAPPED) {
            return slots_domid(journal, s);
        }
    }
    return UINT32_MAX;
}

static bool has_table(const struct hv_grant *g, const struct pool *pool)
{
    bool has = false;
    for (size_t i = 0; i < TABLES_MAX; i++) {
        has |= g->table[i].pool == pool;
    }
    return has;
}

/* The pool that has what was adopted of a guest, or one that nobody has. */
static struct pool *find_pool(struct hv_grant *g, uint32_t domid)
{
    struct pool *empty = NULL;
    for (size_t p = 0; p < TABLES_MAX; p++) {
        struct pool *pool = &g->hv.journal->pool[p];
        if (has_table(g, pool)) {
            continue;
        }
        uint32_t owner = domid_of(g->hv.journal, pool);
        if (owner == domid) {
            return pool;
        }
        empty = empty || owner != UINT32_MAX ? empty : pool;
    }
    return empty;
}

static int ready_table(struct hv_grant *g, uint32_t domid, struct table **out)
{
    int ret = get_table(g, domid, out);
    struct table *t = ret ? NULL : *out;
    if (t && !t->pool) {
        t->pool = find_pool(g, domid);
        if (t->pool) {
            slots_refill(g->hv.journal, t->pool);
        }
    }
    return ret ? ret : t->pool ? seed_ready(t->seed) : -ENOSPC;
}

static uint32_t place_of(const struct slots *journal, uint32_t s)
{
    return s & ((1u << journal->pool_shift) - 1);
}

/* What is found to be the guest's, by its slot's turn, is not tried again. */
static int take_entries(struct slots *journal, const struct table *t, uint32_t *slot, uint32_t n,
                        uint32_t *got)
{
    while (*got < n) {
        uint32_t s = slots_take(journal, t->pool);
        if (s == SLOT_NONE) {
            return -ENOSPC;
        }
        int ret = seed_look(t->seed, place_of(journal, s));
        if (!ret) {
            slot[(*got)++] = s;
        } else if (ret != -EEXIST) {
            slots_untake(journal, s);
            return ret;
        }
    }
    return 0;
}

static int take_offered(struct slots *journal, uint32_t *slot, uint32_t n, uint32_t *got)
{
    for (uint32_t p = TABLES_MAX; p < POOLS; p++) {
        uint32_t s;
        while (*got < n && (s = slots_take(journal, &journal->pool[p])) != SLOT_NONE) {
            slot[(*got)++] = s;
        }
    }
    return *got ? 0 : -ENOSPC;
}

static int take(struct hv *hv, uint32_t domid, bool offered, uint32_t *slot, uint32_t n,
                uint32_t *got)
{
    if (offered) {
        return take_offered(hv->journal, slot, n, got);
    }
    struct table *t;
    int ret = ready_table(grant_of(hv), domid, &t);
    ret = ret ? ret : take_entries(hv->journal, t, slot, n, got);
    return *got ? 0 : ret;
}

/* --- mapping ----------------------------------------------------------------------------- */

/* What to do with an entry whose mapping failed. */
static int unseed(struct seed_table *t, uint32_t place, struct xengt_gfn gfn, bool read_only,
                  int err)
{
    enum seed_state state = seed_state(t, place, gfn);
    if (err == HV_DOUBT && state != SEED_UNUSED) {
        return HV_DOUBT; /* its handle is unknown: only the end of this domain undoes it */
    }
    seed_clear(t, place, gfn, read_only);
    if (err == HV_DOUBT) {
        return -EFAULT;
    }
    return state == SEED_CHANGED ? -EACCES : err;
}

/* Slots whose entries have been written, and their operations with them. */
static void issue_run(struct hv_grant *g, struct seed_table *t, const uint32_t *slot, int *err,
                      size_t n, bool read_only)
{
    struct slots *journal = g->hv.journal;
    if (!gnt_issue(&g->env.calls, journal, slot, err, n)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (err[i]) {
            err[i] = unseed(t, place_of(journal, slot[i]), slots_gfn(journal, slot[i]), read_only,
                            err[i]);
        }
    }
}

static void map_into(struct hv_grant *g, struct seed_table *t, const uint32_t *slot, int *err,
                     size_t n, bool read_only)
{
    struct slots *journal = g->hv.journal;
    struct gnt_area *a = journal->area;
    uint32_t flags = GNTMAP_device_map | (read_only ? GNTMAP_readonly : 0);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n; end++) {
            uint32_t place = place_of(journal, slot[end]);
            err[end] = seed_write(t, place, slots_gfn(journal, slot[end]), read_only);
            if (err[end]) {
                break;
            }
            gnt_set(a, end - i, t->domid, seed_ref(t, place), 0, flags);
        }
        if (end > i) {
            issue_run(g, t, &slot[i], &err[i], end - i, read_only);
        }
        end += end < n;
    }
}

static void grant_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                      unsigned prot)
{
    struct hv_grant *g = grant_of(hv);
    struct table *t;
    int ret = get_table(g, domid, &t); /* there since its slots were taken */
    if (!ret) {
        map_into(g, t->seed, slot, err, n, !(prot & XENGT_PROT_WRITE));
    }
    for (size_t i = 0; i < n && ret; i++) {
        err[i] = ret;
    }
}

/* --- unmapping --------------------------------------------------------------------------- */

/*
 * Clears the entries of mappings that are undone. Those of a predecessor's are in the top-most
 * frames, too; if its domain is gone, or is another one now, the checks on the entry leave it
 * alone.
 */
static void clear_entries(struct hv_grant *g, const uint32_t *slot, const int *err, size_t n)
{
    const struct slots *journal = g->hv.journal;
    struct table *t = NULL;
    uint32_t domid = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        uint32_t s = slot[i];
        if (err[i] && err[i] != -ENOENT) {
            continue;
        }
        if (slots_domid(journal, s) != domid) {
            domid = slots_domid(journal, s);
            t = !slots_sound(journal, s) || get_table(g, domid, &t) ? NULL : t;
        }
        if (t) {
            seed_clear(t->seed, place_of(journal, s), slots_gfn(journal, s),
                       slots_read_only(journal, s));
        }
    }
}

static void grant_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    struct hv_grant *g = grant_of(hv);
    gnt_unmap(&g->env.calls, hv->journal, 0, slot, err, n);
    clear_entries(g, slot, err, n);
    close_others(g);
}

static void grant_map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err,
                              size_t n, unsigned prot)
{
    gnt_map_offered(&grant_of(hv)->env.calls, hv->journal, 0, domid, slot, err, n, prot);
}

static void grant_unmap_offered(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    gnt_unmap(&grant_of(hv)->env.calls, hv->journal, 0, slot, err, n);
}

static int view_offered(struct hv *hv, uint32_t domid, uint32_t gref, uint32_t slot, unsigned prot,
                        void **view)
{
    (void)slot;
    struct xen *xen = &grant_of(hv)->xen;
    return xen->call ? xen_view_offered(xen, domid, gref, prot, view) : -EOPNOTSUPP;
}

static void unview_offered(struct hv *hv, void *view)
{
    xen_unview_offered(&grant_of(hv)->xen, view);
}

/* --- memory of this domain's own --------------------------------------------------------- */

static int alloc_own(struct hv *hv, struct hv_own *mem)
{
    const struct own own = own_of(&grant_of(hv)->xen, false);
    return own.calls.call ? own_alloc(&own, mem) : -EOPNOTSUPP;
}

static int where_own(struct hv *hv, const struct hv_own *mem, struct xengt_bfn *bfn)
{
    const struct own own = own_of(&grant_of(hv)->xen, false);
    return own_where(&own, mem, bfn);
}

static void free_own(struct hv *hv, struct hv_own *mem)
{
    const struct own own = own_of(&grant_of(hv)->xen, false);
    own_free(&own, mem);
}

/* --- life -------------------------------------------------------------------------------- */

static void recover(struct hv *hv, bool begin)
{
    if (begin && hv->journal->area) {
        gnt_recover(hv->journal);
    }
}

static int dirty(struct hv *hv, uint32_t domid, const struct xengt_gfn *gfn, size_t n)
{
    struct xen *xen = &grant_of(hv)->xen;
    return xen->call ? xen_dirty(xen, domid, gfn, n) : -EOPNOTSUPP;
}

static int view(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view)
{
    (void)slot;
    return grant_of(hv)->xen.memory ? xen_view(&grant_of(hv)->xen, domid, gfn, view) : -EOPNOTSUPP;
}

static void unview(struct hv *hv, void *view)
{
    xen_unview(&grant_of(hv)->xen, view);
}

static void grant_close(struct hv *hv)
{
    struct hv_grant *g = grant_of(hv);
    for (size_t i = 0; i < TABLES_MAX; i++) {
        close_table(g, &g->table[i]);
    }
    xen_close(&g->xen);
    free(g);
}

static const struct hv_ops ops = {
    .domain_info = domain_info,
    .unsafe = unsafe,
    .assign = assign,
    .take = take,
    .map = grant_map,
    .unmap = grant_unmap,
    .map_offered = grant_map_offered,
    .unmap_offered = grant_unmap_offered,
    .recover = recover,
    .forget = forget,
    .own_alloc = alloc_own,
    .own_where = where_own,
    .own_free = free_own,
    .dirty = dirty,
    .view = view,
    .unview = unview,
    .view_offered = view_offered,
    .unview_offered = unview_offered,
    .close = grant_close,
};

struct hv *grant_new(const struct grant_env *env, uint32_t slots, uint32_t frames)
{
    struct hv_grant *g = calloc(1, sizeof(*g));
    if (!g) {
        return NULL;
    }
    g->env = *env;
    g->xen = XEN_CLOSED;
    g->frames_max = frames ? frames : XENGT_GRANT_FRAMES_DEFAULT;
    uint32_t stride = SEED_ENTRIES;
    while (stride < g->frames_max * SEED_ENTRIES) {
        stride *= 2;
    }
    g->hv = (struct hv){
        .ops = &ops,
        .name = "grant",
        .backend = XENGT_BACKEND_GRANT,
        .slots = slots ? slots : SLOTS_DEFAULT,
        .pools = POOLS,
        .stride = stride,
        .held_is_proof = true,
        .area_size = sizeof(struct gnt_area),
    };
    g->frames = (struct seed_frames){g, table_version, table_limit, table_map, table_unmap};
    return &g->hv;
}

/* --- on the real Xen --------------------------------------------------------------------- */

static int real_domain_info(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    return xen_domain_info(arg, domid, info);
}

static int real_table_map(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie)
{
    const struct xen *xen = arg;
    *page = NULL;
    *cookie = xenforeignmemory_map_resource(xen->memory, domid, XENMEM_resource_grant_table,
                                            XENMEM_resource_grant_table_id_shared, frame, 1, page,
                                            PROT_READ | PROT_WRITE, 0);
    return *cookie ? 0 : -errno;
}

static void real_table_unmap(void *arg, void *cookie)
{
    const struct xen *xen = arg;
    xenforeignmemory_unmap_resource(xen->memory, cookie);
}

static int real_claim(void *arg, uint32_t domid)
{
    const struct xen *xen = arg;
    return claim_take(xen->claims, CLAIM_GRANT_TABLE(domid), 1);
}

static void real_unclaim(void *arg, uint32_t domid)
{
    const struct xen *xen = arg;
    claim_drop(xen->claims, CLAIM_GRANT_TABLE(domid), 1);
}

static int check_domain(struct hv_error *error)
{
    switch (xen_guest_type()) {
    case XEN_NONE:
        return xen_absent(error);
    case XEN_TRANSLATED:
        hv_error(error, "the grant back end needs a PV dom0 and this one is PVH or HVM; use the "
                        "physmap back end");
        return -ENODEV;
    default:
        return 0;
    }
}

int hv_grant_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    int ret = check_domain(error);
    if (ret) {
        return ret;
    }
    if (options->grant_frames > SEED_FRAMES_MAX) {
        hv_error(error, "%u frames of a grant table: at most %u can be used", options->grant_frames,
                 SEED_FRAMES_MAX);
        return -EINVAL;
    }
    struct xen xen = XEN_CLOSED;
    ret = xen_open(&xen, options, error);
    const struct grant_env env = {
        .calls = xen.calls,
        .domain_info = real_domain_info,
        .table_map = real_table_map,
        .table_unmap = real_table_unmap,
        .claim = real_claim,
        .unclaim = real_unclaim,
    };
    struct hv *hv = ret ? NULL : grant_new(&env, options->window_pages, options->grant_frames);
    if (!hv) {
        xen_close(&xen);
        return ret ? ret : -ENOMEM;
    }
    struct hv_grant *g = grant_of(hv);
    g->xen = xen;
    g->env.arg = &g->xen;
    snprintf(hv->explanation, sizeof(hv->explanation),
             "PV dom0 on a Xen without PV-IOMMU: grants, %u frames of a guest's table at most; %s",
             g->frames_max, xen_iommu_phrase(&g->xen));
    *out = hv;
    return 0;
}
