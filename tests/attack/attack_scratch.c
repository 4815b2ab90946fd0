/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Scratch: alice stores where she has nothing mapped. Bob reads where he has nothing, and finds
 * nothing of hers; nor does who gets her vGPU after her.
 */
#include "attack.h"

#define LEAK    0x1ea41ea4u
#define EMPTY   (MAPPED + 8) /* an entry in which nobody has anything */
#define UNKNOWN UINT64_C(0x1234567000)

/* By the GPU, in the global GTT. */
static void store_global(const struct pair *p, const struct guest_info *guest)
{
    const uint32_t commands[] = {0x10400002, pair_low(guest, EMPTY), 0, LEAK};

    pair_submit(p, guest, commands, 4);
    pair_run(p);
}

static uint32_t load_global(const struct pair *p, const struct guest_info *guest)
{
    const uint32_t commands[] = {
        0x54f00008,
        0x03cc1000,
        0,
        1 << 16 | 4,
        pair_low(guest, OWN),
        0,
        0,
        0x1000,
        pair_low(guest, EMPTY),
        0,
    };

    pair_submit(p, guest, commands, 10);
    pair_run(p);
    return pair_ram(p, guest->domid, GFN(OWN))[0];
}

/* By a user's batch in an address space; what is read goes to its page USER. */
#define USER_VA 0x2000u

static void run_batch(const struct pair *p, const struct guest_info *guest, const uint32_t *batch,
                      size_t n)
{
    static const uint32_t ring[] = {0x18800101, 0, 0, 0};

    memcpy(pair_ram(p, guest->domid, BATCH_GFN), batch, n * sizeof(*batch));
    memcpy(pair_ram(p, guest->domid, GFN(RING)), ring, sizeof(ring));
    pair_submit_context(p, guest, pair_low(guest, IMAGE), pair_low(guest, RING), sizeof(ring),
                        TABLE_GFN(4) << 12);
    pair_run(p);
}

static void store_local(const struct pair *p, const struct guest_info *guest, uint64_t va)
{
    const uint32_t batch[] = {
        0x10000002, (uint32_t)va, (uint32_t)(va >> 32), LEAK, 0x05000000,
    };

    run_batch(p, guest, batch, 5);
}

static uint32_t load_local(const struct pair *p, const struct guest_info *guest, uint64_t va)
{
    const uint32_t batch[] = {
        0x54f00008,   0x03cc1000,           0,          1 << 16 | 4, USER_VA, 0, 0, 0x1000,
        (uint32_t)va, (uint32_t)(va >> 32), 0x05000000,
    };

    run_batch(p, guest, batch, 11);
    return pair_ram(p, guest->domid, USER_GFN)[0];
}

static struct pair begin(void **state)
{
    struct pair p = pair_begin(state);

    pair_map(&p, &p.alice);
    pair_make_ppgtt(&p, &p.alice);
    return p;
}

TEST_WITH(a_store_to_nothing_in_the_ggtt_is_not_seen_by_bob, setup, teardown)
{
    struct pair p = begin(state);

    store_global(&p, &p.alice);
    assert_int_not_equal(load_global(&p, &p.bob), LEAK);
    free(p.bob_before);
}

TEST_WITH(a_store_to_nothing_in_a_ppgtt_is_not_seen_by_bob, setup, teardown)
{
    const uint64_t vas[] = {0x1000, UINT64_C(1) << 21, UINT64_C(1) << 30, UINT64_C(1) << 39};
    struct pair p = begin(state);

    for (unsigned i = 0; i < 4; i++) {
        store_local(&p, &p.alice, vas[i]);
        pair_refresh(&p);
        assert_null(p.alice.failsafe);
        for (unsigned k = 0; k < 4; k++) {
            assert_int_not_equal(load_local(&p, &p.bob, vas[k]), LEAK);
            assert_int_not_equal(load_global(&p, &p.bob), LEAK);
        }
    }
    free(p.bob_before);
}

/* Hers is hers; but a vGPU that is new has nothing in it. */
TEST_WITH(the_next_owner_finds_a_scrubbed_scratch_page, setup, teardown)
{
    struct pair p = begin(state);

    store_local(&p, &p.alice, 0x1000);
    store_global(&p, &p.alice);
    assert_int_equal(guests_detach(p.f->guests, "alice", p.f->error, sizeof(p.f->error)), 0);
    pair_run(&p);
    new_domain(p.f, "carol");
    attach(p.f, "carol", &p.alice);
    pair_map(&p, &p.alice);
    pair_make_ppgtt(&p, &p.alice);
    assert_int_not_equal(load_local(&p, &p.alice, 0x1000), LEAK);
    assert_int_not_equal(load_global(&p, &p.alice), LEAK);
    free(p.bob_before);
}
