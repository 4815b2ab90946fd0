/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the guests share: a host in the process with everything below the guests real,
 * over the simulator, and guests that make accesses.
 */
#ifndef XENGT_TESTS_SERVER_FIXTURE_H
#define XENGT_TESTS_SERVER_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <xengt/sim.h>
#include <xengt/target.h>
#include <xengt/xengt.h>

#include "gpu/dma/dma.h"
#include "guests/guests.h"
#include "support/test.h"

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
    struct guests *guests;
    bool lazy;
    uint32_t gtt_entries; /* 0: GTT_ENTRIES */
    char error[384];
};

static inline bool gpu_holds(void *arg, struct xengt_bfn bfn)
{
    struct gpu *gpu = arg;

    return gpu->ops->holds(gpu, bfn.v);
}

static inline void open_fixture(struct fixture *f)
{
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = f->sim};
    const struct gpu_soft_options gpu = {
        .gtt_entries = f->gtt_entries ? f->gtt_entries : GTT_ENTRIES,
        .eager = true,
    };
    struct guests_config config = {
        .base = f->base,
        .mmio_base = MMIO_BASE,
        .mappable_pages = 256,
        .unmappable_pages = 512,
        .space = {.defer_ms = DEFER_MS},
        .lazy_ggtt = f->lazy,
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
    assert_int_equal(guests_create(&config, &f->guests), 0);
}

static inline int setup_like(void **state, struct fixture like)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    *f = like;
    f->sim = xengt_sim_new();
    open_fixture(f);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    return setup_like(state, (struct fixture){0});
}

/* After every test: no rule was broken, and nothing is mapped once the guests is gone. */
static inline int teardown(void **state)
{
    struct fixture *f = *state;
    struct xengt_sim_stats stats;
    uint32_t domid;

    guests_destroy(f->guests);
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

static inline uint32_t new_domain(struct fixture *f, const char *name)
{
    const struct xengt_sim_domain config = {.name = name, .pages = 1024};
    uint32_t domid = 0;

    assert_int_equal(xengt_sim_domain_create(f->sim, &config, &domid), 0);
    return domid;
}

static inline void attach_type(struct fixture *f, const char *domain, const char *type,
                               struct guest_info *info)
{
    int ret = guests_attach(f->guests, domain, type, info, f->error, sizeof(f->error));

    if (ret) {
        fail_msg("%s", f->error);
    }
}

static inline void attach(struct fixture *f, const char *domain, struct guest_info *info)
{
    attach_type(f, domain, NULL, info);
}

/* A new domain, attached. */
static inline void new_guest(struct fixture *f, const char *name, struct guest_info *info)
{
    new_domain(f, name);
    attach(f, name, info);
}

static inline void assert_attach_fails(struct fixture *f, const char *domain, int ret,
                                       const char *part)
{
    struct guest_info info;

    assert_int_equal(guests_attach(f->guests, domain, NULL, &info, f->error, sizeof(f->error)),
                     ret);
    if (!strstr(f->error, part) || strchr(f->error, '\n')) {
        fail_msg("\"%s\" does not say \"%s\"", f->error, part);
    }
}

static inline void refresh(struct fixture *f, const char *domain, struct guest_info *info)
{
    assert_int_equal(guests_info(f->guests, domain, info, f->error, sizeof(f->error)), 0);
}

/* Until what the guest stored is committed, which no access of it makes urgent here. */
static inline void settle(struct fixture *f, const char *domain)
{
    struct guest_info info;

    for (int i = 0; i < 200; i++) {
        guests_turn(f->guests);
        refresh(f, domain, &info);
        if (!info.gtt.pending) {
            return;
        }
        usleep(5000);
    }
    fail_msg("%u stores are still pending after a second", info.gtt.pending);
}

/* The guest's driver stores n entries, the first ones of its mappable window. */
static inline void guest_stores(struct fixture *f, const struct guest_info *info, uint64_t first,
                                uint64_t step, unsigned n)
{
    uint64_t table = MMIO_BASE + VGPU_GTT_OFFSET + 8 * info->mappable.first;

    for (unsigned i = 0; i < n; i++) {
        host_sim_mmio_write(f->host, info->domid, table + 8 * i, first + i * step, 8);
    }
    host_sim_end_of_turn(f->host, info->domid);
}

static inline void guest_maps(struct fixture *f, const struct guest_info *info, uint64_t gfn,
                              unsigned n)
{
    guest_stores(f, info, gfn << 12 | PTE_FLAGS, 1u << 12, n);
    settle(f, info->name);
}

static inline void guest_clears(struct fixture *f, const struct guest_info *info, unsigned n)
{
    guest_stores(f, info, 0, 0, n);
    settle(f, info->name);
}

static inline uint32_t reg_read(struct fixture *f, uint32_t domid, uint64_t base, uint32_t reg)
{
    return (uint32_t)host_sim_mmio_read(f->host, domid, base + reg, 4);
}

static inline void reg_write(struct fixture *f, uint32_t domid, uint32_t reg, uint32_t value)
{
    host_sim_mmio_write(f->host, domid, MMIO_BASE + reg, value, 4);
}

#endif
