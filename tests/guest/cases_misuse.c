/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page tables that make no sense, pages that go away, tables that point to themselves: what is
 * wrong reaches scratch, what is right goes on, and the guest with it.
 */

#include "cases.h"
#include "work.h"

#define SRC_VA  0x100000000000ull
#define DST_VA  0x200000000000ull
#define BAD_VA  0x300000000000ull
#define SPAN_2M (512ull * PAGE_SIZE)
#define SPAN_1G (512ull * SPAN_2M)

#define GOOD_PAGES 8u

#define MMIO_GFN 0xe0000ull /* the vGPU's own registers */
#define LAST_GFN 0x3ffffffffull

static GUEST_STATE struct work work;
static GUEST_STATE uint32_t src[GOOD_PAGES];
static GUEST_STATE uint32_t dst[GOOD_PAGES];

static const char *begin(void)
{
    const char *error = work_begin(&work);

    if (error) {
        return error;
    }
    if (frames_alloc(src, GOOD_PAGES) || frames_alloc(dst, GOOD_PAGES)) {
        return "out of memory";
    }
    return ppgtt_map(&work.pp, SRC_VA, src, GOOD_PAGES) ||
                   ppgtt_map(&work.pp, DST_VA, dst, GOOD_PAGES)
               ? "out of page tables"
               : NULL;
}

static void end(void)
{
    work_end(&work);
    frames_free(src, GOOD_PAGES);
    frames_free(dst, GOOD_PAGES);
}

/* What is right works as if nothing were wrong beside it. */
static const char *good(uint32_t salt)
{
    const char *error;

    for (uint32_t i = 0; i < GOOD_PAGES; i++) {
        content_fill(src[i], salt, i);
    }
    work_copy(&work, DST_VA, SRC_VA, GOOD_PAGES);
    error = work_run(&work);
    for (uint32_t i = 0; !error && i < GOOD_PAGES; i++) {
        if (!content_is(dst[i], salt, i)) {
            error = "the target differs from the source";
        }
    }
    return error;
}

/* The GPU writes to an address that leads nowhere, and then does what is right. */
static const char *touch_and_go_on(uint64_t va, uint32_t salt)
{
    work_fill(&work, va, 1, 0x5c7a7c4);
    return good(salt);
}

/* --- entries that point nowhere ----------------------------------------------------------------
 */

static const char *bad_entries(uint32_t level, uint64_t out)
{
    const uint64_t targets[] = {
        entry_of(MMIO_GFN), entry_of(ram_pages() + 0x1000), entry_of(out), entry_of(LAST_GFN), 0,
        PPGTT_WRITE,
    };
    struct table *t = ppgtt_table(&work.pp, BAD_VA, level);
    uint32_t at = ppgtt_index(BAD_VA, level);
    uint64_t was = ((volatile uint64_t *)t->page.va)[at];
    const char *error = NULL;

    for (uint32_t i = 0; !error && i < sizeof(targets) / sizeof(targets[0]); i++) {
        table_write64(&t->page, at, targets[i]);
        error = touch_and_go_on(BAD_VA, 100 * level + i);
    }
    if (!error) {
        step("entries of level %u point nowhere", level);
    }
    table_write64(&t->page, at, was);
    return error ? error : touch_and_go_on(BAD_VA, 100 * level + 50);
}

const char *case_ppbad(void)
{
    uint32_t page[2];
    const char *error = begin();

    if (error) {
        return error;
    }
    if (frames_alloc(page, 2) || ppgtt_map(&work.pp, BAD_VA, page, 1)) {
        return "out of memory";
    }
    if (balloon_out(page[1])) {
        return "balloon_out failed";
    }
    for (uint32_t level = 1; !error && level <= PPGTT_LEVELS; level++) {
        error = bad_entries(level, page[1]);
        if (!error && !content_is_colour(page[0], 0x5c7a7c4)) {
            error = "an entry that was put right is not used";
        }
    }
    if (!error && balloon_in(page[1])) {
        error = "balloon_in failed";
    }
    if (!error) {
        end();
    }
    return error;
}

/* --- large pages -------------------------------------------------------------------------------
 */

/* The vGPU offers no large pages. One of 2 MiB is still no way out of the guest's memory. */
const char *case_pphuge(void)
{
    uint32_t page;
    struct table *directory;
    uint64_t first, beyond;
    const char *error = begin();

    if (error) {
        return error;
    }
    if (frames_alloc(&page, 1) || ppgtt_map(&work.pp, BAD_VA, &page, 1)) {
        return "out of memory";
    }
    directory = ppgtt_table(&work.pp, BAD_VA, 2);
    first = page & ~511ull;
    if (first + 512 > ram_pages()) {
        return "the guest's memory is too small";
    }
    table_write64(&directory->page, 0, entry_of(first) | PPGTT_HUGE);
    error = touch_and_go_on(BAD_VA + (page - first) * PAGE_SIZE, 71);
    if (!error && !content_is_colour(page, 0x5c7a7c4)) {
        error = "a page of 2 MiB does not lead to what it is made of";
    }
    if (error) {
        return error;
    }
    step("a page of 2 MiB");

    beyond = (ram_pages() + 511) & ~511ull;
    table_write64(&directory->page, 0, entry_of(beyond) | PPGTT_HUGE);
    error = touch_and_go_on(BAD_VA + 3 * PAGE_SIZE, 72);
    if (error) {
        return error;
    }
    step("one beyond the memory");

    table_write64(&ppgtt_table(&work.pp, BAD_VA, 3)->page, 1, entry_of(0) | PPGTT_HUGE);
    error = touch_and_go_on(BAD_VA + SPAN_1G, 73);
    if (!error) {
        step("a page of 1 GiB");
        end();
    }
    return error;
}

/* --- tables that lead to tables ----------------------------------------------------------------
 */

/* Each level points to itself, to the one above, and to the root. */
const char *case_pploops(void)
{
    const char *error = begin();
    uint32_t page;
    uint64_t was;

    if (error) {
        return error;
    }
    if (frames_alloc(&page, 1) || ppgtt_map(&work.pp, BAD_VA, &page, 1)) {
        return "out of memory";
    }
    for (uint32_t level = 1; !error && level <= PPGTT_LEVELS; level++) {
        struct table *t = ppgtt_table(&work.pp, BAD_VA, level);
        uint32_t at = ppgtt_index(BAD_VA, level) + 1;

        for (uint32_t to = level; !error && to <= PPGTT_LEVELS; to++) {
            was = ((volatile uint64_t *)t->page.va)[at];
            table_write64(&t->page, at, entry_of(ppgtt_table(&work.pp, BAD_VA, to)->page.gfn));
            error = good(level * 10 + to);
            table_write64(&t->page, at + to, entry_of(t->page.gfn)); /* and stays in the others */
            table_write64(&t->page, at, was);
        }
        if (!error) {
            step("level %u points to itself and upwards", level);
        }
    }
    if (!error) {
        error = touch_and_go_on(BAD_VA, 99);
    }
    if (!error) {
        end();
    }
    return error;
}

/* --- one page, many uses -----------------------------------------------------------------------
 */

#define USES 5u

/*
 * A page of the global GTT's, of several entries of the PPGTT, and a leaf table itself: each use
 * ends by itself, and the others go on.
 */
const char *case_ppuses(void)
{
    const char *error = begin();
    struct table *leaf;
    uint32_t gfn, entry;

    if (error) {
        return error;
    }
    leaf = ppgtt_table(&work.pp, DST_VA, 1);
    gfn = (uint32_t)leaf->page.gfn;
    entry = gtt_alloc(1);
    gtt_set(entry, gfn);
    gtt_flush();
    for (uint32_t i = 0; i < USES; i++) {
        if (ppgtt_map(&work.pp, BAD_VA + i * SPAN_2M, &gfn, 1)) {
            return "out of page tables";
        }
    }
    error = good(81);
    for (uint32_t i = 0; !error && i < USES; i++) {
        step("a page with %u uses", USES - i + 2);
        ppgtt_unmap(&work.pp, BAD_VA + i * SPAN_2M, 1);
        error = good(82 + i);
    }
    gtt_clear(entry);
    gtt_flush();
    if (!error) {
        error = good(90);
    }
    if (!error) {
        step("a page with one use");
        end();
    }
    return error;
}

/* --- pages that are given back -----------------------------------------------------------------
 */

/*
 * What the GPU was given stays, whatever becomes of the frame number; a new page is seen when the
 * guest writes its entry anew.
 */
static const char *give_back_data(void)
{
    uint32_t gone = dst[0];
    const char *error = good(91);

    if (error) {
        return error;
    }
    if (balloon_out(gone) || balloon_in(gone)) {
        return "the page could not be exchanged";
    }
    content_fill(gone, 0xdead, 0);
    ppgtt_unmap(&work.pp, DST_VA, 1);
    error = work_run(&work);
    if (error) {
        return error;
    }
    step("a mapped page is given back and comes again");
    if (ppgtt_map(&work.pp, DST_VA, &gone, 1)) {
        return "out of page tables";
    }
    return good(92);
}

/* The same with a page that is a table. */
static const char *give_back_table(void)
{
    struct table *leaf = ppgtt_table(&work.pp, DST_VA, 1);
    struct table *directory = ppgtt_table(&work.pp, DST_VA, 2);
    uint32_t at = ppgtt_index(DST_VA, 2);
    const char *error = NULL;

    for (uint32_t i = 0; !error && i < 12; i++) {
        error = good(300 + i); /* so long that stores into it are trapped */
    }
    if (error) {
        return error;
    }
    if (balloon_out(leaf->page.gfn)) {
        return "balloon_out of a page table failed";
    }
    work_fill(&work, BAD_VA, 1, 0);
    error = work_run(&work);
    if (error) {
        return error;
    }
    step("a page table is given back");
    if (balloon_in(leaf->page.gfn)) {
        return "balloon_in of a page table failed";
    }
    leaf->page.va = page_va(leaf->page.gfn);
    table_write64(&directory->page, at, work.pp.scratch[1]);
    error = work_run(&work);
    if (error) {
        return error;
    }
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        table_write64(&leaf->page, i, work.pp.scratch[0]);
    }
    for (uint32_t i = 0; i < GOOD_PAGES; i++) {
        table_write64(&leaf->page, i, entry_of(dst[i]));
    }
    table_write64(&directory->page, at, entry_of(leaf->page.gfn));
    error = good(93);
    if (!error) {
        step("and is a page table again");
    }
    return error;
}

const char *case_ppballoon(void)
{
    const char *error = begin();

    if (!error) {
        error = give_back_data();
    }
    if (!error) {
        error = give_back_table();
    }
    if (!error) {
        end();
    }
    return error;
}

/* --- the global GTT ----------------------------------------------------------------------------
 */

/*
 * i915 clears all of its windows when it starts, an entry at a time and without a flush. Entries
 * that were in use before must not be used after.
 */
const char *case_ggttclear(void)
{
    struct page used, scratch;
    uint32_t entry, count;
    const char *error = begin();

    if (!error) {
        error = good(94);
    }
    if (error) {
        return error;
    }
    if (page_alloc(&used) || page_alloc(&scratch)) {
        return "out of memory";
    }
    entry = gtt_alloc(1);
    gtt_set(entry, used.gfn);
    gtt_flush();
    count = arg_num("entries", gpu_low_count() - (entry - gpu_low_first()));
    for (uint32_t i = 0; i < count; i++) {
        gtt_set(entry + i, scratch.gfn);
    }
    gtt_set(gpu_high_first() + gpu_high_count(), scratch.gfn); /* the guard, not its own */
    context_emit(&work.context, 0x20u << 23 | 1u << 22 | 2u);
    context_emit(&work.context, entry * PAGE_SIZE);
    context_emit(&work.context, 0);
    context_emit(&work.context, 0xbad);
    error = good(95);
    if (!error && (*(volatile uint32_t *)used.va || *(volatile uint32_t *)scratch.va != 0xbad)) {
        error = "the GPU used an entry that was cleared";
    }
    if (!error) {
        step("%u entries cleared", count);
        for (uint32_t i = 0; i < count; i++) {
            gtt_clear(entry + i);
        }
        page_free(&used);
        page_free(&scratch);
        end();
    }
    return error;
}

/* --- what ends in failsafe ---------------------------------------------------------------------
 */

#define SHORT_US 2000000u

static const char *expect_nothing(void)
{
    if (!work_run_within(&work, SHORT_US)) {
        return "work was done without a root";
    }
    mmio_write32(0x2044, 7);
    return mmio_read32(0x2044) == 7 ? NULL : "registers do not answer any more";
}

/* A root where there is no memory. */
const char *case_ppnoroot(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    context_set_root(&work.context, (ram_pages() + 0x1000) << PAGE_SHIFT);
    return expect_nothing();
}

/* A root that was announced and is no address of a page. */
const char *case_ppoddroot(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    mmio_write32(PVINFO + 0x838, (uint32_t)(work.pp.root->page.gfn << PAGE_SHIFT) + 8);
    mmio_write32(PVINFO + 0x83c, 0);
    mmio_write32(PVINFO + 0x818, 4);
    return expect_nothing();
}

/* The driver says that it cannot live with what it was given. */
const char *case_pvrefusal(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    mmio_write32(PVINFO + 0x808, 1);
    return expect_nothing();
}

/* Destroyed though never created, created twice, destroyed and used all the same. */
const char *case_ppnotify(void)
{
    struct ppgtt stranger;
    const char *error = begin();

    if (error) {
        return error;
    }
    if (ppgtt_create(&stranger)) {
        return "out of memory";
    }
    ppgtt_announce(&stranger, false);
    ppgtt_announce(&work.pp, true);
    error = good(96);
    for (uint32_t i = 0; !error && i < 3; i++) {
        ppgtt_announce(&work.pp, false); /* one time more than it was created */
        error = good(97);
        step("a root destroyed %u times", i + 1);
    }
    ppgtt_announce(&work.pp, true);
    if (!error) {
        error = good(98);
    }
    if (!error) {
        ppgtt_free(&stranger);
        end();
    }
    return error;
}
