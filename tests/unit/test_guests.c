/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests with everything below it real, over the simulator: who can be attached, what a
 * detach leaves, and what happens when a domain dies.
 */
#include <event2/event.h>

#include "guests/guest.h"
#include "support/guests_fixture.h"

/* Registers, by Intel's names. */
#define PVINFO_G2V_NOTIFY (0x78000u + 0x818)
#define PVINFO_PDP0       (0x78000u + 0x838)
#define G2V_L4_CREATE     4u
#define G2V_L4_DESTROY    5u
#define MASTER_IRQ        0x44200u
#define GT_IMR0           0x44304u
#define GT_IER0           0x4430cu
#define BCS               0x22000u
#define BCS_USER_IRQ      (1u << 16)
#define MI_USER_INTERRUPT (0x02u << 23)

#define VGPU_DEVFN 0x10u
#define MSI_CAP    0x90u

static int setup_with_loop(void **state)
{
    return setup_like(state, (struct stack_options){.base = event_base_new()});
}

static int setup_lazy(void **state)
{
    return setup_like(state, (struct stack_options){.lazy_ggtt = true});
}

/* Within the RAM that a large guest has. */
#define LOW_BASE    UINT64_C(0x4000000)
#define LARGE_PAGES 0x8000u
#define BEYOND_BASE (UINT64_C(1) << 36)
#define MAGIC       0x76544776u /* of PVINFO, its first half */

static int setup_low(void **state)
{
    return setup_like(state, (struct stack_options){.mmio_base = LOW_BASE});
}

static int setup_low_lazy(void **state)
{
    return setup_like(state, (struct stack_options){.mmio_base = LOW_BASE, .lazy_ggtt = true});
}

#define TEST(name)      TEST_WITH(name, setup, teardown)
#define LAZY_TEST(name) TEST_WITH(name, setup_lazy, teardown)
#define LOOP_TEST(name) TEST_WITH(name, setup_with_loop, teardown)

/* --- where it is -------------------------------------------------------------------------- */

static void check_where(struct stack *f)
{
    struct guest_info large, small;
    uint32_t domid;

    assert_int_equal(stack_domain(f, "large", LARGE_PAGES, 0, &domid), 0);
    attach(f, "large", &large);
    new_guest(f, "small", &small);
    assert_int_equal(guest_reads(f, small.domid, LOW_BASE, 0x78000), MAGIC);
    assert_int_equal(guest_reads(f, large.domid, LOW_BASE, 0x78000), UINT32_MAX);
    assert_int_equal(guest_reads(f, large.domid, BEYOND_BASE, 0x78000), MAGIC);
    assert_int_equal(guests_detach(f->guests, "large", f->error, sizeof(f->error)), 0);
    assert_int_equal(guests_detach(f->guests, "small", f->error, sizeof(f->error)), 0);
}

TEST_WITH(a_vgpu_is_beyond_ram_that_is_where_it_should_be, setup_low, teardown)
{
    check_where(*state);
}

TEST_WITH(so_is_the_ram_of_its_gtt, setup_low_lazy, teardown)
{
    check_where(*state);
}

/* --- how long it takes ------------------------------------------------------------------- */

static uint64_t samples(const struct histogram *histogram)
{
    uint64_t n = 0;

    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        n += histogram->count[i];
    }
    return n;
}

TEST(the_time_of_each_request_is_counted_for_its_guest)
{
    struct stack *f = *state;
    struct guest_info web, db;

    new_guest(f, "web", &web);
    new_guest(f, "db", &db);
    guest_maps(f, &web, 10, 4);
    guest_reads(f, web.domid, MMIO_BASE, 0x78000);
    host_sim_pci_read(f->host, web.domid, VGPU_DEVFN, 0, 4);
    host_sim_pci_write(f->host, web.domid, VGPU_DEVFN, 4, 0, 2);
    refresh(f, "web", &web);
    refresh(f, "db", &db);
    assert_true(web.host.ioreqs >= 7);
    assert_int_equal(samples(&web.host.time), web.host.ioreqs);
    assert_true(web.host.time.total_ns > 0);
    assert_int_equal(samples(&db.host.time), db.host.ioreqs);
}

TEST(the_time_of_each_commit_is_counted)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_maps(f, &info, 10, 4);
    settle(f, "web");
    refresh(f, "web", &info);
    assert_true(info.gtt.commits > 0);
    assert_int_equal(samples(&info.gtt.commit_time), info.gtt.commits);
    assert_true(info.gtt.commit_time.total_ns > 0);
}

/* --- who can be attached ----------------------------------------------------------------- */

TEST(attach_and_detach)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");
    struct guest_info info, listed;
    char number[16];

    attach(f, "web", &info);
    assert_int_equal(info.domid, domid);
    assert_string_equal(info.name, "web");
    assert_int_equal(info.mappable.count, 256);
    assert_int_equal(info.unmappable.count, 512);
    assert_null(info.failsafe);
    assert_false(info.paused);
    assert_true(guests_list(f->guests, 0, &listed));
    assert_int_equal(listed.domid, domid);
    assert_false(guests_list(f->guests, 1, &listed));

    snprintf(number, sizeof(number), "%u", domid);
    refresh(f, number, &info);
    assert_int_equal(guests_detach(f->guests, number, f->error, sizeof(f->error)), 0);
    assert_false(guests_list(f->guests, 0, &listed));
    assert_int_equal(guests_detach(f->guests, "web", f->error, sizeof(f->error)), -ENOENT);
    assert_string_equal(f->error, "domain 'web': has no vGPU");
}

TEST(no_such_domain)
{
    struct stack *f = *state;

    assert_attach_fails(f, "nope", -ENOENT, "domain 'nope': no such domain");
    assert_attach_fails(f, "77", -ENOENT, "domain '77': no such domain");
    assert_attach_fails(f, "", -ENOENT, "no such domain");
    assert_attach_fails(f, "99999999999999999999", -ENOENT, "no such domain");
    assert_attach_fails(f, "a\nb", -ENOENT, "domain 'a?b'");
}

TEST(attach_twice)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_attach_fails(f, "web", -EEXIST, "has a vGPU already");
    refresh(f, "web", &info); /* it is as it was */
}

TEST(unsafe_domains)
{
    struct stack *f = *state;
    const struct xengt_sim_domain pv = {.name = "old", .pages = 64, .pv = true};
    const struct xengt_sim_domain shadow = {.name = "slow", .pages = 64, .no_hap = true};
    uint32_t domid;

    assert_int_equal(xengt_sim_domain_create(f->sim, &pv, &domid), 0);
    assert_int_equal(xengt_sim_domain_create(f->sim, &shadow, &domid), 0);
    assert_attach_fails(f, "old", -EOPNOTSUPP, "domain 'old' (");
    assert_attach_fails(f, "slow", -EOPNOTSUPP, "hardware assisted paging");
    assert_int_equal(xengt_target_list(f->xengt, &domid, 1), 0);
}

TEST(windows)
{
    struct stack *f = *state;
    struct guest_info infos[GUESTS_VGPUS_MAX];
    bool taken[GTT_ENTRIES] = {false};
    char name[16];

    for (unsigned i = 0; i < GUESTS_VGPUS_MAX; i++) {
        snprintf(name, sizeof(name), "vm%u", i);
        new_guest(f, name, &infos[i]);
        for (int part = 0; part < 2; part++) {
            struct gpu_range range = part ? infos[i].unmappable : infos[i].mappable;

            assert_true(range.first + range.count <= GTT_ENTRIES);
            for (uint32_t e = range.first; e < range.first + range.count; e++) {
                assert_false(taken[e]);
                taken[e] = true;
            }
        }
        assert_true(infos[i].mappable.first < infos[0].unmappable.first);
    }
    new_domain(f, "more");
    assert_attach_fails(f, "more", -ENOSPC, "all 16 vGPUs are in use");

    /* A place that becomes free is used again. */
    assert_int_equal(guests_detach(f->guests, "vm3", f->error, sizeof(f->error)), 0);
    attach(f, "more", &infos[0]);
    assert_int_equal(infos[0].id, infos[3].id);
    assert_int_equal(infos[0].mappable.first, infos[3].mappable.first);
}

/* The windows are another's already: what was done before that is undone. */
TEST(attach_that_fails_midway)
{
    const struct gpu_range ranges[GPU_RANGES] = {{.first = 0, .count = 16}};
    struct stack *f = *state;
    struct gpu_client *client;
    struct guest_info info;
    uint32_t domid;

    new_domain(f, "web");
    assert_int_equal(f->gpu->ops->client_open(f->gpu, ranges, 0, &client), 0);
    assert_attach_fails(f, "web", -ENOSPC, "no vGPU could be made");
    assert_false(guests_list(f->guests, 0, &info));
    assert_int_equal(xengt_target_list(f->xengt, &domid, 1), 0);

    f->gpu->ops->client_close(client);
    attach(f, "web", &info);
}

/* Others have more than they are promised, and what is left is not enough for a promise. */
static int setup_narrow(void **state)
{
    return setup_like(state, (struct stack_options){.window_pages = 64, .space = {.quota = 64}});
}

TEST_WITH(attach_without_its_share_of_the_window, setup_narrow, teardown)
{
    struct stack *f = *state;
    struct guest_info info;
    uint32_t domid;

    new_guest(f, "web", &info);
    guest_maps(f, &info, 16, 64);
    refresh(f, "web", &info);
    assert_int_equal(info.space.in_use, 64);
    new_domain(f, "db");
    assert_attach_fails(f, "db", -ENOSPC, "the 2 mappings that it is promised are not to be had");
    assert_attach_fails(f, "db", -ENOSPC, "--window-pages");
    assert_int_equal(xengt_target_list(f->xengt, &domid, 1), 1);
    guest_clears(f, &info, 8);
    attach(f, "db", &info);
}

/* --- a guest at work --------------------------------------------------------------------- */

struct seen {
    unsigned n;
    uint64_t first_gfn;
};

static void see(void *arg, const struct guests_mapping *m)
{
    struct seen *seen = arg;

    if (!seen->n++) {
        seen->first_gfn = m->gfn;
    }
}

TEST(mappings)
{
    struct stack *f = *state;
    struct guest_info info;
    struct seen seen = {0};

    new_guest(f, "web", &info);
    guest_maps(f, &info, 16, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.gtt.present, 8);
    assert_int_equal(info.space.in_use, 8);
    assert_int_equal(info.space.map_calls, 1); /* a turn is a batch */
    assert_int_equal(info.host.turns, 1);
    assert_int_equal(guests_verify(f->guests, "web", f->error, sizeof(f->error)), 0);
    assert_int_equal(guests_mappings(f->guests, "web", see, &seen, f->error, sizeof(f->error)), 0);
    assert_int_equal(seen.n, 8);
    assert_int_equal(seen.first_gfn, 16);
    assert_int_equal(guests_verify(f->guests, "db", f->error, sizeof(f->error)), -ENOENT);
}

TEST(layout_change_is_heard)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_int_equal(xengt_sim_balloon_out(f->sim, info.domid, (struct xengt_gfn){40}), 0);
    refresh(f, "web", &info);
    assert_int_equal(info.host.invalidates, 1);
}

TEST(nobody_home)
{
    struct stack *f = *state;
    struct guest_info info;

    new_domain(f, "web");
    new_domain(f, "db");
    attach(f, "web", &info);
    assert_true(host_sim_mmio_read(f->host, 2, MMIO_BASE, 4) == UINT64_MAX);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE - 4, 4) == UINT64_MAX);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE + VGPU_MMIO_SIZE - 2, 4) ==
                UINT64_MAX);
    assert_int_equal(guests_detach(f->guests, "web", f->error, sizeof(f->error)), 0);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE, 4) == UINT64_MAX);
}

TEST(a_paused_vgpu_waits)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_int_equal(guests_pause(f->guests, "web", true, f->error, sizeof(f->error)), 0);
    refresh(f, "web", &info);
    assert_true(info.paused);
    assert_int_equal(guests_pause(f->guests, "web", false, f->error, sizeof(f->error)), 0);
    refresh(f, "web", &info);
    assert_false(info.paused);
}

/* What is kept for a user who may come back goes when the time is over. */
TEST(kept_mappings_expire)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_maps(f, &info, 16, 8);
    guest_clears(f, &info, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.space.deferred, 8);
    for (int i = 0; i < 100 && info.space.deferred; i++) {
        usleep(DEFER_MS * 1000 / 4);
        guests_turn(f->guests);
        refresh(f, "web", &info);
    }
    assert_int_equal(info.space.deferred, 0);
    assert_int_equal(info.space.mapped, 0);
}

/* --- who sleeps -------------------------------------------------------------------------- */

static void until_all_sleep(struct stack *f)
{
    for (int i = 0; i < 100 && f->guests->awake_n; i++) {
        guests_turn(f->guests);
    }
    assert_int_equal(f->guests->awake_n, 0);
}

TEST(a_guest_with_nothing_to_do_sleeps)
{
    struct stack *f = *state;
    struct guest_info web, db;

    new_guest(f, "web", &web);
    new_guest(f, "db", &db);
    assert_int_equal(f->guests->awake_n, 2);
    until_all_sleep(f);
    guest_reads(f, web.domid, MMIO_BASE, 0);
    assert_int_equal(f->guests->awake_n, 1);
    until_all_sleep(f);
    guests_detach(f->guests, "web", f->error, sizeof(f->error));
    assert_int_equal(f->guests->awake_n, 1); /* has another part of a round */
    until_all_sleep(f);
}

/* What one has recorded is committed, whoever else has asked before and since. */
TEST(a_date_of_one_is_no_date_of_another)
{
    struct stack *f = *state;
    struct guest_info web, db;

    new_guest(f, "web", &web);
    new_guest(f, "db", &db);
    guest_stores(f, &web, 16 << 12 | PTE_FLAGS, 1u << 12, 4);
    usleep(20000);
    guest_stores(f, &db, 16 << 12 | PTE_FLAGS, 1u << 12, 4);
    until_all_sleep(f);
    settle(f, "web");
    settle(f, "db");
    until_all_sleep(f);
}

/* A reset that takes more than a round has. */
TEST(a_guest_whose_reset_goes_on_stays_awake)
{
    struct stack *f = *state;
    struct guest_info web;

    new_guest(f, "web", &web);
    guest_maps(f, &web, 16, 200);
    until_all_sleep(f);
    vgpu_work(f->guests->attached[0]->vgpu, 1);
    vgpu_reset(f->guests->attached[0]->vgpu);
    guest_wake(f->guests->attached[0]);
    refresh(f, "web", &web);
    assert_int_not_equal(web.gtt.present, 0);
    until_all_sleep(f);
    refresh(f, "web", &web);
    assert_int_equal(web.gtt.present, 0);
}

/* --- the PCI function -------------------------------------------------------------------- */

static uint32_t config_read(struct stack *f, uint32_t domid, unsigned reg)
{
    return host_sim_pci_read(f->host, domid, VGPU_DEVFN, reg, 4);
}

static void config_write(struct stack *f, uint32_t domid, unsigned reg, uint32_t value)
{
    host_sim_pci_write(f->host, domid, VGPU_DEVFN, reg, value, 4);
}

TEST(pci_functions)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_int_equal(config_read(f, info.domid, 0), 0x16168086);
    assert_int_equal(host_sim_pci_read(f->host, info.domid, 0, 0, 4), 0x12378086);
    host_sim_pci_write(f->host, info.domid, 0, 0x48, 0xffffffff, 4);
    assert_int_equal(host_sim_pci_read(f->host, info.domid, 0, 0x48, 4), 0);
    assert_int_equal(host_sim_pci_read(f->host, info.domid, 0x18, 0, 4), UINT32_MAX);
    assert_int_equal(host_sim_pci_read(f->host, info.domid + 1, VGPU_DEVFN, 0, 4), UINT32_MAX);
}

/* The registers and the aperture are where the guest puts them, and nowhere else. */
TEST(bars_move)
{
    const uint64_t elsewhere = UINT64_C(0x2e1000000), aperture = UINT64_C(0x300000000);
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_int_equal(guest_reads(f, info.domid, MMIO_BASE, 0x78000), 0x76544776);
    config_write(f, info.domid, 0x04, 0);
    assert_int_equal(guest_reads(f, info.domid, MMIO_BASE, 0x78000), UINT32_MAX);
    config_write(f, info.domid, 0x10, (uint32_t)elsewhere);
    config_write(f, info.domid, 0x14, elsewhere >> 32);
    config_write(f, info.domid, 0x18, (uint32_t)aperture);
    config_write(f, info.domid, 0x1c, aperture >> 32);
    config_write(f, info.domid, 0x04, 6);
    assert_int_equal(guest_reads(f, info.domid, elsewhere, 0x78000), 0x76544776);
    assert_int_equal(guest_reads(f, info.domid, MMIO_BASE, 0x78000), UINT32_MAX);

    guest_maps(f, &info, 16, 0); /* nothing: it is gone from there */
    host_sim_mmio_write(f->host, info.domid, elsewhere + VGPU_GTT_OFFSET, 16 << 12 | PTE_FLAGS, 8);
    settle(f, "web");
    host_sim_mmio_write(f->host, info.domid, aperture + 0x10, 0xca7, 4);
    assert_int_equal(host_sim_mmio_read(f->host, info.domid, aperture + 0x10, 4), 0xca7);
}

/* A guest that puts its vGPU over its own RAM has RAM there. */
TEST(bar_over_ram)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    config_write(f, info.domid, 0x18, 0);
    config_write(f, info.domid, 0x1c, 0);
    config_write(f, info.domid, 0x14, 0);
    config_write(f, info.domid, 0x10, 0);
    assert_int_equal(guest_reads(f, info.domid, 0, 0), UINT32_MAX);
    refresh(f, "web", &info);
    assert_null(info.failsafe);
}

TEST(function_level_reset)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_maps(f, &info, 16, 8);
    guest_writes(f, info.domid, 0x2044, 0x5a5a);
    config_write(f, info.domid, 0xa8, 1);
    refresh(f, "web", &info);
    assert_int_equal(info.gtt.present, 0);
    assert_int_equal(info.space.in_use, 0);
    assert_int_equal(guest_reads(f, info.domid, MMIO_BASE, 0x2044), UINT32_MAX); /* no address */
    config_write(f, info.domid, 0x10, (uint32_t)MMIO_BASE);
    config_write(f, info.domid, 0x04, 6);
    assert_int_equal(guest_reads(f, info.domid, MMIO_BASE, 0x2044), 0);
    assert_int_equal(guest_reads(f, info.domid, MMIO_BASE, 0x78000), 0x76544776);
}

/* A ring with one command, which interrupts. */
static void submit_interrupt(struct stack *f, const struct guest_info *info)
{
    uint32_t *ring = xengt_sim_guest_page(f->sim, info->domid, (struct xengt_gfn){16});

    ring[0] = MI_USER_INTERRUPT;
    ring[1] = 0;
    guest_maps(f, info, 16, 1);
    guest_writes(f, info->domid, BCS + 0xa8, ~BCS_USER_IRQ);
    guest_writes(f, info->domid, GT_IMR0, ~BCS_USER_IRQ);
    guest_writes(f, info->domid, GT_IER0, BCS_USER_IRQ);
    guest_writes(f, info->domid, MASTER_IRQ, 1u << 31);
    guest_writes(f, info->domid, BCS + 0x34, 0);
    guest_writes(f, info->domid, BCS + 0x38, info->mappable.first << 12);
    guest_writes(f, info->domid, BCS + 0x3c, 1);
    guest_writes(f, info->domid, BCS + 0x30, 8);
    while (guests_turn(f->guests)) {
    }
}

TEST(interrupt)
{
    struct stack *f = *state;
    struct guest_info info;
    uint64_t address;
    uint32_t data;

    new_guest(f, "web", &info);
    config_write(f, info.domid, MSI_CAP + 4, 0xfee00000);
    config_write(f, info.domid, MSI_CAP + 8, 0x4021);
    config_write(f, info.domid, MSI_CAP, 1u << 16);
    config_write(f, info.domid, 0x04, 6);
    submit_interrupt(f, &info);
    assert_true(host_sim_interrupt(f->host, info.domid, &address, &data));
    assert_int_equal(address, 0xfee00000);
    assert_int_equal(data, 0x4021);
    assert_false(host_sim_interrupt(f->host, info.domid, &address, &data));
    refresh(f, "web", &info);
    assert_int_equal(info.host.interrupts, 1);
}

TEST(no_interrupt_unasked)
{
    struct stack *f = *state;
    struct guest_info info;
    uint64_t address;
    uint32_t data;

    new_guest(f, "web", &info);
    submit_interrupt(f, &info);
    assert_false(host_sim_interrupt(f->host, info.domid, &address, &data));
    assert_true(guest_reads(f, info.domid, MMIO_BASE, MASTER_IRQ) &
                2); /* it is there to be asked for */
}

/* --- memory that is the guest's and the vGPU's ------------------------------------------- */

static uint64_t word_of(struct stack *f, uint32_t domid, uint64_t gfn, unsigned i)
{
    const uint64_t *page = xengt_sim_guest_page(f->sim, domid, (struct xengt_gfn){gfn});

    return page[i];
}

/* Stores into a page table come by way of the vGPU while it is one, and are done all the same. */
TEST(tracked_stores)
{
    struct stack *f = *state;
    struct guest_info info;
    uint64_t before;

    new_guest(f, "web", &info);
    host_sim_guest_store(f->host, info.domid, 100 << 12, 0x1111, 8);
    assert_int_equal(word_of(f, info.domid, 100, 0), 0x1111);
    host_sim_guest_store(f->host, info.domid, 100 << 12, 0, 8);
    guest_writes(f, info.domid, PVINFO_PDP0, 100 << 12);
    guest_writes(f, info.domid, PVINFO_PDP0 + 4, 0);
    guest_writes(f, info.domid, PVINFO_G2V_NOTIFY, G2V_L4_CREATE);
    refresh(f, "web", &info);
    assert_int_equal(info.gtt.mms, 1);

    before = info.host.ioreqs;
    host_sim_guest_store(f->host, info.domid, (100 << 12) + 16, 101 << 12 | 3, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.host.ioreqs - before, info.gtt.table_writes);
    assert_int_equal(word_of(f, info.domid, 100, 2), 101 << 12 | 3);

    guest_writes(f, info.domid, PVINFO_G2V_NOTIFY, G2V_L4_DESTROY);
    settle(f, "web");
    refresh(f, "web", &info);
    before = info.host.ioreqs;
    host_sim_guest_store(f->host, info.domid, 100 << 12, 0x2222, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.host.ioreqs, before);
    assert_int_equal(word_of(f, info.domid, 100, 0), 0x2222);
}

/* As processors store 16 bytes, or across entries and pages: no byte is lost, none is elsewhere. */
TEST(a_tracked_store_may_be_anywhere)
{
    static const struct {
        unsigned offset, size;
    } stores[] = {{16, 8}, {24, 8}, {36, 8}, {51, 2}, {61, 4}, {0xff9, 4}, {0xffd, 2}, {0xfff, 1}};
    struct stack *f = *state;
    struct guest_info info;
    uint8_t expected[4096] = {0};

    new_guest(f, "web", &info);
    guest_writes(f, info.domid, PVINFO_PDP0, 100 << 12);
    guest_writes(f, info.domid, PVINFO_PDP0 + 4, 0);
    guest_writes(f, info.domid, PVINFO_G2V_NOTIFY, G2V_L4_CREATE);
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        uint64_t value = UINT64_C(0x0102030405060708) * (i + 2) & ~UINT64_C(0x0101010101010101);
        memcpy(expected + stores[i].offset, &value, stores[i].size);
        host_sim_guest_store(f->host, info.domid, (100 << 12) + stores[i].offset, value,
                             stores[i].size);
    }
    assert_memory_equal(xengt_sim_guest_page(f->sim, info.domid, (struct xengt_gfn){100}), expected,
                        sizeof(expected));
    settle(f, "web");
    refresh(f, "web", &info);
    assert_null(info.failsafe);
    assert_int_equal(guests_verify(f->guests, "web", f->error, sizeof(f->error)), 0);
}

/* The GTT as RAM: no store into it is a request, and what it says is found at a flush. */
LAZY_TEST(lazy_ggtt)
{
    struct stack *f = *state;
    struct guest_info info;
    uint64_t before;

    new_guest(f, "web", &info);
    before = info.host.ioreqs;
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.host.ioreqs, before);
    guest_writes(f, info.domid, 0x101008, 1);
    refresh(f, "web", &info);
    assert_int_equal(info.host.ioreqs, before + 1);
    assert_int_equal(info.gtt.present, 8);
    assert_int_equal(info.space.in_use, 8);
    assert_int_equal(guests_verify(f->guests, "web", f->error, sizeof(f->error)), 0);
}

/* It moves with the BAR, what is in it included. */
LAZY_TEST(lazy_ggtt_moves)
{
    const uint64_t elsewhere = UINT64_C(0x2e1000000);
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 1);
    config_write(f, info.domid, 0x14, elsewhere >> 32);
    config_write(f, info.domid, 0x10, (uint32_t)elsewhere);
    assert_int_equal(host_sim_mmio_read(f->host, info.domid,
                                        elsewhere + VGPU_GTT_OFFSET + 8 * info.mappable.first, 8),
                     16 << 12 | PTE_FLAGS);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE + VGPU_GTT_OFFSET, 8) ==
                UINT64_MAX);
}

/* The pages of a place that is not free: all of them are looked at, and nothing is moved. */
LAZY_TEST(a_lazy_ggtt_is_not_moved_over_ram)
{
    const uint32_t there = 16 << 20, first = (there + VGPU_GTT_OFFSET) >> 12;
    struct stack *f = *state;
    struct guest_info info;
    uint32_t domid;

    assert_int_equal(stack_domain(f, "web", 8192, 0, &domid), 0); /* 32 MiB */
    attach(f, "web", &info);
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 1);
    assert_int_equal(xengt_sim_balloon_out(f->sim, domid, (struct xengt_gfn){there >> 12}), 0);
    assert_int_equal(xengt_sim_balloon_out(f->sim, domid, (struct xengt_gfn){first}), 0);
    config_write(f, domid, 0x10, there);
    assert_true(host_sim_mmio_read(f->host, domid, there + VGPU_GTT_OFFSET, 8) == UINT64_MAX);
    assert_non_null(xengt_sim_guest_page(f->sim, domid, (struct xengt_gfn){first + 1}));
    assert_int_equal(guest_reads(f, domid, there, 0x78000), UINT32_MAX); /* it is nowhere */
    config_write(f, domid, 0x10, (uint32_t)MMIO_BASE);
    assert_int_equal(host_sim_mmio_read(f->host, domid,
                                        MMIO_BASE + VGPU_GTT_OFFSET + 8 * info.mappable.first, 8),
                     16 << 12 | PTE_FLAGS);
}

/* --- the end of a domain ----------------------------------------------------------------- */

TEST(death_releases_everything)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_maps(f, &info, 16, 32);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, info.domid), 0);
    assert_true(xengt_sim_domain_is_zombie(f->sim, info.domid));

    host_sim_notice_deaths(f->host);
    assert_true(guests_list(f->guests, 0, &info)); /* not in the middle of the host's work */
    host_sim_notice_deaths(f->host);               /* told once */
    guests_turn(f->guests);
    assert_false(guests_list(f->guests, 0, &info));
    assert_false(xengt_sim_domain_exists(f->sim, info.domid));
}

TEST(same_name_again)
{
    struct stack *f = *state;
    struct guest_info first, second;

    new_guest(f, "web", &first);
    guest_maps(f, &first, 16, 4);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, first.domid), 0);
    host_sim_notice_deaths(f->host);
    guests_turn(f->guests);
    new_guest(f, "web", &second);
    assert_int_not_equal(first.domid, second.domid);
    guest_maps(f, &second, 16, 4);
    assert_int_equal(guests_verify(f->guests, "web", f->error, sizeof(f->error)), 0);
}

TEST(others_live_on)
{
    struct stack *f = *state;
    struct guest_info web, db;

    new_domain(f, "web");
    new_domain(f, "db");
    attach(f, "web", &web);
    attach(f, "db", &db);
    guest_maps(f, &web, 16, 4);
    guest_maps(f, &db, 16, 4);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, web.domid), 0);
    host_sim_notice_deaths(f->host);
    guests_turn(f->guests);
    refresh(f, "db", &db);
    assert_int_equal(db.gtt.present, 4);
    assert_int_equal(guests_verify(f->guests, "db", f->error, sizeof(f->error)), 0);
}

/* --- with an event loop ------------------------------------------------------------------ */

/* Until there is nothing to wake up for. */
static void run_loop(struct stack *f)
{
    assert_int_equal(event_base_dispatch(f->base), 1);
}

/* As long as there is something to do at once. */
static void run_rounds(struct stack *f)
{
    for (unsigned i = 0; i < 20; i++) {
        event_base_loop(f->base, EVLOOP_NONBLOCK);
    }
}

LOOP_TEST(loop_does_the_turns)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 8);
    run_loop(f);
    refresh(f, "web", &info);
    assert_int_equal(info.space.in_use, 8);

    assert_int_equal(xengt_sim_domain_destroy(f->sim, info.domid), 0);
    host_sim_notice_deaths(f->host);
    run_loop(f);
    assert_false(guests_list(f->guests, 0, &info));
}

struct two_guests {
    struct stack *f;
    struct guest_info first, second;
};

/* In one round: what is to be done for all was done before the second one asked for more. */
static void ask_for_much(evutil_socket_t fd, short what, void *arg)
{
    const struct two_guests *g = arg;
    struct host *host = g->f->host;

    (void)fd;
    (void)what;
    host_sim_end_of_turn(host, g->first.domid);
    for (unsigned i = 0; i < 16; i++) { /* the BARs go and come */
        host_sim_pci_write(host, g->second.domid, VGPU_DEVFN, 0x04, i % 2 ? 6 : 0, 2);
    }
    host_sim_pci_write(host, g->second.domid, VGPU_DEVFN, 0xa8, 1, 1); /* a reset */
    host_sim_end_of_turn(host, g->second.domid);
}

/* It goes on in the next round, not when the guest has been quiet for some time. */
LOOP_TEST(what_waits_since_the_middle_of_a_round_is_gone_on_with_at_once)
{
    struct stack *f = *state;
    struct two_guests g = {.f = f};
    const struct timeval now = {0};

    new_guest(f, "web", &g.first);
    new_guest(f, "db", &g.second);
    guest_stores(f, &g.second, 16 << 12 | PTE_FLAGS, 1u << 12, 8);
    run_loop(f);
    refresh(f, "db", &g.second);
    assert_int_equal(g.second.gtt.present, 8);
    host_sim_on_wait(f->host, NULL, NULL); /* its accesses are all from one round */
    event_base_once(f->base, -1, EV_TIMEOUT, ask_for_much, &g, &now);
    run_rounds(f);
    refresh(f, "db", &g.second);
    assert_int_equal(g.second.gtt.present, 0);
}

/* With nothing to do there is nothing to wake up for: the loop ends when no event is left. */
LOOP_TEST(loop_falls_asleep)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 8);
    event_base_dispatch(f->base);
    guest_stores(f, &info, 0, 0, 8);
    event_base_dispatch(f->base);
    refresh(f, "web", &info);
    assert_int_equal(info.gtt.pending, 0);
    assert_int_equal(info.space.mapped, 0);
}

/* --- names ------------------------------------------------------------------------------- */

/* Neither is taken. */
TEST(a_name_of_two_domains_is_refused)
{
    struct stack *f = *state;
    uint32_t one = new_domain(f, "web"), other = new_domain(f, "web");
    struct guest_info info;
    char error[128], both[64], domid[16];

    snprintf(both, sizeof(both), "'web' is the name of domains %u and %u: give the number", one,
             other);
    assert_attach_fails(f, "web", -ENOTUNIQ, both);
    snprintf(domid, sizeof(domid), "%u", other);
    attach(f, domid, &info);
    assert_int_equal(info.domid, other);
    assert_int_equal(guests_info(f->guests, "web", &info, error, sizeof(error)), 0);
    assert_int_equal(info.domid, other); /* of those that have a vGPU it is the only one */

    snprintf(domid, sizeof(domid), "%u", one);
    attach(f, domid, &info);
    assert_int_equal(guests_detach(f->guests, "web", error, sizeof(error)), -ENOTUNIQ);
    assert_string_equal(error, both);
    assert_int_equal(guests_pause(f->guests, "web", true, error, sizeof(error)), -ENOTUNIQ);
    assert_int_equal(guests_info(f->guests, domid, &info, error, sizeof(error)), 0);
    assert_false(info.paused);
    assert_int_equal(guests_detach(f->guests, domid, error, sizeof(error)), 0);
    assert_int_equal(guests_info(f->guests, "web", &info, error, sizeof(error)), 0);
    assert_int_equal(info.domid, other);
}

/* One that was destroyed has left its name to another. */
TEST(a_name_of_a_dead_domain_is_free)
{
    struct stack *f = *state;
    uint32_t old = new_domain(f, "web");
    struct guest_info info;

    attach(f, "web", &info);
    xengt_sim_domain_destroy(f->sim, old);
    host_sim_notice_deaths(f->host);
    uint32_t new = new_domain(f, "web");
    attach(f, "web", &info);
    assert_int_equal(info.domid, new);
    refresh(f, "web", &info);
    assert_int_equal(info.domid, new);
}

/* --- events ------------------------------------------------------------------------------ */

static void count_call(void *arg)
{
    ++*(unsigned *)arg;
}

static void assert_event(struct stack *f, uint64_t number, enum guests_event_kind kind)
{
    struct guests_event event;

    assert_true(guests_event(f->guests, number, &event));
    assert_int_equal(event.number, number);
    assert_int_equal(event.kind, kind);
    assert_string_equal(event.name, "web");
    assert_int_equal(event.reason[0] != '\0', kind == GUESTS_EVENT_FAILSAFE);
}

TEST(events_are_told_once)
{
    struct stack *f = *state;
    struct guests_event event;
    struct guest_info info;
    unsigned calls = 0;
    char error[128];

    guests_on_event(f->guests, count_call, &calls);
    new_guest(f, "web", &info);
    guests_pause(f->guests, "web", true, error, sizeof(error));
    guests_pause(f->guests, "web", true, error, sizeof(error));
    guests_pause(f->guests, "web", false, error, sizeof(error));
    guests_detach(f->guests, "web", error, sizeof(error));
    stack_run(f);
    attach(f, "web", &info);
    xengt_sim_domain_destroy(f->sim, info.domid);
    host_sim_notice_deaths(f->host);
    stack_run(f);
    assert_event(f, 1, GUESTS_EVENT_ATTACHED);
    assert_event(f, 2, GUESTS_EVENT_PAUSED);
    assert_event(f, 3, GUESTS_EVENT_RESUMED);
    assert_event(f, 4, GUESTS_EVENT_DETACHED);
    assert_event(f, 5, GUESTS_EVENT_ATTACHED);
    assert_event(f, 6, GUESTS_EVENT_DIED);
    assert_int_equal(guests_last_event(f->guests), 6);
    assert_int_equal(calls, 6);
    assert_false(guests_event(f->guests, 0, &event));
    assert_false(guests_event(f->guests, 7, &event));
}

TEST(the_last_events_are_kept)
{
    struct stack *f = *state;
    struct guests_event event;
    struct guest_info info;
    char error[128];

    new_guest(f, "web", &info);
    for (unsigned i = 0; i < GUESTS_EVENTS_KEPT; i++)
        guests_pause(f->guests, "web", !(i % 2), error, sizeof(error));
    assert_int_equal(guests_last_event(f->guests), GUESTS_EVENTS_KEPT + 1);
    assert_false(guests_event(f->guests, 1, &event));
    for (uint64_t i = 0; i < GUESTS_EVENTS_KEPT; i++)
        assert_event(f, i + 2, i % 2 ? GUESTS_EVENT_RESUMED : GUESTS_EVENT_PAUSED);
}

/* --- mappings ---------------------------------------------------------------------------- */

static void count_mapping(void *arg, const struct guests_mapping *m)
{
    (void)m;
    ++*(unsigned *)arg;
}

TEST(mappings_are_told_in_portions)
{
    struct stack *f = *state;
    struct guest_info info;
    unsigned told = 0, portions = 0;
    uint32_t next = 0;
    char error[128];
    int ret;

    new_guest(f, "web", &info);
    guest_maps(f, &info, 1, 10);
    settle(f, "web");
    do {
        unsigned before = told;

        ret = guests_mappings_some(f->guests, "web", &next, 4, count_mapping, &told, error,
                                   sizeof(error));
        assert_in_range(told - before, 1, 4);
        portions++;
    } while (ret > 0);
    assert_int_equal(ret, 0);
    assert_int_equal(told, 10);
    assert_int_equal(portions, 3);
}
