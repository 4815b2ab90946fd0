/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stores of odd shape: alice stores across entries of her tables, and across the end of one into
 * whatever is behind it, as an unaligned store or one of a vector register does. What the GPU has
 * is what she has stored, to the byte.
 */
#include "attack.h"

#define FIRST 64u
#define PT(i) (FIRST + 3u + (i)) /* two of them, side by side, and a plain page behind */

static const struct attack_tables tables = {.first = FIRST, .count = 2};

static int setup_trap(void **state)
{
    return setup_like(state, (struct stack_options){.gtt_mode = GUESTS_GTT_TRAP});
}

static struct pair begin(void **state)
{
    struct pair p = pair_begin(state);
    struct wait wait = {0};

    pair_fill(&p, p.alice.domid, GFN(DATA), MARK);
    pair_fill(&p, p.alice.domid, GFN(DATA) + 1, MARK);
    pair_map(&p, &p.alice);
    attack_make_tables(&p, &tables);
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t k = 0; k < 512; k++) {
            attack_table(&p, &tables, i)[k] = GFN(DATA) << 12 | PTE_FLAGS;
        }
    }
    attack_announce(&p, &wait, FIRST);
    attack_run_batch(&p, &wait, FIRST, 0);
    attack_turns(&p, &wait, 1000000);
    pair_refresh(&p);
    assert_int_equal(p.alice.vgpu.submissions, 1);
    assert_true(p.alice.gtt.track_calls >= 4);
    return p;
}

static void store(const struct pair *p, uint32_t gfn, uint32_t offset, uint64_t value)
{
    uint64_t now = 0;

    host_sim_guest_store(p->f->host, p->alice.domid, ((uint64_t)gfn << 12) + offset, value, 8);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t at = offset + i;

        memcpy((uint8_t *)&now + i,
               (uint8_t *)pair_ram(p, p->alice.domid, gfn + at / PAGE) + at % PAGE, 1);
    }
    assert_int_equal(now, value);
}

/* Bob's and alice's tables are proved right, after a flush. */
static void check(struct pair *p)
{
    struct wait wait = {0};

    attack_write(p, &wait, GFX_FLSH, 1);
    attack_turns(p, &wait, 1000000);
    pair_refresh(p);
    assert_null(p->alice.failsafe);
    pair_check_bob(p, "stores of odd shape");
}

TEST_WITH(a_store_across_two_entries_changes_both, setup_trap, teardown)
{
    struct pair p = begin(state);
    uint32_t present = p.alice.gtt.present;

    store(&p, PT(0), 8 * 7 + 4, 0); /* the lower half of the next one: it is not present any more */
    check(&p);
    assert_int_equal(p.alice.gtt.present, present - 1);
    assert_true(p.alice.gtt.odd_writes > 0);
    pair_end(&p);
}

TEST_WITH(a_store_across_the_end_of_a_table_goes_into_the_next, setup_trap, teardown)
{
    struct pair p = begin(state);
    uint32_t present = p.alice.gtt.present;

    store(&p, PT(0), 4096 - 4, 0); /* the next one's first entry is not present any more */
    check(&p);
    assert_int_equal(p.alice.gtt.present, present - 1);
    store(&p, PT(0), 4096 - 3, UINT64_C(0x0300000000) | (uint64_t)GFN(DATA) << 36);
    check(&p);
    pair_end(&p);
}

TEST_WITH(a_store_across_the_end_of_the_last_table_reaches_memory, setup_trap, teardown)
{
    struct pair p = begin(state);

    store(&p, PT(1), 4096 - 1, UINT64_C(0x1122334455667700));
    check(&p);
    store(&p, FIRST - 1, 4096 - 2, (uint64_t)((FIRST + 1) << 12 | PTE_FLAGS) << 16 | 0x5555);
    check(&p);
    pair_end(&p);
}

/* It comes as two requests, and between them an entry is half of each. */
TEST_WITH(a_store_of_a_vector_register_is_seen_whole, setup_trap, teardown)
{
    struct pair p = begin(state);
    uint64_t next = (uint64_t)(GFN(DATA) + 1) << 12 | PTE_FLAGS;

    /* 16 bytes at offset 4: the halves of three entries */
    store(&p, PT(0), 4, next << 32);
    store(&p, PT(0), 12, next << 32);
    check(&p);
    assert_int_equal(attack_table(&p, &tables, 0)[1], next);
    assert_int_equal(attack_table(&p, &tables, 0)[2] & UINT32_MAX, (uint32_t)next);
    pair_end(&p);
}

TEST_WITH(a_store_of_eight_bytes_to_a_register_is_two_of_four, setup, teardown)
{
    struct pair p = pair_begin(state);

    host_sim_mmio_write(p.f->host, p.alice.domid, MMIO_BASE + BCS_GPR, UINT64_C(0x1122334455667788),
                        8);
    for (unsigned i = 0; i < 16; i++) { /* and nobody minds one that is in no place of any */
        host_sim_mmio_write(p.f->host, p.alice.domid, MMIO_BASE + BCS_GPR + 0x20 + i, i, 8);
    }
    pair_refresh(&p);
    assert_null(p.alice.failsafe);
    pair_end(&p);
}
