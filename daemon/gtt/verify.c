/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proof at run time that the shadow GTT keeps its promises: every entry of every table holds
 * scratch, a live mapping of this guest's, or a table of this GTT's; what was written is what the
 * GPU has; and all counts are right.
 *
 * The entries may be many millions, so they are gone through in portions, and what is kept of them
 * is a count for each frame, of which there are no more than mappings. A change in between makes
 * the counts worthless: it begins again, and a guest that never rests has its entries proved and
 * its counts not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gtt/state.h"

#define RESTARTS_MAX 8u

/* How often a frame or a table is pointed to; the latter, too, by tables out of sync. */
struct count {
    uint64_t key; /* 0: free */
    uint32_t all;
    uint32_t loose;
};

/* Tables and frames share the counts; bit 62 is in no frame number. */
#define KEY_FRAME(frame) ((frame) << 1 | UINT64_C(1))
#define KEY_TABLE(table) ((uint64_t)(table) << 1 | UINT64_C(1) << 62)

enum verify_stage {
    VERIFY_GGTT,
    VERIFY_TABLES,
    VERIFY_POINTERS,
    VERIFY_USERS,
    VERIFY_OVER,
};

struct gtt_verify {
    const struct gtt *gtt;
    enum verify_stage stage;
    uint32_t at;
    int64_t left;

    unsigned found;
    char error[200];

    uint64_t changes; /* at the beginning: see changes_of() */
    unsigned restarts;
    bool moving; /* the guest never rests, or memory has run out: no counts */
    struct count *count;
    uint32_t count_size; /* a power of two */
    uint32_t keys;
    uint32_t mappings; /* of the frames that are counted */
    uint32_t present;
    uint32_t scratch;
    uint32_t tables;
};

__attribute__((format(printf, 2, 3))) static void find(struct gtt_verify *v, const char *format,
                                                       ...)
{
    if (v->found++ == 0) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(v->error, sizeof(v->error), format, ap);
        va_end(ap);
    }
}

/* --- counts ------------------------------------------------------------------------------ */

/* The place of a key, with or without a count; NULL: it is full. */
static struct count *count_of(const struct gtt_verify *v, uint64_t key)
{
    uint32_t mask = v->count_size - 1;
    uint32_t at = (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    for (uint32_t i = 0; i < v->count_size; i++) {
        struct count *c = &v->count[(at + i) & mask];
        if (!c->key || c->key == key) {
            return c;
        }
    }
    return NULL;
}

static void count_one(struct gtt_verify *v, uint64_t key, bool loose)
{
    struct count *c = v->keys < v->count_size / 2 ? count_of(v, key) : NULL;
    if (!c) {
        return; /* more than mappings: the sums tell */
    }
    v->keys += !c->key;
    c->key = key;
    c->all++;
    c->loose += loose;
}

static void use_frame(struct gtt_verify *v, uint64_t frame)
{
    count_one(v, KEY_FRAME(frame), false);
    if (!xengt_space_users(v->gtt->cfg.space, (struct xengt_bfn){frame})) {
        find(v, "BFN 0x%" PRIx64 " is used, and no mapping of the guest's", frame);
    }
}

/* --- the global GTT ---------------------------------------------------------------------- */

static void check_place(struct gtt_verify *v, uint32_t place)
{
    const struct gtt *gtt = v->gtt;
    const struct gtt_entry_format *format = &gtt_formats[GTT_GGTT_PTE];
    uint32_t index = batch_index(&gtt->batch, place);
    uint64_t pte = gpu_read_pte(gtt->cfg.gpu, GPU_GGTT, index);
    if (pte != gtt->batch.shadow[place]) {
        find(v, "entry %u: the GPU holds 0x%" PRIx64 ", 0x%" PRIx64 " was written", index, pte,
             gtt->batch.shadow[place]);
    }
    v->scratch += (gtt->flags[place] & GTT_FAILED) != 0;
    if (!batch_is_mapped(&gtt->batch, place)) {
        return;
    }
    if (!(gtt->flags[place] & GTT_PENDING) && !gtt->resetting &&
        !gtt_entry_present(format, gtt->guest[place])) {
        find(v, "entry %u: holds a frame, and the guest has made it not present", index);
    }
    use_frame(v, gtt_entry_frame(format, gtt->batch.shadow[place]));
    v->present++;
}

static bool check_ggtt(struct gtt_verify *v)
{
    for (; v->at < v->gtt->entries; v->at++) {
        if (v->left-- <= 0) {
            return false;
        }
        check_place(v, v->at);
    }
    return true;
}

/* --- page tables ------------------------------------------------------------------------- */

/* An entry that is not waiting to be looked at says what the guest's says. */
static void check_against_guest(struct gtt_verify *v, const struct spt *spt, uint32_t i,
                                bool scratch)
{
    if (spt->kind != SPT_PT || !spt->refs || bit_get(spt->dirty, i) || bit_get(spt->failed, i)) {
        return;
    }
    uint64_t guest = spt->copy ? spt->copy[i] : spt->guest[i];
    if ((spt->copy || spt->tracked) &&
        gtt_entry_present(&gtt_formats[GTT_PTE_4K], guest) == scratch) {
        find(v, "table 0x%" PRIx64 " entry %u: the guest has 0x%" PRIx64 ", the GPU %s", spt->gfn.v,
             i, guest, scratch ? "scratch" : "a frame");
    }
}

static void check_link(struct gtt_verify *v, const struct spt *spt, uint32_t i, uint64_t pte)
{
    uint32_t table = (uint32_t)gtt_entry_frame(&gtt_formats[GTT_PDE], pte);
    const struct spt *to = spt_of_table(v->gtt, table);
    unsigned level = spt_level(spt->kind);
    if (!to || spt_level(to->kind) != level - 1) {
        find(v, "table 0x%" PRIx64 " entry %u: points to no table of level %u", spt->gfn.v, i,
             level - 1);
        return;
    }
    count_one(v, KEY_TABLE(table), !spt->tracked);
}

static void check_table(struct gtt_verify *v, const struct spt *spt)
{
    const struct gtt *gtt = v->gtt;
    unsigned level = spt_level(spt->kind);
    uint64_t none = batch_scratch_entry(&gtt->batch, level);
    uint64_t pte[GPU_TABLE_ENTRIES];
    if (spt->kind != SPT_SPLIT) {
        use_frame(v, spt->page.v);
    }
    gtt->cfg.gpu->ops->read_ptes(gtt->cfg.gpu, spt->table, 0, GPU_TABLE_ENTRIES, pte);
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        bool scratch = pte[i] == none;
        v->scratch += bit_get(spt->failed, i);
        if (level > 1 && !scratch) {
            check_link(v, spt, i, pte[i]);
        }
        if (level == 1) {
            check_against_guest(v, spt, i, scratch);
        }
        if (level == 1 && !scratch) {
            use_frame(v, gtt_entry_frame(&gtt_formats[GTT_PTE_4K], pte[i]));
            v->present++;
        }
    }
    v->tables++;
}

/* Calls fn for the tables, a bucket of the hash at a time. */
static bool for_each_table(struct gtt_verify *v, uint32_t cost,
                           void (*fn)(struct gtt_verify *v, const struct spt *spt))
{
    for (; v->at < v->gtt->hash_size; v->at++) {
        if (v->left <= 0) {
            return false;
        }
        v->left--;
        for (const struct spt *spt = v->gtt->by_table[v->at]; spt; spt = spt->next_table) {
            fn(v, spt);
            v->left -= cost;
        }
    }
    return true;
}

static void count_roots(struct gtt_verify *v)
{
    const struct mm *mm;
    TAILQ_FOREACH(mm, &v->gtt->mms, links)
    {
        for (unsigned i = 0; i < 4; i++) {
            if (mm->spt[i]) {
                count_one(v, KEY_TABLE(mm->spt[i]->table), false);
            }
        }
        v->left--;
    }
}

static bool check_tables(struct gtt_verify *v)
{
    if (!for_each_table(v, GPU_TABLE_ENTRIES, check_table)) {
        return false;
    }
    count_roots(v);
    return true;
}

static void check_pointers(struct gtt_verify *v, const struct spt *spt)
{
    const struct count *c = count_of(v, KEY_TABLE(spt->table));
    uint32_t all = c ? c->all : 0;
    uint32_t loose = c ? c->loose : 0;
    if (all != spt->refs) {
        find(v, "table 0x%" PRIx64 ": %u entries point to it, %u are counted", spt->gfn.v, all,
             spt->refs);
    }
    if (loose != spt->loose_links) {
        find(v, "table 0x%" PRIx64 ": %u tables out of sync lead to it, %u are counted", spt->gfn.v,
             loose, spt->loose_links);
    }
}

static bool check_all_pointers(struct gtt_verify *v)
{
    return for_each_table(v, 1, check_pointers);
}

/* --- the sums ---------------------------------------------------------------------------- */

static void check_sums(struct gtt_verify *v)
{
    const struct gtt_stats *stats = &v->gtt->stats;
    uint32_t present = v->gtt->batch.present;
    struct xengt_space_stats space;
    xengt_space_get_stats(v->gtt->cfg.space, &space);
    if (v->present != present || v->scratch != stats->scratch || v->tables != stats->spt_tables) {
        find(v, "%u entries hold frames, %u failed, %u tables; the counters say %u, %u and %u",
             v->present, v->scratch, v->tables, present, stats->scratch, stats->spt_tables);
    } else if (v->mappings != space.in_use) {
        find(v, "%u mappings have frames that are used, %u are in use", v->mappings, space.in_use);
    }
}

/* Every use of a frame is one user of its mapping, and there are no others. */
static bool check_users(struct gtt_verify *v)
{
    for (; v->at < v->count_size; v->at++) {
        const struct count *c = &v->count[v->at];
        if (v->left-- <= 0) {
            return false;
        }
        if (!(c->key & 1)) {
            continue;
        }
        const struct xengt_bfn bfn = {c->key >> 1};
        uint32_t users = xengt_space_users(v->gtt->cfg.space, bfn);
        v->mappings += xengt_space_mappings(v->gtt->cfg.space, bfn);
        if (users != c->all) {
            find(v, "BFN 0x%" PRIx64 ": used %u times, its mapping counts %u users", c->key >> 1,
                 c->all, users);
        }
    }
    check_sums(v);
    return true;
}

/* --- all --------------------------------------------------------------------------------- */

/* Another number when entries, tables, or which of them are tracked have changed. */
static uint64_t changes_of(const struct gtt *gtt)
{
    return gtt->batch.runs + gtt->stats.track_calls + gtt->stats.spt_allocs;
}

/* Forgets what was counted, not what was found. False: no memory */
static bool start(struct gtt_verify *v)
{
    struct xengt_space_stats space;
    xengt_space_get_stats(v->gtt->cfg.space, &space);
    uint64_t need = 2 * ((uint64_t)space.in_use + v->gtt->stats.spt_tables + 16);
    uint32_t size = 64;
    while (size < need) {
        size *= 2;
    }
    free(v->count);
    v->count = calloc(size, sizeof(*v->count));
    v->count_size = v->count ? size : 0;
    v->keys = v->mappings = v->present = v->scratch = v->tables = 0;
    v->changes = changes_of(v->gtt);
    v->stage = VERIFY_GGTT;
    v->at = 0;
    return v->count;
}

int gtt_verify_begin(const struct gtt *gtt, struct gtt_verify **out)
{
    struct gtt_verify *v = calloc(1, sizeof(*v));
    *out = NULL;
    if (!v) {
        return -ENOMEM;
    }
    v->gtt = gtt;
    if (!start(v)) {
        free(v);
        return -ENOMEM;
    }
    *out = v;
    return 0;
}

bool gtt_verify_some(struct gtt_verify *v, uint32_t units)
{
    static bool (*const stages[VERIFY_OVER])(struct gtt_verify * v) = {
        [VERIFY_GGTT] = check_ggtt,
        [VERIFY_TABLES] = check_tables,
        [VERIFY_POINTERS] = check_all_pointers,
        [VERIFY_USERS] = check_users,
    };
    v->left = units == GTT_WORK_ALL ? INT64_MAX : units;
    if (v->changes != changes_of(v->gtt) && v->stage < VERIFY_OVER) {
        v->moving = ++v->restarts > RESTARTS_MAX || !start(v);
    }
    enum verify_stage over = v->moving ? VERIFY_POINTERS : VERIFY_OVER;
    while (v->stage < over && stages[v->stage](v)) {
        v->stage++;
        v->at = 0;
    }
    if (v->stage >= over) {
        v->stage = VERIFY_OVER;
    }
    return v->stage == VERIFY_OVER;
}

unsigned gtt_verify_end(struct gtt_verify *v, char *error, size_t error_size)
{
    unsigned found = v->found;
    if (found && error_size) {
        snprintf(error, error_size, "%s", v->error);
    }
    gtt_verify_drop(v);
    return found;
}

void gtt_verify_drop(struct gtt_verify *v)
{
    if (v) {
        free(v->count);
        free(v);
    }
}

unsigned gtt_verify(const struct gtt *gtt, char *error, size_t error_size)
{
    struct gtt_verify *v;
    if (gtt_verify_begin(gtt, &v)) {
        snprintf(error, error_size, "no memory to verify with");
        return 1;
    }
    gtt_verify_some(v, GTT_WORK_ALL);
    return gtt_verify_end(v, error, error_size);
}
