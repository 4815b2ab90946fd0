/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The share of the GPU: alice has the commands that cost most, bob those that cost least. Each gets
 * what its weight says, in time.
 */
#include "attack.h"

#include <inttypes.h>
#include <time.h>

#define RUN_NS UINT64_C(150000000)
#define LOOP   0x18800101u /* MI_BATCH_BUFFER_START in the address space */

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

static uint64_t commands_of(const struct pair *p, const char *name)
{
    struct guest_info info;

    refresh(p->f, name, &info);
    assert_null(info.failsafe);
    assert_int_equal(info.vgpu.engine_errors, 0);
    return info.gpu.commands;
}

/* Bob's commands in a second of the processor's time. */
static double rate_of_bob(const struct pair *p)
{
    uint64_t before = commands_of(p, "bob");
    struct wait_mark start = attack_mark(p);
    uint64_t ns;

    do {
        guests_turn(p->f->guests);
        ns = attack_mark(p).ns - start.ns;
    } while (ns < RUN_NS);
    return (double)(commands_of(p, "bob") - before) * 1e9 / (double)ns;
}

static void check_share(void **state,
                        void (*hostile)(const struct pair *p, const struct guest_info *guest))
{
    struct pair p = pair_begin(state);

    pair_map(&p, &p.alice);
    loop_of_noops(&p, &p.bob);
    double alone = rate_of_bob(&p);
    hostile(&p, &p.alice);
    double share = rate_of_bob(&p) / alone;
    print_message("# bob's share is %.3f\n", share);
    assert_true(share > 0.40 && share < 0.60);
    free(p.bob_before);
}

TEST_WITH(long_stores_do_not_starve_bob, setup, teardown)
{
    check_share(state, loop_of_long_stores);
}

TEST_WITH(thin_copies_do_not_starve_bob, setup, teardown)
{
    check_share(state, loop_of_thin_copies);
}

TEST_WITH(equals_share_equally, setup, teardown)
{
    check_share(state, loop_of_noops);
}
