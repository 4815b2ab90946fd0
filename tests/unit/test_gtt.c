/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shadow GTT: which pages are tracked, and until when; what is done in portions; that nobody
 * chooses where its hash is slow.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>
#include <xengt/xengt.h>

#include "support/test.h"

#include "gtt/state.h"
#include "table_gpu.h"

#define GUEST_PAGES 8192u
#define ENTRIES     64u

/* The guest's page tables: one of each level, and pages that the last one points to. */
enum { PML4 = 1, PDPT, PD, OTHER_PD, PT = 10, OTHER_PT = 20, PAGE_OF_PT = 40 };

#define ENTRY(gfn) ((uint64_t)(gfn) << 12 | 3)

struct fixture {
    struct xengt_sim *sim;
    struct xengt *xengt;
    struct xengt_space *space;
    struct table_gpu gpu;
    struct gtt *gtt;
    uint32_t domid;
    bool tracked[GUEST_PAGES];
    bool armed; /* the guest's other CPU waits for its table to be tracked */
    bool late;  /* or to be tracked no more */
};

static uint64_t *table(struct fixture *f, uint64_t gfn)
{
    return xengt_sim_guest_page(f->sim, f->domid, (struct xengt_gfn){gfn});
}

/* Another CPU of the guest stores in the moment before tracking begins, or after it ended. */
static int track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    struct fixture *f = arg;
    for (size_t i = 0; i < n; i++) {
        if (on && f->armed && gfn[i].v == PD) {
            f->armed = false;
            table(f, PD)[0] = ENTRY(OTHER_PT);
        }
        if (!on && f->late && gfn[i].v == PT) {
            f->late = false;
            table(f, PT)[3] = ENTRY(PAGE_OF_PT + 3);
        }
        f->tracked[gfn[i].v] = on;
    }
    return 0;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    struct xengt_bfn scratch;
    char error[256];
    void *page;

    *f = (struct fixture){.sim = xengt_sim_new()};
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = f->sim};
    assert_int_equal(xengt_open(&f->xengt, &options, error, sizeof(error)), 0);
    assert_int_equal(xengt_sim_own_frame(f->sim, &scratch, &page), 0);
    assert_int_equal(table_gpu_init(&f->gpu, ENTRIES, xengt_bfn_to_addr(scratch), true), 0);
    const struct xengt_sim_domain guest = {.name = "guest", .pages = GUEST_PAGES};
    assert_int_equal(xengt_sim_domain_create(f->sim, &guest, &f->domid), 0);
    assert_int_equal(xengt_target_add(f->xengt, f->domid), 0);
    assert_int_equal(xengt_space_open(f->xengt, f->domid, NULL, &f->space), 0);
    const struct gtt_config config = {
        .xengt = f->xengt,
        .space = f->space,
        .gpu = &f->gpu.base,
        .tracker = {.track = track, .arg = f},
        .mappable = {0, 16},
        .oos_max = 4,
        .track_after = 4,
    };
    assert_int_equal(gtt_create(&config, &f->gtt), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gtt_destroy(f->gtt);
    xengt_space_close(f->space);
    xengt_close(f->xengt);
    table_gpu_fini(&f->gpu);
    xengt_sim_free(f->sim);
    return 0;
}

static void submit(struct fixture *f)
{
    static const uint32_t noop = 0;
    const struct gpu_buffer buffer = {.dw = &noop, .count = 1, .run = true};
    const struct gtt_workload workload = {
        .engine = GPU_RCS,
        .root = {.levels = 4, .pdp = {(uint64_t)PML4 << 12}},
        .buffer = &buffer,
        .buffers = 1,
    };
    assert_int_equal(gtt_submit(f->gtt, &workload), 0);
    f->gpu.clients->busy[GPU_RCS] = false; /* done at once */
}

static void assert_clean(struct fixture *f)
{
    char finding[256] = "";
    if (gtt_verify(f->gtt, finding, sizeof(finding))) {
        fail_msg("%s", finding);
    }
}

/* More than enough for tables that nobody stores to. */
static void submit_often(struct fixture *f)
{
    for (unsigned i = 0; i < 16; i++) {
        submit(f);
        assert_clean(f);
    }
}

static void make_tables(struct fixture *f)
{
    table(f, PML4)[0] = ENTRY(PDPT);
    table(f, PDPT)[0] = ENTRY(PD);
    table(f, PD)[0] = ENTRY(PT);
    table(f, PT)[0] = ENTRY(PAGE_OF_PT);
}

static void store(struct fixture *f, uint64_t gfn, unsigned index, uint64_t value, unsigned size)
{
    assert_true(f->tracked[gfn]);
    gtt_table_write(f->gtt, gfn << 12 | index * 8, value, size);
    assert_clean(f);
}

static void assert_tracked(const struct fixture *f, bool pml4, bool pdpt, bool pd, bool pt)
{
    assert_int_equal(f->tracked[PML4], pml4);
    assert_int_equal(f->tracked[PDPT], pdpt);
    assert_int_equal(f->tracked[PD], pd);
    assert_int_equal(f->tracked[PT], pt);
}

#define TEST(name) TEST_WITH(name, setup, teardown)

TEST(quiet_tables_are_tracked)
{
    struct fixture *f = *state;
    make_tables(f);
    submit(f);
    assert_tracked(f, false, false, false, false);
    submit_often(f);
    assert_tracked(f, true, true, true, true);
}

/* Whatever the guest puts into the page then, it is not trapped; and it may execute it. */
TEST(table_taken_out_is_tracked_no_more)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    store(f, PD, 0, 0, 8);
    assert_tracked(f, true, true, true, false);
    store(f, PML4, 0, ENTRY(OTHER_PT), 8);
    assert_tracked(f, true, false, false, false);
}

TEST(half_an_entry_takes_out)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    store(f, PD, 0, (uint32_t)ENTRY(OTHER_PT), 4);
    assert_tracked(f, true, true, true, false);
    assert_false(f->tracked[OTHER_PT]);
}

/* Nobody would notice if the guest took out what is below. */
TEST(what_is_below_odd_table_is_not_tracked)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    store(f, PDPT, 5, 7, 2);
    assert_tracked(f, true, false, false, false);
    submit_often(f);
    assert_tracked(f, true, false, false, false);
}

/* Two tables lead to it, of one of them not every store is seen. */
TEST(shared_table)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    store(f, PDPT, 1, ENTRY(OTHER_PD), 8);
    table(f, OTHER_PD)[0] = ENTRY(PT);
    submit(f);
    assert_tracked(f, true, true, true, true);
    store(f, PD, 0, 0, 8);
    assert_tracked(f, true, true, true, false);
    submit_often(f);
    assert_tracked(f, true, true, true, true);
    store(f, OTHER_PD, 0, 0, 8);
    assert_tracked(f, true, true, true, false);
}

/* In the moment before tracking begins another CPU changes the entry; the last look finds it. */
TEST(store_while_tracking_begins)
{
    struct fixture *f = *state;
    make_tables(f);
    f->armed = true;
    submit_often(f);
    assert_false(f->armed);
    assert_tracked(f, true, true, true, false);
    submit_often(f);
    assert_true(f->tracked[OTHER_PT]);
}

TEST(store_while_tracking_ends)
{
    struct fixture *f = *state;
    struct gtt_stats stats;
    make_tables(f);
    submit_often(f);
    f->late = true;
    store(f, PT, 0, ENTRY(PAGE_OF_PT + 1), 8);
    gtt_table_write(f->gtt, (uint64_t)PT << 12 | 8, ENTRY(PAGE_OF_PT + 2), 8);
    assert_false(f->late);
    submit(f);
    gtt_get_stats(f->gtt, &stats);
    assert_int_equal(stats.present, 3);
}

/* Few copies: what has none is read anew each time, and stays right. */
TEST(more_tables_than_copies)
{
    struct fixture *f = *state;
    make_tables(f);
    for (unsigned i = 0; i < 8; i++) {
        table(f, PD)[i] = ENTRY(PT + i);
        table(f, PT + i)[i] = ENTRY(PAGE_OF_PT + i);
    }
    for (unsigned round = 0; round < 20; round++) {
        submit(f);
        assert_clean(f);
        table(f, PT + round % 8)[1] = ENTRY(PAGE_OF_PT + round % 16);
    }
}

/* --- portions ---------------------------------------------------------------------------- */

static int try_submit(struct fixture *f)
{
    static const uint32_t noop = 0;
    const struct gpu_buffer buffer = {.dw = &noop, .count = 1, .run = true};
    const struct gtt_workload workload = {
        .engine = GPU_RCS,
        .root = {.levels = 4, .pdp = {(uint64_t)PML4 << 12}},
        .buffer = &buffer,
        .buffers = 1,
    };
    return gtt_submit(f->gtt, &workload);
}

/* The least that is something: what is begun with it is more. */
static unsigned turns_until_finished(struct fixture *f)
{
    unsigned turns = 0;
    while (!gtt_finish(f->gtt)) {
        gtt_allow(f->gtt, 1);
        assert_clean(f);
        turns++;
    }
    return turns;
}

TEST(submission_comes_when_its_tables_are_ready)
{
    struct fixture *f = *state;
    unsigned turns = 0;
    make_tables(f);
    gtt_allow(f->gtt, 1);
    for (int ret = -EAGAIN; ret == -EAGAIN; turns++) {
        ret = try_submit(f);
        assert_true(!ret || ret == -EAGAIN);
        assert_int_equal(f->gpu.stats.submissions, ret == 0);
        assert_clean(f);
        gtt_allow(f->gtt, 1);
    }
    assert_true(turns > 4);
    uint64_t pte = tables_lookup_ppgtt(&f->gpu.tables, &f->gpu.clients->root[GPU_RCS], 0);
    assert_int_not_equal(pte & ~(uint64_t)GPU_PTE_WRITABLE, f->gpu.scratch_pte);
}

TEST(store_is_not_through_before_what_it_freed_is_tracked_no_more)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    gtt_allow(f->gtt, 0); /* no more than what it has */
    gtt_table_write(f->gtt, (uint64_t)PML4 << 12, 0, 8);
    assert_int_equal(table(f, PML4)[0], 0);
    assert_false(gtt_finish(f->gtt));
    assert_true(f->tracked[PT]);
    assert_true(turns_until_finished(f) > 2);
    assert_tracked(f, true, false, false, false);
}

TEST(what_is_below_an_odd_table_is_let_go_before_it)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    gtt_allow(f->gtt, 0);
    gtt_table_write(f->gtt, (uint64_t)PML4 << 12 | 40, 7, 2);
    while (!gtt_finish(f->gtt)) {
        assert_true(f->tracked[PML4] || !f->tracked[PDPT]);
        assert_true(f->tracked[PDPT] || !f->tracked[PD]);
        assert_true(f->tracked[PD] || !f->tracked[PT]);
        gtt_allow(f->gtt, 1);
    }
    assert_tracked(f, false, false, false, false);
}

/* A commit that is under way has compared this table already. */
TEST(commit_has_what_was_stored_before_it_was_asked_for)
{
    struct fixture *f = *state;
    make_tables(f);
    submit(f);
    gtt_allow(f->gtt, 0);
    gtt_settle(f->gtt);
    for (unsigned i = 0; i < 5; i++) {
        gtt_allow(f->gtt, 1);
        gtt_work(f->gtt);
    }
    table(f, PT)[7] = ENTRY(PAGE_OF_PT + 7);
    gtt_commit(f->gtt);
    turns_until_finished(f);
    uint64_t pte = tables_lookup_ppgtt(&f->gpu.tables, &f->gpu.clients->root[GPU_RCS], 7);
    assert_int_not_equal(pte & ~(uint64_t)GPU_PTE_WRITABLE, f->gpu.scratch_pte);
}

TEST(reset_is_through_when_nothing_is_mapped)
{
    struct fixture *f = *state;
    struct gtt_stats stats;
    make_tables(f);
    submit_often(f);
    for (uint32_t i = 0; i < 16; i++) {
        gtt_write(f->gtt, i * 8, ENTRY(PAGE_OF_PT + i), 8);
    }
    gtt_commit(f->gtt);
    gtt_allow(f->gtt, 0);
    gtt_reset(f->gtt);
    assert_false(gtt_ready(f->gtt));
    assert_true(turns_until_finished(f) > 4);
    gtt_get_stats(f->gtt, &stats);
    assert_int_equal(stats.present, 0);
    assert_int_equal(stats.spt_tables, 0);
    assert_tracked(f, false, false, false, false);
    assert_int_equal(gtt_read(f->gtt, 0, 8), 0);
}

TEST(end_tells_nobody_of_tracked_pages)
{
    struct fixture *f = *state;
    make_tables(f);
    submit_often(f);
    gtt_end(f->gtt);
    assert_false(gtt_work(f->gtt));
    assert_tracked(f, true, true, true, true); /* the host has switched it off itself */
}

TEST(verification_goes_on_while_the_guest_changes_its_tables)
{
    struct fixture *f = *state;
    struct gtt_verify *verify;
    char finding[256];
    make_tables(f);
    submit(f);
    assert_int_equal(gtt_verify_begin(f->gtt, &verify), 0);
    for (unsigned i = 0; !gtt_verify_some(verify, 16); i++) {
        if (i < 200) {
            uint64_t entry = i & 8 ? ENTRY(PAGE_OF_PT + i % 8) : 0;
            if (f->tracked[PT]) {
                gtt_table_write(f->gtt, (uint64_t)PT << 12 | i % 8 * 8, entry, 8);
            } else {
                table(f, PT)[i % 8] = entry;
            }
            submit(f);
        }
        assert_true(i < 10000);
    }
    if (gtt_verify_end(verify, finding, sizeof(finding))) {
        fail_msg("%s", finding);
    }
}

/* --- the hash ---------------------------------------------------------------------------- */

#define MANY 64u

/* Frames that meet in one place of a hash that multiplies by a number anybody can read. */
static uint64_t next_meeting(uint64_t gfn)
{
    do {
        gfn++;
    } while ((gfn * UINT64_C(0x9e3779b97f4a7c15) >> 32) % MANY);
    return gfn;
}

TEST(guest_cannot_choose_which_frames_meet)
{
    struct fixture *f = *state;
    uint64_t gfn = PAGE_OF_PT;
    unsigned longest = 0;
    make_tables(f);
    for (unsigned i = 1; i < MANY; i++) {
        gfn = next_meeting(gfn);
        assert_true(gfn < GUEST_PAGES);
        table(f, PD)[i] = ENTRY(gfn);
    }
    submit(f);
    for (uint32_t b = 0; b < f->gtt->hash_size; b++) {
        unsigned length = 0;
        for (const struct spt *spt = f->gtt->by_gfn[b]; spt; spt = spt->next_gfn) {
            length++;
        }
        longest = length > longest ? length : longest;
    }
    assert_in_range(longest, 1, 24);
}
