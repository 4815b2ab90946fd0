/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gtt/gtt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    return !gtt->flags[entry] && !gtt_is_mapped(gtt, entry) &&
           !gtt_entry_present(&gtt_gen8[GTT_GGTT_PTE], gtt->guest[entry]);
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

void gtt_engine_state(struct gtt *gtt, enum gpu_engine engine, struct gpu_engine_state *state)
{
    gtt->cfg.gpu->ops->engine_state(gtt->client, engine, state);
    if (state->idle && gtt->running[engine]) {
        mm_reap(gtt);
        spt_untrack_flush(gtt);
    }
}

void gtt_engine_reset(struct gtt *gtt, enum gpu_engine engine)
{
    gtt->cfg.gpu->ops->reset(gtt->client, engine);
}

void gtt_pause(struct gtt *gtt, bool paused)
{
    gtt->cfg.gpu->ops->pause(gtt->client, paused);
}

/*
 * What the guest took out of its tables before it gave the page away must be noticed now: when it
 * later puts the same frame number back, it means another page, and nothing would seem changed.
 */
void gtt_guest_layout_changed(struct gtt *gtt)
{
    gtt_commit(gtt);
    xengt_space_invalidate(gtt->cfg.space);
}

/* Everything that is mapped becomes scratch: most of a window is not, and is passed by quickly. */
static void unmap_ggtt(struct gtt *gtt)
{
    for (uint32_t entry = 0; gtt->stats.present && entry < gtt->entries;) {
        if (!gtt->mapped[entry / GTT_BLOCK]) {
            entry += GTT_BLOCK - entry % GTT_BLOCK;
            continue;
        }
        if (gtt_is_mapped(gtt, entry)) {
            gtt_change(gtt, &(struct gtt_change){.index = entry}, (struct xengt_gfn){0});
        }
        entry++;
    }
    gtt_run_batch(gtt);
}

/* The guest's view becomes 0, and what it had mapped is let go. */
static void clear_ggtt(struct gtt *gtt)
{
    gtt->pending_count = 0;
    memset(gtt->guest, 0, gtt->entries * sizeof(*gtt->guest));
    memset(gtt->flags, 0, gtt->entries);
    if (gtt->cfg.lazy) {
        const struct gpu_range *low = &gtt->cfg.mappable;
        const struct gpu_range *high = &gtt->cfg.unmappable;
        memset(gtt->cfg.lazy + low->first, 0, low->count * sizeof(*gtt->cfg.lazy));
        memset(gtt->cfg.lazy + high->first, 0, high->count * sizeof(*gtt->cfg.lazy));
    }
    gtt->stats.scratch = 0;
    unmap_ggtt(gtt);
}

/* Address spaces first: what is present after that is in the global GTT. */
void gtt_reset(struct gtt *gtt)
{
    for (int e = 0; e < GPU_ENGINES; e++) {
        gtt_engine_reset(gtt, e);
    }
    gtt_run_batch(gtt);
    mm_drop_all(gtt);
    clear_ggtt(gtt);
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
    TAILQ_INIT(&gtt->mms);
    gtt->entries = entries;
    gtt->guest = calloc(entries, sizeof(*gtt->guest));
    gtt->shadow = malloc(entries * sizeof(*gtt->shadow));
    gtt->flags = calloc(entries, sizeof(*gtt->flags));
    gtt->mapped = calloc(entries / GTT_BLOCK + 1, sizeof(*gtt->mapped));
    int ret = -ENOMEM;
    if (gtt->guest && gtt->shadow && gtt->flags && gtt->mapped) {
        for (uint32_t entry = 0; entry < entries; entry++) {
            gtt->shadow[entry] = config->gpu->scratch_pte;
        }
        const struct gpu_range ranges[GPU_RANGES] = {config->mappable, config->unmappable};
        ret = config->gpu->ops->client_open(config->gpu, ranges, config->weight, &gtt->client);
    }
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
    if (gtt->client) {
        gtt_reset(gtt);
        for (unsigned level = 1; level < GTT_LEVELS; level++) {
            if (gtt->scratch_table[level]) {
                gtt->cfg.gpu->ops->table_free(gtt->cfg.gpu, gtt->scratch_table[level]);
            }
        }
        gtt->cfg.gpu->ops->client_close(gtt->client);
    }
    free(gtt->by_gfn);
    free(gtt->by_table);
    free(gtt->guest);
    free(gtt->shadow);
    free(gtt->flags);
    free(gtt->mapped);
    free(gtt);
}

void gtt_get_stats(const struct gtt *gtt, struct gtt_stats *stats)
{
    *stats = gtt->stats;
    stats->pending = gtt->pending_count;
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
    const struct gtt_entry_format *f = &gtt_gen8[GTT_GGTT_PTE];
    for (uint32_t entry = entry_from(gtt, *index); entry < gtt->entries; entry++) {
        if (gtt_is_mapped(gtt, entry)) {
            *index = gtt_index(gtt, entry);
            *gfn = gtt_entry_frame(f, gtt->guest[entry]);
            *bfn = gtt_entry_frame(f, gtt->shadow[entry]);
            return true;
        }
    }
    return false;
}
