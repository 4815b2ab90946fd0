/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Page tables without number: alice has as many as there can be, and makes the daemon look at all
 * of them: in a submission, by a store that flushes, by a store into the highest table of them.
 */
#include "attack.h"

#define TABLES      16000u
#define FIRST       PAGES
#define ALICE_PAGES (FIRST + 2 + 32 + TABLES)

static const struct attack_tables tables = {.first = FIRST, .count = TABLES};

static int setup_large(void **state)
{
    return setup_like(state, (struct stack_options){.window_pages = 1u << 16, .unwatched = true});
}

/* Each table has one page, which ends any batch. */
static struct pair begin(void **state)
{
    struct pair p = pair_begin_large(state, ALICE_PAGES);

    pair_fill(&p, p.alice.domid, GFN(DATA), MARK);
    pair_map(&p, &p.alice);
    attack_make_tables(&p, &tables);
    for (uint32_t i = 0; i < TABLES; i++) {
        attack_table(&p, &tables, i)[0] = GFN(DATA) << 12 | PTE_FLAGS;
    }
    return p;
}

TEST_WITH(a_submission_with_many_tables_takes_its_own_time, setup_large, teardown)
{
    struct pair p = begin(state);
    struct wait wait = {0};

    attack_run_batch(&p, &wait, FIRST, 0);
    attack_turns(&p, &wait, 1000000);
    pair_refresh(&p);
    assert_null(p.alice.failsafe);
    assert_int_equal(p.alice.vgpu.submissions, 1);
    pair_check_bob_works(&p, 7);
    attack_check_wait(&wait);
    pair_end(&p);
}

/* What is out of sync beyond the copies there can be has nothing to be compared with. */
TEST_WITH(a_flush_with_many_tables_takes_its_own_time, setup_large, teardown)
{
    struct pair p = begin(state);
    struct wait building = {0}, wait = {0};

    attack_announce(&p, &building, FIRST);
    attack_run_batch(&p, &building, FIRST, 0);
    attack_turns(&p, &building, 1000000);
    for (uint32_t i = 0; i < 8; i++) {
        attack_write(&p, &wait, GFX_FLSH, 1);
        attack_turns(&p, &wait, 1000000);
        attack_write(&p, &wait, 0x4260, 1);
        attack_turns(&p, &wait, 1000000);
        pair_check_bob_works(&p, 100 + i);
    }
    attack_check_wait(&wait);
    pair_end(&p);
}

TEST_WITH(a_lost_tree_takes_its_own_time, setup_large, teardown)
{
    struct pair p = begin(state);
    struct wait building = {0}, wait = {0};

    attack_announce(&p, &building, FIRST);
    attack_run_batch(&p, &building, FIRST, 0);
    attack_turns(&p, &building, 1000000);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t value = i % 2 ? (uint64_t)(FIRST + 1) << 12 | PTE_FLAGS : 0;

        ATTACK_WAIT(
            &p, &wait, "a store into a table",
            host_sim_guest_store(p.f->host, p.alice.domid, (uint64_t)FIRST << 12, value, 8));
        attack_write(&p, &wait, GFX_FLSH, 1);
        attack_turns(&p, &wait, 1000000);
        pair_check_bob_works(&p, 100 + i);
    }
    attack_check_wait(&wait);
    pair_end(&p);
}
