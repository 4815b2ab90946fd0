/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grant: the backend domain is a PV dom0 on a stock Xen, which has no call that maps a foreign
 * frame and tells the bus address. Grants do both, and dom0 can write them into the guest's
 * table itself.
 *
 *   map    an entry of the guest's grant table, GNTTABOP_map_grant_ref for the device
 *   unmap  GNTTABOP_unmap_grant_ref
 *
 * The BFN is the machine frame. Every mapping has a handle, and Xen counts them.
 *
 * A slot stands for one entry: each guest that is mapped has a pool of slots, whose places are the
 * places of entries in its table. So a record names the reference, and the free slots of the pool
 * are the entries that are free. What guests offer is in pools of its own.
 *
 * After an unmap the entry stays: it grants the frame that it did to this domain alone, and the
 * slot knows which (its past). If it is used for that frame again the table is not touched; if for
 * another, one exchange of what was written for what is to be. A target that is removed, a close
 * and a recovery clear them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hot.h"
#include "hv/xen/claim.h"
#include "hv/xen/grant.h"
#include "hv/xen/grant_pools.h"
#include "hv/xen/own.h"

#include <xen/memory.h>

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
static size_t issue_run(struct hv_grant *g, struct seed_table *t, const uint32_t *slot, int *err,
                        size_t n, bool read_only)
{
    struct slots *journal = g->hv.journal;
    t->ours += (uint32_t)n;
    size_t failures = gnt_issue(&g->env.calls, journal, slot, err, n);
    for (size_t i = 0; i < n && failures; i++) {
        if (err[i]) {
            t->ours--;
            record_store(&journal->record[slot[i]].held, 0); /* where its past was */
            err[i] = unseed(t, place_of(journal, slot[i]), slots_gfn(journal, slot[i]), read_only,
                            err[i]);
        }
    }
    return failures;
}

/* Makes an entry, which has a past or none, grant what is to be mapped. */
static SELDOM int seed_anew(struct seed_table *t, uint32_t place, uint64_t past, uint64_t gfn,
                            bool read_only)
{
    uint64_t from =
        past & RECORD_HAS_PAST ? seed_make(t, (struct xengt_gfn){past >> 32}, false) : 0;
    /* What was adopted is in a frame that nobody has come to yet. */
    int ret = t->frame[place / SEED_ENTRIES] ? 0 : seed_reach(t, place);
    return ret ? ret : seed_write(t, place, from, (struct xengt_gfn){gfn}, read_only);
}

/*
 * Makes the entries of slots, unless they are so already, up to one that cannot be, whose err says
 * why; and their operations. Returns how many.
 */
static HOT_LOOP size_t seed_run(struct hv_grant *g, struct seed_table *t, const uint32_t *slot,
                                int *err, size_t n, bool read_only)
{
    const struct slots *journal = g->hv.journal;
    struct record *record = journal->record;
    struct gnttab_map_grant_ref *op = ((struct gnt_area *)journal->area)->map;
    uint32_t flags = GNTMAP_device_map | (read_only ? GNTMAP_readonly : 0);
    uint32_t domid = t->domid;
    uint32_t mask = (1u << journal->pool_shift) - 1;
    uint32_t kept = t->kept;
    uint64_t same = read_only ? 0 : SLOT_NONE + 1; /* what remains of two pasts that are the same */
    HOT_UNROLL
    for (size_t i = 0; i < n; i++) {
        struct record *r = &record[slot[i]];
        uint32_t place = slot[i] & mask;
        uint64_t past = r->held;
        if ((record_past(r->what) ^ past) >= same) {
            err[i] = seed_anew(t, place, past, r->what & RECORD_GFN_MASK, read_only);
            if (err[i]) {
                record_store(&r->held, 0);
                return i;
            }
        }
        gnt_set(&op[i], domid, seed_ref(kept, place), 0, flags);
    }
    return n;
}

static size_t grant_map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                        unsigned prot)
{
    struct hv_grant *g = grant_of(hv);
    bool read_only = !(prot & XENGT_PROT_WRITE);
    struct table *t;
    size_t failures = 0;
    int ret = pools_table(g, domid, &t); /* there since its slots were taken */
    for (size_t i = 0; i < n;) {
        size_t run = ret ? 0 : seed_run(g, t->seed, &slot[i], &err[i], n - i, read_only);
        if (run) {
            failures += issue_run(g, t->seed, &slot[i], &err[i], run, read_only);
            i += run;
        } else {
            err[i] = ret ? ret : err[i];
            failures++;
            i++;
        }
    }
    return failures;
}

/* --- unmapping --------------------------------------------------------------------------- */

/*
 * Clears the entries of mappings that are undone. Those of a predecessor's are in the top-most
 * frames, too; if its domain is gone, or is another one now, the checks on the entry leave it
 * alone.
 */
static void clear_run(struct hv_grant *g, const uint32_t *slot, size_t n)
{
    const struct slots *journal = g->hv.journal;
    const struct record *record = journal->record;
    uint32_t mask = (1u << journal->pool_shift) - 1;
    bool read_only = slots_read_only(journal, slot[0]);
    struct table *table;
    if (!slots_sound(journal, slot[0]) || pools_table(g, slots_domid(journal, slot[0]), &table)) {
        return;
    }
    struct seed_table *t = table->seed;
    t->ours = t->ours > n ? t->ours - (uint32_t)n : 0;
    for (size_t i = 0; i < n; i++) {
        const struct xengt_gfn gfn = {record[slot[i]].what & RECORD_GFN_MASK};
        seed_clear(t, slot[i] & mask, gfn, read_only);
    }
}

static void clear_entries(struct hv_grant *g, const uint32_t *slot, const int *err, size_t n,
                          size_t failures)
{
    for (size_t i = 0, end; i < n; i = end) {
        for (end = failures ? i : n; end < n && (!err[end] || err[end] == -ENOENT);) {
            end++;
        }
        if (end > i) {
            clear_run(g, &slot[i], end - i);
        } else {
            end++;
        }
    }
}

/* Of a guest that is mapped, and when all went well, the entries stay for another time. */
static bool may_stay(struct hv_grant *g, const uint32_t *slot, size_t n, size_t failures)
{
    const struct slots *journal = g->hv.journal;
    struct table *table = NULL;
    bool stays = !failures && !slots_read_only(journal, slot[0]) &&
                 !pools_table(g, slots_domid(journal, slot[0]), &table) && table->pool &&
                 table->pool == slots_pool(g->hv.journal, slot[0]);
    if (stays) {
        table->seed->ours -= table->seed->ours > n ? (uint32_t)n : table->seed->ours;
    }
    return stays;
}

static size_t grant_unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    struct hv_grant *g = grant_of(hv);
    size_t failures = gnt_unmap(&g->env.calls, hv->journal, 0, slot, err, n);
    hv->keeps_past = may_stay(g, slot, n, failures);
    if (!hv->keeps_past) {
        clear_entries(g, slot, err, n, failures);
        pools_close_others(g);
    }
    return failures;
}

static size_t grant_map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err,
                                size_t n, unsigned prot)
{
    return gnt_map_offered(&grant_of(hv)->env.calls, hv->journal, 0, domid, slot, err, n, prot);
}

static size_t grant_unmap_offered(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    return gnt_unmap(&grant_of(hv)->env.calls, hv->journal, 0, slot, err, n);
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
    if (!hv->journal->area) {
        return;
    }
    if (begin) {
        pools_scrub_flight(grant_of(hv), hv->journal->maps);
        pools_scrub_flight(grant_of(hv), hv->journal->unmaps);
        gnt_recover(hv->journal);
    } else {
        pools_scrub_all(grant_of(hv));
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
    pools_close(g);
    xen_close(&g->xen);
    free(g);
}

static const struct hv_ops ops = {
    .domain_info = domain_info,
    .unsafe = unsafe,
    .assign = assign,
    .take = pools_take,
    .map = grant_map,
    .unmap = grant_unmap,
    .map_offered = grant_map_offered,
    .unmap_offered = grant_unmap_offered,
    .recover = recover,
    .forget = pools_forget,
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
        .gfn_max = UINT32_MAX, /* an entry has 32 bits for it */
        .pools = POOLS,
        .stride = stride,
        .held_is_proof = true,
        .area_size = sizeof(struct gnt_area),
    };
    pools_init(g);
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
