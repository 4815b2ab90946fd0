/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trapped stores: the guest's stores into tracked tables. The store itself and what it takes away
 * are done at once; what it has set free is tidied up before it is answered.
 */
#include <string.h>

#include "gtt/state.h"

/* Trapped stores between two syncs after which a page table goes out of sync. */
#define LOOSE_WRITES 2u

/* It is waited 64 times as long, at most, before a table that is written again is tracked again. */
#define PATIENCE_MAX 6u

/* As the guest's CPU would: an aligned store of its size is one store. */
static void store(uint8_t *to, uint64_t value, unsigned size)
{
    if (size == 8 && (uintptr_t)to % 8 == 0) {
        *(volatile uint64_t *)to = value;
    } else if (size == 4 && (uintptr_t)to % 4 == 0) {
        *(volatile uint32_t *)to = (uint32_t)value;
    } else {
        memcpy(to, &value, size);
    }
}

/* A table that is written often, or as no page table is written, is better compared. */
static void note_store(struct gtt *gtt, struct spt *spt, uint32_t offset, unsigned size)
{
    if (!spt->tracked) {
        return; /* came late: the comparison finds it */
    }
    if ((size != 4 && size != 8) || offset % size) {
        spt->hopeless = true;
        gtt->stats.odd_writes++;
    }
    for (uint32_t i = offset / 8; i <= (offset + size - 1) / 8; i++) {
        bit_set(spt->dirty, i);
    }
    spt_queue(gtt, spt);
    spt->writes++;
    bool often = spt_level(spt->kind) == 1 && spt->writes >= LOOSE_WRITES && !gtt->cfg.track_all;
    spt->patience += often && spt->patience < PATIENCE_MAX;
    if (spt->hopeless) {
        spt_loosen_later(gtt, spt);
    } else if (often) {
        spt_loosen_page_table(gtt, spt);
    }
}

static bool still_leads_to(const struct spt *spt, uint32_t index, const struct spt *child)
{
    const struct gtt_entry_format *f = &gtt_formats[GTT_PDE];
    uint64_t entry = spt->guest[index];
    return gtt_entry_present(f, entry) && gtt_entry_gfn(f, entry).v == child->gfn.v;
}

/*
 * Entries that the guest has just stored to, and that led to tables until then, are scratch from
 * now on: the guest may count on it that these tables' pages are as any other when its store is
 * done. What the entries point to instead is for the commit, as always.
 */
static void take_links(struct gtt *gtt, struct spt *spt, uint32_t offset, unsigned size)
{
    unsigned level = spt_level(spt->kind);
    for (uint32_t i = offset / 8; level > 1 && i <= (offset + size - 1) / 8; i++) {
        uint32_t table = batch_child(&gtt->batch, spt->table, level, i);
        const struct spt *child = table ? spt_of_table(gtt, table) : NULL;
        if (child && child->kind != SPT_SPLIT && !still_leads_to(spt, i, child)) {
            const struct gtt_change change = {
                .table = spt->table, .index = i, .level = (uint8_t)level};
            gtt_change(gtt, &change, (struct xengt_gfn){0});
            bit_set(spt->dirty, i); /* out of sync, it may get its old value back unseen */
            spt_queue(gtt, spt);
        }
    }
    gtt_run_batch(gtt);
}

/* size bytes, not beyond the end of the page */
static void write_page(struct gtt *gtt, struct xengt_gfn gfn, uint32_t offset, uint64_t value,
                       unsigned size)
{
    struct spt *spt = spt_of_gfn(gtt, gfn);
    struct xengt_bfn page;
    void *view;
    gtt_charge(gtt, COST_COMPARE);
    if (spt) {
        store((uint8_t *)(uintptr_t)spt->guest + offset, value, size);
    } else if (batch_open_page(&gtt->batch, gfn, &page, &view)) {
        store((uint8_t *)view + offset, value, size); /* was a table until just now */
        batch_close_page(&gtt->batch, page);
    }
    for (; spt; spt = spt_next_of_gfn(spt)) {
        note_store(gtt, spt, offset, size);
    }
    for (enum spt_kind kind = SPT_PD; kind <= SPT_PML4; kind++) {
        if ((spt = spt_find(gtt, kind, gfn))) { /* the one before may have led to this one */
            take_links(gtt, spt, offset, size);
        }
    }
}

void gtt_table_write(struct gtt *gtt, uint64_t gpa, uint64_t value, unsigned size)
{
    gtt->stats.table_writes++;
    while (size) {
        uint32_t offset = gpa % XENGT_PAGE_SIZE;
        unsigned part = XENGT_PAGE_SIZE - offset < size ? XENGT_PAGE_SIZE - offset : size;
        write_page(gtt, (struct xengt_gfn){gpa >> XENGT_PAGE_SHIFT}, offset, value, part);
        gpa += part;
        size -= part;
        value = size ? value >> part * 8 : 0;
    }
    if (gtt->cfg.commit_each) {
        gtt_commit(gtt);
    } else {
        gtt_finish(gtt);
    }
}
