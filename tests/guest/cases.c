/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of all cases, and the cases that need no GPU. */

#include "cases.h"
#include "platform.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))
#define SECOND_US      1000000u

static const char *run_hello(void)
{
    say("hello, %lu pages of RAM", (unsigned long)ram_pages());
    return NULL;
}

/*
 * A page can be given away and asked for again. What comes back holds anything: Xen need not scrub
 * a page it returns to the domain that gave it.
 */
static const char *run_balloon(void)
{
    struct page page;
    volatile uint64_t *word;

    if (page_alloc(&page)) {
        return "out of memory";
    }
    word = page.va;
    if (balloon_out(page.gfn)) {
        return "balloon_out failed";
    }
    if (balloon_in(page.gfn)) {
        return "balloon_in failed";
    }
    *word = 0x5afe;
    if (*word != 0x5afe) {
        return "the new page does not hold what is written";
    }
    page_free(&page);
    return NULL;
}

/* Idles until destroyed: a target for tests that act on the domain from outside. */
__attribute__((noreturn)) static const char *run_wait(void)
{
    say("waiting");
    for (;;) {
        relax();
    }
}

static struct page filled[65536];
static unsigned long filled_count;

static void fill_page(uint64_t *words, uint64_t pattern)
{
    for (size_t i = 0; i < WORDS_PER_PAGE; i++) {
        words[i] = pattern;
    }
}

static bool page_is_intact(const struct page *page, uint64_t pattern)
{
    const volatile uint64_t *words = page->va;

    for (size_t i = 0; i < WORDS_PER_PAGE; i++) {
        uint64_t value = words[i];

        if (value != pattern) {
            say("CORRUPT %lx %lx %lx", (unsigned long)page->gfn, (unsigned long)(i * sizeof(value)),
                (unsigned long)value);
            return false;
        }
    }
    return true;
}

static bool all_intact(uint64_t pattern)
{
    for (unsigned long i = 0; i < filled_count; i++) {
        if (!page_is_intact(&filled[i], pattern)) {
            return false;
        }
    }
    return true;
}

/*
 * The stranger of a race test: owns as much memory as it can, filled with a pattern nobody else
 * writes, and notices whatever another domain's GPU writes into it.
 */
static const char *run_fill(void)
{
    const uint64_t pattern = arg_num("pattern", 0x5354524e47455221);
    uint64_t last_said = now_us();

    while (filled_count < sizeof(filled) / sizeof(filled[0]) &&
           page_alloc(&filled[filled_count]) == 0) {
        fill_page(filled[filled_count++].va, pattern);
    }
    say("filled %lu pages", filled_count);

    while (all_intact(pattern)) {
        if (now_us() - last_said >= SECOND_US) {
            last_said = now_us();
            say("intact");
        }
        for (int naps = 0; naps < 10; naps++) {
            relax(); /* looking through all of it takes the CPU long enough */
        }
    }
    return "memory was written by somebody else";
}

/* clang-format off */
const struct test_case test_cases[] = {
    {"hello", run_hello},
    {"balloon", run_balloon},
    {"wait", run_wait},
    {"fill", run_fill},
    {"probe", case_probe},
    {"blit", case_blit},
    {"repoint", case_repoint},
    {"halves", case_halves},
    {"badgfn", case_badgfn},
    {"badcommand", case_badcommand},
    {"race", case_race},
    {"hold", case_hold},
    {"tables", case_tables},
    {"pprepoint", case_pprepoint},
    {"ppshare", case_ppshare},
    {"recycle", case_recycle},
    {"hammer", case_hammer},
    {"pphalves", case_pphalves},
    {"ppodd", case_ppodd},
    {"pplate", case_pplate},
    {"ppbad", case_ppbad},
    {"pphuge", case_pphuge},
    {"pploops", case_pploops},
    {"ppuses", case_ppuses},
    {"ppballoon", case_ppballoon},
    {"ggttclear", case_ggttclear},
    {"ppnoroot", case_ppnoroot},
    {"ppoddroot", case_ppoddroot},
    {"pvrefusal", case_pvrefusal},
    {"ppnotify", case_ppnotify},
    {"pphold", case_pphold},
    {"former", case_former},
    {"survive", case_survive},
    {"ask", case_ask},
    {"outlive", case_outlive},
    {"media", case_media},
    {"ring", case_ring},
    {"ringbusy", case_ringbusy},
    {NULL, NULL},
};
/* clang-format on */
