/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests with firmware and a device model of their own, the whole stack below them real: their
 * vGPU is one function among others, and is where the firmware puts it.
 */
#include "guests/windows.h"
#include "support/guests_fixture.h"

#define VGPU_DEVFN 0x10u
#define COMMAND    0x04u
#define MEMORY     0x02u
#define MASTER     0x04u
#define BAR0       0x10u
#define BAR2       0x18u
#define FLR        0xa8u

#define PLACE    0xf1000000u
#define APERTURE 0xc0000000u
#define MAGIC    0x76544776u
#define PVINFO   0x78000u

/* Its RAM, 32 MiB: low, as everywhere. */
#define PAGES 8192u

static int setup_firmware(void **state)
{
    int ret = setup(state);

    host_sim_with_firmware(((struct stack *)*state)->host, true);
    return ret;
}

/* How often somebody was told that there is no room for it. */
static void hear(void *arg, int level, const char *line)
{
    unsigned *heard = arg;

    (void)level;
    *heard += strstr(line, "had no room for BAR 2 of its vGPU; mmio_hole=") != NULL;
}

static unsigned heard;

static int setup_heard(void **state)
{
    heard = 0;
    int ret = setup_like(state, (struct stack_options){.log = hear, .log_arg = &heard});

    host_sim_with_firmware(((struct stack *)*state)->host, true);
    return ret;
}

static int setup_lazy(void **state)
{
    int ret = setup_like(state, (struct stack_options){.lazy_ggtt = true});

    host_sim_with_firmware(((struct stack *)*state)->host, true);
    return ret;
}

#define TEST(name)      TEST_WITH(name, setup_firmware, teardown)
#define LAZY_TEST(name) TEST_WITH(name, setup_lazy, teardown)

/* --- what firmware does ------------------------------------------------------------------ */

struct guest {
    struct stack *f;
    struct guest_info info;
    uint64_t size[2]; /* of BAR 0 and BAR 2, as firmware found them */
};

static uint32_t rd(const struct guest *g, unsigned reg)
{
    return host_sim_pci_read(g->f->host, g->info.domid, VGPU_DEVFN, reg, 4);
}

static void wr(const struct guest *g, unsigned reg, uint32_t value)
{
    host_sim_pci_write(g->f->host, g->info.domid, VGPU_DEVFN, reg, value, 4);
}

static void command(const struct guest *g, uint32_t value)
{
    host_sim_pci_write(g->f->host, g->info.domid, VGPU_DEVFN, COMMAND, value, 2);
}

/* All ones into both halves, one after the other, and what was there before back again. */
static uint64_t size_of_bar(const struct guest *g, unsigned reg)
{
    uint32_t low = rd(g, reg), high = rd(g, reg + 4);

    wr(g, reg, UINT32_MAX);
    uint64_t size = rd(g, reg) & ~15u;
    wr(g, reg, low);
    wr(g, reg + 4, UINT32_MAX);
    size |= (uint64_t)rd(g, reg + 4) << 32;
    wr(g, reg + 4, high);
    return size & -size;
}

static void place(const struct guest *g, unsigned reg, uint64_t base)
{
    wr(g, reg, (uint32_t)base);
    wr(g, reg + 4, base >> 32);
}

static bool answers_at(const struct guest *g, uint64_t base)
{
    return guest_reads(g->f, g->info.domid, base, PVINFO) == MAGIC;
}

static struct guest start(void **state)
{
    struct guest g = {.f = *state};
    uint32_t domid;

    assert_int_equal(stack_domain(g.f, "hvm", PAGES, 0, &domid), 0);
    attach(g.f, "hvm", &g.info);
    return g;
}

static struct guest start_placed(void **state)
{
    struct guest g = start(state);

    g.size[0] = size_of_bar(&g, BAR0);
    g.size[1] = size_of_bar(&g, BAR2);
    place(&g, BAR0, PLACE);
    place(&g, BAR2, APERTURE);
    command(&g, MEMORY | MASTER);
    return g;
}

/* Its frame 16, by the first entry that it may have. */
static void map_page_at(const struct guest *g, uint64_t base)
{
    host_sim_mmio_write(g->f->host, g->info.domid,
                        base + VGPU_GTT_OFFSET + 8 * g->info.mappable.first, 16 << 12 | PTE_FLAGS,
                        8);
    host_sim_end_of_turn(g->f->host, g->info.domid);
    settle(g->f, "hvm");
}

static void map_page(const struct guest *g)
{
    map_page_at(g, PLACE);
}

/* --- tests ------------------------------------------------------------------------------- */

TEST(the_vgpu_is_one_function_and_no_other)
{
    struct guest g = start(state);
    struct host *host = g.f->host;

    assert_int_equal(rd(&g, 0), 0x16168086);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if (devfn != VGPU_DEVFN) {
            assert_int_equal(host_sim_pci_read(host, g.info.domid, devfn, 0, 4), UINT32_MAX);
        }
    }
    struct guest_info before, after;
    refresh(g.f, "hvm", &before);
    host_sim_pci_read(host, g.info.domid, 0, 0, 4);
    host_sim_pci_write(host, g.info.domid, 0, 0x10, 0, 4);
    refresh(g.f, "hvm", &after);
    assert_int_equal(after.host.ioreqs, before.host.ioreqs); /* the bridge is asked elsewhere */
}

TEST_WITH(firmware_that_has_no_room_is_told_of, setup_heard, teardown)
{
    struct guest g = start(state);

    place(&g, BAR0, PLACE);
    assert_int_equal(heard, 0); /* it is not through yet */
    command(&g, MEMORY | MASTER);
    assert_int_equal(heard, 1);
    assert_true(answers_at(&g, PLACE));
    command(&g, 0);
    place(&g, BAR2, APERTURE);
    command(&g, MEMORY | MASTER);
    assert_int_equal(heard, 1);
    for (unsigned i = 0; i < 1000; i++) { /* it is told often, at most */
        command(&g, 0);
        place(&g, BAR2, 0);
        command(&g, MEMORY | MASTER);
    }
    assert_in_range(heard, 2, 40);
}

TEST(it_answers_nowhere_until_firmware_has_placed_it)
{
    struct guest g = start(state);

    assert_false(answers_at(&g, MMIO_BASE));
    assert_int_equal(rd(&g, COMMAND) & 0xffff, 0);
    assert_int_equal(rd(&g, BAR0), 0x4);
    assert_int_equal(rd(&g, BAR2), 0xc);
    assert_int_equal(rd(&g, BAR0 + 4) | rd(&g, BAR2 + 4), 0);
}

TEST(firmware_finds_the_sizes_and_places_the_bars)
{
    struct guest g = start_placed(state);

    assert_int_equal(g.size[0], 16 << 20);
    assert_int_equal(g.size[1], windows_of_gpu(GTT_ENTRIES).aperture * UINT64_C(4096));
    assert_true(answers_at(&g, PLACE));
    assert_false(answers_at(&g, MMIO_BASE));
    map_page(&g);
    host_sim_mmio_write(g.f->host, g.info.domid, APERTURE + UINT64_C(4096) * g.info.mappable.first,
                        0xca7, 4);
    const uint8_t *page = xengt_sim_guest_page(g.f->sim, g.info.domid, (struct xengt_gfn){16});
    assert_int_equal(page[0], 0xa7);
}

/* What does not fit below 4 GiB, firmware puts above the guest's RAM. */
TEST(bars_may_be_above_4_gib)
{
    struct guest g = start(state);

    place(&g, BAR0, UINT64_C(0x111000000));
    place(&g, BAR2, UINT64_C(0x120000000));
    command(&g, MEMORY);
    assert_true(answers_at(&g, UINT64_C(0x111000000)));
}

TEST(sizing_while_it_is_decoded_leaves_it_where_it_was)
{
    struct guest g = start_placed(state);

    assert_int_equal(size_of_bar(&g, BAR0), 16 << 20);
    assert_int_equal(size_of_bar(&g, BAR2), g.size[1]);
    assert_true(answers_at(&g, PLACE));
}

TEST(accesses_of_one_and_two_bytes_place_it_too)
{
    struct guest g = start(state);
    struct host *host = g.f->host;

    command(&g, MEMORY);
    host_sim_pci_write(host, g.info.domid, VGPU_DEVFN, BAR0 + 3, PLACE >> 24, 1);
    assert_true(answers_at(&g, PLACE));
    host_sim_pci_write(host, g.info.domid, VGPU_DEVFN, BAR0 + 2, 0xf200, 2);
    assert_true(answers_at(&g, 0xf2000000));
    assert_false(answers_at(&g, PLACE));
    assert_int_equal(host_sim_pci_read(host, g.info.domid, VGPU_DEVFN, BAR0 + 2, 2), 0xf200);
    assert_int_equal(host_sim_pci_read(host, g.info.domid, VGPU_DEVFN, BAR0 + 3, 1), 0xf2);
}

TEST(the_memory_bit_switches_it_off_and_on)
{
    struct guest g = start_placed(state);

    for (unsigned i = 0; i < 4; i++) {
        command(&g, MASTER);
        assert_false(answers_at(&g, PLACE));
        command(&g, MEMORY | MASTER);
        assert_true(answers_at(&g, PLACE));
    }
}

/* What it has mapped stays as it is. */
TEST(it_moves_while_pages_are_mapped)
{
    struct guest g = start_placed(state);
    uint64_t entry = VGPU_GTT_OFFSET + 8 * g.info.mappable.first;

    map_page(&g);
    place(&g, BAR0, 0xf4000000);
    place(&g, BAR2, 0xb0000000);
    assert_false(answers_at(&g, PLACE));
    assert_true(answers_at(&g, 0xf4000000));
    refresh(g.f, "hvm", &g.info);
    assert_int_equal(g.info.gtt.present, 1);
    assert_int_equal(guests_verify(g.f->guests, "hvm", g.f->error, sizeof(g.f->error)), 0);
    assert_int_equal(host_sim_mmio_read(g.f->host, g.info.domid, 0xf4000000 + entry, 8),
                     16 << 12 | PTE_FLAGS);
}

/* One has to go to where the other is; each of them decoded. */
TEST(bars_change_places)
{
    struct guest g = start_placed(state);

    place(&g, BAR0, APERTURE);
    assert_false(answers_at(&g, APERTURE + PVINFO)); /* two at a place: one of them is nowhere */
    place(&g, BAR2, 0xd0000000);
    assert_true(answers_at(&g, APERTURE));
    assert_false(answers_at(&g, PLACE));
}

TEST(over_ram_it_is_nowhere_and_comes_back)
{
    struct guest g = start_placed(state);
    uint8_t *page = xengt_sim_guest_page(g.f->sim, g.info.domid, (struct xengt_gfn){0x1000});

    memset(page, 0x5a, 4096);
    place(&g, BAR0, 0x1000000);
    assert_false(answers_at(&g, 0x1000000));
    host_sim_guest_store(g.f->host, g.info.domid, 0x1000000, 0x77, 1);
    assert_int_equal(page[0], 0x77);
    assert_int_equal(page[1], 0x5a);
    place(&g, BAR0, PLACE);
    assert_true(answers_at(&g, PLACE));
}

TEST(a_reset_leaves_it_without_a_place)
{
    struct guest g = start_placed(state);

    wr(&g, FLR, 1);
    assert_false(answers_at(&g, PLACE));
    assert_int_equal(rd(&g, BAR0), 4);
    place(&g, BAR0, PLACE);
    command(&g, MEMORY);
    assert_true(answers_at(&g, PLACE));
}

/* --- attached again ---------------------------------------------------------------------- */

static void attach_again(struct guest *g)
{
    assert_int_equal(guests_detach(g->f->guests, "hvm", g->f->error, sizeof(g->f->error)), 0);
    assert_false(answers_at(g, PLACE));
    attach(g->f, "hvm", &g->info);
}

/* The guest's firmware does not run a second time, and its driver knows where the BARs are. */
TEST(who_is_attached_again_is_where_it_was)
{
    struct guest g = start_placed(state);

    place(&g, BAR0, 0xf4000000);
    attach_again(&g);
    assert_true(answers_at(&g, 0xf4000000));
    assert_int_equal(rd(&g, BAR0), 0xf4000004);
    assert_int_equal(rd(&g, BAR2), APERTURE | 0xc);
    assert_int_equal(rd(&g, COMMAND) & MEMORY, MEMORY);
    map_page_at(&g, 0xf4000000);
    host_sim_mmio_write(g.f->host, g.info.domid, APERTURE + UINT64_C(4096) * g.info.mappable.first,
                        0xca7, 4);
    const uint8_t *page = xengt_sim_guest_page(g.f->sim, g.info.domid, (struct xengt_gfn){16});
    assert_int_equal(page[0], 0xa7);
}

TEST(who_was_never_placed_is_not_when_attached_again)
{
    struct guest g = start(state);

    attach_again(&g);
    assert_int_equal(rd(&g, BAR0), 4);
    assert_int_equal(rd(&g, COMMAND) & MEMORY, 0);
}

/* --- with the GGTT in RAM ---------------------------------------------------------------- */

static uint64_t entry(const struct guest *g, uint64_t base)
{
    return host_sim_mmio_read(g->f->host, g->info.domid,
                              base + VGPU_GTT_OFFSET + 8 * g->info.mappable.first, 8);
}

LAZY_TEST(the_ggtt_comes_to_where_firmware_puts_the_registers)
{
    struct guest g = start(state);

    assert_true(entry(&g, MMIO_BASE) == UINT64_MAX);
    place(&g, BAR0, PLACE);
    assert_true(entry(&g, PLACE) == UINT64_MAX); /* not decoded yet */
    command(&g, MEMORY);
    assert_int_equal(entry(&g, PLACE), 0);
    map_page(&g);
    host_sim_mmio_write(g.f->host, g.info.domid, PLACE + 0x101008, 1, 4);
    refresh(g.f, "hvm", &g.info);
    assert_int_equal(g.info.gtt.present, 1);
    place(&g, BAR0, 0xf4000000);
    assert_int_equal(entry(&g, 0xf4000000), 16 << 12 | PTE_FLAGS);
    assert_true(entry(&g, PLACE) == UINT64_MAX);
}

/* Firmware and drivers that look at the size move nothing. */
LAZY_TEST(a_ggtt_stays_where_it_is_while_its_bar_is_sized)
{
    struct guest g = start_placed(state);

    for (unsigned i = 0; i < 1000; i++) {
        command(&g, 0);
        assert_int_equal(size_of_bar(&g, BAR0), 16 << 20);
        command(&g, MEMORY);
    }
    assert_true(answers_at(&g, PLACE));
    assert_int_equal(entry(&g, PLACE), 0);
}

/* --- both kinds side by side ------------------------------------------------------------- */

TEST(a_guest_without_a_device_model_has_the_whole_of_pci)
{
    struct guest hvm = start_placed(state), pvh = {.f = hvm.f};

    host_sim_with_firmware(hvm.f->host, false);
    new_guest(hvm.f, "pvh", &pvh.info);
    assert_int_equal(host_sim_pci_read(pvh.f->host, pvh.info.domid, 0, 0, 4), 0x12378086);
    assert_true(answers_at(&pvh, MMIO_BASE));
    assert_int_equal(host_sim_pci_read(hvm.f->host, hvm.info.domid, 0, 0, 4), UINT32_MAX);
    assert_true(answers_at(&hvm, PLACE));
}
