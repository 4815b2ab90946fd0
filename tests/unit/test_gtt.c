/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The shadow GTT, where the model's random operations do not come by: a guest that stores to its
 * tables while they are being looked at.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include <xengt/sim.h>
#include <xengt/space.h>
#include <xengt/target.h>
#include <xengt/xengt.h>

#include "gtt/gtt.h"
#include "table_gpu.h"

#define GUEST_PAGES 64u
#define ENTRIES     64u

/* The guest's page tables: one of each level, and pages that the last one points to. */
enum { PML4 = 1, PDPT, PD, PT = 10, OTHER_PT = 20, PAGE_OF_PT = 40 };

#define ENTRY(gfn) ((uint64_t)(gfn) << 12 | 3)

struct fixture {
    struct xengt_sim *sim;
    struct xengt *xengt;
    struct xengt_space *space;
    struct table_gpu gpu;
    struct gtt *gtt;
    uint32_t domid;
    bool armed; /* the guest's other CPU waits for its table to be tracked */
};

static uint64_t *table(struct fixture *f, uint64_t gfn)
{
    return xengt_sim_guest_page(f->sim, f->domid, (struct xengt_gfn){gfn});
}

/* Another CPU of the guest stores in the moment before tracking begins. */
static int track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    struct fixture *f = arg;
    for (size_t i = 0; i < n; i++) {
        if (on && f->armed && gfn[i].v == PD) {
            f->armed = false;
            table(f, PD)[0] = ENTRY(OTHER_PT);
        }
    }
    return 0;
}

static int setup(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    struct xengt_bfn scratch;
    char error[256];
    void *page;

    *f = (struct fixture){.sim = xengt_sim_new()};
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = f->sim};
    assert_int_equal(xengt_open(&f->xengt, &options, error, sizeof(error)), 0);
    assert_int_equal(xengt_sim_own_frame(f->sim, &scratch, &page), 0);
    assert_int_equal(table_gpu_init(&f->gpu, ENTRIES, xengt_bfn_to_addr(scratch), true), 0);
    const struct xengt_sim_domain guest = {.name = "guest", .pages = GUEST_PAGES};
    assert_int_equal(xengt_sim_domain_create(f->sim, &guest, &f->domid), 0);
    assert_int_equal(xengt_target_add(f->xengt, f->domid), 0);
    assert_int_equal(xengt_space_open(f->xengt, f->domid, NULL, &f->space), 0);
    const struct gtt_config config = {
        .xengt = f->xengt,
        .space = f->space,
        .gpu = &f->gpu.base,
        .tracker = {.track = track, .arg = f},
        .mappable = {0, 16},
        .oos_max = 4,
    };
    assert_int_equal(gtt_create(&config, &f->gtt), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    gtt_destroy(f->gtt);
    xengt_space_close(f->space);
    xengt_close(f->xengt);
    table_gpu_fini(&f->gpu);
    xengt_sim_free(f->sim);
    return 0;
}

static void submit(struct fixture *f)
{
    static const uint32_t noop = 0;
    const struct gpu_buffer buffer = {.dw = &noop, .count = 1, .run = true};
    const struct gtt_workload workload = {
        .engine = GPU_RCS,
        .root = {.levels = 4, .pdp = {(uint64_t)PML4 << 12}},
        .buffer = &buffer,
        .buffers = 1,
    };
    assert_int_equal(gtt_submit(f->gtt, &workload), 0);
}

static void assert_clean(struct fixture *f)
{
    char finding[256] = "";
    if (gtt_verify(f->gtt, finding, sizeof(finding))) {
        fail_msg("%s", finding);
    }
}

/*
 * One comparison finds a table changed, protects it and compares again, and in between the guest
 * changes the same entry once more: two changes of one entry in a batch, and the page table that
 * the first one brought is still given up only once.
 */
static void test_entry_changes_twice_in_a_batch(void **state)
{
    struct fixture *f = *state;
    table(f, PML4)[0] = ENTRY(PDPT);
    table(f, PDPT)[0] = ENTRY(PD);
    table(f, PD)[0] = ENTRY(PT);
    table(f, PT)[0] = ENTRY(PAGE_OF_PT);
    submit(f);
    assert_clean(f);

    f->armed = true;
    for (unsigned i = 0; i < 8; i++) {
        table(f, PD)[i] = ENTRY(PT + 1 + i);
    }
    gtt_commit(f->gtt);
    assert_clean(f);

    assert_false(f->armed);
    table(f, PML4)[0] = 0;
    gtt_commit(f->gtt);
    assert_clean(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entry_changes_twice_in_a_batch, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
