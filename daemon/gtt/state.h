/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the shadow GTT share.
 *
 *   gtt.c     the object, and the guest's accesses to the global GTT
 *   sync.c    what changed: stores that were trapped, tables that are compared
 *   spt.c     the shadows of the guest's page tables
 *   track.c   which of those tables are tracked; the stores that are trapped
 *   ppgtt.c   address spaces: roots, what the engines use, reclaim
 *   commit.c  how changes become real: the only file that writes GPU PTEs
 */
#ifndef XENGT_GTT_STATE_H
#define XENGT_GTT_STATE_H

#include "gtt/gtt.h"

#include <sys/queue.h>

#include <xengt/space.h>

#include "gen/pte.h"

/*
 * Stores into the global GTT recorded before a commit is due at the latest. 512 entries, one page
 * of PTEs: enough that the price of a hypercall and of a TLB invalidate is spread thin.
 */
#define GTT_PENDING_MAX 512u

/* Changes that become real together. A surface of 8 MiB is 2048 pages. */
#define GTT_BATCH_MAX 2048u

/* Entries of the global GTT that are passed by together when there is nothing in them. */
#define GTT_BLOCK 512u

#define GTT_LEVELS 4u

/* --- the global GTT ---------------------------------------------------------------------- */

/* What is known of an entry besides its two values. */
enum gtt_flag {
    GTT_LOW = 1,     /* only the low half of the entry was written: it is no entry yet */
    GTT_HIGH = 2,    /* only the high half */
    GTT_PENDING = 4, /* in the list of entries to commit */
    GTT_FAILED = 8,  /* the guest made it present, and it is scratch */
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
 * does so at once: the commit brings what the entry points to instead.
 */
struct spt {
    struct xengt_gfn gfn;
    struct xengt_bfn page;          /* of the guest's page, which is mapped as long as this lives */
    const volatile uint64_t *guest; /* and how to read it; NULL: SPT_SPLIT */
    uint64_t *copy;                 /* out of sync: what the shadow was made from */
    uint32_t table;                 /* of the GPU */
    uint32_t refs;
    uint32_t loose_links; /* entries that point to it of tables out of sync */
    uint8_t kind;
    uint8_t flags;    /* SPT_SPLIT: of all its entries */
    uint8_t writes;   /* stores trapped since the last sync */
    uint8_t patience; /* how often it was tracked and then written: each doubles what is waited */
    uint32_t quiet;   /* syncs without a change */
    bool tracked;
    bool hopeless; /* written in ways no page table is: never tracked again */
    bool queued;   /* in the queue of tables with changes */
    bool in_batch; /* has changes in the batch: they are to be real before there are others */
    uint64_t dirty[GPU_TABLE_ENTRIES / 64];  /* entries to look at anew */
    uint64_t failed[GPU_TABLE_ENTRIES / 64]; /* present for the guest, scratch for the GPU */
    struct spt *next_gfn;                    /* in the hash by gfn */
    struct spt *next_table;                  /* in the hash by table */
    TAILQ_ENTRY(spt) changed;
    TAILQ_ENTRY(spt) loose; /* in the list of those out of sync */
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

/* An address space of the guest: known because the guest said so, or because it was submitted. */
struct mm {
    struct gtt_root root;
    uint32_t refs;         /* notifications: created and not yet destroyed */
    bool announced;        /* there was one: without references it is no more */
    bool shadowed;         /* spt is valid */
    struct spt *spt[4];    /* of the roots; NULL: none */
    TAILQ_ENTRY(mm) links; /* the least recently used first */
};
TAILQ_HEAD(mm_list, mm);

/* --- changes ----------------------------------------------------------------------------- */

/* One entry that gets another value: a page of the guest's, a table, or scratch. */
struct gtt_change {
    struct spt *spt;   /* NULL: the global GTT */
    struct spt *child; /* the table it points to; its reference comes with the change */
    uint32_t index;    /* of the entry: in the table, or in the arrays of the global GTT */
    uint16_t flags;    /* of the guest's entry; none stands further up */
    bool frame;        /* the guest's entry points to a page: its gfn comes with the change */
    bool failed;       /* it does, or to a table, and neither can be had */
};

/* Room for one batch, so that a commit allocates nothing. */
struct gtt_batch {
    uint32_t n;
    uint32_t pages; /* of these: that point to pages, whose gfns are in gfn */
    struct gtt_change change[GTT_BATCH_MAX];
    struct xengt_gfn gfn[GTT_BATCH_MAX];
    struct xengt_bfn bfn[GTT_BATCH_MAX];
    int err[GTT_BATCH_MAX];
    struct gpu_pte_write write[GTT_BATCH_MAX];
    struct xengt_bfn old[GTT_BATCH_MAX];
    struct spt *old_child[GTT_BATCH_MAX];
};

struct gtt {
    struct gtt_config cfg;
    struct gpu_client *client;
    struct gtt_stats stats;

    /*
     * Entries of both windows are kept side by side and called by their place in these arrays:
     * the mappable window first, the other behind it.
     */
    uint32_t entries;
    uint64_t *guest;  /* what the guest wrote */
    uint64_t *shadow; /* what the GPU's entry holds */
    uint8_t *flags;
    uint16_t *mapped; /* how many entries of each block point to pages */
    uint32_t pending_count;
    uint32_t pending[GTT_PENDING_MAX];

    /* Of the PPGTTs. */
    struct spt **by_gfn; /* hashes of the same size, a power of two; NULL until the first table */
    struct spt **by_table;
    uint32_t hash_size;
    uint32_t scratch_table[GTT_LEVELS]; /* by level; [0] is not used, 0: not made yet */
    struct spt_list changed;            /* tables with dirty entries */
    struct spt_list loose;              /* tables out of sync, the oldest first */
    struct mm_list mms;
    struct mm *current;              /* being prepared for submission; or NULL */
    struct mm *running[GPU_ENGINES]; /* what the engines were given last; NULL: none */
    bool retry;                      /* entries failed for a reason that may have passed */
    bool starved;                    /* a table could not be shadowed: out of tables or memory */

    /* Pages to be tracked no more, together. */
    struct xengt_gfn untrack[64];
    uint32_t untrack_count;

    struct gtt_batch batch;
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

/* --- commit.c ---------------------------------------------------------------------------- */

/* Makes the changes real that were taken so far. */
void gtt_run_batch(struct gtt *gtt);

/* Makes what was taken so far real if there is no room for n changes more. */
static inline struct gtt_batch *gtt_room(struct gtt *gtt, uint32_t n)
{
    if (gtt->batch.n + n > GTT_BATCH_MAX) {
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
    b->pages += change->frame;
    b->change[b->n++] = *change;
}

/* The global GTT only. */
void gtt_commit_ggtt(struct gtt *gtt);

/* What an entry of a PPGTT's table of that level holds that points to nothing of the guest's. */
uint64_t gtt_scratch_entry(const struct gtt *gtt, unsigned level);

/* --- sync.c ------------------------------------------------------------------------------ */

/* Finds what the guest changed and makes changes of it. */
void gtt_sync_ggtt(struct gtt *gtt);
/* The same for the entries that translate these addresses: a whole lazy table takes its time. */
void gtt_sync_addresses(struct gtt *gtt, uint64_t address, size_t size);
void gtt_sync_tables(struct gtt *gtt);

/* The entries that differ from the copy become dirty. True: there are some. */
bool spt_compare(struct gtt *gtt, struct spt *spt);

/* --- spt.c ------------------------------------------------------------------------------- */

/*
 * The shadow of a guest page, with one reference more. NULL: the page cannot be a table, which
 * is counted, or there is no room for its shadow, which sets gtt->starved.
 */
struct spt *spt_get(struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn);
struct spt *spt_get_split(struct gtt *gtt, struct xengt_gfn first, uint64_t flags);

/* One reference less. The GPU can not reach the table by that way any more. */
void spt_put(struct gtt *gtt, struct spt *spt);

struct spt *spt_of_table(const struct gtt *gtt, uint32_t table);
struct spt *spt_of_entry(const struct gtt *gtt, uint64_t entry);     /* of a table of tables */
struct spt *spt_of_gfn(const struct gtt *gtt, struct xengt_gfn gfn); /* any kind */
struct spt *spt_next_of_gfn(const struct spt *spt); /* the same page as another kind of table */
struct spt *spt_find(const struct gtt *gtt, enum spt_kind kind, struct xengt_gfn gfn);

/* Maps a page of the guest's and shows it. */
bool spt_open_page(struct gtt *gtt, struct xengt_gfn gfn, struct xengt_bfn *bfn, void **view);

/* There is something dirty in it. */
void spt_queue(struct gtt *gtt, struct spt *spt);

/* --- track.c ----------------------------------------------------------------------------- */

/* A new table begins out of sync, and ends in either state. Not for SPT_SPLIT. */
void spt_begin(struct gtt *gtt, struct spt *spt);
void spt_end(struct gtt *gtt, struct spt *spt);

/*
 * Lets the guest store freely, into what is below, too. must: also when there is no room for a
 * copy, so that everything is found changed each time.
 */
void spt_loosen(struct gtt *gtt, struct spt *spt, bool must);

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

/* --- ppgtt.c ----------------------------------------------------------------------------- */

/* Gives up the shadow that was not used for the longest time. False: there is none to give up. */
bool mm_reclaim(struct gtt *gtt);

/* Gives up those that were destroyed while an engine used them, and are not used any more. */
void mm_reap(struct gtt *gtt);

/* Forgets every address space; the engines are stopped. */
void mm_drop_all(struct gtt *gtt);

#endif
