/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reset: alice has all mapped that she may, and resets her function, again and again, also when
 * it is in failsafe; or dies with it; or has it taken away.
 */
#include "attack.h"

#define TABLES      128u
#define FIRST       PAGES
#define DATA_FIRST  (FIRST + 2048u)
#define ALICE_PAGES (DATA_FIRST + TABLES * 512u)
#define VGPU_DEVFN  0x10u

static const struct attack_tables tables = {.first = FIRST, .count = TABLES};

static int setup_large(void **state)
{
    return setup_like(state, (struct stack_options){.window_pages = 1u << 18, .unwatched = true});
}

static struct pair begin(void **state, struct wait *wait)
{
    struct pair p = pair_begin_large(state, ALICE_PAGES);

    pair_fill(&p, p.alice.domid, DATA_FIRST, MARK);
    pair_map(&p, &p.alice);
    attack_make_tables(&p, &tables);
    for (uint32_t i = 0; i < TABLES; i++) {
        for (uint32_t n = 0; n < 512; n++) {
            attack_table(&p, &tables, i)[n] =
                (uint64_t)(DATA_FIRST + i * 512 + n) << 12 | PTE_FLAGS;
        }
    }
    attack_run_batch(&p, wait, FIRST, 0);
    attack_turns(&p, wait, 1000000);
    pair_refresh(&p);
    assert_null(p.alice.failsafe);
    assert_true(p.alice.space.mapped > 16384); /* as many as her share is, at the least */
    return p;
}

static void reset(const struct pair *p, struct wait *wait)
{
    ATTACK_WAIT(p, wait, "a reset",
                host_sim_pci_write(p->f->host, p->alice.domid, VGPU_DEVFN, 0xa8, 1, 4));
    attack_turns(p, wait, 1000000);
}

TEST_WITH(a_reset_takes_its_own_time, setup_large, teardown)
{
    struct wait building = {0}, wait = {0};
    struct pair p = begin(state, &building);

    for (uint32_t i = 0; i < 4; i++) {
        reset(&p, &wait);
        pair_check_bob_works(&p, 100 + i);
    }
    pair_refresh(&p);
    assert_int_equal(p.alice.space.in_use, 0);
    attack_check_wait(&wait);
    pair_end(&p);
}

static void die(void **state)
{
    struct wait building = {0}, wait = {0};
    struct pair p = begin(state, &building);

    assert_int_equal(xengt_sim_domain_destroy(p.f->sim, p.alice.domid), 0);
    ATTACK_WAIT(&p, &wait, "a death", host_sim_notice_deaths(p.f->host));
    attack_turns(&p, &wait, 1000000);
    assert_false(xengt_sim_domain_exists(p.f->sim, p.alice.domid));
    pair_check_bob_works(&p, 7);
    attack_check_wait(&wait);
    pair_end(&p);
}

TEST_WITH(a_death_takes_its_own_time, setup_large, teardown)
{
    die(state);
}

/* Xen is asked to let go of all of it at the end, not on the way. */
static int setup_keeping(void **state)
{
    return setup_like(state, (struct stack_options){
                                 .window_pages = 1u << 18,
                                 .space = {.defer_pages = 1u << 18},
                                 .unwatched = true,
                             });
}

TEST_WITH(a_death_with_much_that_is_kept_takes_its_own_time, setup_keeping, teardown)
{
    die(state);
}
