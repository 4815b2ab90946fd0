/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The window: alice takes every page of it that she can get. There is always room for bob, and what
 * he only keeps is not thrown away for her.
 */
#include <stdlib.h>

#include "attack.h"

#define WINDOW      2048u
#define TABLES      16u
#define FIRST       PAGES
#define DATA_FIRST  2048u
#define ALICE_PAGES (DATA_FIRST + TABLES * 512u)

static const struct attack_tables tables = {.first = FIRST, .count = TABLES};

static int setup_small(void **state)
{
    return setup_like(state, (struct stack_options){
                                 .window_pages = WINDOW,
                                 .space = {.defer_ms = 60000},
                             });
}

/* As her processor stores: into a table that is tracked by way of the vGPU. */
static void fill_table(const struct pair *p, uint32_t table, uint64_t gfn)
{
    uint64_t at = (uint64_t)attack_table_gfn(&tables, table) << 12;

    for (uint32_t i = 0; i < 512; i++) {
        host_sim_guest_store(p->f->host, p->alice.domid, at + 8 * i, (gfn + i) << 12 | PTE_FLAGS,
                             8);
    }
}

/* A batch in the first of the pages, which ends at once. */
static void run_batch(struct pair *p)
{
    struct wait wait = {0};

    pair_fill(p, p->alice.domid, DATA_FIRST, MARK);
    attack_run_batch(p, &wait, FIRST, 0);
    attack_turns(p, &wait, 1000);
}

/* She names more of her own pages than the window has. */
static void take_all(struct pair *p)
{
    for (uint32_t i = 0; i < TABLES; i++) {
        fill_table(p, i, DATA_FIRST + i * 512);
    }
    run_batch(p);
}

/* She puts the same frame numbers, each time with other pages behind them, into new tables. */
static void take_by_ballooning(struct pair *p)
{
    struct wait wait = {0};

    attack_announce(p, &wait, FIRST);
    fill_table(p, 0, DATA_FIRST);
    run_batch(p);
    for (uint32_t i = 0; i < TABLES; i++) {
        fill_table(p, i, DATA_FIRST);
        attack_write(p, &wait, GFX_FLSH, 1);
        attack_turns(p, &wait, 1000);
        for (uint64_t gfn = DATA_FIRST; gfn < DATA_FIRST + 512; gfn++) {
            xengt_sim_balloon_out(p->f->sim, p->alice.domid, (struct xengt_gfn){gfn});
            xengt_sim_balloon_in(p->f->sim, p->alice.domid, (struct xengt_gfn){gfn});
        }
    }
}

static struct pair begin(void **state)
{
    struct pair p = pair_begin_large(state, ALICE_PAGES);

    pair_fill(&p, p.alice.domid, GFN(DATA), MARK);
    pair_map(&p, &p.alice);
    attack_make_tables(&p, &tables);
    return p;
}

/* Frames that bob has not used so far, more than any that are kept: his next ring, and its data. */
static void check_bob_gets_new_pages(struct pair *p)
{
    for (uint32_t i = 0; i < 32; i++) {
        pair_set_entry(p, &p->bob, p->bob.unmappable.first + i,
                       (uint64_t)(400 + i) << 12 | PTE_FLAGS);
    }
    pair_write(p, &p->bob, GFX_FLSH, 1);
    pair_refresh(p);
    assert_int_equal(p->bob.gtt.scratch, 0);
    assert_int_equal(p->bob.gtt.map_failures, 0);
    pair_check_bob_works(p, 7);
    pair_check_bob(p, "a window that is taken");
}

static void exhaust(void **state, void (*take)(struct pair *p))
{
    struct pair p = begin(state);

    take(&p);
    pair_refresh(&p);
    assert_true(p.alice.gtt.map_failures > 0); /* else this is no test */
    check_bob_gets_new_pages(&p);
    pair_end(&p);
}

TEST_WITH(more_pages_than_the_window_leave_room_for_bob, setup_small, teardown)
{
    exhaust(state, take_all);
}

/* Another one like alice. */
static struct pair begin_carol(const struct pair *p)
{
    struct pair q = *p;
    uint32_t domid;

    assert_int_equal(stack_domain(p->f, "carol", ALICE_PAGES, 0, &domid), 0);
    attach(p->f, "carol", &q.alice);
    pair_fill(&q, domid, GFN(DATA), MARK);
    pair_map(&q, &q.alice);
    attack_make_tables(&q, &tables);
    return q;
}

/* Two that take all they can get: more than is there. */
static void take_all_twice(struct pair *p)
{
    struct pair q = begin_carol(p);

    take_all(p);
    take_all(&q);
    refresh(p->f, "carol", &q.alice);
    assert_true(q.alice.gtt.map_failures > 0);
}

TEST_WITH(two_guests_that_take_all_leave_room_for_bob, setup_small, teardown)
{
    struct pair p = begin(state);

    take_all_twice(&p);
    check_bob_gets_new_pages(&p);
    pair_end(&p);
}

TEST_WITH(pages_that_come_back_leave_room_for_bob, setup_small, teardown)
{
    exhaust(state, take_by_ballooning);
}

TEST_WITH(alice_gets_scratch_and_goes_on, setup_small, teardown)
{
    struct pair p = begin(state);

    take_all(&p);
    pair_refresh(&p);
    assert_null(p.alice.failsafe);
    assert_int_equal(p.alice.vgpu.submissions, 1);
    assert_true(p.alice.gtt.scratch > 0);
    pair_end(&p);
}

/* What bob has just taken out, and puts back in again. */
TEST_WITH(what_bob_keeps_is_not_thrown_away_for_alice, setup_small, teardown)
{
    struct pair p = begin(state);
    uint32_t kept;
    uint64_t calls;

    for (uint32_t i = 0; i < MAPPED; i++) {
        pair_set_entry(&p, &p.bob, p.bob.unmappable.first + i, 0);
    }
    pair_write(&p, &p.bob, GFX_FLSH, 1);
    pair_refresh(&p);
    kept = p.bob.space.deferred;
    assert_int_equal(kept, MAPPED);
    take_all(&p);
    pair_refresh(&p);
    assert_int_equal(p.bob.space.deferred, kept);
    calls = p.bob.space.map_calls;
    pair_map(&p, &p.bob);
    pair_refresh(&p);
    assert_int_equal(p.bob.space.map_calls, calls);
    pair_end(&p);
}

/* Her own share is her own matter: the reason names it. */
TEST_WITH(a_ring_beyond_ones_share_says_so, setup_small, teardown)
{
    struct pair p = begin(state);
    const uint32_t entry = MAPPED + 1; /* with a page that she has not used so far */

    take_all(&p);
    pair_set_entry(&p, &p.alice, p.alice.mappable.first + entry, (uint64_t)700 << 12 | PTE_FLAGS);
    pair_write(&p, &p.alice, RING_MODE, 1u << 31); /* no execlists */
    pair_write(&p, &p.alice, RING_START, pair_low(&p.alice, entry));
    pair_write(&p, &p.alice, RING_CTL, 1);
    pair_write(&p, &p.alice, RING_TAIL, 64);
    pair_run(&p);
    pair_refresh(&p);
    assert_non_null(p.alice.failsafe);
    assert_non_null(strstr(p.alice.failsafe, "quota"));
    check_bob_gets_new_pages(&p);
    pair_end(&p);
}

/*
 * Beyond his promise bob shares with others, and what they have is not there for him. His work
 * waits then; it is no fault of his vGPU's.
 */
#define BOB_FIRST MAPPED /* entries of his that are beyond it, and their frames */
#define BOB_COUNT 150u
#define BOB_GFN   300u

static void wait_for_room(void **state, void (*submit)(struct pair *p, uint32_t entry))
{
    struct pair p = begin(state);
    uint64_t before;

    for (uint32_t i = 0; i < PAGES - BOB_GFN; i++) {
        pair_fill(&p, p.bob.domid, BOB_GFN + i, 0);
    }
    pair_fill(&p, p.bob.domid, GFN(RING), 0);
    take_all_twice(&p);
    for (uint32_t i = 0; i < BOB_COUNT; i++) {
        pair_set_entry(&p, &p.bob, p.bob.mappable.first + BOB_FIRST + i,
                       (uint64_t)(BOB_GFN + i) << 12 | PTE_FLAGS);
    }
    pair_write(&p, &p.bob, GFX_FLSH, 1);
    pair_refresh(&p);
    assert_true(p.bob.gtt.scratch > 0); /* else this is no test */
    before = p.bob.vgpu.submissions;
    submit(&p, BOB_FIRST + 1); /* those stored last are tried first */
    pair_run(&p);
    pair_refresh(&p);
    assert_null(p.bob.failsafe);
    assert_int_equal(p.bob.vgpu.submissions, before);

    assert_int_equal(guests_detach(p.f->guests, "carol", p.f->error, sizeof(p.f->error)), 0);
    pair_run(&p);
    refresh(p.f, "bob", &p.bob);
    assert_null(p.bob.failsafe);
    assert_int_equal(p.bob.vgpu.submissions, before + 1);
    free(p.bob_before);
}

static void submit_ring(struct pair *p, uint32_t entry)
{
    pair_write(p, &p->bob, RING_MODE, 1u << 31); /* no execlists */
    pair_write(p, &p->bob, RING_START, pair_low(&p->bob, entry));
    pair_write(p, &p->bob, RING_CTL, 1);
    pair_write(p, &p->bob, RING_TAIL, 64);
}

TEST_WITH(a_ring_waits_for_room_that_others_have, setup_small, teardown)
{
    wait_for_room(state, submit_ring);
}

/* The second page of a context's image is there, or is not. */
static void submit_context(struct pair *p, uint32_t entry)
{
    uint32_t *image = pair_ram(p, p->bob.domid, BOB_GFN + entry - BOB_FIRST);

    pair_put_image(image, pair_low(&p->bob, RING), 16, 0);
    pair_elsp(p, &p->bob, pair_low(&p->bob, entry - 1));
}

TEST_WITH(a_context_waits_for_room_that_others_have, setup_small, teardown)
{
    wait_for_room(state, submit_context);
}
