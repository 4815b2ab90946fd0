/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The isolation of commands: what engines, contexts and rings of a guest reach.
 * Alice tries every way there is to read what is bob's, or to change it. Each attempt is first made
 * on memory of her own, where it has to succeed: it is refused for where it goes, not for what it
 * is.
 */
#include "support/pair.h"

#define TEST(name) TEST_WITH(name, setup, teardown)

/* --- commands in the global GTT ---------------------------------------------------------- */

/* Stand for the address to reach, the one to bring it to, and the word there. */
#define TARGET 0x7a7a7a70u
#define TO     0x70707070u

struct attempt {
    const char *name;
    enum { READS = 1, WRITES = 2 } does;
    unsigned n;
    uint32_t dw[12];
};

static const struct attempt attempts[] = {
    {"MI_STORE_DATA_IMM", WRITES, 4, {0x10400002, TARGET, 0, 7}},
    {"MI_STORE_DATA_IMM, a quadword", WRITES, 5, {0x10600003, TARGET, 0, 7, 8}},
    {"MI_FLUSH_DW", WRITES, 4, {0x13004002, TARGET | 4, 0, 7}},
    {"MI_STORE_REGISTER_MEM", WRITES, 4, {0x12400002, BCS_GPR, TARGET, 0}},
    {"MI_LOAD_REGISTER_MEM",
     READS,
     8,
     {0x14c00002, BCS_GPR, TARGET, 0, 0x12400002, BCS_GPR, TO, 0}},
    {"MI_BATCH_BUFFER_START", 0, 3, {0x18800001, TARGET, 0}},
    {"XY_COLOR_BLT", WRITES, 7, {0x54300005, 0x03f01000, 0, 1 << 16 | 4, TARGET, 0, 7}},
    {"XY_SRC_COPY_BLT from there",
     READS,
     10,
     {0x54f00008, 0x03cc1000, 0, 1 << 16 | 4, TO, 0, 0, 0x1000, TARGET, 0}},
    {"XY_SRC_COPY_BLT to there",
     WRITES,
     10,
     {0x54f00008, 0x03cc1000, 0, 1 << 16 | 4, TARGET, 0, 0, 0x1000, TO, 0}},
};

static void make_attempt(struct pair *p, const struct attempt *a, uint32_t target)
{
    uint32_t dw[12];

    pair_fresh_alice(p);
    pair_fill(p, p->alice.domid, GFN(OWN), 0);
    memcpy(dw, a->dw, sizeof(dw));
    for (unsigned i = 0; i < a->n; i++) {
        if ((dw[i] & ~7u) == TARGET) {
            dw[i] = target | (dw[i] & 7);
        } else if (dw[i] == TO) {
            dw[i] = pair_low(&p->alice, OWN);
        }
    }
    pair_submit(p, &p->alice, dw, a->n);
    pair_run(p);
    pair_refresh(p);
}

/* At home each does what it is meant to. */
static void check_attempt_at_home(struct pair *p, const struct attempt *a)
{
    make_attempt(p, a, pair_low(&p->alice, DATA));
    if (!pair_is_well(&p->alice)) {
        fail_msg("%s at home: %s", a->name, p->alice.failsafe ? p->alice.failsafe : "an error");
    }
    if (((a->does & READS) && pair_ram(p, p->alice.domid, GFN(OWN))[0] != MARK) ||
        ((a->does & WRITES) && pair_ram(p, p->alice.domid, GFN(DATA))[0] == MARK)) {
        fail_msg("%s at home does nothing", a->name);
    }
}

#define TEST(name) TEST_WITH(name, setup, teardown)

TEST(commands_reach_what_is_their_guests)
{
    struct pair p = pair_begin(state);
    const uint32_t targets[] = {
        pair_low(&p.bob, DATA), (p.bob.unmappable.first + DATA) * PAGE,
        pair_low(&p.bob, 100),    /* bob's, but nothing is mapped there */
        (GTT_ENTRIES - 1) * PAGE, /* nobody's */
    };

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        check_attempt_at_home(&p, &attempts[i]);
        for (size_t k = 0; k < sizeof(targets) / sizeof(targets[0]); k++) {
            make_attempt(&p, &attempts[i], targets[k]);
            pair_check_bob(&p, attempts[i].name);
            if (pair_is_well(&p.alice)) {
                fail_msg("%s to 0x%x is not refused", attempts[i].name, targets[k]);
            }
        }
    }
    pair_end(&p);
}

/* --- what the vGPU itself reads and writes for a guest ----------------------------------- */

TEST(rings_and_contexts)
{
    struct pair p = pair_begin(state);
    const uint32_t targets[] = {pair_low(&p.bob, 0), p.bob.unmappable.first * PAGE};

    pair_fresh_alice(&p);
    pair_fill(&p, p.alice.domid, GFN(RING), 0);
    pair_submit_context(&p, &p.alice, pair_low(&p.alice, IMAGE), pair_low(&p.alice, RING), 16, 0);
    pair_run(&p);
    pair_check_bob(&p, "at home");
    assert_true(pair_is_well(&p.alice));
    assert_int_equal(p.alice.vgpu.submissions, 1);
    for (size_t i = 0; i < 2; i++) {
        pair_fresh_alice(&p);
        pair_write(&p, &p.alice, RING_CTL, 0);
        pair_write(&p, &p.alice, RING_START, targets[i]);
        pair_write(&p, &p.alice, RING_CTL, 1);
        pair_write(&p, &p.alice, RING_TAIL, 64);
        pair_run(&p);
        pair_check_bob(&p, "a ring");
        assert_non_null(p.alice.failsafe);

        pair_fresh_alice(&p);
        pair_submit_context(&p, &p.alice, pair_low(&p.alice, IMAGE), targets[i], 16, 0);
        pair_run(&p);
        pair_check_bob(&p, "the ring of a context");
        assert_non_null(p.alice.failsafe);

        pair_fresh_alice(&p);
        pair_submit_context(&p, &p.alice, targets[i], pair_low(&p.alice, RING), 16, 0);
        pair_run(&p);
        pair_check_bob(&p, "a context image");
        assert_non_null(p.alice.failsafe);

        /* The events of an execlist go to the status page. */
        pair_fresh_alice(&p);
        pair_write(&p, &p.alice, HWS_PGA, targets[i]);
        assert_int_equal(guest_reads(p.f, p.alice.domid, MMIO_BASE, HWS_PGA), 0);
        pair_submit_context(&p, &p.alice, pair_low(&p.alice, IMAGE), pair_low(&p.alice, RING), 16,
                            0);
        pair_run(&p);
        pair_check_bob(&p, "a status page");
    }
    pair_end(&p);
}
