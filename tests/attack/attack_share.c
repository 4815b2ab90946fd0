/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The share of the GPU: alice has the commands that cost most, bob those that cost least. Each gets
 * what its weight says, in time: that of a clock which counts the work.
 */
#include "attack.h"
#include "attack/work.h"

static int setup_clock(void **state)
{
    return setup_like(state, (struct stack_options){.gpu_clock = work_done});
}

#define RUN  UINT64_C(100000000)
#define LOOP 0x18800101u /* MI_BATCH_BUFFER_START in the address space */

/* Commands, again and again. */
static void loop(const struct pair *p, const struct guest_info *guest, const uint32_t *dw, size_t n)
{
    static const uint32_t ring[] = {LOOP, 0, 0, 0};
    uint32_t *batch = pair_ram(p, guest->domid, BATCH_GFN);
    const uint32_t again[] = {LOOP, 0, 0};

    pair_make_ppgtt(p, guest);
    memcpy(batch, dw, n * sizeof(*dw));
    memcpy(batch + n, again, sizeof(again));
    memcpy(pair_ram(p, guest->domid, GFN(RING)), ring, sizeof(ring));
    pair_submit_context(p, guest, pair_low(guest, IMAGE), pair_low(guest, RING), sizeof(ring),
                        TABLE_GFN(4) << 12);
}

static void loop_of_noops(const struct pair *p, const struct guest_info *guest)
{
    static const uint32_t noops[1000];

    loop(p, guest, noops, 1000);
}

/* Stores of as many dwords as there can be. */
static void loop_of_long_stores(const struct pair *p, const struct guest_info *guest)
{
    uint32_t store[1017] = {0x10000000 | (1017 - 2), 0x2000};

    loop(p, guest, store, 1017);
}

/* Copies of a page, in rows of four bytes that lie far apart. */
static void loop_of_thin_copies(const struct pair *p, const struct guest_info *guest)
{
    const uint32_t copy[] = {0x54f00008, 0x03cc0000, 0, 1000 << 16 | 1, 0x2000, 0, 0, 4, 0x2000, 0};

    loop(p, guest, copy, 10);
}

struct rate {
    double commands; /* of bob's, in a second of that clock */
    double busy;     /* of the GPU's time that was used: bob's part */
};

static struct rate rate_of_bob(struct pair *p)
{
    struct guest_info alice, bob;
    uint64_t start = work_done();
    uint64_t work, busy;

    pair_refresh(p);
    alice = p->alice;
    bob = p->bob;
    do {
        guests_turn(p->f->guests);
        work = work_done() - start;
    } while (work < RUN);
    pair_refresh(p);
    assert_true(pair_is_well(&p->alice) && pair_is_well(&p->bob));
    busy = p->alice.gpu.busy - alice.gpu.busy + p->bob.gpu.busy - bob.gpu.busy;
    return (struct rate){
        .commands = (double)(p->bob.gpu.commands - bob.gpu.commands) * 1e9 / (double)work,
        .busy = (double)(p->bob.gpu.busy - bob.gpu.busy) / (double)busy,
    };
}

/* By the GPU's own account, and by what bob gets done: that shows the account to be honest. */
static void check_share(void **state,
                        void (*hostile)(const struct pair *p, const struct guest_info *guest))
{
    struct pair p = pair_begin(state);
    struct rate alone, rate;
    double share;

    pair_map(&p, &p.alice);
    loop_of_noops(&p, &p.bob);
    alone = rate_of_bob(&p);
    hostile(&p, &p.alice);
    rate = rate_of_bob(&p);
    share = rate.commands / alone.commands;
    print_message("# bob's share is %.3f, by what he gets done %.3f\n", rate.busy, share);
    assert_true(rate.busy > 0.45 && rate.busy < 0.55);
    assert_true(share > 0.4 && share < 0.6);
    free(p.bob_before);
}

TEST_WITH(long_stores_do_not_starve_bob, setup_clock, teardown)
{
    check_share(state, loop_of_long_stores);
}

TEST_WITH(thin_copies_do_not_starve_bob, setup_clock, teardown)
{
    check_share(state, loop_of_thin_copies);
}

TEST_WITH(equals_share_equally, setup_clock, teardown)
{
    check_share(state, loop_of_noops);
}
