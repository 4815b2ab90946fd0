/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cases that use the GPU, on real Xen and on the simulator alike. */

#include "cases.h"
#include "gpu.h"

#define WORDS      (PAGE_SIZE / sizeof(uint32_t))
#define TIMEOUT_US 60000000ull
#define PAGES_MAX  1024u

static GUEST_STATE struct page src[PAGES_MAX];
static GUEST_STATE struct page dst[PAGES_MAX];

/* Different in every word of every page. */
static uint32_t pattern(uint32_t salt, uint32_t page, uint32_t word)
{
    return salt * 0x9e3779b9u + page * WORDS + word;
}

static void fill(const struct page *p, uint32_t salt, uint32_t page)
{
    volatile uint32_t *word = p->va;

    for (uint32_t i = 0; i < WORDS; i++) {
        word[i] = pattern(salt, page, i);
    }
}

static bool holds(const struct page *p, uint32_t salt, uint32_t page)
{
    const volatile uint32_t *word = p->va;

    for (uint32_t i = 0; i < WORDS; i++) {
        if (word[i] != pattern(salt, page, i)) {
            say("page %u word %u is %x, expected %x", page, i, word[i], pattern(salt, page, i));
            return false;
        }
    }
    return true;
}

static bool alloc_all(struct page *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (page_alloc(&p[i])) {
            return false;
        }
    }
    return true;
}

static void gtt_set_all(uint32_t entry, const struct page *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        gtt_set(entry + i, p[i].gfn);
    }
}

/* Blits n pages from src to dst and checks every byte. */
static const char *blit_and_check(uint32_t dst_entry, uint32_t src_entry, uint32_t n, uint32_t salt)
{
    for (uint32_t i = 0; i < n; i++) {
        fill(&src[i], salt, i);
    }
    blit_copy(dst_entry, src_entry, n);
    if (!ring_wait(ring_submit(), TIMEOUT_US)) {
        return "the blit did not finish";
    }
    for (uint32_t i = 0; i < n; i++) {
        if (!holds(&dst[i], salt, i)) {
            return "the target differs from the source";
        }
    }
    return NULL;
}

const char *case_blit(void)
{
    uint32_t n = arg_num("pages", 1);
    uint32_t src_entry, dst_entry;
    const char *error = gpu_init();

    if (error) {
        return error;
    }
    if (n < 1 || n > PAGES_MAX || !alloc_all(src, n) || !alloc_all(dst, n)) {
        return "pages=: 1 to 1024, as far as memory goes";
    }
    src_entry = gtt_alloc(n);
    dst_entry = gtt_alloc(n);
    gtt_set_all(src_entry, src, n);
    gtt_set_all(dst_entry, dst, n);
    gtt_flush();
    error = blit_and_check(dst_entry, src_entry, n, 1);
    if (!error) {
        say("blitted %u pages", n);
    }
    return error;
}

/* The description of the vGPU, the guest's view of the table, registers that are storage. */
const char *case_probe(void)
{
    const char *error = gpu_init();
    uint32_t entry;

    if (error) {
        return error;
    }
    entry = gtt_alloc(1);
    gtt_write_raw(entry, 0x123456789001ull);
    if (gtt_get(entry) != 0x123456789001ull) {
        return "the GGTT does not read back what was written";
    }
    gtt_clear(entry);
    if (gtt_get(entry)) {
        return "a cleared entry does not read 0";
    }
    entry = gpu_high_first() + gpu_high_count();
    gtt_write_raw(entry, 0x5001);
    if (gtt_get(entry)) {
        return "an entry outside the windows was kept";
    }
    if (mmio_read32(0x101008)) {
        return "GFX_FLSH_CNTL does not read 0";
    }
    mmio_write32(0x78040, 0xdead000);
    if (mmio_read32(0x78040) != gpu_low_first() * PAGE_SIZE) {
        return "the guest could change PVINFO";
    }
    mmio_write32(0x2044, 0x5a5a5a5a);
    if (mmio_read32(0x2044) != 0x5a5a5a5a) {
        return "an unknown register is not storage";
    }
    return NULL;
}

/* The same entry, pointed to another page: the second blit must not reach the first page. */
const char *case_repoint(void)
{
    uint32_t src_entry, dst_entry;
    const char *error = gpu_init();

    if (error) {
        return error;
    }
    if (!alloc_all(src, 1) || !alloc_all(dst, 2)) {
        return "out of memory";
    }
    src_entry = gtt_alloc(1);
    dst_entry = gtt_alloc(1);
    gtt_set(src_entry, src[0].gfn);
    gtt_set(dst_entry, dst[0].gfn);
    gtt_flush();
    error = blit_and_check(dst_entry, src_entry, 1, 1);
    if (error) {
        return error;
    }

    gtt_set(dst_entry, dst[1].gfn); /* no flush: the submission has to see to it */
    fill(&src[0], 2, 0);
    blit_copy(dst_entry, src_entry, 1);
    if (!ring_wait(ring_submit(), TIMEOUT_US)) {
        return "the second blit did not finish";
    }
    if (!holds(&dst[1], 2, 0)) {
        return "the second page did not get the second blit";
    }
    if (!holds(&dst[0], 1, 0)) {
        return "the first page got the second blit";
    }
    return NULL;
}

/* Entries written in two halves, in both orders; half an entry maps nothing. */
const char *case_halves(void)
{
    uint32_t src_entry, dst_entry;
    const char *error = gpu_init();

    if (error) {
        return error;
    }
    if (!alloc_all(src, 2) || !alloc_all(dst, 2)) {
        return "out of memory";
    }
    src_entry = gtt_alloc(2);
    dst_entry = gtt_alloc(2);
    for (uint32_t i = 0; i < 2; i++) {
        gtt_set_halves(src_entry + i, src[i].gfn, i == 0);
        gtt_set_halves(dst_entry + i, dst[i].gfn, i == 1);
    }
    error = blit_and_check(dst_entry, src_entry, 2, 3);
    if (error) {
        return error;
    }

    mmio_write32(0x800000 + dst_entry * 8, (uint32_t)(dst[1].gfn << PAGE_SHIFT) | PTE_PRESENT);
    blit_fill(dst_entry, 1, 0xbad);
    if (!ring_wait(ring_submit(), TIMEOUT_US)) {
        return "the blit to half an entry did not finish";
    }
    if (!holds(&dst[0], 3, 0) || !holds(&dst[1], 3, 1)) {
        return "half an entry was used as an entry";
    }
    return NULL;
}

/* Frames that cannot be mapped: the GPU gets scratch, the guest goes on. */
const char *case_badgfn(void)
{
    uint32_t src_entry, dst_entry, bad;
    const char *error = gpu_init();

    if (error) {
        return error;
    }
    if (!alloc_all(src, 1) || !alloc_all(dst, 2)) {
        return "out of memory";
    }
    src_entry = gtt_alloc(1);
    dst_entry = gtt_alloc(1);
    bad = gtt_alloc(4);
    if (balloon_out(dst[1].gfn)) {
        return "balloon_out failed";
    }
    gtt_set(bad, 0xe0000);                  /* the MMIO hole: the vGPU's own registers */
    gtt_set(bad + 1, ram_pages() + 0x1000); /* beyond RAM */
    gtt_set(bad + 2, dst[1].gfn);           /* ballooned out */
    gtt_set(bad + 3, 0x3ffffffffull);       /* as far out as an entry can point */
    gtt_set(src_entry, src[0].gfn);
    gtt_set(dst_entry, dst[0].gfn);
    gtt_flush();
    blit_fill(bad, 4, 0x5c7a7c4);
    if (!ring_wait(ring_submit(), TIMEOUT_US)) {
        return "the blit to scratch did not finish";
    }
    error = blit_and_check(dst_entry, src_entry, 1, 4);
    if (error) {
        return error;
    }
    if (gtt_get(bad) != (0xe0000ull << PAGE_SHIFT | PTE_PRESENT)) {
        return "the guest's view of a bad entry is not what it wrote";
    }
    return balloon_in(dst[1].gfn) ? "balloon_in failed" : NULL;
}

/*
 * The race: a page is given away between the moment the GPU may use it and the moment it does.
 * To be run with the vGPU paused, so that the blit waits; whoever resumes it decides when. That
 * the blit landed in the page this guest used to have is seen by copying it back.
 */
const char *case_race(void)
{
    uint32_t src_entry, gone_entry, back_entry, first, second;
    const char *error = gpu_init();

    if (error) {
        return error;
    }
    if (!alloc_all(src, 1) || !alloc_all(dst, 2)) {
        return "out of memory";
    }
    src_entry = gtt_alloc(1);
    gone_entry = gtt_alloc(1);
    back_entry = gtt_alloc(1);
    gtt_set(src_entry, src[0].gfn);
    gtt_set(gone_entry, dst[0].gfn);
    gtt_set(back_entry, dst[1].gfn);
    gtt_flush();
    fill(&src[0], 5, 0);
    blit_copy(gone_entry, src_entry, 1);
    first = ring_submit();
    if (balloon_out(dst[0].gfn)) {
        return "balloon_out failed";
    }
    say("gave gfn %lx away, GTT entry %u, blit is waiting", (unsigned long)dst[0].gfn, gone_entry);
    if (!ring_wait(first, 4 * TIMEOUT_US)) {
        return "the blit was never let go";
    }
    blit_copy(back_entry, gone_entry, 1);
    second = ring_submit();
    if (!ring_wait(second, TIMEOUT_US)) {
        return "the copy back did not finish";
    }
    if (!holds(&dst[1], 5, 0)) {
        return "the page that was given away did not get the blit";
    }
    say("the blit landed in the page that was kept");
    return NULL;
}

/* Uses its pages and keeps them mapped until it is destroyed. */
const char *case_hold(void)
{
    const char *error = case_blit();

    if (error) {
        return error;
    }
    say("holding");
    for (;;) {
        relax();
    }
}

/* A command no GPU knows: the vGPU fails, the guest lives. */
const char *case_badcommand(void)
{
    const char *error = gpu_init();

    if (error) {
        return error;
    }
    ring_emit(0xffffffffu);
    ring_emit(0);
    if (ring_wait(ring_submit(), 300000)) {
        return "a command that does not exist was executed";
    }
    mmio_write32(0x2044, 7);
    return mmio_read32(0x2044) == 7 ? NULL : "registers do not answer any more";
}
