/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the shadow GTT share. */
#ifndef XENGT_GTT_PRIVATE_H
#define XENGT_GTT_PRIVATE_H

#include "gtt.h"

#include <xengt/space.h>

/*
 * Stores recorded before a commit is due at the latest. 512 entries, one page of PTEs: enough
 * that the price of a hypercall and of a TLB invalidate is spread thin.
 */
#define GTT_PENDING_MAX 512u

/* What is known of an entry besides its two values. */
enum gtt_flag {
    GTT_LOW = 1,     /* only the low half of the entry was written: it is no entry yet */
    GTT_HIGH = 2,    /* only the high half */
    GTT_PENDING = 4, /* in the list of entries to commit */
    GTT_FAILED = 8,  /* the guest made it present, and it is scratch */
};
#define GTT_HALF (GTT_LOW | GTT_HIGH)

/*
 * Entries of both windows are kept side by side and called by their place in these arrays: the
 * mappable window first, the other behind it.
 */
struct gtt {
    struct gtt_config cfg;
    struct gpu_client *client;
    uint32_t entries;
    uint64_t *guest;  /* what the guest wrote */
    uint64_t *shadow; /* what the GPU's entry holds */
    uint8_t *flags;
    struct gtt_stats stats;

    uint32_t pending_count;
    uint32_t pending[GTT_PENDING_MAX];

    /* Room for one commit, so that it allocates nothing. */
    struct {
        struct xengt_gfn gfn[GTT_PENDING_MAX];
        struct xengt_bfn bfn[GTT_PENDING_MAX];
        int err[GTT_PENDING_MAX];
        struct xengt_bfn old[GTT_PENDING_MAX];
        struct gpu_pte_write write[GTT_PENDING_MAX];
    } room;
};

static inline uint32_t gtt_index(const struct gtt *gtt, uint32_t entry)
{
    return entry < gtt->cfg.mappable.count
               ? gtt->cfg.mappable.first + entry
               : gtt->cfg.unmappable.first + (entry - gtt->cfg.mappable.count);
}

static inline bool gtt_is_mapped(const struct gtt *gtt, uint32_t entry)
{
    return gtt->shadow[entry] != gtt->cfg.gpu->scratch_pte;
}

/* The place of a GTT index in the arrays; GTT_NO_ENTRY: outside the windows. */
#define GTT_NO_ENTRY UINT32_MAX
uint32_t gtt_find_entry(const struct gtt *gtt, uint64_t index);

/* Puts an entry on the list of those to commit; commits first when the list is full. */
void gtt_mark_pending(struct gtt *gtt, uint32_t entry);

#endif
