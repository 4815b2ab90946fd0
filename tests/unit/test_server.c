/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server with everything below it real, over the simulator: who can be attached, what a
 * detach leaves, and what happens when a domain dies.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <xengt/sim.h>
#include <xengt/target.h>
#include <xengt/xengt.h>

#include "cmocka_all.h"
#include "gpu/dma.h"
#include "server/server.h"

#define MMIO_BASE   UINT64_C(0xe0000000)
#define GTT_ENTRIES 65536u
#define PTE_FLAGS   UINT64_C(3) /* present, writeable */
#define DEFER_MS    20u

struct fixture {
    struct event_base *base; /* NULL: the test drives the turns */
    struct xengt_sim *sim;
    struct xengt *xg;
    struct gpu *gpu;
    struct host *host;
    struct server *server;
    char error[256];
};

static bool gpu_holds(void *arg, struct xengt_bfn bfn)
{
    struct gpu *gpu = arg;

    return gpu->ops->holds(gpu, bfn.v);
}

static void open_fixture(struct fixture *f)
{
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = f->sim};
    const struct gpu_soft_options gpu = {.gtt_entries = GTT_ENTRIES, .eager = true};
    struct server_config config = {
        .base = f->base,
        .mmio_base = MMIO_BASE,
        .mappable_pages = 256,
        .unmappable_pages = 512,
        .space = {.defer_ms = DEFER_MS},
    };
    struct dma_port *port;

    assert_int_equal(xengt_open(&f->xg, &options, f->error, sizeof(f->error)), 0);
    assert_int_equal(dma_sim_open(f->sim, &port), 0);
    assert_int_equal(gpu_soft_open(port, &gpu, &f->gpu), 0);
    xengt_sim_on_unmap(f->sim, gpu_holds, f->gpu);
    assert_int_equal(host_sim_open(f->sim, &f->host), 0);
    config.xengt = f->xg;
    config.gpu = f->gpu;
    config.host = f->host;
    assert_int_equal(server_create(&config, &f->server), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->sim = xengt_sim_new();
    open_fixture(f);
    *state = f;
    return 0;
}

static int setup_with_loop(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->base = event_base_new();
    f->sim = xengt_sim_new();
    open_fixture(f);
    *state = f;
    return 0;
}

/* After every test: no rule was broken, and nothing is mapped once the server is gone. */
static int teardown(void **state)
{
    struct fixture *f = *state;
    struct xengt_sim_stats stats;
    uint32_t domid;

    server_destroy(f->server);
    assert_int_equal(xengt_target_list(f->xg, &domid, 1), 0);
    xengt_sim_get_stats(f->sim, &stats);
    assert_int_equal(stats.mapped, 0);
    assert_string_equal(xengt_sim_violation(f->sim), "");
    assert_int_equal(stats.violations, 0);
    f->host->ops->close(f->host);
    xengt_sim_on_unmap(f->sim, NULL, NULL);
    f->gpu->ops->close(f->gpu);
    xengt_close(f->xg);
    xengt_sim_free(f->sim);
    if (f->base) {
        event_base_free(f->base);
    }
    free(f);
    return 0;
}

static uint32_t new_domain(struct fixture *f, const char *name)
{
    const struct xengt_sim_domain config = {.name = name, .pages = 1024};
    uint32_t domid = 0;

    assert_int_equal(xengt_sim_domain_create(f->sim, &config, &domid), 0);
    return domid;
}

static void attach(struct fixture *f, const char *domain, struct server_vgpu_info *info)
{
    int rc = server_attach(f->server, domain, info, f->error, sizeof(f->error));

    if (rc) {
        fail_msg("%s", f->error);
    }
}

static void assert_attach_fails(struct fixture *f, const char *domain, int rc, const char *part)
{
    struct server_vgpu_info info;

    assert_int_equal(server_attach(f->server, domain, &info, f->error, sizeof(f->error)), rc);
    if (!strstr(f->error, part) || strchr(f->error, '\n')) {
        fail_msg("\"%s\" does not say \"%s\"", f->error, part);
    }
}

static void refresh(struct fixture *f, const char *domain, struct server_vgpu_info *info)
{
    assert_int_equal(server_info(f->server, domain, info, f->error, sizeof(f->error)), 0);
}

/* Until what the guest stored is committed, which no access of it makes urgent here. */
static void settle(struct fixture *f, const char *domain)
{
    struct server_vgpu_info info;

    for (int i = 0; i < 200; i++) {
        server_turn(f->server);
        refresh(f, domain, &info);
        if (!info.gtt.pending) {
            return;
        }
        usleep(5000);
    }
    fail_msg("%u stores are still pending after a second", info.gtt.pending);
}

/* The guest's driver stores n entries, the first ones of its mappable window. */
static void guest_stores(struct fixture *f, const struct server_vgpu_info *info, uint64_t first,
                         uint64_t step, unsigned n)
{
    uint64_t table = MMIO_BASE + VGPU_GTT_OFFSET + 8 * info->mappable.first;

    for (unsigned i = 0; i < n; i++) {
        host_sim_mmio_write(f->host, info->domid, table + 8 * i, first + i * step, 8);
    }
    host_sim_end_of_turn(f->host, info->domid);
}

static void guest_maps(struct fixture *f, const struct server_vgpu_info *info, uint64_t gfn,
                       unsigned n)
{
    guest_stores(f, info, gfn << 12 | PTE_FLAGS, 1u << 12, n);
    settle(f, info->name);
}

static void guest_clears(struct fixture *f, const struct server_vgpu_info *info, unsigned n)
{
    guest_stores(f, info, 0, 0, n);
    settle(f, info->name);
}

/* --- who can be attached -------------------------------------------------------------------- */

static void test_attach_and_detach(void **state)
{
    struct fixture *f = *state;
    uint32_t domid = new_domain(f, "web");
    struct server_vgpu_info info, listed;
    char number[16];

    attach(f, "web", &info);
    assert_int_equal(info.domid, domid);
    assert_string_equal(info.name, "web");
    assert_int_equal(info.mappable.count, 256);
    assert_int_equal(info.unmappable.count, 512);
    assert_null(info.failsafe);
    assert_false(info.paused);
    assert_true(server_list(f->server, 0, &listed));
    assert_int_equal(listed.domid, domid);
    assert_false(server_list(f->server, 1, &listed));

    snprintf(number, sizeof(number), "%u", domid);
    refresh(f, number, &info);
    assert_int_equal(server_detach(f->server, number, f->error, sizeof(f->error)), 0);
    assert_false(server_list(f->server, 0, &listed));
    assert_int_equal(server_detach(f->server, "web", f->error, sizeof(f->error)), -ENOENT);
    assert_string_equal(f->error, "domain 'web': has no vGPU");
}

static void test_no_such_domain(void **state)
{
    struct fixture *f = *state;

    assert_attach_fails(f, "nope", -ENOENT, "domain 'nope': no such domain");
    assert_attach_fails(f, "77", -ENOENT, "domain '77': no such domain");
    assert_attach_fails(f, "", -ENOENT, "no such domain");
    assert_attach_fails(f, "99999999999999999999", -ENOENT, "no such domain");
    assert_attach_fails(f, "a\nb", -ENOENT, "domain 'a?b'");
}

static void test_attach_twice(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    assert_attach_fails(f, "web", -EEXIST, "has a vGPU already");
    refresh(f, "web", &info); /* it is as it was */
}

static void test_unsafe_domains(void **state)
{
    struct fixture *f = *state;
    const struct xengt_sim_domain pv = {.name = "old", .pages = 64, .pv = true};
    const struct xengt_sim_domain shadow = {.name = "slow", .pages = 64, .no_hap = true};
    uint32_t domid;

    assert_int_equal(xengt_sim_domain_create(f->sim, &pv, &domid), 0);
    assert_int_equal(xengt_sim_domain_create(f->sim, &shadow, &domid), 0);
    assert_attach_fails(f, "old", -EOPNOTSUPP, "domain 'old' (");
    assert_attach_fails(f, "slow", -EOPNOTSUPP, "hardware assisted paging");
    assert_int_equal(xengt_target_list(f->xg, &domid, 1), 0);
}

static void test_windows(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info infos[SERVER_VGPUS_MAX];
    bool taken[GTT_ENTRIES] = {false};
    char name[16];

    for (unsigned i = 0; i < SERVER_VGPUS_MAX; i++) {
        snprintf(name, sizeof(name), "vm%u", i);
        new_domain(f, name);
        attach(f, name, &infos[i]);
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
    assert_int_equal(server_detach(f->server, "vm3", f->error, sizeof(f->error)), 0);
    attach(f, "more", &infos[0]);
    assert_int_equal(infos[0].id, infos[3].id);
    assert_int_equal(infos[0].mappable.first, infos[3].mappable.first);
}

/* The windows are another's already: what was done before that is undone. */
static void test_attach_that_fails_midway(void **state)
{
    const struct gpu_range ranges[GPU_RANGES] = {{.first = 0, .count = 16}};
    struct fixture *f = *state;
    struct gpu_client *client;
    struct server_vgpu_info info;
    uint32_t domid;

    new_domain(f, "web");
    assert_int_equal(f->gpu->ops->client_open(f->gpu, ranges, &client), 0);
    assert_attach_fails(f, "web", -ENOSPC, "no vGPU could be made");
    assert_false(server_list(f->server, 0, &info));
    assert_int_equal(xengt_target_list(f->xg, &domid, 1), 0);

    f->gpu->ops->client_close(client);
    attach(f, "web", &info);
}

/* --- a guest at work ------------------------------------------------------------------------ */

struct seen {
    unsigned n;
    uint64_t first_gfn;
};

static void see(void *arg, const struct server_mapping *m)
{
    struct seen *seen = arg;

    if (!seen->n++) {
        seen->first_gfn = m->gfn;
    }
}

static void test_mappings(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;
    struct seen seen = {0};

    new_domain(f, "web");
    attach(f, "web", &info);
    guest_maps(f, &info, 16, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.gtt.present, 8);
    assert_int_equal(info.space.in_use, 8);
    assert_int_equal(info.space.map_calls, 1); /* a turn is a batch */
    assert_int_equal(info.host.turns, 1);
    assert_int_equal(server_verify(f->server, "web", f->error, sizeof(f->error)), 0);
    assert_int_equal(server_mappings(f->server, "web", see, &seen, f->error, sizeof(f->error)), 0);
    assert_int_equal(seen.n, 8);
    assert_int_equal(seen.first_gfn, 16);
    assert_int_equal(server_verify(f->server, "db", f->error, sizeof(f->error)), -ENOENT);
}

static void test_layout_change_is_heard(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    assert_int_equal(xengt_sim_balloon_out(f->sim, info.domid, (struct xengt_gfn){40}), 0);
    refresh(f, "web", &info);
    assert_int_equal(info.host.invalidates, 1);
}

static void test_nobody_home(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    new_domain(f, "db");
    attach(f, "web", &info);
    assert_true(host_sim_mmio_read(f->host, 2, MMIO_BASE, 4) == UINT64_MAX);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE - 4, 4) == UINT64_MAX);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE + VGPU_MMIO_SIZE - 2, 4) ==
                UINT64_MAX);
    assert_int_equal(server_detach(f->server, "web", f->error, sizeof(f->error)), 0);
    assert_true(host_sim_mmio_read(f->host, info.domid, MMIO_BASE, 4) == UINT64_MAX);
}

static void test_pause(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    assert_int_equal(server_pause(f->server, "web", true, f->error, sizeof(f->error)), 0);
    refresh(f, "web", &info);
    assert_true(info.paused);
    assert_int_equal(server_pause(f->server, "web", false, f->error, sizeof(f->error)), 0);
    refresh(f, "web", &info);
    assert_false(info.paused);
}

/* What is kept for a user who may come back goes when the time is over. */
static void test_kept_mappings_expire(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    guest_maps(f, &info, 16, 8);
    guest_clears(f, &info, 8);
    refresh(f, "web", &info);
    assert_int_equal(info.space.deferred, 8);
    for (int i = 0; i < 100 && info.space.deferred; i++) {
        usleep(DEFER_MS * 1000 / 4);
        server_turn(f->server);
        refresh(f, "web", &info);
    }
    assert_int_equal(info.space.deferred, 0);
    assert_int_equal(info.space.mapped, 0);
}

/* --- the end of a domain -------------------------------------------------------------------- */

static void test_death_releases_everything(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    guest_maps(f, &info, 16, 32);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, info.domid), 0);
    assert_true(xengt_sim_domain_is_zombie(f->sim, info.domid));

    host_sim_notice_deaths(f->host);
    assert_true(server_list(f->server, 0, &info)); /* not in the middle of the host's work */
    host_sim_notice_deaths(f->host);               /* told once */
    server_turn(f->server);
    assert_false(server_list(f->server, 0, &info));
    assert_false(xengt_sim_domain_exists(f->sim, info.domid));
}

static void test_same_name_again(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info first, second;

    new_domain(f, "web");
    attach(f, "web", &first);
    guest_maps(f, &first, 16, 4);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, first.domid), 0);
    host_sim_notice_deaths(f->host);
    server_turn(f->server);
    new_domain(f, "web");
    attach(f, "web", &second);
    assert_int_not_equal(first.domid, second.domid);
    guest_maps(f, &second, 16, 4);
    assert_int_equal(server_verify(f->server, "web", f->error, sizeof(f->error)), 0);
}

static void test_others_live_on(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info web, db;

    new_domain(f, "web");
    new_domain(f, "db");
    attach(f, "web", &web);
    attach(f, "db", &db);
    guest_maps(f, &web, 16, 4);
    guest_maps(f, &db, 16, 4);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, web.domid), 0);
    host_sim_notice_deaths(f->host);
    server_turn(f->server);
    refresh(f, "db", &db);
    assert_int_equal(db.gtt.present, 4);
    assert_int_equal(server_verify(f->server, "db", f->error, sizeof(f->error)), 0);
}

/* --- with an event loop --------------------------------------------------------------------- */

static void run_loop(struct fixture *f, unsigned ms)
{
    const struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_base_loopexit(f->base, &patience);
    event_base_dispatch(f->base);
}

static void test_loop_does_the_turns(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 8);
    run_loop(f, 300);
    refresh(f, "web", &info);
    assert_int_equal(info.space.in_use, 8);

    assert_int_equal(xengt_sim_domain_destroy(f->sim, info.domid), 0);
    host_sim_notice_deaths(f->host);
    run_loop(f, 300);
    assert_false(server_list(f->server, 0, &info));
}

/* With nothing to do there is nothing to wake up for: the loop ends when no event is left. */
static void test_loop_falls_asleep(void **state)
{
    struct fixture *f = *state;
    struct server_vgpu_info info;

    new_domain(f, "web");
    attach(f, "web", &info);
    guest_stores(f, &info, 16 << 12 | PTE_FLAGS, 1u << 12, 8);
    event_base_dispatch(f->base);
    guest_stores(f, &info, 0, 0, 8);
    event_base_dispatch(f->base);
    refresh(f, "web", &info);
    assert_int_equal(info.gtt.pending, 0);
    assert_int_equal(info.space.mapped, 0);
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, teardown)
#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup_with_loop, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_attach_and_detach),
        TEST(test_no_such_domain),
        TEST(test_attach_twice),
        TEST(test_unsafe_domains),
        TEST(test_windows),
        TEST(test_attach_that_fails_midway),
        TEST(test_mappings),
        TEST(test_layout_change_is_heard),
        TEST(test_nobody_home),
        TEST(test_pause),
        TEST(test_kept_mappings_expire),
        TEST(test_death_releases_everything),
        TEST(test_same_name_again),
        TEST(test_others_live_on),
        LOOP_TEST(test_loop_does_the_turns),
        LOOP_TEST(test_loop_falls_asleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
