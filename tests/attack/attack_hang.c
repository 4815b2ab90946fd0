/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hang: alice runs for ever, on all that she has. Bob is served, and so is whoever takes her
 * vGPU away.
 */
#include "attack.h"

TEST_WITH(a_batch_without_end_keeps_nobody_from_the_gpu, setup, teardown)
{
    struct pair p = pair_begin(state);
    uint32_t start[] = {0x18800001, 0, 0};

    pair_fresh_alice(&p);
    start[1] = pair_low(&p.alice, DATA);
    memcpy(pair_ram(&p, p.alice.domid, GFN(DATA)), start, sizeof(start));
    pair_submit(&p, &p.alice, start, 3);
    pair_run(&p);
    pair_refresh(&p);
    assert_true(pair_is_well(&p.alice));
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t commands = p.alice.gpu.commands;

        pair_check_bob_works(&p, 100 + i);
        pair_refresh(&p);
        assert_true(p.alice.gpu.commands > commands);
        assert_int_equal(p.bob.gpu.submissions, i + 1);
    }
    pair_check_bob(&p, "a hang");
    assert_true(guests_turn(p.f->guests));
    assert_int_equal(guests_detach(p.f->guests, "alice", p.f->error, sizeof(p.f->error)), 0);
    assert_false(guests_turn(p.f->guests));
    pair_end(&p);
}
