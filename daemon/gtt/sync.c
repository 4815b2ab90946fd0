/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What changed: entries of the guest's are read, once, and become changes to be committed.
 * Stores that were trapped have marked their entries; what was not trapped is compared.
 */
#include <string.h>

#include "gtt/state.h"

/* --- the global GTT ---------------------------------------------------------------------- */

void gtt_mark_pending(struct gtt *gtt, uint32_t entry)
{
    if (gtt->flags[entry] & GTT_PENDING) {
        return;
    }
    if (gtt->pending_count == GTT_PENDING_MAX) {
        gtt_commit_ggtt(gtt);
    }
    gtt->flags[entry] |= GTT_PENDING;
    gtt->pending[gtt->pending_count++] = entry;
}

static void change_ggtt(struct gtt *gtt, uint32_t entry)
{
    const struct gtt_entry_format *f = &gtt_gen8[GTT_GGTT_PTE];
    bool whole = !(gtt->flags[entry] & GTT_HALF);
    gtt->flags[entry] &= ~GTT_PENDING;
    gtt_change(gtt,
               &(struct gtt_change){
                   .index = entry,
                   .frame = whole && gtt_entry_present(f, gtt->guest[entry]),
               },
               gtt_entry_gfn(f, gtt->guest[entry]));
}

/* Takes over what differs from the guest's table, which is RAM it stores into as it likes. */
static void compare_lazy(struct gtt *gtt, const struct gpu_range *range, uint32_t first)
{
    const volatile uint64_t *lazy = gtt->cfg.lazy + range->first;
    for (uint32_t block = 0; block < range->count; block += GPU_TABLE_ENTRIES) {
        uint32_t n =
            range->count - block < GPU_TABLE_ENTRIES ? range->count - block : GPU_TABLE_ENTRIES;
        uint64_t *copy = gtt->guest + first + block;
        if (!memcmp(copy, gtt->cfg.lazy + range->first + block, n * sizeof(*copy))) {
            continue;
        }
        for (uint32_t i = 0; i < n; i++) {
            uint64_t value = lazy[block + i];
            if (value != copy[i]) {
                copy[i] = value;
                gtt->stats.writes++;
                change_ggtt(gtt, first + block + i);
            }
        }
    }
}

static void retry_ggtt(struct gtt *gtt)
{
    for (uint32_t entry = 0; entry < gtt->entries; entry++) {
        if ((gtt->flags[entry] & (GTT_FAILED | GTT_PENDING)) == GTT_FAILED) {
            change_ggtt(gtt, entry);
        }
    }
}

static void take_pending(struct gtt *gtt)
{
    for (uint32_t i = 0; i < gtt->pending_count; i++) {
        change_ggtt(gtt, gtt->pending[i]);
    }
    gtt->pending_count = 0;
}

static void compare_lazy_entry(struct gtt *gtt, uint64_t index)
{
    uint32_t entry = gtt_find_entry(gtt, index);
    const volatile uint64_t *lazy = gtt->cfg.lazy;
    if (entry == GTT_NO_ENTRY) {
        return;
    }
    uint64_t value = lazy[index];
    if (value != gtt->guest[entry]) {
        gtt->guest[entry] = value;
        gtt->stats.writes++;
        change_ggtt(gtt, entry);
    }
}

void gtt_sync_addresses(struct gtt *gtt, uint64_t address, size_t size)
{
    uint64_t first = address >> XENGT_PAGE_SHIFT;
    size_t pages = (address % XENGT_PAGE_SIZE + size + XENGT_PAGE_SIZE - 1) >> XENGT_PAGE_SHIFT;
    take_pending(gtt);
    for (size_t i = 0; gtt->cfg.lazy && i < pages; i++) {
        compare_lazy_entry(gtt, first + i);
    }
}

void gtt_sync_ggtt(struct gtt *gtt)
{
    take_pending(gtt);
    if (gtt->cfg.lazy) {
        compare_lazy(gtt, &gtt->cfg.mappable, 0);
        compare_lazy(gtt, &gtt->cfg.unmappable, gtt->cfg.mappable.count);
    }
}

/* --- entries of page tables -------------------------------------------------------------- */

/* The value that the shadow is made from: read once, from the copy where there is one. */
static uint64_t guest_entry(const struct spt *spt, uint32_t index)
{
    return spt->copy ? spt->copy[index] : spt->guest[index];
}

static void change_page(struct gtt *gtt, struct spt *spt, uint32_t index, bool present,
                        struct xengt_gfn gfn, uint64_t flags)
{
    gtt_change(gtt,
               &(struct gtt_change){
                   .spt = spt,
                   .index = index,
                   .frame = present,
                   .flags = (uint16_t)flags,
               },
               gfn);
}

/* Sixteen pieces of 4 KiB for an entry of 64 KiB; the entries between are none. */
static void change_64k(struct gtt *gtt, struct spt *spt, uint32_t first)
{
    const struct gtt_entry_format *f = &gtt_gen8[GTT_PTE_64K];
    uint32_t pieces = 1u << f->frames;
    uint64_t entry = guest_entry(spt, first);
    for (uint32_t i = first; i < first + pieces; i++) {
        struct xengt_gfn gfn = {gtt_entry_gfn(f, entry).v + (i - first)};
        change_page(gtt, spt, i, gtt_entry_present(f, entry), gfn, entry & f->flags);
    }
}

/* The entries of a page table from first on that bits stand for, of which there are many. */
static void change_4k(struct gtt *gtt, struct spt *spt, uint32_t first, uint64_t bits)
{
    const struct gtt_entry_format *f = &gtt_gen8[GTT_PTE_4K];
    const volatile uint64_t *from = spt->copy ? spt->copy : spt->guest;
    struct gtt_batch *b = gtt_room(gtt, 64);
    uint32_t n = b->n;
    uint32_t pages = b->pages;
    for (; bits; bits &= bits - 1) {
        uint32_t index = first + (uint32_t)__builtin_ctzll(bits);
        uint64_t entry = from[index];
        bool present = gtt_entry_present(f, entry);
        b->gfn[pages] = gtt_entry_gfn(f, entry);
        pages += present;
        b->change[n++] = (struct gtt_change){
            .spt = spt, .index = index, .frame = present, .flags = (uint16_t)entry};
    }
    b->n = n;
    b->pages = pages;
}

static void change_split(struct gtt *gtt, struct spt *spt, uint32_t index)
{
    change_page(gtt, spt, index, true, (struct xengt_gfn){spt->gfn.v + index}, spt->flags);
}

/* PAT stands in bit 12 of an entry for 2 MiB, in bit 7 of one for 4 KiB. */
static uint64_t flags_of_split(uint64_t entry)
{
    uint64_t flags = entry & gtt_gen8[GTT_PTE_4K].flags & gtt_gen8[GTT_PDE_2M].flags;
    return flags | (entry >> 12 & 1) << 7;
}

/* The table that an entry points to; NULL: there is none to be had. */
static struct spt *child_of(struct gtt *gtt, enum spt_kind kind, uint64_t entry)
{
    const struct gtt_entry_format *f = &gtt_gen8[GTT_PDE];
    if (kind == SPT_PD && entry & f->huge) {
        const struct gtt_entry_format *huge = &gtt_gen8[GTT_PDE_2M];
        return spt_get_split(gtt, gtt_entry_gfn(huge, entry), flags_of_split(entry));
    }
    if (kind == SPT_PDP && entry & f->huge) {
        gtt->stats.bad_tables++; /* no GPU in use has pages of 1 GiB */
        return NULL;
    }
    if (kind == SPT_PD) {
        kind = entry & f->pages_64k ? SPT_PT_64K : SPT_PT;
        return spt_get(gtt, kind, gtt_entry_gfn(f, entry));
    }
    return spt_get(gtt, kind - 1, gtt_entry_gfn(f, entry));
}

static void change_link(struct gtt *gtt, struct spt *spt, uint32_t index)
{
    uint64_t entry = guest_entry(spt, index);
    struct gtt_change change = {.spt = spt, .index = index, .flags = (uint16_t)entry};
    if (gtt_entry_present(&gtt_gen8[GTT_PDE], entry)) {
        change.child = child_of(gtt, spt->kind, entry);
        change.failed = !change.child;
    }
    gtt_change(gtt, &change, (struct xengt_gfn){0});
}

/* One bit for each sixteen, the first, that has any. */
static uint64_t sixteenths(uint64_t bits)
{
    bits |= bits >> 8;
    bits |= bits >> 4;
    bits |= bits >> 2;
    bits |= bits >> 1;
    return bits & UINT64_C(0x0001000100010001);
}

/* The entries from first on that bits stand for. */
static void change_entries(struct gtt *gtt, struct spt *spt, uint32_t first, uint64_t bits)
{
    enum spt_kind kind = spt->kind;
    if (kind == SPT_PT_64K) {
        bits = sixteenths(bits);
    }
    gtt->stats.spt_changes += (uint32_t)__builtin_popcountll(bits);
    if (kind == SPT_PT) {
        change_4k(gtt, spt, first, bits);
        return;
    }
    for (; bits; bits &= bits - 1) {
        uint32_t index = first + (uint32_t)__builtin_ctzll(bits);
        if (kind == SPT_PT_64K) {
            change_64k(gtt, spt, index);
        } else if (kind == SPT_SPLIT) {
            change_split(gtt, spt, index);
        } else {
            change_link(gtt, spt, index);
        }
    }
}

/*
 * Its changes may make it superfluous: a reference of our own keeps it until we are done. What
 * becomes dirty on the way, because the guest goes on storing, is queued for another time; no
 * entry changes twice in a batch.
 */
static void change_table(struct gtt *gtt, struct spt *spt)
{
    spt->refs++;
    if (spt->in_batch) {
        gtt_run_batch(gtt);
    }
    for (uint32_t word = 0; word < GPU_TABLE_ENTRIES / 64; word++) {
        uint64_t bits = spt->dirty[word];
        spt->dirty[word] = 0;
        change_entries(gtt, spt, word * 64, bits);
    }
    spt->in_batch = true; /* some or all of them still are */
    if (spt->refs == 1) {
        gtt_run_batch(gtt); /* its own changes are among them */
    }
    spt_put(gtt, spt);
}

/* --- comparing --------------------------------------------------------------------------- */

/* Copies 64 entries, each read once; a bit for each that was another. */
static uint64_t take_over(uint64_t *copy, const volatile uint64_t *guest)
{
    uint64_t changed = 0;
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t value = guest[i];
        changed |= (uint64_t)(value != copy[i]) << i;
        copy[i] = value;
    }
    return changed;
}

bool spt_compare(struct gtt *gtt, struct spt *spt)
{
    gtt->stats.oos_syncs++;
    if (!spt->copy) {
        memset(spt->dirty, 0xff, sizeof(spt->dirty)); /* nothing to compare with */
        spt_queue(gtt, spt);
        return true;
    }
    if (!memcmp(spt->copy, (const void *)spt->guest, XENGT_PAGE_SIZE)) {
        return false;
    }
    for (uint32_t word = 0; word < GPU_TABLE_ENTRIES / 64; word++) {
        uint64_t changed = take_over(spt->copy + word * 64, spt->guest + word * 64);
        spt->dirty[word] |= changed;
        gtt->stats.oos_changes += (uint32_t)__builtin_popcountll(changed);
    }
    spt_queue(gtt, spt);
    return true;
}

/*
 * Compares every table that is out of sync. One that was quiet for long enough is tracked from
 * now on; what is stored between the comparison here and the tracking, the last one finds. The
 * higher ones come first: they make it possible to track what is below.
 */
static void compare_loose(struct gtt *gtt)
{
    struct spt *quiet[GTT_LEVELS + 1][SPT_TIGHTEN_MAX];
    size_t n[GTT_LEVELS + 1] = {0};
    struct spt *spt;
    TAILQ_FOREACH(spt, &gtt->loose, loose)
    {
        unsigned level = spt_level(spt->kind);
        if (spt_compare(gtt, spt)) {
            spt->quiet = 0;
        } else if (!spt->hopeless && ++spt->quiet >= gtt->cfg.track_after << spt->patience &&
                   n[level] < SPT_TIGHTEN_MAX) {
            quiet[level][n[level]++] = spt;
        }
    }
    for (unsigned level = GTT_LEVELS; level; level--) {
        spt_tighten(gtt, quiet[level], n[level]);
    }
}

static void retry_tables(struct gtt *gtt)
{
    for (uint32_t b = 0; b < gtt->hash_size; b++) {
        for (struct spt *spt = gtt->by_table[b]; spt; spt = spt->next_table) {
            for (uint32_t word = 0; word < GPU_TABLE_ENTRIES / 64; word++) {
                spt->dirty[word] |= spt->failed[word];
            }
            spt_queue(gtt, spt);
        }
    }
}

/* Tables that are made on the way join the queue with all that is in them. */
void gtt_sync_tables(struct gtt *gtt)
{
    struct spt *spt;
    if (gtt->retry) {
        gtt->retry = false;
        retry_ggtt(gtt);
        retry_tables(gtt);
    }
    compare_loose(gtt);
    while ((spt = TAILQ_FIRST(&gtt->changed))) {
        TAILQ_REMOVE(&gtt->changed, spt, changed);
        spt->queued = false;
        spt->writes = 0;
        change_table(gtt, spt);
    }
}
