/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The clock: alice reads the GPU's timestamp. It counts from when her vGPU was made, and says
 * nothing of how long the host has been up.
 */
#include "attack.h"

#define TIMESTAMP     (BCS + 0x358)
#define TICKS_PER_SEC 12500000u

static uint64_t ticks_by_register(const struct pair *p)
{
    uint64_t low = guest_reads(p->f, p->alice.domid, MMIO_BASE, TIMESTAMP);

    return (uint64_t)guest_reads(p->f, p->alice.domid, MMIO_BASE, TIMESTAMP + 4) << 32 | low;
}

/* PIPE_CONTROL and MI_FLUSH_DW write it, too. */
static uint64_t ticks_by_command(const struct pair *p)
{
    const uint32_t flush[] = {0x1300c002, pair_low(&p->alice, DATA) | 4, 0, 0};
    uint64_t ticks;

    pair_submit(p, &p->alice, flush, 4);
    pair_run(p);
    memcpy(&ticks, pair_ram(p, p->alice.domid, GFN(DATA)), sizeof(ticks));
    return ticks;
}

TEST_WITH(the_timestamp_is_not_the_uptime_of_the_host, setup, teardown)
{
    struct pair p = pair_begin(state);

    pair_map(&p, &p.alice);
    assert_in_range(ticks_by_register(&p), 0, 60 * TICKS_PER_SEC);
    pair_fill(&p, p.alice.domid, GFN(DATA), 0);
    assert_in_range(ticks_by_command(&p), 1, 60 * TICKS_PER_SEC);
    pair_end(&p);
}
