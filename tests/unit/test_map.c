/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets, plain maps, and what is passed to them by mistake, over the simulator. */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>

#include <xengt/grant.h>

#include "handle.h"
#include "space_fixture.h"

/* --- targets ----------------------------------------------------------------------------- */

SPACE_TEST(only_targets_are_mapped)
{
    struct fixture *f = *state;
    uint32_t other = domain(f, "other", false, false);
    struct xengt_gfn gfn = {0};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    struct xengt_space *space;
    uint64_t before = sim_stats(f).hypercalls;
    assert_int_equal(xengt_map(f->xg, other, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), -EPERM);
    assert_int_equal(xengt_space_open(f->xg, other, NULL, &space), -EPERM);
    assert_true(sim_stats(f).hypercalls == before);
}

SPACE_TEST(a_target_must_be_mappable)
{
    struct fixture *f = *state;
    assert_int_equal(xengt_target_add(f->xg, domain(f, "pv", true, false)), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "PV"));
    assert_int_equal(xengt_target_add(f->xg, domain(f, "shadow", false, true)), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "hap"));
    assert_int_equal(xengt_target_add(f->xg, 4711), -ESRCH);
    assert_int_equal(xengt_target_add(f->xg, f->domid), -EEXIST);
    assert_int_equal(xengt_target_remove(f->xg, 4711), -ENOENT);
}

SPACE_TEST(what_xen_does_not_follow_is_refused)
{
    struct fixture *f = *state;
    uint32_t domid;
    struct xengt_sim_domain cfg = {.name = "views", .pages = 1, .altp2m = true};
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    assert_int_equal(xengt_target_add(f->xg, domid), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "altp2m"));
    cfg = (struct xengt_sim_domain){.name = "host", .pages = 1, .nested = true};
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    assert_int_equal(xengt_target_add(f->xg, domid), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "nested"));
    cfg = (struct xengt_sim_domain){.name = "later", .pages = 1, .on_demand = true};
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    assert_int_equal(xengt_target_add(f->xg, domid), -EOPNOTSUPP);
    assert_non_null(strstr(xengt_last_error(f->xg), "on demand"));
}

/* The target dies, and another domain gets its domid: nothing of that is mapped, or asked for. */
SPACE_TEST(another_domain_of_the_same_domid_is_not_the_target)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn = {3};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    uint32_t dead = 0;
    uint32_t domid;
    assert_int_equal(xengt_target_dead(f->xg, &dead, 1), 0);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, f->domid), 0);
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW),
                     -ESRCH);
    const struct xengt_sim_domain cfg = {.name = "heir", .pages = PAGES, .domid = f->domid};
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    assert_int_equal(domid, f->domid);
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), -EEXIST);
    uint64_t before = sim_stats(f).hypercalls;
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW),
                     -ESRCH);
    assert_int_equal(get(f, 3, &bfn), -ESRCH);
    assert_true(bfn.v == XENGT_BFN_INVALID.v);
    assert_true(sim_stats(f).hypercalls == before);
    assert_int_equal(xengt_target_dead(f->xg, &dead, 1), 1);
    assert_int_equal(dead, f->domid);
    xengt_space_close(f->space);
    assert_int_equal(xengt_target_remove(f->xg, f->domid), 0);
    assert_int_equal(xengt_target_add(f->xg, f->domid), 0);
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
}

/* While a page is mapped its domain keeps the domid, however dead it is. */
SPACE_TEST(a_mapping_holds_the_domid)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    uint32_t domid;
    assert_int_equal(get(f, 3, &bfn), 0);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, f->domid), 0);
    const struct xengt_sim_domain cfg = {.name = "heir", .pages = 1, .domid = f->domid};
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), -EEXIST);
    assert_int_equal(xengt_target_dead(f->xg, NULL, 0), 1);
}

/* --- a domain that changes in the middle of a call --------------------------------------- */

static struct {
    const struct hv_ops *real;
    struct fixture *f;
    unsigned swap_at; /* the question about a domain after whose answer it is another one */
    struct xengt *xg; /* what a log calls into */
    int from_log;
} meddler;

static int info_and_swap(struct hv *hv, uint32_t domid, struct xengt_target_info *info)
{
    int ret = meddler.real->domain_info(hv, domid, info);
    if (meddler.swap_at && --meddler.swap_at == 0) {
        const struct xengt_sim_domain cfg = {.name = "heir", .pages = PAGES, .domid = domid};
        uint32_t same;
        assert_int_equal(xengt_sim_domain_destroy(meddler.f->sim, domid), 0);
        assert_int_equal(xengt_sim_domain_create(meddler.f->sim, &cfg, &same), 0);
    }
    return ret;
}

static void meddle(struct fixture *f)
{
    static struct hv_ops ops;
    meddler.real = f->xg->hv->ops;
    meddler.f = f;
    ops = *meddler.real;
    ops.domain_info = info_and_swap;
    f->xg->hv->ops = &ops;
}

/* Between the question who it is and the first page that is mapped. */
SPACE_TEST(nothing_of_an_heir_is_mapped)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[2] = {{3}, {4}};
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    int err[2];
    meddle(f);
    for (int plain = 0; plain < 2; plain++) {
        meddler.swap_at = 1;
        int ret = plain ? xengt_map(f->xg, f->domid, gfn, bfn, cookie, err, 2, XENGT_PROT_RW)
                        : xengt_space_get(f->space, gfn, bfn, err, 2);
        assert_int_equal(ret, 0);
        assert_true(err[0] == -ESRCH && err[1] == -ESRCH);
        assert_true(bfn[0].v == XENGT_BFN_INVALID.v && bfn[1].v == XENGT_BFN_INVALID.v);
        assert_true(sim_stats(f).mapped == 0 && space_stats(f).mapped == 0);
        assert_int_equal(xengt_mappings(f->xg, NULL, 0), 0);
        xengt_space_close(f->space);
        assert_int_equal(xengt_target_remove(f->xg, f->domid), 0);
        assert_int_equal(xengt_target_add(f->xg, f->domid), 0);
        assert_int_equal(xengt_space_open(f->xg, f->domid, NULL, &f->space), 0);
    }
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 2, XENGT_PROT_RW), 0);
}

/* Xen would take the lower 16 bits of it, and a record has no more. */
SPACE_TEST(a_number_that_is_no_domain_is_refused)
{
    struct fixture *f = *state;
    static const uint32_t strange[] = {0x7ff0, 0x7fff, 0x10000, 0x10001, UINT32_MAX};
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        struct xengt_target_info info;
        struct xengt_bfn bfn;
        struct xengt_cookie cookie;
        const uint32_t ref = 0;
        uint64_t before = sim_stats(f).hypercalls;
        assert_int_equal(xengt_domain_info(f->xg, strange[i], &info), -ESRCH);
        assert_int_equal(xengt_target_add(f->xg, strange[i]), -ESRCH);
        assert_int_equal(xengt_backend_assign(f->xg, strange[i], f->domid), -ESRCH);
        assert_int_equal(xengt_backend_assign(f->xg, f->domid, strange[i]), -ESRCH);
        assert_int_equal(
            xengt_map_offered(f->xg, strange[i], &ref, &bfn, &cookie, NULL, 1, XENGT_PROT_RW),
            -ESRCH);
        assert_true(sim_stats(f).hypercalls == before);
    }
}

SPACE_TEST(what_is_unsafe_is_not_assigned_either)
{
    struct fixture *f = *state;
    uint32_t domid;
    const struct xengt_sim_domain cfg = {.name = "views", .pages = 1, .altp2m = true};
    assert_int_equal(xengt_sim_domain_create(f->sim, &cfg, &domid), 0);
    assert_int_equal(xengt_backend_assign(f->xg, domain(f, "driver", false, false), domid),
                     -EOPNOTSUPP);
}

static void call_from_log(void *arg, int level, const char *line)
{
    const struct xengt_gfn gfn = {3};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    (void)arg;
    (void)level;
    (void)line;
    if (meddler.xg) {
        meddler.from_log =
            xengt_map(meddler.xg, meddler.f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW);
    }
}

static int set_up_log(void **state)
{
    meddler.xg = NULL;
    return set_up_with(state, &(struct xengt_options){.log = call_from_log}, NULL);
}

TEST_WITH(a_log_cannot_call_the_library, set_up_log, tear_down)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn = {3};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    meddler.f = f;
    meddler.xg = f->xg;
    xengt_sim_fail_hypercall(f->sim, 1, -EXFULL);
    /* An answer that the header does not have is logged, and told as one that it has. */
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), -EIO);
    assert_int_equal(meddler.from_log, -EDEADLK);
    meddler.xg = NULL;
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
}

SPACE_TEST(a_window_beyond_all_is_refused)
{
    struct fixture *f = *state;
    struct xengt *xg;
    static const struct xengt_options bad[] = {
        {.window_base = UINT64_MAX - 511, .window_pages = 1024},
        {.window_base = 1, .window_pages = 512},
        {.window_base = 0x1fffff, .window_pages = 2},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xengt_options options = bad[i];
        options.backend = XENGT_BACKEND_SIM;
        options.sim = f->sim;
        assert_int_equal(xengt_open(&xg, &options, NULL, 0), -EINVAL);
    }
}

SPACE_TEST(a_backend_domain_has_one_target_for_good)
{
    struct fixture *f = *state;
    uint32_t driver = domain(f, "driver", false, false);
    uint32_t other = domain(f, "other", false, false);
    assert_int_equal(xengt_backend_assign(f->xg, driver, 4711), -ESRCH);
    assert_int_equal(xengt_backend_assign(f->xg, driver, driver), -EINVAL);
    assert_int_equal(xengt_backend_assign(f->xg, driver, domain(f, "pv", true, false)),
                     -EOPNOTSUPP);
    assert_int_equal(xengt_backend_assign(f->xg, driver, f->domid), 0);
    assert_int_equal(xengt_backend_assign(f->xg, driver, other), -EINVAL);
}

SPACE_TEST(a_target_in_use_stays)
{
    struct fixture *f = *state;
    uint32_t list[4];
    assert_int_equal(xengt_target_remove(f->xg, f->domid), -EBUSY);
    xengt_space_close(f->space);
    struct xengt_gfn gfn = {3};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_target_remove(f->xg, f->domid), -EBUSY);
    assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), 0);
    assert_int_equal(xengt_target_remove(f->xg, f->domid), 0);
    assert_int_equal(xengt_target_list(f->xg, list, 4), 0);
}

/* --- plain maps -------------------------------------------------------------------------- */

SPACE_TEST(a_mapped_page_is_the_guests)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn = {7};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    char text[8];
    void *view;
    strcpy(xengt_sim_guest_page(f->sim, f->domid, gfn), "hello");
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), text, sizeof(text)), 0);
    assert_string_equal(text, "hello");
    assert_int_equal(xengt_view(f->xg, bfn, &view), 0);
    assert_string_equal(view, "hello");
    assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), 0);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), text, 1), -EFAULT);
    assert_int_equal(xengt_view(f->xg, bfn, &view), -ENOENT);
}

SPACE_TEST(err_makes_entries_independent)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[4] = {{1}, {PAGES}, {2}, {XENGT_GFN_MAX + 1}};
    struct xengt_bfn bfn[4];
    struct xengt_cookie cookie[4];
    int err[4];
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, err, 4, XENGT_PROT_RW), 0);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -EINVAL);
    assert_int_equal(err[2], 0);
    assert_int_equal(err[3], -EINVAL);
    assert_true(bfn[1].v == XENGT_BFN_INVALID.v);
    assert_int_equal(xengt_unmap(f->xg, cookie, err, 4), 0);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -ENOENT);
}

SPACE_TEST(without_err_it_is_all_or_nothing)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[3] = {{1}, {2}, {PAGES}};
    struct xengt_bfn bfn[3];
    struct xengt_cookie cookie[3];
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 3, XENGT_PROT_RW), -EINVAL);
    assert_true(bfn[0].v == XENGT_BFN_INVALID.v);
    assert_true(sim_stats(f).mapped == 0);
    assert_int_equal(xengt_space_get(f->space, gfn, bfn, NULL, 3), -EINVAL);
    assert_int_equal(space_stats(f).in_use, 0);
}

SPACE_TEST(odd_arguments_are_defined)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[2] = {{5}, {5}};
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    assert_int_equal(xengt_map(f->xg, f->domid, NULL, NULL, NULL, NULL, 0, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 1, 0), -EINVAL);
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 1, XENGT_PROT_READ),
                     -EOPNOTSUPP);
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 2, XENGT_PROT_RW), 0);
    assert_true(bfn[0].v != bfn[1].v);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 2), 0);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 2), -ENOENT);
    bfn[1] = bfn[0] = (struct xengt_bfn){12345};
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 1), -ENOENT);
}

/* Whatever is done with its slot: a cookie names one mapping, and never another. */
SPACE_TEST(a_cookie_that_is_stale_names_nothing)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn = {5};
    struct xengt_bfn bfn;
    struct xengt_bfn again;
    struct xengt_cookie cookie[40];
    for (int i = 0; i < 40; i++) {
        assert_int_equal(
            xengt_map(f->xg, f->domid, &gfn, &again, &cookie[i], NULL, 1, XENGT_PROT_RW), 0);
        assert_true(!i || again.v == bfn.v); /* the same slot */
        bfn = again;
        for (int k = 0; k < i; k++) {
            assert_true(cookie[k].v != cookie[i].v);
            assert_int_equal(xengt_unmap(f->xg, &cookie[k], NULL, 1), -ENOENT);
        }
        assert_int_equal(xengt_unmap(f->xg, &cookie[i], NULL, 1), 0);
        if (i % 4 == 0) { /* a space has the slot for a while */
            assert_int_equal(get(f, 9, &again), 0);
            assert_true(again.v == bfn.v);
            assert_int_equal(xengt_unmap(f->xg, &cookie[i], NULL, 1), -ENOENT);
            assert_int_equal(xengt_space_put(f->space, &again, 1), 0);
            xengt_space_flush(f->space);
        }
    }
    assert_true(sim_stats(f).mapped == 0);
}

SPACE_TEST(a_cookie_of_another_handle_names_nothing)
{
    struct fixture *f = *state;
    struct xengt_sim *sim = xengt_sim_new();
    struct xengt *other;
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = sim};
    const struct xengt_sim_domain cfg = {.name = "guest", .pages = PAGES};
    const struct xengt_gfn gfn = {5};
    struct xengt_bfn bfn;
    struct xengt_cookie ours;
    struct xengt_cookie theirs;
    uint32_t domid;
    assert_int_equal(xengt_sim_domain_create(sim, &cfg, &domid), 0);
    assert_int_equal(xengt_open(&other, &options, NULL, 0), 0);
    assert_int_equal(xengt_target_add(other, domid), 0);
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &ours, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_map(other, domid, &gfn, &bfn, &theirs, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_unmap(f->xg, &theirs, NULL, 1), -ENOENT);
    assert_int_equal(xengt_unmap(other, &ours, NULL, 1), -ENOENT);
    assert_int_equal(xengt_unmap(f->xg, &ours, NULL, 1), 0);
    xengt_close(other);
    xengt_sim_free(sim);
}

/* Any number may be passed for one: of slots, of serial numbers, with any bit set or not. */
SPACE_TEST(a_cookie_that_is_made_up_names_nothing)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[2] = {{5}, {6}};
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    struct xengt_bfn used;
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 2, XENGT_PROT_RW), 0);
    assert_int_equal(get(f, 7, &used), 0);
    uint32_t use = f->xg->slots.slot[used.v - bfn[0].v + (uint32_t)cookie[0].v].use;
    uint32_t s = (uint32_t)cookie[0].v;
    const uint64_t made_up[] = {
        0,
        s,
        UINT32_MAX,
        UINT64_MAX,
        UINT64_C(1) << 63 | s,
        UINT64_C(1) << 63 | cookie[0].v,
        cookie[0].v ^ UINT64_C(1) << 32,
        cookie[0].v ^ UINT64_C(1) << 31,
        cookie[0].v + 1,
        (uint64_t)use << 32 | (s + 2), /* as if the space's were one */
        ((uint64_t)use << 32 | (s + 2)) & INT64_MAX,
        s + 5, /* free */
    };
    void *view;
    for (size_t i = 0; i < sizeof(made_up) / sizeof(made_up[0]); i++) {
        /* Also behind one that is right, in one call. */
        struct xengt_cookie two[2] = {cookie[0], {made_up[i]}};
        int err[2];
        assert_int_equal(xengt_unmap(f->xg, &two[1], NULL, 1), -ENOENT);
        assert_int_equal(xengt_view_mapping(f->xg, two[1], &view), -ENOENT);
        assert_int_equal(xengt_unmap(f->xg, two, err, 2), 0);
        assert_true(err[0] == 0 && err[1] == -ENOENT);
        assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, &cookie[0], NULL, 1, XENGT_PROT_RW),
                         0);
    }
    assert_int_equal(xengt_space_users(f->space, used), 1);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 2), 0);
}

SPACE_TEST(what_is_offered_is_mapped_by_reference)
{
    struct fixture *f = *state;
    uint32_t other = domain(f, "other", false, false); /* no target */
    struct xengt_bfn bfn[4];
    struct xengt_cookie cookie[4];
    struct xengt_mapping mapping[2];
    uint32_t gref[4];
    int err[4];
    void *view;
    strcpy(xengt_sim_guest_page(f->sim, other, (struct xengt_gfn){5}), "offered");
    assert_int_equal(xengt_sim_offer(f->sim, other, (struct xengt_gfn){5}, false, &gref[0]), 0);
    assert_int_equal(xengt_sim_offer(f->sim, other, (struct xengt_gfn){6}, true, &gref[1]), 0);
    assert_int_equal(xengt_sim_offer(f->sim, f->domid, (struct xengt_gfn){5}, true, &gref[2]), 0);
    gref[3] = UINT32_MAX >> 4;
    assert_int_equal(xengt_map_offered(f->xg, other, gref, bfn, cookie, err, 4, XENGT_PROT_RW), 0);
    assert_true(err[0] == 0 && err[1] == -EACCES && err[2] == -EACCES && err[3] == -EACCES);
    assert_int_equal(
        xengt_map_offered(f->xg, other, &gref[1], &bfn[1], &cookie[1], NULL, 1, XENGT_PROT_READ),
        0);
    char text[8];
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn[0]), text, 8), 0);
    assert_string_equal(text, "offered");
    assert_int_equal(xengt_sim_dma_write(f->sim, xengt_bfn_to_addr(bfn[0]), "x", 1), 0);
    assert_int_equal(xengt_sim_dma_write(f->sim, xengt_bfn_to_addr(bfn[1]), "x", 1), -EFAULT);
    assert_int_equal(xengt_view(f->xg, bfn[0], &view), 0);
    assert_string_equal(view, "xffered");
    assert_int_equal(xengt_view(f->xg, bfn[1], &view), 0);
    assert_int_equal(xengt_mappings(f->xg, mapping, 2), 2);
    assert_true(mapping[0].offered && mapping[0].domid == other && mapping[0].gfn.v == gref[0]);
    assert_true(mapping[0].prot == XENGT_PROT_RW && mapping[1].prot == XENGT_PROT_READ);
    assert_true(mapping[1].cookie.v == cookie[1].v && mapping[1].bfn.v == bfn[1].v);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 2), 0);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 1), -ENOENT);
}

/* The simulator can, but as Xen cannot it does not say so unless it is told to. */
SPACE_TEST(a_space_may_be_read_only)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn = {5};
    struct xengt_space_options options = {.prot = XENGT_PROT_READ};
    struct xengt_space *space;
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    uint32_t other = domain(f, "other", false, false);
    char byte;
    int err;
    assert_int_equal(xengt_target_add(f->xg, other), 0);
    assert_int_equal(xengt_space_open(f->xg, other, &options, &space), -EOPNOTSUPP);
    f->xg->hv->read_only = true;
    assert_int_equal(xengt_space_open(f->xg, other, &options, &space), 0);
    assert_int_equal(xengt_space_get(space, &gfn, &bfn, NULL, 1), 0);
    assert_int_equal(xengt_sim_dma_read(f->sim, xengt_bfn_to_addr(bfn), &byte, 1), 0);
    assert_int_equal(xengt_sim_dma_write(f->sim, xengt_bfn_to_addr(bfn), &byte, 1), -EFAULT);
    assert_int_equal(xengt_space_put(space, &bfn, 1), 0);
    assert_int_equal(xengt_map(f->xg, other, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_space_adopt(space, &cookie, &err, 1), 0);
    assert_int_equal(err, -ENOENT);
    assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), 0);
    assert_int_equal(xengt_map(f->xg, other, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_READ), 0);
    assert_int_equal(xengt_space_adopt(space, &cookie, &err, 1), 0);
    assert_int_equal(err, 0);
    assert_int_equal(xengt_space_put(space, &bfn, 1), 0);
    xengt_space_close(space);
    options.prot = XENGT_PROT_WRITE;
    assert_int_equal(xengt_space_open(f->xg, other, &options, &space), -EINVAL);
}

/* What no target's quota bounds: a domain that offers all it has. */
SPACE_TEST(offers_have_a_quota_of_each_domain)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[6];
    struct xengt_bfn again;
    struct xengt_cookie cookie[6];
    struct xengt_cookie last;
    uint32_t gref[6];
    int err[6];
    f->xg->offer_quota = 4;
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(xengt_sim_offer(f->sim, f->domid, (struct xengt_gfn){i}, i == 1, &gref[i]),
                         0);
    }
    assert_int_equal(xengt_map_offered(f->xg, f->domid, gref, bfn, cookie, err, 6, XENGT_PROT_RW),
                     0);
    assert_true(!err[0] && err[1] == -EACCES && !err[2] && !err[3]);
    assert_true(err[4] == -EDQUOT && err[5] == -EDQUOT); /* as long as the second was under way */
    assert_int_equal(
        xengt_map_offered(f->xg, f->domid, &gref[4], &bfn[4], &cookie[4], NULL, 1, XENGT_PROT_RW),
        0);
    assert_int_equal(
        xengt_map_offered(f->xg, f->domid, &gref[5], &again, &last, NULL, 1, XENGT_PROT_RW),
        -EDQUOT);
    uint32_t other = domain(f, "other", false, false);
    assert_int_equal(xengt_sim_offer(f->sim, other, (struct xengt_gfn){1}, false, &gref[1]), 0);
    assert_int_equal(
        xengt_map_offered(f->xg, other, &gref[1], &bfn[1], &cookie[1], NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 5), 0);
    assert_int_equal(f->xg->offered[f->domid], 0);
    assert_int_equal(
        xengt_map_offered(f->xg, f->domid, &gref[5], &again, &last, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_unmap(f->xg, &last, NULL, 1), 0);
}

SPACE_TEST(a_domain_offers_itself_nothing)
{
    struct fixture *f = *state;
    const uint32_t gref = 0;
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    int err;
    assert_int_equal(xengt_map_offered(f->xg, 0, &gref, &bfn, &cookie, &err, 1, XENGT_PROT_RW),
                     -EINVAL);
    assert_non_null(strstr(xengt_last_error(f->xg), "itself"));
}

SPACE_TEST(arrays_are_checked)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn = {5};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    int err;
    assert_int_equal(xengt_map(f->xg, f->domid, NULL, &bfn, &cookie, NULL, 1, XENGT_PROT_RW),
                     -EINVAL);
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, NULL, NULL, NULL, 1, XENGT_PROT_RW), -EINVAL);
    assert_int_equal(xengt_unmap(f->xg, NULL, &err, 1), -EINVAL);
    assert_int_equal(xengt_space_get(f->space, NULL, &bfn, &err, 1), -EINVAL);
    assert_int_equal(xengt_space_get(f->space, &gfn, NULL, &err, 1), -EINVAL);
    assert_int_equal(xengt_space_put(f->space, NULL, 1), -EINVAL);
    assert_int_equal(xengt_space_adopt(f->space, &cookie, NULL, 1), -EINVAL);
    assert_int_equal(xengt_unmap(f->xg, NULL, NULL, 0), 0);
    assert_int_equal(xengt_space_get(f->space, NULL, NULL, NULL, 0), 0);
    assert_int_equal(xengt_space_put(f->space, NULL, 0), 0);
    assert_int_equal(xengt_space_adopt(f->space, NULL, NULL, 0), 0);
    assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
    assert_int_equal(xengt_mappings(f->xg, NULL, 7), 1);
    assert_int_equal(xengt_target_list(f->xg, NULL, 7), 1);
    assert_int_equal(xengt_target_dead(f->xg, NULL, 7), 0);
    xengt_space_close(NULL);
    xengt_close(NULL);
}

/* All or nothing holds for all of an array, also for what comes after the batch that failed. */
SMALL_TEST(what_was_not_tried_is_invalid_too)
{
    struct fixture *f = *state; /* batches of 4 */
    struct xengt_gfn gfn[12] = {{PAGES}};
    struct xengt_bfn bfn[12];
    struct xengt_cookie cookie[12];
    memset(bfn, 0x5a, sizeof(bfn));
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 12, XENGT_PROT_RW),
                     -EINVAL);
    for (int i = 0; i < 12; i++) {
        assert_true(bfn[i].v == XENGT_BFN_INVALID.v);
    }
    memset(bfn, 0x5a, sizeof(bfn));
    assert_int_equal(xengt_space_get(f->space, gfn, bfn, NULL, 12), -EINVAL);
    for (int i = 0; i < 12; i++) {
        assert_true(bfn[i].v == XENGT_BFN_INVALID.v);
    }
    assert_int_equal(space_stats(f).in_use, 0);
}

SPACE_TEST(strange_numbers_are_refused_one_by_one)
{
    static const uint64_t strange[] = {PAGES, XENGT_GFN_MAX, XENGT_GFN_MAX + 1, UINT64_C(1) << 52,
                                       UINT64_MAX};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        struct xengt_gfn gfn = {strange[i]};
        struct xengt_bfn bfn = {strange[i]};
        struct xengt_cookie cookie;
        assert_int_equal(xengt_unmap(f->xg, &cookie, NULL, 1), -ENOENT);
        assert_int_equal(xengt_space_put(f->space, &bfn, 1), -ENOENT);
        assert_int_equal(xengt_map(f->xg, f->domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW),
                         -EINVAL);
        assert_int_equal(get(f, strange[i], &bfn), -EINVAL);
    }
    struct xengt_gfn one = {1};
    struct xengt_bfn twice[2];
    struct xengt_cookie twice_cookie[2];
    int err[2];
    assert_int_equal(xengt_map(f->xg, f->domid, &one, twice, twice_cookie, NULL, 1, XENGT_PROT_RW),
                     0);
    twice[1] = twice[0];
    assert_int_equal(xengt_unmap(f->xg, twice_cookie, err, 2), 0);
    assert_true(err[0] == 0 && err[1] == -ENOENT);
}

/* A program that was compiled with other headers, older or newer ones. */
SPACE_TEST(structures_may_be_of_other_sizes)
{
    struct fixture *f = *state;
    struct {
        struct xengt_options known;
        uint64_t added;
    } options = {.known = {.backend = XENGT_BACKEND_SIM, .sim = f->sim}};
    struct {
        struct xengt_stats known;
        uint64_t added;
    } stats;
    struct xengt *xg;
    char error[128];
    options.known.window_base = xengt_get_caps(f->xg)->window_base;
    size_t old = offsetof(struct xengt_options, window_base);
    options.added = 1;
    assert_int_equal(xengt_open_sized(&xg, &options.known, sizeof(options), error, sizeof(error)),
                     -EINVAL);
    assert_non_null(strstr(error, "does not know"));
    options.added = 0;
    assert_int_equal(xengt_open_sized(&xg, &options.known, sizeof(options), NULL, 0), -EBUSY);
    /* An old one has no member that says which simulator. */
    assert_int_equal(xengt_open_sized(&xg, &options.known, old, NULL, 0), -EINVAL);
    memset(&stats, 0x5a, sizeof(stats));
    xengt_get_stats_sized(f->xg, &stats.known, sizeof(stats));
    assert_true(stats.added == 0 && stats.known.map_calls == 0);
    memset(&stats, 0x5a, sizeof(stats));
    xengt_get_stats_sized(f->xg, &stats.known, sizeof(uint64_t));
    assert_true(stats.known.mapped == 0 && stats.known.deferred == 0x5a5a5a5a5a5a5a5a);
}

SPACE_TEST(a_list_has_the_stride_of_its_owner)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[2] = {{5}, {6}};
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    struct {
        struct xengt_mapping known;
        uint64_t added;
    } list[2];
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, 2, XENGT_PROT_RW), 0);
    memset(list, 0x5a, sizeof(list));
    assert_int_equal(xengt_mappings_sized(f->xg, &list[0].known, 2, sizeof(list[0])), 2);
    assert_true(list[1].known.gfn.v == 6 && list[0].added == 0 && list[1].added == 0);
}

/* Threads take turns on a handle by a lock of theirs; each other handle needs none. */
struct threads {
    pthread_mutex_t lock;
    struct fixture *f;
    struct xengt *own;
    uint32_t own_domid;
};

static void *one_thread(void *arg)
{
    struct threads *t = arg;
    long failed = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        struct xengt_gfn gfn = {i % 200};
        struct xengt_bfn bfn;
        pthread_mutex_lock(&t->lock);
        failed += xengt_space_get(t->f->space, &gfn, &bfn, NULL, 1) != 0;
        pthread_mutex_unlock(&t->lock);
        pthread_mutex_lock(&t->lock);
        failed += xengt_space_put(t->f->space, &bfn, 1) != 0;
        pthread_mutex_unlock(&t->lock);
    }
    return (void *)failed;
}

static void *other_handle(void *arg)
{
    const struct threads *t = arg;
    long failed = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        struct xengt_gfn gfn = {i % 16};
        struct xengt_bfn bfn;
        struct xengt_cookie cookie;
        failed += xengt_map(t->own, t->own_domid, &gfn, &bfn, &cookie, NULL, 1, XENGT_PROT_RW) != 0;
        failed += xengt_unmap(t->own, &cookie, NULL, 1) != 0;
    }
    return (void *)failed;
}

SPACE_TEST(threads_take_turns)
{
    struct threads t = {.lock = PTHREAD_MUTEX_INITIALIZER, .f = *state};
    struct xengt_sim *sim = xengt_sim_new();
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = sim};
    const struct xengt_sim_domain cfg = {.name = "guest", .pages = 16};
    pthread_t thread[3];
    assert_int_equal(xengt_open(&t.own, &options, NULL, 0), 0);
    assert_int_equal(xengt_sim_domain_create(sim, &cfg, &t.own_domid), 0);
    assert_int_equal(xengt_target_add(t.own, t.own_domid), 0);
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread[i], NULL, i < 2 ? one_thread : other_handle, &t);
    }
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(space_stats(t.f).in_use, 0);
    xengt_close(t.own);
    xengt_sim_free(sim);
}

SPACE_TEST(a_large_array_takes_few_hypercalls)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[PAGES];
    struct xengt_bfn bfn[PAGES];
    struct xengt_cookie cookie[PAGES];
    for (unsigned i = 0; i < PAGES; i++) {
        gfn[i].v = i;
    }
    assert_int_equal(xengt_map(f->xg, f->domid, gfn, bfn, cookie, NULL, PAGES, XENGT_PROT_RW), 0);
    assert_true(sim_stats(f).map_calls == PAGES / XENGT_BATCH_DEFAULT);
    assert_int_equal(xengt_unmap(f->xg, cookie, NULL, PAGES), 0);
    assert_true(sim_stats(f).unmap_calls == PAGES / XENGT_BATCH_DEFAULT);
}
