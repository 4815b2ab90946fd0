/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit: alice has as many privileged commands checked as a submission may have, again and
 * again.
 */
#include "attack.h"

#define BATCHES 15u
#define FIRST   64u /* entry of the first batch, and its frame less GFN(0) */
#define SIZE    64u /* pages of each */

static int setup_audit(void **state)
{
    return setup_like(state,
                      (struct stack_options){.mappable_pages = 2048, .gtt_entries = 1u << 18});
}

/* A batch of commands that are looked up one by one; its end is in the last page. */
static void make_batches(const struct pair *p)
{
    for (uint32_t page = 0; page < BATCHES * SIZE; page++) {
        bool last = page % SIZE == SIZE - 1;

        pair_fill(p, p->alice.domid, FIRST + page, 0);
        pair_ram(p, p->alice.domid, FIRST + page)[PAGE / 4 - 8] = last ? 0x05000000 : 0;
        pair_set_entry(p, &p->alice, p->alice.mappable.first + FIRST + page,
                       (uint64_t)(FIRST + page) << 12 | PTE_FLAGS);
    }
}

TEST_WITH(an_audit_takes_its_own_time, setup_audit, teardown)
{
    struct pair p = pair_begin(state);
    uint32_t ring[3 * BATCHES + 1] = {0};
    struct wait wait = {0};

    pair_map(&p, &p.alice);
    make_batches(&p);
    for (uint32_t i = 0; i < BATCHES; i++) {
        ring[3 * i] = 0x18800001;
        ring[3 * i + 1] = pair_low(&p.alice, FIRST + i * SIZE);
    }
    for (uint32_t i = 0; i < 4; i++) {
        ATTACK_WAIT(&p, &wait, "a submission", pair_submit(&p, &p.alice, ring, 3 * BATCHES + 1));
        attack_turns(&p, &wait, 1000000);
        pair_refresh(&p);
        assert_null(p.alice.failsafe);
        assert_int_equal(p.alice.vgpu.submissions, i + 1);
        pair_check_bob_works(&p, 100 + i);
    }
    attack_check_wait(&wait);
    pair_end(&p);
}
