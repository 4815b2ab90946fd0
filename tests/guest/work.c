/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A context with a PPGTT of its own, batches in it, and patterns in its pages. */
#include "work.h"

#define WORDS (PAGE_SIZE / sizeof(uint32_t))

/* Far from what cases map: the batch has a PML4 entry of its own. */
#define BATCH_VA 0x700000000000ull

#define MI_BATCH_BUFFER_END (0x0au << 23)
#define MI_STORE_DATA_IMM   (0x20u << 23 | 2u)
#define XY_COLOR_BLT        (2u << 29 | 0x50u << 22 | 3u << 20 | 5u)
#define XY_SRC_COPY_BLT     (2u << 29 | 0x53u << 22 | 3u << 20 | 8u)
#define BR13_32BPP          (3u << 24)
#define ROP_COPY            (0xccu << 16)
#define ROP_PATTERN         (0xf0u << 16)

const char *work_create(struct work *work)
{
    uint32_t gfn[WORK_BATCH_PAGES];

    work->dwords = 0;
    if (ppgtt_create(&work->pp) || context_create(&work->context)) {
        return "out of memory";
    }
    for (uint32_t i = 0; i < WORK_BATCH_PAGES; i++) {
        if (page_alloc(&work->batch[i])) {
            return "out of memory";
        }
        gfn[i] = (uint32_t)work->batch[i].gfn;
    }
    if (ppgtt_map(&work->pp, BATCH_VA, gfn, WORK_BATCH_PAGES)) {
        return "out of page tables";
    }
    ppgtt_announce(&work->pp, true);
    context_set_root(&work->context, work->pp.root->page.gfn << PAGE_SHIFT);
    return NULL;
}

const char *work_begin(struct work *work)
{
    const char *error = execlist_init();

    return error ? error : work_create(work);
}

void work_end(struct work *work)
{
    ppgtt_announce(&work->pp, false);
    ppgtt_free(&work->pp);
    context_free(&work->context);
    for (uint32_t i = 0; i < WORK_BATCH_PAGES; i++) {
        page_free(&work->batch[i]);
    }
}

/* --- commands ---------------------------------------------------------------------------- */

void work_emit(struct work *work, uint32_t dword)
{
    volatile uint32_t *page = work->batch[work->dwords / WORDS].va;

    page[work->dwords % WORDS] = dword;
    work->dwords++;
}

static void emit_address(struct work *work, uint64_t address)
{
    work_emit(work, (uint32_t)address);
    work_emit(work, address >> 32);
}

static void copy_rows(struct work *work, uint64_t dst, uint32_t dst_pitch, uint64_t src,
                      uint32_t width, uint32_t rows)
{
    work_emit(work, XY_SRC_COPY_BLT);
    work_emit(work, BR13_32BPP | ROP_COPY | dst_pitch);
    work_emit(work, 0);
    work_emit(work, rows << 16 | width / 4);
    emit_address(work, dst);
    work_emit(work, 0);
    work_emit(work, PAGE_SIZE);
    emit_address(work, src);
}

void work_copy(struct work *work, uint64_t dst, uint64_t src, uint32_t pages)
{
    while (pages) {
        uint32_t rows = pages < BLIT_ROWS_MAX ? pages : BLIT_ROWS_MAX;

        copy_rows(work, dst, PAGE_SIZE, src, PAGE_SIZE, rows);
        dst += (uint64_t)rows * PAGE_SIZE;
        src += (uint64_t)rows * PAGE_SIZE;
        pages -= rows;
    }
}

void work_copy_columns(struct work *work, uint64_t dst, uint64_t src, uint32_t rows)
{
    copy_rows(work, dst, WORK_COLUMN_BYTES, src, WORK_COLUMN_BYTES, rows);
}

void work_fill(struct work *work, uint64_t dst, uint32_t pages, uint32_t colour)
{
    work_emit(work, XY_COLOR_BLT);
    work_emit(work, BR13_32BPP | ROP_PATTERN | PAGE_SIZE);
    work_emit(work, 0);
    work_emit(work, pages << 16 | PAGE_SIZE / 4);
    emit_address(work, dst);
    work_emit(work, colour);
}

void work_store(struct work *work, uint64_t dst, uint32_t value)
{
    work_emit(work, MI_STORE_DATA_IMM);
    emit_address(work, dst);
    work_emit(work, value);
}

/* --- running ----------------------------------------------------------------------------- */

static void start(struct work *work)
{
    work_emit(work, MI_BATCH_BUFFER_END);
    work->dwords = 0;
    context_start_batch(&work->context, BATCH_VA);
}

const char *work_run_within(struct work *work, uint64_t timeout_us)
{
    start(work);
    return execlist_run(&work->context, NULL, timeout_us);
}

const char *work_run(struct work *work)
{
    return work_run_within(work, EXECLIST_TIMEOUT_US);
}

const char *work_run_two(struct work *first, struct work *second)
{
    start(first);
    start(second);
    return execlist_run(&first->context, &second->context, EXECLIST_TIMEOUT_US);
}

/* --- contents ---------------------------------------------------------------------------- */

static uint32_t word_of(uint32_t salt, uint32_t page, uint32_t word)
{
    return (salt * 0x9e3779b9u) ^ (page * WORDS + word);
}

void content_fill(uint64_t gfn, uint32_t salt, uint32_t page)
{
    volatile uint32_t *word = page_va(gfn);

    for (uint32_t i = 0; i < WORDS; i++) {
        word[i] = word_of(salt, page, i);
    }
}

bool content_is(uint64_t gfn, uint32_t salt, uint32_t page)
{
    const volatile uint32_t *word = page_va(gfn);

    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t got = word[i];

        if (got != word_of(salt, page, i)) {
            say("page %u (gfn %lx) word %u is %x, expected %x", page, (unsigned long)gfn, i, got,
                word_of(salt, page, i));
            return false;
        }
    }
    return true;
}

bool content_is_colour(uint64_t gfn, uint32_t colour)
{
    const volatile uint32_t *word = page_va(gfn);

    for (uint32_t i = 0; i < WORDS; i++) {
        uint32_t got = word[i];

        if (got != colour) {
            say("gfn %lx word %u is %x, expected %x", (unsigned long)gfn, i, got, colour);
            return false;
        }
    }
    return true;
}

int frames_alloc(uint32_t *gfn, uint32_t n)
{
    struct page page;

    for (uint32_t i = 0; i < n; i++) {
        if (page_alloc(&page)) {
            return -1;
        }
        gfn[i] = (uint32_t)page.gfn;
    }
    return 0;
}

void frames_free(const uint32_t *gfn, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct page page = {.va = page_va(gfn[i]), .gfn = gfn[i]};

        page_free(&page);
    }
}
