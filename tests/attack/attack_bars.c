/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The BARs: alice, whose firmware is to place them, puts them over her RAM, over each other, and to
 * the end of the world, and never stops.
 */
#include "attack.h"

#define VGPU_DEVFN 0x10u
#define COMMAND    0x04u
#define BAR0       0x10u
#define BAR2       0x18u
#define BAR_END    0x20u
#define ALICE_RAM  16384u /* 64 MiB: room for 16 MiB of registers and more */

static int setup_lazy(void **state)
{
    return setup_like(state, (struct stack_options){.lazy_ggtt = true, .unwatched = true});
}

static void store(const struct pair *p, struct wait *wait, unsigned reg, uint32_t value,
                  unsigned size)
{
    ATTACK_WAIT(p, wait, "a store into configuration space",
                host_sim_pci_write(p->f->host, p->alice.domid, VGPU_DEVFN, reg, value, size));
    attack_turns(p, wait, 1000);
}

/* Alice is started anew, with firmware; hers puts her registers to where bob's are. */
static struct pair begin(void **state)
{
    struct pair p = pair_begin_large(state, ALICE_RAM);

    host_sim_with_firmware(p.f->host, true);
    pair_fresh_alice(&p);
    host_sim_pci_write(p.f->host, p.alice.domid, VGPU_DEVFN, BAR0, (uint32_t)MMIO_BASE, 4);
    host_sim_pci_write(p.f->host, p.alice.domid, VGPU_DEVFN, COMMAND, 6, 2);
    pair_map(&p, &p.alice);
    return p;
}

TEST_WITH(bars_anywhere_are_alices_own_matter, setup_lazy, teardown)
{
    static const uint64_t places[] = {
        0,
        0x1000000,
        0x2800000,
        MMIO_BASE,
        MMIO_BASE + (16 << 20),
        MMIO_BASE - (1 << 28),
        0xfee00000,
        0xff000000,
        UINT64_C(1) << 36,
        (UINT64_C(1) << 36) - (8 << 20),
        INT64_MAX,
        UINT64_MAX,
    };
    struct wait wait = {0};
    struct pair p = begin(state);

    for (unsigned reg = BAR0; reg < BAR_END; reg += 8) {
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            store(&p, &wait, reg, (uint32_t)places[i], 4);
            store(&p, &wait, reg + 4, places[i] >> 32, 4);
            store(&p, &wait, COMMAND, i % 3 ? 6 : 0, 2);
        }
    }
    for (uint32_t i = 0; i < 2000; i++) {
        unsigned reg = BAR0 + i * 7 % (BAR_END - BAR0);

        store(&p, &wait, reg, (uint32_t)places[i % 12] + i, 1u << i % 3);
    }
    attack_check_wait(&wait);
    pair_check_bob(&p, "after BARs anywhere");
    pair_check_bob_works(&p, 11);
    pair_end(&p);
}

/* Her RAM is hers wherever the registers are said to be: no store of hers is lost. */
TEST_WITH(ram_under_a_bar_stays_ram, setup_lazy, teardown)
{
    struct wait wait = {0};
    struct pair p = begin(state);

    for (uint32_t gfn = 0x800; gfn < ALICE_RAM; gfn += 0x800) {
        store(&p, &wait, BAR0, gfn << 12, 4);
        host_sim_guest_store(p.f->host, p.alice.domid, (uint64_t)gfn << 12, gfn, 4);
        assert_int_equal(pair_ram(&p, p.alice.domid, gfn)[0], gfn);
    }
    attack_check_wait(&wait);
    pair_check_bob_works(&p, 12);
    pair_end(&p);
}
