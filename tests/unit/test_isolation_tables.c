/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The isolation of page tables: entries, the aperture, address spaces.
 * Alice tries every way there is to read what is bob's, or to change it. Each attempt is first made
 * on memory of her own, where it has to succeed: it is refused for where it goes, not for what it
 * is.
 */
#include "support/pair.h"

#define TEST(name) TEST_WITH(name, setup, teardown)

/* --- the global GTT itself --------------------------------------------------------------- */

static uint64_t bfn_of_bob(const struct pair *p, uint32_t entry)
{
    return gpu_read_pte(p->f->gpu, GPU_GGTT, p->bob.mappable.first + entry) & GPU_PTE_ADDR_MASK;
}

/* Stores into entries that are bob's are no stores, and what is in them is not to be seen. */
static void leaves_others_entries_alone(void **state)
{
    struct pair p = pair_begin(state);
    const struct gpu_range ranges[] = {p.bob.mappable, p.bob.unmappable};
    uint64_t before[2][MAPPED];

    pair_fresh_alice(&p);
    for (unsigned r = 0; r < 2; r++) {
        p.f->gpu->ops->read_ptes(p.f->gpu, GPU_GGTT, ranges[r].first, MAPPED, before[r]);
        for (uint32_t i = 0; i < ranges[r].count; i++) {
            uint64_t at = MMIO_BASE + VGPU_GTT_OFFSET + 8 * (uint64_t)(ranges[r].first + i);

            if (!p.f->options.lazy_ggtt) {
                assert_true(host_sim_mmio_read(p.f->host, p.alice.domid, at, 8) == 0);
            }
            pair_set_entry(&p, &p.alice, ranges[r].first + i, GFN(DATA) << 12 | PTE_FLAGS);
            host_sim_mmio_write(p.f->host, p.alice.domid, at, 0, 4);
        }
    }
    pair_write(&p, &p.alice, GFX_FLSH, 1);
    pair_check_bob(&p, "entries");
    for (unsigned r = 0; r < 2; r++) {
        for (uint32_t i = 0; i < MAPPED; i++) {
            assert_true(gpu_read_pte(p.f->gpu, GPU_GGTT, ranges[r].first + i) == before[r][i]);
        }
    }
    pair_end(&p);
}

TEST(entries_of_others_trapped)
{
    leaves_others_entries_alone(state);
}

static int setup_lazy(void **state)
{
    return setup_like(state, (struct stack_options){.lazy_ggtt = true});
}

TEST_WITH(entries_of_others_in_ram, setup_lazy, teardown)
{
    leaves_others_entries_alone(state);
}

/* Numbers that mean bob's pages to the GPU, or are his frames, mean nothing of his in her entries.
 */
TEST(entries_of_ones_own)
{
    struct pair p = pair_begin(state);
    const uint64_t frames[] = {bfn_of_bob(&p, DATA), GFN(DATA) << 12, UINT64_C(1) << 12, 0};
    const uint32_t own = pair_low(&p.alice, OWN);
    const uint32_t there = pair_low(&p.alice, MAPPED);
    const uint32_t copies[] = {
        0x54f00008, 0x03cc1000, 0, 1 << 16 | 4, own,   0, 0, 0x1000, there, 0,
        0x54f00008, 0x03cc1000, 0, 1 << 16 | 4, there, 0, 0, 0x1000, own,   0,
    };

    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        pair_fresh_alice(&p);
        pair_set_entry(&p, &p.alice, p.alice.mappable.first + MAPPED, frames[i] | PTE_FLAGS);
        pair_submit(&p, &p.alice, copies, 20);
        pair_run(&p);
        pair_check_bob(&p, "an entry with bob's frame");
    }
    pair_end(&p);
}

/* The processor's way: what is mapped below the aperture's end. */
TEST(the_aperture_shows_what_is_ones_own)
{
    struct pair p = pair_begin(state);
    uint64_t aperture = MMIO_BASE - (uint64_t)GTT_ENTRIES / 8 * PAGE;

    pair_fresh_alice(&p);
    assert_int_equal(
        host_sim_mmio_read(p.f->host, p.alice.domid, aperture + pair_low(&p.alice, DATA), 4), MARK);
    for (uint32_t i = 0; i < p.bob.mappable.count; i++) {
        uint64_t at = aperture + pair_low(&p.bob, i);

        assert_true(host_sim_mmio_read(p.f->host, p.alice.domid, at, 8) == UINT64_MAX);
        host_sim_mmio_write(p.f->host, p.alice.domid, at, 7, 8);
        assert_true(host_sim_mmio_read(p.f->host, p.alice.domid, at - 4, 8) == UINT64_MAX);
        host_sim_mmio_write(p.f->host, p.alice.domid, at - 4, 7, 8);
    }
    pair_check_bob(&p, "the aperture");
    pair_end(&p);
}

/* --- page tables ------------------------------------------------------------------------- */

#define BATCH_VA UINT64_C(0)
#define USER_VA  UINT64_C(0x2000)

/* A user's batch: reads from va and writes to it. */
static void put_batch(const struct pair *p, uint64_t va)
{
    const uint32_t batch[] = {
        0x54f00008,
        0x03cc1000,
        0,
        1 << 16 | 4,
        USER_VA,
        0,
        0,
        0x1000,
        (uint32_t)va,
        (uint32_t)(va >> 32),
        0x10000002,
        (uint32_t)va,
        (uint32_t)(va >> 32),
        7,
        0x05000000,
    };

    memcpy(pair_ram(p, p->alice.domid, BATCH_GFN), batch, sizeof(batch));
}

/* Commands of the ring: the batch, in the PPGTT. */
static void run_user(const struct pair *p, uint64_t pml4)
{
    static const uint32_t ring[] = {0x18800101, (uint32_t)BATCH_VA, 0, 0};

    memcpy(pair_ram(p, p->alice.domid, GFN(RING)), ring, sizeof(ring));
    pair_submit_context(p, &p->alice, pair_low(&p->alice, IMAGE), pair_low(&p->alice, RING),
                        sizeof(ring), pml4);
    pair_run(p);
}

/* Whatever page of hers is taken for a table: its entries name a page of bob's. */
static void fill_with_entries(const struct pair *p, uint64_t entry)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        uint64_t *table = (uint64_t *)pair_ram(p, p->alice.domid, gfn);

        for (unsigned i = 0; i < PAGE / 8; i++) {
            table[i] = entry;
        }
    }
}

/* Runs the batch with an entry of a level that says something else; level 5: the root. */
static void run_with_entry(struct pair *p, unsigned level, uint64_t frame)
{
    uint64_t va = level < 5 ? UINT64_C(1) << (12 + 9 * (level - 1)) : 0x3000;

    pair_fresh_alice(p);
    fill_with_entries(p, bfn_of_bob(p, DATA) | PTE_FLAGS);
    pair_make_ppgtt(p, &p->alice);
    pair_fill(p, p->alice.domid, USER_GFN, 0);
    pair_fill(p, p->alice.domid, TARGET_GFN, MARK);
    put_batch(p, va);
    if (level < 5) {
        ((uint64_t *)pair_ram(p, p->alice.domid, TABLE_GFN(level)))[1] = frame | PTE_FLAGS;
    }
    run_user(p, level < 5 ? TABLE_GFN(4) << 12 : frame);
}

TEST(page_tables)
{
    struct pair p = pair_begin(state);
    uint64_t frames[4 + 24] = {
        bfn_of_bob(&p, DATA),
        bfn_of_bob(&p, RING),
        GFN(DATA) << 12,
        TABLE_GFN(1) << 12,
    };

    /* The GPU's page tables, bob's among them, have numbers from 1 on. */
    for (uint64_t i = 0; i < 24; i++) {
        frames[4 + i] = (i + 1) << 12;
    }
    run_with_entry(&p, 1, TARGET_GFN << 12);
    pair_check_bob(&p, "at home");
    assert_true(pair_is_well(&p.alice));
    assert_int_equal(pair_ram(&p, p.alice.domid, USER_GFN)[0], MARK);
    assert_int_equal(pair_ram(&p, p.alice.domid, TARGET_GFN)[0], 7);
    for (unsigned level = 1; level <= 5; level++) {
        for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
            run_with_entry(&p, level, frames[i]);
            pair_check_bob(&p, "an entry of a page table");
        }
    }
    pair_end(&p);
}
