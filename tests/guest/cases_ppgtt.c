/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cases with page tables of the guest's own: built, re-pointed, shared, reused. In each state the
 * GPU copies, and every byte is looked at.
 */

#include "cases.h"
#include "work.h"

#define PAGES_PER_MIB 256u
#define PAGES_MAX     16384u /* 64 MiB */

#define SRC_VA  0x100000000000ull
#define DST_VA  0x200000000000ull
#define SPAN_2M (512ull * PAGE_SIZE)
#define SPAN_1G (512ull * SPAN_2M)

static GUEST_STATE struct work work;
static GUEST_STATE struct work other;
static GUEST_STATE uint32_t frames[PAGES_MAX];

/* Fills src, copies it by w, looks at dst; both given by their frames. */
static const char *copy_and_check(struct work *w, uint64_t dst_va, const uint32_t *dst,
                                  uint64_t src_va, const uint32_t *src, uint32_t n, uint32_t salt)
{
    const char *error;

    for (uint32_t i = 0; i < n; i++) {
        content_fill(src[i], salt, i);
    }
    work_copy(w, dst_va, src_va, n);
    error = work_run(w);
    for (uint32_t i = 0; !error && i < n; i++) {
        if (!content_is(dst[i], salt, i)) {
            error = "the target differs from the source";
        }
    }
    return error;
}

/* --- tables over many MiB ---------------------------------------------------------------- */

/* In two stretches, so that tables of every level are more than one. */
static int map_both(const uint32_t *src, const uint32_t *dst, uint32_t n)
{
    return ppgtt_map(&work.pp, SRC_VA, src, n) ||
           ppgtt_map(&work.pp, DST_VA + SPAN_1G - SPAN_2M, dst, n);
}

/*
 * So many pages of each table, "part=" of 512, each time from another one on: where everything is
 * emulated a GPU takes a millisecond for a page.
 */
static const char *copy_parts(uint64_t dst_va, const uint32_t *dst, const uint32_t *src, uint32_t n,
                              uint32_t salt)
{
    uint32_t part = arg_num("part", PPGTT_ENTRIES);
    const char *error = NULL;

    for (uint32_t first = 0; !error && first < n; first += PPGTT_ENTRIES) {
        uint32_t left = n - first < PPGTT_ENTRIES ? n - first : PPGTT_ENTRIES;
        uint32_t count = part < left ? part : left;
        uint32_t at = first + (salt * 101 + first / 7) % (left - count + 1);

        error = copy_and_check(&work, dst_va + (uint64_t)at * PAGE_SIZE, dst + at,
                               SRC_VA + (uint64_t)at * PAGE_SIZE, src + at, count, salt + first);
    }
    return error;
}

static const char *tables(uint32_t n)
{
    const uint64_t dst_va = DST_VA + SPAN_1G - SPAN_2M;
    const uint32_t *src = frames, *dst = frames + n;
    const char *error;

    if (map_both(src, dst, n)) {
        return "out of page tables";
    }
    error = copy_parts(dst_va, dst, src, n, 1);
    if (error) {
        return error;
    }
    step("tables over %u pages are built", 2 * n);

    /* Page after page the other way round: each entry of both stretches changes. */
    ppgtt_repoint(&work.pp, SRC_VA, dst, n);
    ppgtt_repoint(&work.pp, dst_va, src, n);
    error = copy_parts(dst_va, src, dst, n, 2);
    if (error) {
        return error;
    }
    step("each entry points elsewhere");

    ppgtt_unmap(&work.pp, SRC_VA, n);
    ppgtt_unmap(&work.pp, dst_va, n);
    error = work_run(&work);
    if (error) {
        return error;
    }
    step("all of it is unmapped");

    if (map_both(src, dst, n)) {
        return "out of page tables";
    }
    return copy_parts(dst_va, dst, src, n, 3);
}

const char *case_tables(void)
{
    uint32_t n = arg_num("mib", 4) * PAGES_PER_MIB / 2;
    const char *error = work_begin(&work);

    if (error) {
        return error;
    }
    if (n < PPGTT_ENTRIES || 2 * n > PAGES_MAX || frames_alloc(frames, 2 * n)) {
        return "mib=: 4 to 64, as far as memory goes";
    }
    error = tables(n);
    if (error) {
        return error;
    }
    work_end(&work);
    frames_free(frames, 2 * n);
    step("the tables are gone");
    return NULL;
}

/* --- re-pointing ------------------------------------------------------------------------- */

#define REPOINT_PAGES 40u

/* A second leaf, directory or whole subtree for the target takes the place of the first. */
static const char *repoint_level(uint32_t level, uint32_t salt)
{
    const uint32_t *src = frames, *first = frames + REPOINT_PAGES;
    const uint32_t *second = first + REPOINT_PAGES;
    struct table *above = ppgtt_table(&work.pp, DST_VA, level + 1);
    uint32_t at = ppgtt_index(DST_VA, level + 1);
    struct table *old = above->child[at];
    const char *error = copy_and_check(&work, DST_VA, first, SRC_VA, src, REPOINT_PAGES, salt);

    /* The new subtree is made by mapping anew with the old one hidden. */
    above->child[at] = NULL;
    if (!error && ppgtt_map(&work.pp, DST_VA, second, REPOINT_PAGES)) {
        error = "out of page tables";
    }
    if (!error) {
        error = copy_and_check(&work, DST_VA, second, SRC_VA, src, REPOINT_PAGES, salt + 1);
    }
    for (uint32_t i = 0; !error && i < REPOINT_PAGES; i++) {
        if (!content_is(first[i], salt, i)) {
            error = "the GPU went by the old tables";
        }
    }
    if (error) {
        return error;
    }
    step("an entry of level %u points elsewhere", level + 1);

    /* And back: what is in the old subtree is what counts. */
    table_write64(&above->page, at, entry_of(old->page.gfn));
    error = copy_and_check(&work, DST_VA, first, SRC_VA, src, REPOINT_PAGES, salt + 2);
    for (uint32_t i = 0; !error && i < REPOINT_PAGES; i++) {
        if (!content_is(second[i], salt + 1, i)) {
            error = "the GPU went by the new tables";
        }
    }
    above->used--;
    above->child[at] = old;
    return error;
}

const char *case_pprepoint(void)
{
    const char *error = work_begin(&work);

    if (error) {
        return error;
    }
    if (frames_alloc(frames, 3 * REPOINT_PAGES)) {
        return "out of memory";
    }
    if (ppgtt_map(&work.pp, SRC_VA, frames, REPOINT_PAGES) ||
        ppgtt_map(&work.pp, DST_VA, frames + REPOINT_PAGES, REPOINT_PAGES)) {
        return "out of page tables";
    }
    for (uint32_t level = 1; !error && level < PPGTT_LEVELS; level++) {
        error = repoint_level(level, 10 * level);
        if (!error) {
            step("and back");
        }
    }
    if (!error) {
        work_end(&work);
        frames_free(frames, 3 * REPOINT_PAGES);
    }
    return error;
}

/* --- sharing ----------------------------------------------------------------------------- */

#define SHARE_PAGES 24u

static const char *share(void)
{
    const uint32_t *src = frames, *dst = frames + SHARE_PAGES, *more = dst + SHARE_PAGES;
    uint32_t at = ppgtt_index(DST_VA, PPGTT_LEVELS);
    struct table *shared = ppgtt_table(&work.pp, DST_VA, PPGTT_LEVELS - 1);
    const char *error;

    /* The second root has the whole subtree of the target in common with the first. */
    table_write64(&other.pp.root->page, at, entry_of(shared->page.gfn));
    error = copy_and_check(&other, DST_VA, dst, SRC_VA, src, SHARE_PAGES, 41);
    if (!error) {
        error = copy_and_check(&work, DST_VA, dst, SRC_VA, src, SHARE_PAGES, 42);
    }
    if (error) {
        return error;
    }
    step("two roots have tables in common");

    ppgtt_repoint(&work.pp, DST_VA, more, SHARE_PAGES);
    error = copy_and_check(&other, DST_VA, more, SRC_VA, src, SHARE_PAGES, 43);
    if (error) {
        return error;
    }
    step("a store into a shared table is seen through both");

    work_copy(&work, DST_VA, SRC_VA, SHARE_PAGES);
    work_copy(&other, DST_VA, SRC_VA, SHARE_PAGES);
    error = work_run_two(&work, &other);
    if (error) {
        return error;
    }
    step("both ran in one list");

    /* One root goes; the tables stay for the other. */
    ppgtt_announce(&other.pp, false);
    error = copy_and_check(&work, DST_VA, more, SRC_VA, src, SHARE_PAGES, 44);
    if (error) {
        return error;
    }
    step("one of the roots is destroyed");
    ppgtt_announce(&other.pp, true);
    table_write64(&other.pp.root->page, at, other.pp.scratch[PPGTT_LEVELS - 1]);
    return work_run(&other);
}

const char *case_ppshare(void)
{
    const char *error = work_begin(&work);

    if (!error) {
        error = work_create(&other);
    }
    if (error) {
        return error;
    }
    if (frames_alloc(frames, 3 * SHARE_PAGES)) {
        return "out of memory";
    }
    if (ppgtt_map(&work.pp, SRC_VA, frames, SHARE_PAGES) ||
        ppgtt_map(&other.pp, SRC_VA, frames, SHARE_PAGES) ||
        ppgtt_map(&work.pp, DST_VA, frames + SHARE_PAGES, SHARE_PAGES)) {
        return "out of page tables";
    }
    error = share();
    if (!error) {
        work_end(&other);
        work_end(&work);
        frames_free(frames, 3 * SHARE_PAGES);
        step("both roots are gone");
    }
    return error;
}

/* --- pages that were tables -------------------------------------------------------------- */

#define RECYCLE_PAGES 16u
#define QUIET_RUNS    12u /* more than it takes until a table that is left alone is trapped */

static const char *run_quietly(void)
{
    const char *error = NULL;

    for (uint32_t i = 0; !error && i < QUIET_RUNS; i++) {
        error = work_run(&work);
    }
    return error;
}

/* The page becomes a target of the GPU's, and of the CPU's stores. */
static const char *use_as_data(const struct page *page, uint32_t salt)
{
    const uint32_t gfn = (uint32_t)page->gfn;
    const char *error;

    if (ppgtt_map(&work.pp, DST_VA, &gfn, 1)) {
        return "out of page tables";
    }
    error = copy_and_check(&work, DST_VA, &gfn, SRC_VA, frames, 1, salt);
    if (error) {
        return error;
    }
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        page_store(page, i * 8, i * 0x0101010101010101ull, 8);
    }
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        if (((volatile uint64_t *)page->va)[i] != i * 0x0101010101010101ull) {
            return "a page that was a table does not hold what is stored";
        }
    }
    ppgtt_unmap(&work.pp, DST_VA, 1);
    return NULL;
}

/* A leaf table becomes data, then a table of the level above, then a leaf again. */
static const char *recycle(bool quiet, uint32_t salt)
{
    const uint32_t *src = frames, *dst = frames + RECYCLE_PAGES;
    const struct page was = ppgtt_table(&work.pp, SRC_VA + SPAN_2M, 1)->page;
    struct table *directory = ppgtt_table(&work.pp, SRC_VA, 2);
    uint32_t at = ppgtt_index(DST_VA, 3), leaf = ppgtt_index(SRC_VA + SPAN_2M, 2);
    struct table *top = ppgtt_table(&work.pp, DST_VA + SPAN_1G, 3);
    struct table *t = directory->child[leaf];
    const char *error = quiet ? run_quietly() : work_run(&work);

    if (error) {
        return error;
    }
    table_write64(&directory->page, leaf, work.pp.scratch[1]);
    error = use_as_data(&was, salt);
    if (error) {
        return error;
    }
    step("a leaf table is data");

    /* Filled by hand, as the directory that leads to the target's leaf table. */
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        table_write64(&was, i, work.pp.scratch[1]);
    }
    table_write64(&was, 7, entry_of(ppgtt_table(&work.pp, DST_VA + SPAN_1G, 1)->page.gfn));
    table_write64(&top->page, at, entry_of(was.gfn));
    error = copy_and_check(&work, DST_VA + 7 * SPAN_2M, dst, SRC_VA, src, RECYCLE_PAGES, salt + 1);
    if (!error && quiet) {
        error = run_quietly();
    }
    if (error) {
        return error;
    }
    step("it is a directory");

    table_write64(&top->page, at, work.pp.scratch[2]);
    error = quiet ? work_run(&work) : NULL; /* or before the vGPU has noticed that it is free */
    for (uint32_t i = 0; i < PPGTT_ENTRIES; i++) {
        table_write64(&was, i, work.pp.scratch[0]);
    }
    table_write64(&directory->page, leaf, entry_of(was.gfn));
    t->used = 0;
    if (ppgtt_map(&work.pp, SRC_VA + SPAN_2M, dst, RECYCLE_PAGES)) {
        return "out of page tables";
    }
    if (!error) {
        error = copy_and_check(&work, SRC_VA + SPAN_2M, dst, SRC_VA, src, RECYCLE_PAGES, salt + 2);
    }
    if (!error) {
        step("it is a leaf table again");
    }
    return error;
}

const char *case_recycle(void)
{
    const char *error = work_begin(&work);
    struct table *top;

    if (error) {
        return error;
    }
    if (frames_alloc(frames, 2 * RECYCLE_PAGES)) {
        return "out of memory";
    }
    if (ppgtt_map(&work.pp, SRC_VA, frames, RECYCLE_PAGES) ||
        ppgtt_map(&work.pp, SRC_VA + SPAN_2M, frames, RECYCLE_PAGES) ||
        ppgtt_map(&work.pp, DST_VA + SPAN_1G, frames + RECYCLE_PAGES, RECYCLE_PAGES)) {
        return "out of page tables";
    }
    top = ppgtt_table(&work.pp, DST_VA + SPAN_1G, 3);
    error = recycle(false, 51);
    if (!error) {
        error = recycle(true, 61);
    }
    if (!error) {
        top->child[ppgtt_index(DST_VA, 3)] = NULL;
        work_end(&work);
        frames_free(frames, 2 * RECYCLE_PAGES);
    }
    return error;
}
