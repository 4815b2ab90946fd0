/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests' grant tables that are open, and the pools of slots that stand for their entries: a
 * slot's place in its pool is the place of an entry in the table (grant_table.h).
 */
#ifndef XENGT_LIB_HV_XEN_GRANT_POOLS_H
#define XENGT_LIB_HV_XEN_GRANT_POOLS_H

#include "hv/xen/grant.h"
#include "hv/xen/grant_ops.h"
#include "hv/xen/grant_table.h"

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

static inline struct hv_grant *grant_of(struct hv *hv)
{
    return (struct hv_grant *)hv;
}

static inline uint32_t place_of(const struct slots *journal, uint32_t s)
{
    return s & ((1u << journal->pool_shift) - 1);
}

/* How frames of the tables are had. */
void pools_init(struct hv_grant *g);

/* The table of a guest, opened if it is not; to clear entries in, unless slots are taken for it. */
int pools_table(struct hv_grant *g, uint32_t domid, struct table **out);

/* As of struct hv_ops. */
int pools_take(struct hv *hv, uint32_t domid, bool offered, uint32_t *slot, uint32_t n,
               uint32_t *got);
void pools_forget(struct hv *hv, uint32_t domid);

/* Closes the tables of what is no target, or not used as one yet; or all of them. */
void pools_close_others(struct hv_grant *g);
void pools_close(struct hv_grant *g);

/* Entries of a predecessor's: of slots that are in flight, and those left for another time. */
void pools_scrub_flight(struct hv_grant *g, const struct flight *flight);
void pools_scrub_all(struct hv_grant *g);

#endif
