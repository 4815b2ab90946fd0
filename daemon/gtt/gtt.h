/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shadow GTT of one vGPU: takes what the guest writes into its page table (guest frame
 * numbers), has the frames mapped by libxengt, and gives the GPU entries it may use (bus frame
 * numbers, or scratch). It stands between the guest's side, which never sees a BFN, and the
 * GPU's, which never sees a GFN.
 *
 * Guest stores are only recorded. They become real at a commit: see gtt_commit().
 */
#ifndef XENGT_GTT_GTT_H
#define XENGT_GTT_GTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu/gpu.h"
#include "histogram.h"

struct gtt;
struct xengt;
struct xengt_space;
struct xengt_gfn;

/*
 * Who can tell of the guest's stores into pages that are page tables: on Xen, write-protection
 * by way of the ioreq server. on: stores into these pages come to gtt_table_write() from now on,
 * and are done by it; off: the guest stores directly again. A negative errno value: it may have
 * worked for some of the pages, and the GTT reckons with both.
 */
struct gtt_tracker {
    int (*track)(void *arg, const struct xengt_gfn *gfn, size_t n, bool on);
    void *arg;
};

/* The root of a PPGTT, as the guest names it. levels 0: none. */
struct gtt_root {
    unsigned levels; /* 4 or 3 */
    uint64_t pdp[4]; /* guest physical addresses; 4 levels: the first one, of the PML4 */
};

/*
 * What of a GTT may outlive its process, in memory that its maker gives: what the guest has said,
 * and would not say again. All of it is looked at anew when a GTT is made from it, so that it may
 * be of any moment; and it is zero for a GTT that begins.
 */
#define GTT_ROOTS_MAX 4096u
struct gtt_kept {
    uint32_t roots;
    struct gtt_kept_root {
        struct gtt_root root;
        uint32_t refs; /* notifications: created and not yet destroyed */
    } root[GTT_ROOTS_MAX];
    uint64_t entry[]; /* of both windows, side by side; with gtt_config.lazy there are none */
};

/* The two parts of the global GTT that the guest may use, in entries. count 0: none. */
struct gtt_config {
    struct xengt *xengt;
    struct xengt_space *space;  /* of the guest; stays the caller's, outlives the gtt */
    struct gpu *gpu;            /* likewise */
    struct gtt_tracker tracker; /* track NULL: tables are compared at each submission instead */
    uint64_t *lazy;             /* the guest's GGTT as RAM, all of it: no store into it is trapped,
                                   it is compared at each commit point. NULL: stores are trapped */
    struct gtt_kept *kept;      /* of gtt_kept_size(), outlives the gtt; NULL: nothing is kept */
    struct gpu_range mappable;
    struct gpu_range unmappable;
    uint32_t weight; /* of the GPU's client */

    uint32_t tables_max;  /* page tables shadowed at a time; 0: GTT_TABLES_MAX_DEFAULT */
    uint32_t oos_max;     /* of these out of sync with a copy; 0: GTT_OOS_MAX_DEFAULT */
    uint32_t track_after; /* comparisons without a change; 0: GTT_TRACK_AFTER_DEFAULT */

    uint64_t hash_key; /* for tests that are the same each time; 0: by chance */

    /* For comparison: each page table is tracked always; each store is committed by itself. */
    bool track_all;
    bool commit_each;
};

#define GTT_TABLES_MAX_DEFAULT 16384u /* 64 MiB, for 32 GiB of mapped pages */
#define GTT_OOS_MAX_DEFAULT    4096u

/*
 * When a table is tracked rather than compared. To compare one takes some 100 ns, a trapped store
 * some 10 us: a table has to be left alone for long before the traps are cheaper that come when it
 * is not.
 */
#define GTT_TRACK_AFTER_DEFAULT 256u

/* What gpu_workload is, before the tables are shadowed. */
struct gtt_workload {
    enum gpu_engine engine;
    struct gtt_root root;
    uint64_t context;
    uint64_t status_page;
    const struct gpu_buffer *buffer;
    size_t buffers;
};

/* spt: shadow page table; oos: out of sync, that is compared and not trapped. */
struct gtt_stats {
    uint64_t writes;       /* guest stores into the global GTT, trapped or found */
    uint64_t dropped;      /* of these: outside the windows */
    uint64_t commits;      /* batches of changes, each with one TLB invalidate */
    uint64_t ptes;         /* GPU PTEs written */
    uint64_t map_failures; /* entries that became scratch because Xen refused the frame */
    uint32_t present;      /* entries that point to a guest page now */
    uint32_t scratch;      /* entries the guest made present that are scratch now */
    uint32_t pending;      /* stores into the global GTT recorded, not committed */

    uint32_t mms;          /* address spaces known */
    uint32_t spt_tables;   /* guest page tables shadowed now */
    uint32_t oos_tables;   /* of these: out of sync */
    uint32_t oos_copies;   /* and have a copy to compare with */
    uint64_t spt_allocs;   /* shadows made so far */
    uint64_t spt_changes;  /* entries of page tables looked at anew */
    uint64_t oos_syncs;    /* comparisons */
    uint64_t oos_changes;  /* entries found changed by them */
    uint64_t table_writes; /* trapped stores into page tables */
    uint64_t odd_writes;   /* of these: of a size or alignment that no entry has */
    uint64_t bad_tables;   /* entries that pointed to a table that is no page of the guest's */
    uint64_t track_calls;  /* switches of tracking, each for one or more pages */
    uint64_t reclaims;     /* shadows of address spaces given up for others */

    struct histogram commit_time;
};

/* Of gtt_config.kept, for so many entries in both windows that are trapped. */
size_t gtt_kept_size(uint32_t entries);

/*
 * What is kept already is taken up: nothing of it is real before the first commit. -ENOSPC: the
 * windows overlap another vGPU's; -EINVAL; -ENOMEM.
 */
int gtt_create(const struct gtt_config *config, struct gtt **out);

/* Everything to scratch, the TLB invalidated, every frame released. NULL is allowed. */
void gtt_destroy(struct gtt *gtt);

/*
 * A guest store of 4 or 8 bytes, aligned, at a byte offset in the table of 8-byte entries.
 * Stores outside the windows are dropped, as guests clear more than is theirs. -EINVAL: another
 * size or alignment.
 */
int gtt_write(struct gtt *gtt, uint64_t offset, uint64_t value, unsigned size);

/* The guest's view of 1 to 8 bytes of the table: what it wrote, 0 outside the windows. */
uint64_t gtt_read(const struct gtt *gtt, uint64_t offset, unsigned size);

/*
 * Work in portions. What a guest can make long is charged in units of some tenth of a microsecond
 * and done as far as the last gtt_allow() reaches; at first it reaches for everything. An access
 * below may begin something that is not finished when it returns: gtt_finish() says when it is,
 * and goes on with it. Until then no other access of the guest may be made. gtt_ready() is the same
 * question before an access: false, too, when all that was allowed is used up.
 */
#define GTT_WORK_ALL UINT32_MAX
void gtt_allow(struct gtt *gtt, uint32_t units);
bool gtt_finish(struct gtt *gtt);
bool gtt_ready(struct gtt *gtt);

/* What is left of what was allowed; and what the caller itself did for the guest is charged, too.
 */
uint32_t gtt_left(const struct gtt *gtt);
void gtt_spend(struct gtt *gtt, uint32_t units);

/* A turn: goes on with everything there is to do. True: it is not all done. */
bool gtt_work(struct gtt *gtt);

/* Nothing is left to do, and nothing was done since gtt_allow(). */
bool gtt_is_quiet(const struct gtt *gtt);

/* An access that makes all recorded stores real; a frame that cannot be mapped becomes scratch. */
void gtt_commit(struct gtt *gtt);

/* The same, and nobody waits for it: it is part of the turns' work. */
void gtt_settle(struct gtt *gtt);

/*
 * Commits, and brings the shadow of a PPGTT (or none) up to date for the next workload of the
 * engine. -EAGAIN: to be called again, in a later turn; -EFAULT: the root points to no RAM of the
 * guest; -EINVAL; -ENOMEM, -ENOSPC: no more tables can be shadowed, not even after others were
 * dropped.
 */
int gtt_prepare(struct gtt *gtt, enum gpu_engine engine, const struct gtt_root *root);

/*
 * Gives the workload to the engine, prepared before or now. Errors as gtt_prepare(), and as
 * gpu_ops.execute().
 */
int gtt_submit(struct gtt *gtt, const struct gtt_workload *workload);

/*
 * The guest says that a PPGTT exists, or does no longer (g2v_notify). A root may be created
 * several times and is gone when it was destroyed as often. -EINVAL: levels, or an address that
 * is not page-aligned; -ENOENT: destroyed, but not known; else as gtt_submit().
 */
int gtt_ppgtt_create(struct gtt *gtt, const struct gtt_root *root);
int gtt_ppgtt_destroy(struct gtt *gtt, const struct gtt_root *root);

/* A store of the guest's into a tracked page, at a guest physical address: done here. */
void gtt_table_write(struct gtt *gtt, uint64_t gpa, uint64_t value, unsigned size);

/*
 * Guest memory by its address in the global GTT, as the GPU would reach it: commits first. Across
 * pages, all or nothing. -EFAULT: outside the windows, or no page of the guest is there; -EDQUOT:
 * the guest has a page there, but as many are mapped as it may have; -EAGAIN: there is no room left
 * that nobody else has.
 */
int gtt_memory_read(struct gtt *gtt, uint64_t address, void *buf, size_t size);
int gtt_memory_write(struct gtt *gtt, uint64_t address, const void *buf, size_t size);

/* What the vGPU asks of the GPU besides. */
void gtt_engine_state(struct gtt *gtt, enum gpu_engine engine, struct gpu_engine_state *state);
uint64_t gtt_ticks(const struct gtt *gtt); /* as gpu_ops.ticks() */
void gtt_engine_reset(struct gtt *gtt, enum gpu_engine engine);
void gtt_pause(struct gtt *gtt, bool paused);

/* The guest's memory layout changed: frames mapped from now on are asked for anew. */
void gtt_guest_layout_changed(struct gtt *gtt);

/* All entries to scratch, the guest's view to 0, engines reset: a reset of the vGPU. */
void gtt_reset(struct gtt *gtt);

/*
 * The same, and the guest is no more: nobody is told of tracked pages, and its table in RAM is not
 * touched. When gtt_work() has nothing left to do, gtt_destroy() does not take long.
 */
void gtt_end(struct gtt *gtt);

/*
 * Proves that each entry holds scratch or a live mapping of this guest, that the GPU's copy
 * agrees, and that the counts do. Returns how many do not; the first is described.
 */
unsigned gtt_verify(const struct gtt *gtt, char *error, size_t error_size);

/*
 * The same in portions of so many entries. The GTT must live until the end, or until it is dropped.
 * begin: -ENOMEM; some: true when there is no more to do.
 */
struct gtt_verify;
int gtt_verify_begin(const struct gtt *gtt, struct gtt_verify **out);
bool gtt_verify_some(struct gtt_verify *verify, uint32_t units);
unsigned gtt_verify_end(struct gtt_verify *verify, char *error, size_t error_size);
void gtt_verify_drop(struct gtt_verify *verify); /* NULL is allowed */

void gtt_get_stats(const struct gtt *gtt, struct gtt_stats *stats);
void gtt_get_gpu_stats(const struct gtt *gtt, struct gpu_stats *stats);

/*
 * For reports: the first mapped entry at or behind *index, which gets its GTT index. False: there
 * is none. gfn is what the guest wrote, right after a commit.
 */
bool gtt_next_mapping(const struct gtt *gtt, uint32_t *index, uint64_t *gfn, uint64_t *bfn);

#endif
