/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state that the files of the shadow GTT share. Calls go down this list or stay:
 *
 *   stores.c   stores that are trapped because they go into tracked tables
 *   memory.c   guest memory by address in the global GTT
 *   gtt.c      the object, the guest's accesses to the global GTT, when changes become real
 *   spaces.c   address spaces: roots, what the engines use, reclaim (calls gtt.c, too)
 *   sync.c     what changed: stores that were trapped, tables that are compared (calls gtt.c, too)
 *   changes.c  changes on their way into the batch, and what became of them
 *   spt.c      the shadows of the guest's page tables (spt.c and track.c call each other)
 *   track.c    which of those tables are tracked
 *   batch.c    how changes become real: see batch.h, which knows of none of the above
 *
 * Work is done in portions: whatever a guest can make long is a step that charges what it costs
 * (gtt_charge) and leaves off between two entries or tables when there is nothing left to spend
 * (gtt_may_work), to be gone on with in a later turn.
 */
#ifndef XENGT_GTT_STATE_H
#define XENGT_GTT_STATE_H

#include "gtt/gtt.h"

#include <sys/queue.h>

#include <xengt/space.h>

#include "gen/pte.h"
#include "gtt/batch.h"

/*
 * Stores into the global GTT recorded before a commit is due at the latest. 512 entries, one page
 * of PTEs: enough that the price of a hypercall and of a TLB invalidate is spread thin.
 */
#define GTT_PENDING_MAX 512u

/*
 * What work costs, in units: about a tenth of a microsecond each. A hypercall is as dear as it may
 * be on a machine with an IOMMU.
 */
enum gtt_cost {
    COST_CHANGE = 1,     /* an entry, from its decoding to the release of what it held */
    COST_LOOK = 1,       /* a table or 512 entries are passed by */
    COST_COMPARE = 8,    /* a table with its copy, or 512 entries */
    COST_CHILDREN = 32,  /* all entries of a table of tables are followed */
    COST_TRACK = 64,     /* a page is tracked, or is no more */
    COST_HYPERCALL = 96, /* to map or unmap */
    COST_TABLE = 128,    /* a table gets a shadow */
    COST_DROP = 32,      /* or loses it */
    COST_LOSS = 4,       /* a table loses a reference */
    COST_BATCH = 32,     /* the TLB is invalidated */
};

/* Changes in a batch of a guest that may not do everything at once: a hypercall to map them. */
#define GTT_PORTION 256u

/* Entries of the global GTT that a sweep or an access takes of those that are pending. */
#define GTT_PENDING_PORTION 256u

/* --- the global GTT ---------------------------------------------------------------------- */

/* What is known of an entry besides its value. */
enum gtt_flag {
    GTT_LOW = 1,     /* only the low half of the entry was written: it is no entry yet */
    GTT_HIGH = 2,    /* only the high half */
    GTT_PENDING = 4, /* in the list of entries to commit */
    GTT_FAILED = 8,  /* the guest made it present, and it is scratch */
    GTT_MAPPED = 16, /* it points to a page */
    GTT_OVER = 32,   /* it failed because as many are mapped as the guest may have */
    GTT_FULL = 64,   /* it failed for want of room that others have: it may be had later */
};
#define GTT_HALF (GTT_LOW | GTT_HIGH)

/* --- shadow page tables ------------------------------------------------------------------ */

enum spt_kind {
    SPT_PT,
    SPT_PT_64K, /* a page table whose PDE says that it holds 64 KiB pages */
    SPT_SPLIT,  /* a page of 2 MiB in 4 KiB pieces: no page of the guest's is behind it */
    SPT_PD,
    SPT_PDP,
    SPT_PML4,
};

/*
 * The shadow of one page of the guest's that is a page table of one kind. Shared by all entries
 * and roots that name it.
 *
 * Either its page is tracked: stores into it are trapped, and come to gtt_table_write(). Or it is
 * out of sync: the guest stores as it likes, and what it changed is found by comparing with a
 * copy before the GPU may use it. A table begins out of sync, is tracked when it has been quiet
 * for some time, and goes out of sync again when it is written often.
 *
 * A page that is tracked can be no page like any other: the guest cannot execute what is in it, and
 * Xen does not write to it for the guest. So tracking must end before the guest has another use for
 * the page, which is when it has taken the table out of the one above. That is seen in time because
 * all tables that lead to a tracked one are tracked, and a trapped store that takes a table away
 * does so at once: the commit brings what the entry points to instead. The store is answered when
 * all that it took away is tracked no more.
 */
struct spt {
    struct xengt_gfn gfn;
    struct xengt_bfn page;          /* of the guest's page, which is mapped as long as this lives */
    const volatile uint64_t *guest; /* and how to read it; NULL: SPT_SPLIT */
    uint64_t *copy;                 /* out of sync: what the shadow was made from */
    uint32_t table;                 /* of the GPU */
    uint32_t refs;                  /* 0: dead, and on the list of those to be given up */
    uint32_t loose_links;           /* entries that point to it of tables out of sync */
    uint16_t batch;                 /* the last batch that has changes of it, or one long ago */
    uint16_t failures;              /* bits set in failed */
    uint16_t quiet;                 /* syncs without a change, or as many as can be counted */
    uint8_t kind;
    uint8_t flags;    /* SPT_SPLIT: of all its entries */
    uint8_t writes;   /* stores trapped since the last sync */
    uint8_t patience; /* how often it was tracked and then written: each doubles what is waited */
    uint8_t emptied;  /* dead: how many times 64 entries, from the first on, are scratch */
    bool tracked : 1;
    bool hopeless : 1;  /* written in ways no page table is: never tracked again */
    bool queued : 1;    /* in the queue of tables with changes */
    bool loosening : 1; /* tracked, and to be let go when nothing below it is tracked */
    uint64_t dirty[GPU_TABLE_ENTRIES / 64];  /* entries to look at anew */
    uint64_t failed[GPU_TABLE_ENTRIES / 64]; /* present for the guest, scratch for the GPU */
    struct spt *next_gfn;                    /* in the hash by gfn */
    struct spt *next_table;                  /* in the hash by table */
    TAILQ_ENTRY(spt) changed; /* in the queue of those with changes, or of those that are dead */
    TAILQ_ENTRY(spt) loose;   /* in the list of those out of sync, or of those to become so */
};
TAILQ_HEAD(spt_list, spt);

/* Level 1 has entries that point to pages. */
static inline unsigned spt_level(enum spt_kind kind)
{
    return kind < SPT_PD ? 1 : (unsigned)kind - SPT_PD + 2;
}

static inline bool bit_get(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}

static inline void bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void bit_clear(uint64_t *bits, uint32_t i)
{
    bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

/* --- address spaces ---------------------------------------------------------------------- */

/* An address space of the guest: known because the guest said so, or because it was submitted. */
struct mm {
    struct gtt_root root;
    uint32_t refs;         /* notifications: created and not yet destroyed */
    bool announced;        /* there was one: without references it is no more */
    bool shadowed;         /* spt is valid */
    uint32_t kept;         /* its place among the kept roots; GTT_ROOTS_MAX: none */
    struct spt *spt[4];    /* of the roots; NULL: none */
    TAILQ_ENTRY(mm) links; /* the least recently used first */
};
TAILQ_HEAD(mm_list, mm);

/* What an engine is to get next, and the commit that it waits for. */
struct preparation {
    struct mm *mm;    /* NULL: no PPGTT */
    uint64_t ticket;  /* 0: for none */
    uint64_t starved; /* gtt->starved at its beginning */
    bool ready;
    bool again; /* what failed was tried again without room having been made */
};

/* --- the object -------------------------------------------------------------------------- */

/* How far a comparison of everything is. */
enum sweep_stage {
    SWEEP_FAILED_GGTT,   /* what failed is tried again: entries of the global GTT, */
    SWEEP_FAILED_TABLES, /* of page tables */
    SWEEP_PENDING,
    SWEEP_LAZY,
    SWEEP_LOOSE,
    SWEEP_CHANGED,
    SWEEP_OVER,
};

struct sweep {
    enum sweep_stage stage;
    uint32_t at; /* in the stage; SWEEP_LOOSE: tables that are still to be compared */
};

struct gtt {
    struct gtt_config cfg;
    struct gpu_client *client;
    struct gtt_stats stats;
    int64_t left;       /* units of work that may be done; below 0: done in advance */
    int64_t allowed;    /* what that was when it was allowed last */
    uint32_t batch_max; /* changes that become real together */

    /* Entries of both windows are kept side by side and called by their place. */
    uint32_t entries;
    uint64_t *guest;     /* what the guest wrote */
    uint64_t *own_guest; /* the same; NULL: it is kept */
    uint8_t *flags;
    uint16_t *failed; /* how many entries of each block are GTT_FAILED */
    uint32_t pending_count;
    uint32_t pending[GTT_PENDING_MAX];

    /* Of the PPGTTs. */
    struct spt **by_gfn; /* hashes of the same size, a power of two; NULL until the first table */
    struct spt **by_table;
    uint32_t hash_size;
    uint64_t hash_key;         /* so that no guest can choose which gfns meet; odd */
    struct spt_list changed;   /* tables with dirty entries */
    struct spt_list loose;     /* tables out of sync, the oldest first */
    struct spt_list loosening; /* tables to become so, what is below before what is above */
    struct spt_list dead;      /* tables to be given up */
    struct mm_list mms;
    struct mm **kept_mm;             /* of the kept roots, by their place; NULL: nothing is kept */
    struct mm *running[GPU_ENGINES]; /* what the engines were given last; NULL: none */
    struct preparation next[GPU_ENGINES];
    bool retry;       /* entries failed for a reason that may have passed */
    uint64_t starved; /* tables that could not be shadowed so far: out of tables or memory */

    /*
     * Commits are numbered as they begin. Who needs one waits for the number of the first that
     * begins after that: what the guest stored before is in it.
     */
    uint64_t begun;
    uint64_t done;
    uint64_t wanted;
    uint64_t access; /* what the guest's access waits for */
    struct sweep sweep;
    bool layout_changed; /* the mappings are old when the access's commit is done */
    bool resetting;
    uint32_t reset_at; /* the place that is cleared next */

    /* Pages to be tracked no more, together. */
    struct xengt_gfn untrack[64];
    uint32_t untrack_count;

    uint16_t batch_number; /* of the batch that is filled */
    struct gtt_batch batch;
};

static inline bool gtt_may_work(const struct gtt *gtt)
{
    return gtt->left > 0;
}

static inline void gtt_charge(struct gtt *gtt, uint32_t units)
{
    gtt->left -= units;
}

/* The place of a GTT index; GTT_NO_ENTRY: outside the windows. */
#define GTT_NO_ENTRY UINT32_MAX
uint32_t gtt_find_entry(const struct gtt *gtt, uint64_t index);

/* --- spaces.c ---------------------------------------------------------------------------- */

/* The address space that an engine is to use next: it stays until mm_unprepare(). -EINVAL, -ENOSPC
 */
int mm_prepare(struct gtt *gtt, enum gpu_engine engine, const struct gtt_root *root);
void mm_unprepare(struct gtt *gtt, enum gpu_engine engine);

/* Shadows of its roots, as far as there are none yet. False: there is none at all. */
bool mm_shadow_roots(struct gtt *gtt, struct mm *mm);
void mm_for_gpu(const struct gtt *gtt, const struct mm *mm, struct gpu_root *root);
bool mm_is_root(const struct mm *mm, const struct gtt_root *root);

/* Address spaces that were kept are known again. -ENOMEM. */
int mm_take_up(struct gtt *gtt);

/* Gives up the shadow that was not used for the longest time. False: there is none to give up. */
bool mm_reclaim(struct gtt *gtt);

/* Gives up those that were destroyed while an engine used them, and are not used any more. */
void mm_reap(struct gtt *gtt);

/* Forgets address spaces while it may; the engines are stopped. True: there are none left. */
bool mm_drop_all(struct gtt *gtt);

/* --- sync.c ------------------------------------------------------------------------------ */

/* Puts an entry on the list of those to commit; commits first when the list is full. */
void gtt_mark_pending(struct gtt *gtt, uint32_t entry);

/* Finds what the guest changed and makes changes of it, while it may. True: that was all. */
void gtt_sweep_begin(struct gtt *gtt);
bool gtt_sweep(struct gtt *gtt);

/* The entries that translate these addresses only. */
void gtt_sync_addresses(struct gtt *gtt, uint64_t address, size_t size);

/* --- changes.c --------------------------------------------------------------------------- */

/* Makes the changes real that were taken so far. */
void gtt_run_batch(struct gtt *gtt);

/* Makes what was taken so far real if there is no room for n changes more. */
static inline struct gtt_batch *gtt_room(struct gtt *gtt, uint32_t n)
{
    if (gtt->batch.n + n > gtt->batch_max) {
        gtt_run_batch(gtt);
    }
    return &gtt->batch;
}

/* Takes one more change. gfn: of the page it points to, if it does. */
static inline void gtt_change(struct gtt *gtt, const struct gtt_change *change,
                              struct xengt_gfn gfn)
{
    struct gtt_batch *b = gtt_room(gtt, 1);
    b->gfn[b->pages] = gfn;
    b->pages += change->kind == GTT_TO_PAGE;
    b->change[b->n++] = *change;
    gtt_charge(gtt, COST_CHANGE);
}

/* A table, NULL or not, is no root any more: its reference goes when the GPU has forgotten it. */
void gtt_leave_root(struct gtt *gtt, struct spt *spt);

/* Gives up dead tables and lets go of tracked ones, while it may. True: that was all. */
bool gtt_tidy(struct gtt *gtt);

/* --- spt.c ------------------------------------------------------------------------------- */

/*
 * The shadow of a guest page, with one reference more. NULL: the page cannot be a table, which
 * is counted, or there is no room for its shadow, which gtt->starved counts.
 */
struct spt *spt_get(struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn);
struct spt *spt_get_split(struct gtt *gtt, struct xengt_gfn first, uint64_t flags);

/* One reference less. The GPU can not reach the table by that way any more. */
void spt_put(struct gtt *gtt, struct spt *spt);

/* The batch has given up a dead table: the rest of it goes. */
void spt_free(struct gtt *gtt, struct spt *spt);

struct spt *spt_of_table(const struct gtt *gtt, uint32_t table);
struct spt *spt_of_gfn(const struct gtt *gtt, struct xengt_gfn gfn); /* any kind */
struct spt *spt_next_of_gfn(const struct spt *spt); /* the same page as another kind of table */
struct spt *spt_find(const struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn);

/* There is something dirty in it. */
void spt_queue(struct gtt *gtt, struct spt *spt);

/* --- track.c ----------------------------------------------------------------------------- */

/* A new table begins out of sync, and ends in either state. Not for SPT_SPLIT. */
void spt_begin(struct gtt *gtt, struct spt *spt);
void spt_end(struct gtt *gtt, struct spt *spt);

/* The entries that differ from the copy become dirty. True: there are some. */
bool spt_compare(struct gtt *gtt, struct spt *spt);

/* Lets the guest store freely into a page table, if there is room for a copy. */
void spt_loosen_page_table(struct gtt *gtt, struct spt *spt);

/* The same for a tracked table of any kind, and what is below it: it is done by spt_loosen_some().
 */
void spt_loosen_later(struct gtt *gtt, struct spt *spt);
void spt_loosen_some(struct gtt *gtt);

/* Tracks at most so many tables that are out of sync, and compares them a last time. */
#define SPT_TIGHTEN_MAX 64u
void spt_tighten(struct gtt *gtt, struct spt *const *spt, size_t n);

/* Pages of tables that are no more are the guest's again. */
void spt_untrack_flush(struct gtt *gtt);

/* An entry of `above` begins or ceases to point to it. */
static inline void spt_link(const struct spt *above, struct spt *spt)
{
    spt->loose_links += !above->tracked;
}

static inline void spt_unlink(const struct spt *above, struct spt *spt)
{
    spt->loose_links -= !above->tracked;
}

#endif
