/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cases in which something happens to the vGPU while page tables are trapped: the guest goes on
 * storing into them.
 */

#include "cases.h"
#include "work.h"

#define SRC_VA  0x100000000000ull
#define DST_VA  0x200000000000ull
#define SPAN_2M (512ull * PAGE_SIZE)

#define TABLES     16u
#define PAGES      4u
#define QUIET_RUNS 12u

static GUEST_STATE struct work work;
static GUEST_STATE uint32_t src[PAGES];
static GUEST_STATE uint32_t dst[PAGES];
static GUEST_STATE uint32_t salt;

static const char *good(void)
{
    const char *error;

    salt++;
    for (uint32_t i = 0; i < PAGES; i++) {
        content_fill(src[i], salt, i);
    }
    work_copy(&work, DST_VA, SRC_VA, PAGES);
    error = work_run(&work);
    for (uint32_t i = 0; !error && i < PAGES; i++) {
        if (!content_is(dst[i], salt, i)) {
            error = "the target differs from the source";
        }
    }
    return error;
}

static unsigned long hangs;

/* What a driver does whose engine has stopped: a reset, and the same work once more. */
static const char *good_in_the_end(void)
{
    const char *error = good();

    while (error && execlist_has_stopped()) {
        say("hang %lu", ++hangs);
        execlist_reset();
        context_rewind(&work.context);
        error = good();
    }
    return error;
}

/* Leaf tables that nobody touches for so many submissions that stores into them are trapped. */
static const char *begin(void)
{
    const char *error = work_begin(&work);

    if (error) {
        return error;
    }
    if (frames_alloc(src, PAGES) || frames_alloc(dst, PAGES)) {
        return "out of memory";
    }
    for (uint32_t i = 0; i < TABLES; i++) {
        if (ppgtt_map(&work.pp, SRC_VA + i * SPAN_2M, src, PAGES) ||
            ppgtt_map(&work.pp, DST_VA + i * SPAN_2M, dst, PAGES)) {
            return "out of page tables";
        }
    }
    for (uint32_t i = 0; !error && i < QUIET_RUNS; i++) {
        error = good_in_the_end();
    }
    return error;
}

/* Holds its tables until it is destroyed. */
const char *case_pphold(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    say("holding");
    for (;;) {
        relax();
    }
}

/* As i915 begins a table: by one instruction, and not one table after the other. */
static void store_whole(struct table *t)
{
    uint64_t start = now_us();

    while (now_us() - start < 5000) {
        relax();
    }
    page_fill(&t->page, work.pp.scratch[0]);
    for (uint32_t i = 0; i < PAGES; i++) {
        table_write64(&t->page, i, entry_of(src[i]));
    }
}

/*
 * Stores into all tables, until the time is over. What is there in the end is what was there: the
 * GPU, if there still is one, finds nothing changed.
 */
static void store_for(uint64_t us, bool whole)
{
    uint64_t start = now_us(), now = start;
    unsigned long stores = 0;

    while (now - start < us) {
        for (uint32_t i = 0; i < TABLES; i++) {
            struct table *t = ppgtt_table(&work.pp, SRC_VA + i * SPAN_2M, 1);

            if (whole) {
                store_whole(t);
            } else {
                table_write64(&t->page, 0, entry_of(src[0]));
            }
            stores++;
        }
        now = now_us();
    }
    say("%lu stores in %lu us", stores, (unsigned long)(now - start));
}

/*
 * Somebody takes the vGPU away at the first step; or with "destroy" the guest says itself that its
 * tables are none any more. They are memory like any other then: as many stores as would take
 * minutes if each were trapped.
 */
const char *case_former(void)
{
    unsigned long stores = arg_num("stores", 200000);
    const char *error = begin();
    uint64_t start;

    if (error) {
        return error;
    }
    step("tables are trapped");
    if (arg_num("destroy", 0)) {
        ppgtt_announce(&work.pp, false);
    }
    start = now_us();
    for (unsigned long i = 0; i < stores; i++) {
        struct table *t = ppgtt_table(&work.pp, SRC_VA + i % TABLES * SPAN_2M, 1);

        table_write64(&t->page, i / TABLES % PPGTT_ENTRIES, i);
    }
    say("%lu stores into former tables took %lu us", stores, (unsigned long)(now_us() - start));
    for (unsigned long i = stores - TABLES; i < stores; i++) {
        struct table *t = ppgtt_table(&work.pp, SRC_VA + i % TABLES * SPAN_2M, 1);

        if (((volatile uint64_t *)t->page.va)[i / TABLES % PPGTT_ENTRIES] != i) {
            return "a store into a former table was lost";
        }
    }
    return NULL;
}

/*
 * Somebody kills the daemon while this guest stores into its tables, and starts it again; or takes
 * the vGPU away. The guest has to get through; with "again" it gets a vGPU again, too.
 */
const char *case_survive(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    step("tables are trapped");
    store_for(arg_num("seconds", 5) * 1000000, arg_num("whole", 0));
    (void)mmio_read32(0); /* where Xen looks for an answer that it has not taken */
    say("alive");
    step("through");
    if (!arg_num("again", 0)) {
        return NULL;
    }
    error = begin();
    if (!error) {
        work_end(&work);
    }
    return error;
}

/* Pages of the tables that are trapped change places. */
static void shuffle(uint32_t round)
{
    uint64_t at = round % TABLES * SPAN_2M;
    uint32_t first = src[0];

    for (uint32_t i = 0; i + 1 < PAGES; i++) {
        src[i] = src[i + 1];
    }
    src[PAGES - 1] = first;
    ppgtt_repoint(&work.pp, SRC_VA, src, PAGES);
    ppgtt_repoint(&work.pp, SRC_VA + at, src, PAGES);
}

static unsigned long us_for_a_read(void)
{
    uint64_t start = now_us();

    (void)mmio_read32(0);
    return (unsigned long)(now_us() - start);
}

#define LONG_WAIT_US 50000u

/* Asks a register, again and again, until somebody says that it is enough; says which wait was
 * long. */
const char *case_ask(void)
{
    const char *error = begin();

    say("asks");
    while (!told_to_go_on()) {
        unsigned long us = us_for_a_read();

        if (us > LONG_WAIT_US) {
            say("waited %lu us", us);
        }
    }
    return error;
}

/*
 * Works, while somebody kills the daemon and starts it again, or replaces it; until that somebody
 * says that it is enough. Each result is right; work that the daemon had when it was killed is
 * done again.
 */
const char *case_outlive(void)
{
    unsigned long rounds = arg_num("rounds", 10), us, longest = 0;
    const char *error = begin();
    uint32_t round = 0;

    say("works");
    while (!error && (round < rounds || !told_to_go_on())) {
        us = us_for_a_read();
        longest = us > longest ? us : longest;
        shuffle(round++);
        error = good_in_the_end();
    }
    say("%u rounds, %lu hangs, %lu us for a read at most", round, hangs, longest);
    if (!error) {
        work_end(&work);
    }
    return error;
}
