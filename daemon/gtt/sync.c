/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Synchronization: entries of the guest's that changed are read, once, and become changes to be
 * committed. Stores that were trapped have marked their entries; what was not trapped is compared.
 */
#include <errno.h>
#include <string.h>

#include "gtt/state.h"

/* --- the global GTT ---------------------------------------------------------------------- */

static void change_ggtt(struct gtt *gtt, uint32_t entry)
{
    const struct gtt_entry_format *f = &gtt_formats[GTT_GGTT_PTE];
    bool whole = !(gtt->flags[entry] & GTT_HALF);
    bool present = gtt_entry_present(f, gtt->guest[entry]);
    gtt->flags[entry] &= ~GTT_PENDING;
    const struct gtt_change change = {
        .table = GPU_GGTT,
        .index = entry,
        .kind = whole && present ? GTT_TO_PAGE : GTT_TO_SCRATCH,
    };
    gtt_change(gtt, &change, gtt_entry_gfn(f, gtt->guest[entry]));
}

/* The last n of those that are pending; one that was taken by itself is not any more. */
static void take_pending(struct gtt *gtt, uint32_t n)
{
    for (; n && gtt->pending_count; n--) {
        uint32_t entry = gtt->pending[--gtt->pending_count];
        if (gtt->flags[entry] & GTT_PENDING) {
            change_ggtt(gtt, entry);
        }
    }
}

void gtt_mark_pending(struct gtt *gtt, uint32_t entry)
{
    if (gtt->flags[entry] & GTT_PENDING) {
        return;
    }
    if (gtt->pending_count == GTT_PENDING_MAX) {
        take_pending(gtt, gtt->batch_max);
        gtt_run_batch(gtt);
    }
    gtt->flags[entry] |= GTT_PENDING;
    gtt->pending[gtt->pending_count++] = entry;
}

/* The guest's table is RAM it stores into as it likes: its value is read once. */
static void compare_lazy_entry(struct gtt *gtt, uint32_t entry)
{
    const volatile uint64_t *lazy = gtt->cfg.lazy;
    uint64_t value = lazy[batch_index(&gtt->batch, entry)];
    if (value != gtt->guest[entry]) {
        gtt->guest[entry] = value;
        gtt->stats.writes++;
        change_ggtt(gtt, entry);
    }
}

/* The end of the block that begins at a place: they do not cross from one window to the other. */
static uint32_t block_end(const struct gtt *gtt, uint32_t place)
{
    uint32_t window = place < gtt->cfg.mappable.count ? gtt->cfg.mappable.count : gtt->entries;
    return window - place < GTT_BLOCK ? window : place + GTT_BLOCK;
}

static bool sweep_lazy(struct gtt *gtt)
{
    while (gtt->cfg.lazy && gtt->sweep.at < gtt->entries) {
        uint32_t first = gtt->sweep.at;
        uint32_t end = block_end(gtt, first);
        if (!gtt_may_work(gtt)) {
            return false;
        }
        gtt_charge(gtt, COST_COMPARE);
        const uint64_t *lazy = gtt->cfg.lazy + batch_index(&gtt->batch, first);
        if (memcmp(gtt->guest + first, lazy, (end - first) * sizeof(*lazy)) != 0) {
            for (uint32_t entry = first; entry < end; entry++) {
                compare_lazy_entry(gtt, entry);
            }
        }
        gtt->sweep.at = end;
    }
    return true;
}

void gtt_sync_addresses(struct gtt *gtt, uint64_t address, size_t size)
{
    uint64_t first = address >> XENGT_PAGE_SHIFT;
    size_t pages = (address % XENGT_PAGE_SIZE + size + XENGT_PAGE_SIZE - 1) >> XENGT_PAGE_SHIFT;
    for (size_t i = 0; i < pages; i++) {
        uint32_t entry = gtt_find_entry(gtt, first + i);
        if (entry == GTT_NO_ENTRY) {
            continue;
        }
        if (gtt->cfg.lazy) {
            compare_lazy_entry(gtt, entry);
        }
        if (gtt->flags[entry] & (GTT_PENDING | GTT_FULL)) {
            change_ggtt(gtt, entry);
        }
    }
    take_pending(gtt, GTT_PENDING_PORTION);
}

/* --- entries of page tables -------------------------------------------------------------- */

/* The value that the shadow is made from: read once, from the copy where there is one. */
static uint64_t guest_entry(const struct spt *spt, uint32_t index)
{
    return spt->copy ? spt->copy[index] : spt->guest[index];
}

static void change_page(struct gtt *gtt, const struct spt *spt, uint32_t index, bool present,
                        struct xengt_gfn gfn, uint64_t flags)
{
    const struct gtt_change change = {
        .table = spt->table,
        .index = index,
        .level = 1,
        .kind = present ? GTT_TO_PAGE : GTT_TO_SCRATCH,
        .flags = (uint8_t)flags,
    };
    gtt_change(gtt, &change, gfn);
}

/* Sixteen pieces of 4 KiB for an entry of 64 KiB; the entries between are none. */
static void change_64k(struct gtt *gtt, struct spt *spt, uint32_t first)
{
    const struct gtt_entry_format *f = &gtt_formats[GTT_PTE_64K];
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
    const struct gtt_entry_format *f = &gtt_formats[GTT_PTE_4K];
    const volatile uint64_t *from = spt->copy ? spt->copy : spt->guest;
    struct gtt_batch *b = &gtt->batch;
    uint32_t table = spt->table;
    uint32_t before = b->n;
    uint32_t n = before;
    uint32_t pages = b->pages;
    for (; bits; bits &= bits - 1) {
        uint32_t index = first + (uint32_t)__builtin_ctzll(bits);
        uint64_t entry = from[index];
        bool present = gtt_entry_present(f, entry);
        b->gfn[pages] = gtt_entry_gfn(f, entry);
        pages += present;
        b->change[n++] = (struct gtt_change){
            .table = table,
            .index = index,
            .level = 1,
            .kind = present ? GTT_TO_PAGE : GTT_TO_SCRATCH,
            .flags = (uint8_t)entry,
        };
    }
    b->n = n;
    b->pages = pages;
    gtt_charge(gtt, (n - before) * COST_CHANGE);
}

static void change_split(struct gtt *gtt, struct spt *spt, uint32_t index)
{
    change_page(gtt, spt, index, true, (struct xengt_gfn){spt->gfn.v + index}, spt->flags);
}

/* PAT stands in bit 12 of an entry for 2 MiB, in bit 7 of one for 4 KiB. */
static uint64_t flags_of_split(uint64_t entry)
{
    uint64_t flags = entry & gtt_formats[GTT_PTE_4K].flags & gtt_formats[GTT_PDE_2M].flags;
    return flags | (entry >> 12 & 1) << 7;
}

/* The table that an entry points to; NULL: there is none to be had. */
static struct spt *child_of(struct gtt *gtt, enum spt_kind kind, uint64_t entry)
{
    const struct gtt_entry_format *f = &gtt_formats[GTT_PDE];
    if (kind == SPT_PD && entry & f->huge) {
        const struct gtt_entry_format *huge = &gtt_formats[GTT_PDE_2M];
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
    struct gtt_change change = {
        .table = spt->table,
        .index = index,
        .level = (uint8_t)spt_level(spt->kind),
        .flags = (uint8_t)entry,
    };
    if (gtt_entry_present(&gtt_formats[GTT_PDE], entry)) {
        const struct spt *child = child_of(gtt, spt->kind, entry);
        change.kind = child ? GTT_TO_TABLE : GTT_TO_SCRATCH;
        change.child = child ? child->table : 0;
        change.error = child ? 0 : ENOENT;
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

/* The lowest bits of those that are set: of a table of tables a few, as each may be a new table. */
static uint64_t portion(const struct spt *spt, uint64_t bits)
{
    uint64_t rest = bits;
    for (unsigned i = 0; rest && i < 4; i++) {
        rest &= rest - 1;
    }
    return spt_level(spt->kind) == 1 ? bits : bits & ~rest;
}

/*
 * What becomes dirty on the way, because the guest goes on storing, is for another time; no entry
 * changes twice in a batch. A table that dies by its own changes is looked at no further. False: it
 * was left off.
 */
static bool change_table(struct gtt *gtt, struct spt *spt)
{
    spt->writes = 0;
    if (spt->batch == gtt->batch_number) {
        gtt_run_batch(gtt);
    }
    for (uint32_t word = 0; word < GPU_TABLE_ENTRIES / 64; word++) {
        while (spt->dirty[word]) {
            if (!gtt_may_work(gtt)) {
                return false;
            }
            gtt_room(gtt, 64);
            if (!spt->refs) {
                return true;
            }
            uint64_t bits = portion(spt, spt->dirty[word]);
            spt->dirty[word] &= ~bits;
            change_entries(gtt, spt, word * 64, bits);
            spt->batch = gtt->batch_number;
        }
    }
    return true;
}

/* --- the sweep --------------------------------------------------------------------------- */

static bool sweep_failed_ggtt(struct gtt *gtt)
{
    while (gtt->sweep.at < gtt->entries) {
        uint32_t first = gtt->sweep.at;
        uint32_t end = gtt->entries - first < GTT_BLOCK ? gtt->entries : first + GTT_BLOCK;
        if (!gtt_may_work(gtt)) {
            return false;
        }
        gtt_charge(gtt, COST_LOOK);
        for (uint32_t entry = first; gtt->failed[first / GTT_BLOCK] && entry < end; entry++) {
            if ((gtt->flags[entry] & (GTT_FAILED | GTT_PENDING)) == GTT_FAILED) {
                change_ggtt(gtt, entry);
            }
        }
        gtt->sweep.at = end;
    }
    return true;
}

/* When the hash grows between two portions, some tables are met again and none is missed. */
static bool sweep_failed_tables(struct gtt *gtt)
{
    for (; gtt->sweep.at < gtt->hash_size; gtt->sweep.at++) {
        if (!gtt_may_work(gtt)) {
            return false;
        }
        for (struct spt *spt = gtt->by_table[gtt->sweep.at]; spt; spt = spt->next_table) {
            gtt_charge(gtt, COST_LOOK);
            for (uint32_t word = 0; word < GPU_TABLE_ENTRIES / 64; word++) {
                spt->dirty[word] |= spt->failed[word];
            }
            if (spt->failures && spt->refs) {
                spt_queue(gtt, spt);
            }
        }
    }
    return true;
}

static bool sweep_pending(struct gtt *gtt)
{
    while (gtt->pending_count && gtt_may_work(gtt)) {
        take_pending(gtt, GTT_PENDING_PORTION);
    }
    return !gtt->pending_count;
}

/* One more sync without a change. True: it has been quiet for long enough to be tracked. */
static bool note_quiet(const struct gtt *gtt, struct spt *spt)
{
    spt->quiet += spt->quiet < UINT16_MAX;
    return !spt->hopeless && spt->quiet >= (uint64_t)gtt->cfg.track_after << spt->patience;
}

/*
 * Compares every table that is out of sync; one that is compared goes to the end of the list. Those
 * that were there at the beginning are counted: when some go in the meantime, others are compared
 * once more. One that was quiet for long enough is tracked from now on; what is stored between the
 * comparison here and the tracking, the last one finds. The higher ones come first: they make it
 * possible to track what is below.
 */
static bool sweep_loose(struct gtt *gtt)
{
    struct spt *quiet[GTT_LEVELS + 1][SPT_TIGHTEN_MAX];
    size_t n[GTT_LEVELS + 1] = {0};
    struct spt *spt;
    for (; gtt->sweep.at && gtt_may_work(gtt) && (spt = TAILQ_FIRST(&gtt->loose));
         gtt->sweep.at--) {
        unsigned level = spt_level(spt->kind);
        TAILQ_REMOVE(&gtt->loose, spt, loose);
        TAILQ_INSERT_TAIL(&gtt->loose, spt, loose);
        if (spt_compare(gtt, spt)) {
            spt->quiet = 0;
        } else if (note_quiet(gtt, spt) && n[level] < SPT_TIGHTEN_MAX) {
            quiet[level][n[level]++] = spt;
        }
    }
    for (unsigned level = GTT_LEVELS; level; level--) {
        spt_tighten(gtt, quiet[level], n[level]);
    }
    return !gtt->sweep.at || TAILQ_EMPTY(&gtt->loose);
}

/* Tables that are made on the way join the queue with all that is in them. */
static bool sweep_changed(struct gtt *gtt)
{
    struct spt *spt;
    while ((spt = TAILQ_FIRST(&gtt->changed))) {
        if (!change_table(gtt, spt)) {
            return false;
        }
        gtt_charge(gtt, COST_LOOK);
        if (spt->queued) {
            TAILQ_REMOVE(&gtt->changed, spt, changed);
            spt->queued = false;
        }
    }
    return true;
}

void gtt_sweep_begin(struct gtt *gtt)
{
    struct sweep *sweep = &gtt->sweep;
    sweep->stage = gtt->retry ? SWEEP_FAILED_GGTT : SWEEP_PENDING;
    sweep->at = 0;
    gtt->retry = false;
}

bool gtt_sweep(struct gtt *gtt)
{
    static bool (*const stages[SWEEP_OVER])(struct gtt * gtt) = {
        [SWEEP_FAILED_GGTT] = sweep_failed_ggtt,
        [SWEEP_FAILED_TABLES] = sweep_failed_tables,
        [SWEEP_PENDING] = sweep_pending,
        [SWEEP_LAZY] = sweep_lazy,
        [SWEEP_LOOSE] = sweep_loose,
        [SWEEP_CHANGED] = sweep_changed,
    };
    while (gtt->sweep.stage < SWEEP_OVER && stages[gtt->sweep.stage](gtt)) {
        gtt->sweep.stage++;
        gtt->sweep.at = gtt->sweep.stage == SWEEP_LOOSE ? gtt->stats.oos_tables : 0;
    }
    gtt_run_batch(gtt);
    return gtt->sweep.stage == SWEEP_OVER;
}
