/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Proof at run time that the shadow GTT keeps its promises: every entry of every table holds
 * scratch, a live mapping of this guest's, or a table of this GTT's; what was written is what the
 * GPU has; and all counts are right.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "gtt/state.h"

/* What points to a table, as found: all entries, and those in tables out of sync. */
struct pointers {
    const struct spt *spt;
    uint32_t all;
    uint32_t loose;
};

struct findings {
    const struct gtt *gtt;
    unsigned count;
    char *error;
    size_t error_size;

    uint64_t *frame; /* every use of a frame, by an entry or as a table */
    size_t frames;
    size_t frames_max;
    struct pointers *pointers; /* of each table, in the order of their addresses */
    uint32_t present;
    uint32_t scratch;
    uint32_t tables;
};

__attribute__((format(printf, 2, 3))) static void find(struct findings *f, const char *format, ...)
{
    if (f->count++ == 0 && f->error_size) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(f->error, f->error_size, format, ap);
        va_end(ap);
    }
}

static void use_frame(struct findings *f, uint64_t frame)
{
    if (f->frames < f->frames_max) {
        f->frame[f->frames] = frame;
    }
    f->frames++;
}

/* --- the global GTT ---------------------------------------------------------------------- */

static void check_ggtt(struct findings *f)
{
    const struct gtt *gtt = f->gtt;
    const struct gtt_entry_format *format = &gtt_gen8[GTT_GGTT_PTE];
    for (uint32_t entry = 0; entry < gtt->entries; entry++) {
        uint32_t index = gtt_index(gtt, entry);
        uint64_t pte = gpu_read_pte(gtt->cfg.gpu, GPU_GGTT, index);
        if (pte != gtt->shadow[entry]) {
            find(f, "entry %u: the GPU holds 0x%" PRIx64 ", 0x%" PRIx64 " was written", index, pte,
                 gtt->shadow[entry]);
        }
        f->scratch += (gtt->flags[entry] & GTT_FAILED) != 0;
        if (!gtt_is_mapped(gtt, entry)) {
            continue;
        }
        if (!(gtt->flags[entry] & GTT_PENDING) && !gtt_entry_present(format, gtt->guest[entry])) {
            find(f, "entry %u: holds a frame, and the guest has made it not present", index);
        }
        use_frame(f, gtt_entry_frame(format, gtt->shadow[entry]));
        f->present++;
    }
}

/* --- page tables ------------------------------------------------------------------------- */

static int compare_pointers(const void *a, const void *b)
{
    const struct pointers *x = a;
    const struct pointers *y = b;
    return (x->spt > y->spt) - (x->spt < y->spt);
}

/* NULL: it is none, or a table of somebody else's. */
static struct pointers *pointers_to(const struct findings *f, const struct spt *spt)
{
    const struct pointers key = {.spt = spt};
    return bsearch(&key, f->pointers, f->tables, sizeof(key), compare_pointers);
}

/* An entry that is not waiting to be looked at says what the guest's says. */
static void check_against_guest(struct findings *f, const struct spt *spt, uint32_t i, bool scratch)
{
    if (spt->kind != SPT_PT || bit_get(spt->dirty, i) || bit_get(spt->failed, i)) {
        return;
    }
    uint64_t guest = spt->copy ? spt->copy[i] : spt->guest[i];
    if ((spt->copy || spt->tracked) && gtt_entry_present(&gtt_gen8[GTT_PTE_4K], guest) == scratch) {
        find(f, "table 0x%" PRIx64 " entry %u: the guest has 0x%" PRIx64 ", the GPU %s", spt->gfn.v,
             i, guest, scratch ? "scratch" : "a frame");
    }
}

static void check_entry(struct findings *f, const struct spt *spt, uint32_t i)
{
    const struct gtt *gtt = f->gtt;
    unsigned level = spt_level(spt->kind);
    uint64_t pte = gpu_read_pte(gtt->cfg.gpu, spt->table, i);
    bool scratch = pte == gtt_scratch_entry(gtt, level);
    f->scratch += bit_get(spt->failed, i);
    if (scratch && level > 1) {
        return;
    }
    if (level > 1) {
        struct pointers *to = pointers_to(f, spt_of_entry(gtt, pte));
        if (!to || spt_level(to->spt->kind) != level - 1) {
            find(f, "table 0x%" PRIx64 " entry %u: points to no table of level %u", spt->gfn.v, i,
                 level - 1);
        } else {
            to->all++;
            to->loose += !spt->tracked;
        }
        return;
    }
    check_against_guest(f, spt, i, scratch);
    if (!scratch) {
        use_frame(f, gtt_entry_frame(&gtt_gen8[GTT_PTE_4K], pte));
        f->present++;
    }
}

static void add_table(struct findings *f, const struct spt *spt)
{
    if (f->tables < f->gtt->stats.spt_tables) {
        f->pointers[f->tables] = (struct pointers){.spt = spt};
    }
    f->tables++;
}

static void check_table(struct findings *f, const struct spt *spt)
{
    if (spt->kind != SPT_SPLIT) {
        use_frame(f, spt->page.v);
    }
    for (uint32_t i = 0; i < GPU_TABLE_ENTRIES; i++) {
        check_entry(f, spt, i);
    }
}

static void check_pointers(struct findings *f, const struct spt *spt)
{
    const struct pointers *to = pointers_to(f, spt);
    if (to->all != spt->refs) {
        find(f, "table 0x%" PRIx64 ": %u entries point to it, %u are counted", spt->gfn.v, to->all,
             spt->refs);
    }
    if (to->loose != spt->loose_links) {
        find(f, "table 0x%" PRIx64 ": %u tables out of sync lead to it, %u are counted", spt->gfn.v,
             to->loose, spt->loose_links);
    }
}

static void for_each_table(struct findings *f,
                           void (*fn)(struct findings *f, const struct spt *spt))
{
    for (uint32_t b = 0; b < f->gtt->hash_size; b++) {
        for (const struct spt *spt = f->gtt->by_table[b]; spt; spt = spt->next_table) {
            fn(f, spt);
        }
    }
}

/* Everything behind a wrong number of tables would be wrong, too. */
static void check_tables(struct findings *f)
{
    const struct mm *mm;
    for_each_table(f, add_table);
    if (f->tables != f->gtt->stats.spt_tables) {
        return;
    }
    qsort(f->pointers, f->tables, sizeof(*f->pointers), compare_pointers);
    for_each_table(f, check_table);
    TAILQ_FOREACH(mm, &f->gtt->mms, links)
    {
        for (unsigned i = 0; i < 4; i++) {
            struct pointers *to = pointers_to(f, mm->spt[i]);
            if (to) {
                to->all++;
            }
        }
    }
    for_each_table(f, check_pointers);
}

/* --- the sums ---------------------------------------------------------------------------- */

static int compare_frames(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* Every use of a frame is one user of its mapping, and there are no others. */
static void check_users(struct findings *f)
{
    const struct gtt *gtt = f->gtt;
    uint32_t frames = 0;
    qsort(f->frame, f->frames, sizeof(*f->frame), compare_frames);
    for (size_t i = 0; i < f->frames;) {
        uint32_t uses = 1;
        while (i + uses < f->frames && f->frame[i + uses] == f->frame[i]) {
            uses++;
        }
        uint32_t users = xengt_space_users(gtt->cfg.space, (struct xengt_bfn){f->frame[i]});
        if (users != uses) {
            find(f, "BFN 0x%" PRIx64 ": used %u times, its mapping counts %u users", f->frame[i],
                 uses, users);
        }
        frames++;
        i += uses;
    }
    struct xengt_space_stats stats;
    xengt_space_get_stats(gtt->cfg.space, &stats);
    if (stats.in_use != frames) {
        find(f, "%u frames are used, %u mappings are in use", frames, stats.in_use);
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written to through the findings */
unsigned gtt_verify(const struct gtt *gtt, char *error, size_t error_size)
{
    const struct gtt_stats *stats = &gtt->stats;
    struct findings f = {.gtt = gtt, .error = error, .error_size = error_size};
    f.frames_max = (size_t)stats->present + stats->spt_tables;
    f.frame = malloc((f.frames_max + 1) * sizeof(*f.frame));
    f.pointers = malloc(((size_t)stats->spt_tables + 1) * sizeof(*f.pointers));
    if (!f.frame || !f.pointers) {
        find(&f, "no memory to check the users of %zu frames", f.frames_max);
        goto out;
    }
    check_ggtt(&f);
    check_tables(&f);
    if (f.present != stats->present || f.scratch != stats->scratch ||
        f.tables != stats->spt_tables) {
        find(&f, "%u entries hold frames, %u failed, %u tables; the counters say %u, %u and %u",
             f.present, f.scratch, f.tables, stats->present, stats->scratch, stats->spt_tables);
    } else {
        check_users(&f);
    }
out:
    free(f.frame);
    free(f.pointers);
    return f.count;
}
