/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shadow GTT as an object: the guest's accesses to the global GTT, and when what it has stored
 * becomes real.
 */
#include "gtt/gtt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gtt/state.h"

#define ENTRY_SIZE 8u

uint32_t gtt_find_entry(const struct gtt *gtt, uint64_t index)
{
    const struct gtt_config *c = &gtt->cfg;
    if (index - c->mappable.first < c->mappable.count) {
        return index - c->mappable.first;
    }
    if (index - c->unmappable.first < c->unmappable.count) {
        return c->mappable.count + (index - c->unmappable.first);
    }
    return GTT_NO_ENTRY;
}

/* One half of an entry. Until the other half has come as well, it is no entry and maps nothing. */
static void write_half(struct gtt *gtt, uint32_t entry, bool high, uint32_t value)
{
    unsigned shift = high ? 32 : 0;
    uint64_t mask = (uint64_t)UINT32_MAX << shift;
    gtt->guest[entry] = (gtt->guest[entry] & ~mask) | (uint64_t)value << shift;
    gtt->flags[entry] |= high ? GTT_HIGH : GTT_LOW;
    if ((gtt->flags[entry] & GTT_HALF) == GTT_HALF) {
        gtt->flags[entry] &= ~GTT_HALF;
    }
}

/* Guests clear what is clear already, by the hundred thousand. */
static bool stays_scratch(const struct gtt *gtt, uint32_t entry)
{
    return !gtt->flags[entry] && !gtt_entry_present(&gtt_formats[GTT_GGTT_PTE], gtt->guest[entry]);
}

int gtt_write(struct gtt *gtt, uint64_t offset, uint64_t value, unsigned size)
{
    if ((size != 4 && size != 8) || offset % size) {
        return -EINVAL;
    }
    gtt->stats.writes++;
    uint32_t entry = gtt_find_entry(gtt, offset / ENTRY_SIZE);
    if (entry == GTT_NO_ENTRY || gtt->cfg.lazy) {
        gtt->stats.dropped++;
        return 0;
    }
    if (size == 4) {
        write_half(gtt, entry, offset % ENTRY_SIZE != 0, value);
    } else {
        gtt->guest[entry] = value;
        gtt->flags[entry] &= ~GTT_HALF;
    }
    if (!stays_scratch(gtt, entry)) {
        gtt_mark_pending(gtt, entry);
    }
    if (gtt->cfg.commit_each) {
        gtt_commit(gtt);
    }
    return 0;
}

uint64_t gtt_read(const struct gtt *gtt, uint64_t offset, unsigned size)
{
    uint32_t entry = gtt_find_entry(gtt, offset / ENTRY_SIZE);
    unsigned shift = offset % ENTRY_SIZE;
    if (entry == GTT_NO_ENTRY || size == 0 || size > ENTRY_SIZE - shift) {
        return 0;
    }
    uint64_t value = gtt->guest[entry] >> (shift * 8);
    return size == ENTRY_SIZE ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

/* --- when -------------------------------------------------------------------------------- */

void gtt_allow(struct gtt *gtt, uint32_t units)
{
    int64_t debt = gtt->left < 0 ? gtt->left : 0;
    bool all = units == GTT_WORK_ALL;
    gtt->left = all ? INT64_MAX / 2 : debt + units;
    gtt->allowed = all ? gtt->left : units;
    gtt->batch_max = all ? GTT_BATCH_MAX : GTT_PORTION;
}

/* A commit that begins after this. */
static uint64_t ask(struct gtt *gtt)
{
    gtt->wanted = gtt->begun + 1;
    return gtt->wanted;
}

/* Goes on with commits, while it may, up to one. True: it is done. */
static bool commit_until(struct gtt *gtt, uint64_t ticket)
{
    while (gtt->done < ticket) {
        if (gtt->begun == gtt->done) {
            mm_reap(gtt);
            gtt_sweep_begin(gtt);
            gtt->begun++;
        }
        if (!gtt_sweep(gtt)) {
            return false;
        }
        gtt->done = gtt->begun;
    }
    return true;
}

/* Blocks without pages that are cleared in one step. */
#define CLEAR_BLOCKS 16u

/* Where the step from a place on ends: a few places of a block with pages, or blocks without. */
static uint32_t step_end(const struct gtt *gtt, uint32_t first)
{
    const uint16_t *mapped = gtt->batch.mapped;
    uint32_t end = first + 64;
    if (!mapped[first / GTT_BLOCK]) {
        uint32_t most = first + CLEAR_BLOCKS * GTT_BLOCK;
        end = (first / GTT_BLOCK + 1) * GTT_BLOCK;
        while (end < most && end < gtt->entries && !mapped[end / GTT_BLOCK]) {
            end += GTT_BLOCK;
        }
    }
    return end < gtt->entries ? end : gtt->entries;
}

static void unmap_places(struct gtt *gtt, uint32_t first, uint32_t end)
{
    for (uint32_t place = first; gtt->batch.mapped[first / GTT_BLOCK] && place < end; place++) {
        if (batch_is_mapped(&gtt->batch, place)) {
            gtt_change(gtt, &(struct gtt_change){.index = place}, (struct xengt_gfn){0});
        }
    }
}

static void forget_failures(struct gtt *gtt, uint32_t first, uint32_t end)
{
    for (uint32_t place = first; gtt->stats.scratch && place < end; place++) {
        bool failed = gtt->flags[place] & GTT_FAILED;
        gtt->failed[place / GTT_BLOCK] -= failed;
        gtt->stats.scratch -= failed;
    }
}

/* Zeroes places, and what is mapped there is let go. Returns the next one. */
static uint32_t clear_some(struct gtt *gtt, uint32_t first)
{
    uint32_t end = step_end(gtt, first);
    unmap_places(gtt, first, end);
    forget_failures(gtt, first, end);
    memset(gtt->guest + first, 0, (end - first) * sizeof(*gtt->guest));
    memset(gtt->flags + first, 0, end - first);
    for (uint32_t place = first; gtt->cfg.lazy && place < end; place++) {
        gtt->cfg.lazy[batch_index(&gtt->batch, place)] = 0;
    }
    gtt_charge(gtt, (1 + (end - first) / GTT_BLOCK) * COST_COMPARE);
    return end;
}

/* Address spaces first: what is present after that is in the global GTT. */
static bool reset_some(struct gtt *gtt)
{
    if (!gtt->resetting) {
        return true;
    }
    if (!mm_drop_all(gtt) || !gtt_tidy(gtt)) {
        return false;
    }
    while (gtt->reset_at < gtt->entries && gtt_may_work(gtt)) {
        gtt->reset_at = clear_some(gtt, gtt->reset_at);
    }
    gtt_run_batch(gtt);
    gtt->resetting = gtt->reset_at < gtt->entries;
    return !gtt->resetting;
}

bool gtt_finish(struct gtt *gtt)
{
    if (!reset_some(gtt) || !gtt_tidy(gtt) || !commit_until(gtt, gtt->access) || !gtt_tidy(gtt)) {
        return false;
    }
    if (gtt->layout_changed) {
        gtt->layout_changed = false;
        xengt_space_invalidate(gtt->cfg.space);
    }
    return true;
}

bool gtt_ready(struct gtt *gtt)
{
    return gtt_finish(gtt) && gtt_may_work(gtt);
}

uint32_t gtt_left(const struct gtt *gtt)
{
    return gtt->left <= 0 ? 0 : gtt->left < UINT32_MAX ? (uint32_t)gtt->left : UINT32_MAX;
}

void gtt_spend(struct gtt *gtt, uint32_t units)
{
    gtt_charge(gtt, units);
}

bool gtt_work(struct gtt *gtt)
{
    return !(gtt_finish(gtt) && commit_until(gtt, gtt->wanted) && gtt_tidy(gtt));
}

bool gtt_is_quiet(const struct gtt *gtt)
{
    const struct gtt_batch *b = &gtt->batch;
    return gtt->done == gtt->wanted && !gtt->resetting && !gtt->layout_changed && !b->n &&
           !b->losses && !b->drops && !gtt->untrack_count && TAILQ_EMPTY(&gtt->loosening) &&
           TAILQ_EMPTY(&gtt->dead) && gtt->left == gtt->allowed;
}

void gtt_commit(struct gtt *gtt)
{
    gtt->access = ask(gtt);
    gtt_finish(gtt);
}

void gtt_settle(struct gtt *gtt)
{
    ask(gtt);
    gtt_work(gtt);
}

/*
 * What the guest took out of its tables before it gave the page away must be noticed now: when it
 * later puts the same frame number back, it means another page, and nothing would seem changed.
 */
void gtt_guest_layout_changed(struct gtt *gtt)
{
    gtt->layout_changed = true;
    gtt_commit(gtt);
}

void gtt_reset(struct gtt *gtt)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        gtt_engine_reset(gtt, e);
    }
    gtt->pending_count = 0;
    gtt->sweep.stage = SWEEP_OVER;
    gtt->begun = gtt->done = gtt->wanted;
    gtt->resetting = true;
    gtt->reset_at = 0;
    gtt_finish(gtt);
}

void gtt_end(struct gtt *gtt)
{
    gtt->cfg.tracker.track = NULL;
    gtt->cfg.lazy = NULL;
    gtt_reset(gtt);
}

/* --- submission -------------------------------------------------------------------------- */

/*
 * Tables are wanting: address spaces give up theirs until there is some room, so that the same
 * is not the case for the next table. -EAGAIN: goes on later; -ENOSPC: there are none.
 */
static int make_room(struct gtt *gtt, struct preparation *p)
{
    uint32_t enough = gtt->cfg.tables_max - gtt->cfg.tables_max / 8;
    do {
        if (!mm_reclaim(gtt)) {
            bool again = p->again || gtt->stats.spt_tables >= gtt->cfg.tables_max;
            p->again = true;
            return again ? -ENOSPC : 0;
        }
        if (!gtt_tidy(gtt)) {
            return -EAGAIN;
        }
    } while (gtt->stats.spt_tables > enough);
    return 0;
}

/* The shadow is up to date with all it needs, or tables were wanting. */
static int shadow_next(struct gtt *gtt, struct preparation *p)
{
    if (!p->ticket) {
        bool any = !p->mm || mm_shadow_roots(gtt, p->mm);
        if (!any && gtt->starved == p->starved) {
            return -EFAULT;
        }
        p->ticket = ask(gtt);
    }
    return gtt_tidy(gtt) && commit_until(gtt, p->ticket) && gtt_tidy(gtt) ? 0 : -EAGAIN;
}

int gtt_prepare(struct gtt *gtt, enum gpu_engine engine, const struct gtt_root *root)
{
    struct preparation *p = &gtt->next[engine];
    int ret = 0;
    if (p->ready || !p->ticket || !mm_is_root(p->mm, root)) {
        ret = mm_prepare(gtt, engine, root);
    }
    while (!ret && !p->ready) {
        ret = shadow_next(gtt, p);
        if (ret || gtt->starved == p->starved) {
            p->ready = !ret;
            break;
        }
        ret = make_room(gtt, p);
        if (!ret) {
            gtt->retry = true;
            p->starved = gtt->starved;
            p->ticket = 0;
        }
    }
    if (ret && ret != -EAGAIN) {
        mm_unprepare(gtt, engine);
        gtt_tidy(gtt);
    }
    return ret;
}

int gtt_submit(struct gtt *gtt, const struct gtt_workload *workload)
{
    struct gpu_workload work = {
        .context = workload->context,
        .status_page = workload->status_page,
        .buffer = workload->buffer,
        .buffers = workload->buffers,
    };
    struct preparation *p = &gtt->next[workload->engine];
    if (!p->ready || !mm_is_root(p->mm, &workload->root)) {
        int ret = gtt_prepare(gtt, workload->engine, &workload->root);
        if (ret) {
            return ret;
        }
    }
    struct mm *mm = p->mm;
    if (mm) {
        mm_for_gpu(gtt, mm, &work.root);
    }
    gtt->running[workload->engine] = mm;
    *p = (struct preparation){0};
    return gtt->cfg.gpu->ops->execute(gtt->client, workload->engine, &work);
}

/* --- engines ----------------------------------------------------------------------------- */

void gtt_engine_state(struct gtt *gtt, enum gpu_engine engine, struct gpu_engine_state *state)
{
    gtt->cfg.gpu->ops->engine_state(gtt->client, engine, state);
    if (state->idle && gtt->running[engine]) {
        mm_reap(gtt);
        gtt_tidy(gtt);
    }
}

uint64_t gtt_ticks(const struct gtt *gtt)
{
    return gtt->cfg.gpu->ops->ticks(gtt->client);
}

void gtt_engine_reset(struct gtt *gtt, enum gpu_engine engine)
{
    gtt->cfg.gpu->ops->reset(gtt->client, engine);
    mm_unprepare(gtt, engine);
}

void gtt_pause(struct gtt *gtt, bool paused)
{
    gtt->cfg.gpu->ops->pause(gtt->client, paused);
}

/* --- the object -------------------------------------------------------------------------- */

/* The key of a hash that nobody shall guess; any number does where there is no chance to be had. */
static uint64_t random_key(const void *address)
{
    uint64_t key = (uintptr_t)address;
    if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != (ssize_t)sizeof(key)) {
        key *= UINT64_C(0x9e3779b97f4a7c15);
    }
    return key | 1;
}

static int open_client(struct gtt *gtt)
{
    const struct gtt_config *c = &gtt->cfg;
    const struct gpu_range ranges[GPU_RANGES] = {c->mappable, c->unmappable};
    int ret = c->gpu->ops->client_open(c->gpu, ranges, c->weight, &gtt->client);
    if (ret) {
        return ret;
    }
    const struct gtt_batch_config batch = {
        .xengt = c->xengt,
        .space = c->space,
        .gpu = c->gpu,
        .client = gtt->client,
        .mappable = c->mappable,
        .unmappable = c->unmappable,
    };
    return batch_init(&gtt->batch, &batch);
}

size_t gtt_kept_size(uint32_t entries)
{
    return sizeof(struct gtt_kept) + entries * sizeof(uint64_t);
}

/* What the guest had stored is to become real, as if it had been stored now. */
static int take_up(struct gtt *gtt)
{
    int ret = gtt->cfg.kept ? mm_take_up(gtt) : 0;
    for (uint32_t entry = 0; !ret && !gtt->cfg.lazy && entry < gtt->entries; entry++) {
        if (!stays_scratch(gtt, entry)) {
            gtt_mark_pending(gtt, entry);
        }
    }
    return ret;
}

/* Entries that are trapped are kept; those in RAM are the guest's, and what is here is a copy. */
static uint64_t *place_entries(struct gtt *gtt)
{
    struct gtt_kept *kept = gtt->cfg.lazy ? NULL : gtt->cfg.kept;
    gtt->own_guest = kept ? NULL : calloc(gtt->entries, sizeof(*gtt->guest));
    return kept ? kept->entry : gtt->own_guest;
}

int gtt_create(const struct gtt_config *config, struct gtt **out)
{
    *out = NULL;
    uint32_t entries = config->mappable.count + config->unmappable.count;
    if (!entries) {
        return -EINVAL;
    }
    struct gtt *gtt = calloc(1, sizeof(*gtt));
    if (!gtt) {
        return -ENOMEM;
    }
    gtt->cfg = *config;
    gtt->cfg.tables_max = config->tables_max ? config->tables_max : GTT_TABLES_MAX_DEFAULT;
    gtt->cfg.track_after = config->track_after ? config->track_after : GTT_TRACK_AFTER_DEFAULT;
    gtt->cfg.oos_max = config->oos_max ? config->oos_max : GTT_OOS_MAX_DEFAULT;
    TAILQ_INIT(&gtt->changed);
    TAILQ_INIT(&gtt->loose);
    TAILQ_INIT(&gtt->loosening);
    TAILQ_INIT(&gtt->dead);
    TAILQ_INIT(&gtt->mms);
    gtt_allow(gtt, GTT_WORK_ALL);
    gtt->hash_key = config->hash_key ? config->hash_key | 1 : random_key(gtt);
    gtt->sweep.stage = SWEEP_OVER;
    gtt->entries = entries;
    gtt->guest = place_entries(gtt);
    gtt->flags = calloc(entries, sizeof(*gtt->flags));
    gtt->failed = calloc(entries / GTT_BLOCK + 1, sizeof(*gtt->failed));
    int ret = gtt->guest && gtt->flags && gtt->failed ? open_client(gtt) : -ENOMEM;
    ret = ret ? ret : take_up(gtt);
    if (ret) {
        gtt_destroy(gtt);
        return ret;
    }
    *out = gtt;
    return 0;
}

void gtt_destroy(struct gtt *gtt)
{
    if (!gtt) {
        return;
    }
    if (gtt->batch.shadow && gtt->batch.mapped) {
        gtt_allow(gtt, GTT_WORK_ALL);
        gtt_reset(gtt);
    }
    if (gtt->client) {
        batch_fini(&gtt->batch);
        gtt->cfg.gpu->ops->client_close(gtt->client);
    }
    free(gtt->by_gfn);
    free(gtt->by_table);
    free(gtt->kept_mm);
    free(gtt->own_guest);
    free(gtt->flags);
    free(gtt->failed);
    free(gtt);
}

void gtt_get_stats(const struct gtt *gtt, struct gtt_stats *stats)
{
    *stats = gtt->stats;
    stats->pending = gtt->pending_count;
    stats->present = gtt->batch.present;
    stats->map_failures = gtt->batch.map_failures;
    stats->ptes = gtt->batch.ptes;
    stats->commits = gtt->batch.runs;
    stats->commit_time = gtt->batch.time;
}

void gtt_get_gpu_stats(const struct gtt *gtt, struct gpu_stats *stats)
{
    gtt->cfg.gpu->ops->client_stats(gtt->client, stats);
}

/* The first entry at or behind a GTT index. */
static uint32_t entry_from(const struct gtt *gtt, uint32_t index)
{
    const struct gpu_range *low = &gtt->cfg.mappable;
    const struct gpu_range *high = &gtt->cfg.unmappable;
    if (index < low->first + low->count) {
        return index > low->first ? index - low->first : 0;
    }
    return low->count + (index > high->first ? index - high->first : 0);
}

bool gtt_next_mapping(const struct gtt *gtt, uint32_t *index, uint64_t *gfn, uint64_t *bfn)
{
    const struct gtt_entry_format *f = &gtt_formats[GTT_GGTT_PTE];
    for (uint32_t entry = entry_from(gtt, *index); entry < gtt->entries; entry++) {
        if (batch_is_mapped(&gtt->batch, entry)) {
            *index = batch_index(&gtt->batch, entry);
            *gfn = gtt_entry_frame(f, gtt->guest[entry]);
            *bfn = gtt_entry_frame(f, gtt->batch.shadow[entry]);
            return true;
        }
    }
    return false;
}
