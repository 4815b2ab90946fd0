/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The settle timer: alice is never quiet. What bob has taken out of his table, and says nothing of,
 * is let go of in his own time.
 */
#include "attack.h"
#include "attack/work.h"

#define LIMIT_MS 250u /* 50 until it is settled, twice 20 until it is let go, and slack */

/* A read each 20 ms at most, and what the daemon does meanwhile. */
static void alice_reads(const struct pair *p)
{
    guest_reads(p->f, p->alice.domid, MMIO_BASE, RING_HEAD);
    host_sim_end_of_turn(p->f->host, p->alice.domid);
    guests_turn(p->f->guests);
    work_idle_ms(10);
}

TEST_WITH(a_busy_guest_keeps_nobody_from_settling, setup, teardown)
{
    struct pair p = pair_begin(state);
    uint64_t start;

    pair_map(&p, &p.alice);
    pair_refresh(&p);
    assert_true(p.bob.space.in_use > MAPPED);
    for (uint32_t i = 0; i < MAPPED; i++) {
        pair_set_entry(&p, &p.bob, p.bob.unmappable.first + i, 0);
    }
    host_sim_end_of_turn(p.f->host, p.bob.domid);
    start = work_clock_ms();
    do {
        alice_reads(&p);
        pair_refresh(&p);
    } while ((p.bob.gtt.pending || p.bob.space.deferred) && work_clock_ms() - start < 4 * LIMIT_MS);
    assert_int_equal(p.bob.gtt.pending, 0);
    assert_int_equal(p.bob.space.deferred, 0);
    assert_in_range(work_clock_ms() - start, 0, LIMIT_MS);
    pair_end(&p);
}
