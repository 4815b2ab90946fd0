/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pviommu back end and the engine's counting above it, over a model of its hypercall. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mapper.h"
#include "pviommu_model.h"
#include "support/cookie.h"
#include "support/test.h"

#include <xengt/sim.h>

#define DOMID 1u
#define SLOTS 256u

struct fixture {
    struct model model;
    struct xengt *xg;
    char dir[32];
    uint8_t uuid;
    unsigned swap_at; /* the question after whose answer the domain is another one */
};

static int info_and_swap(void *arg, uint32_t domid, struct xengt_target_info *info)
{
    struct fixture *f = arg;
    const struct pviommu_env env = model_env(&f->model);
    int ret = env.domain_info(env.arg, domid, info);
    if (f->swap_at && --f->swap_at == 0) {
        model_destroy(&f->model, domid);
        model_create(&f->model, domid, ++f->uuid);
    }
    return ret;
}

static int open_handle(struct fixture *f)
{
    char text[256];
    struct hv_error error = {text, sizeof(text)};
    struct hv *hv;
    struct pviommu_env env = model_env(&f->model);
    const struct xengt_options options = {.state_dir = f->dir};
    env.arg = f;
    env.domain_info = info_and_swap;
    int ret = pviommu_new(&env, SLOTS, &hv, &error);
    return ret ? ret : handle_open(&f->xg, &options, hv, &error);
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/xengt-test-XXXXXX");
    model_init(&f->model);
    model_create(&f->model, DOMID, 7);
    *state = f;
    return mkdtemp(f->dir) && !open_handle(f) && !xengt_target_add(f->xg, DOMID) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char path[64];
    xengt_close(f->xg);
    unsigned pins = model_pins(&f->model);
    static const char *const files[] = {"journal", "lock"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
        unlink(path);
    }
    rmdir(f->dir);
    test_free(f);
    return pins != 0;
}

static int map(struct fixture *f, uint64_t gfn, struct xengt_bfn *bfn)
{
    struct xengt_gfn g = {gfn};
    struct xengt_cookie cookie;
    return xengt_map(f->xg, DOMID, &g, bfn, &cookie, NULL, 1, XENGT_PROT_RW);
}

static int unmap(struct fixture *f, struct xengt_bfn bfn)
{
    const struct xengt_cookie cookie = cookie_of(f->xg, bfn);
    return xengt_unmap(f->xg, &cookie, NULL, 1);
}

static bool is_pinned(const struct fixture *f, uint64_t gfn)
{
    return f->model.page[f->model.domain[DOMID].mfn[gfn]].pinned;
}

#define TEST(name) TEST_WITH(name, set_up, tear_down)

TEST(a_page_is_pinned_and_released)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    assert_int_equal(map(f, 5, &bfn), 0);
    assert_true(bfn.v == f->model.domain[DOMID].mfn[5] + MODEL_OFFSET);
    assert_true(is_pinned(f, 5));
    assert_int_equal(unmap(f, bfn), 0);
    assert_false(is_pinned(f, 5));
    assert_int_equal(unmap(f, bfn), -ENOENT);
    assert_int_equal(xengt_get_caps(f->xg)->batch, PVIOMMU_BATCH);
}

TEST(each_entry_has_its_own_status)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[3] = {{1}, {MODEL_PAGES}, {2}};
    struct xengt_bfn bfn[3];
    struct xengt_cookie cookie[3];
    int err[3];
    assert_int_equal(xengt_map(f->xg, DOMID, gfn, bfn, cookie, err, 3, XENGT_PROT_RW), 0);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -EINVAL);
    assert_int_equal(err[2], 0);
    assert_int_equal(xengt_map(f->xg, DOMID, gfn, bfn, cookie, NULL, 3, XENGT_PROT_RW), -EINVAL);
    assert_int_equal(model_pins(&f->model), 2); /* of the first call, still */
    assert_int_equal(xengt_map(f->xg, DOMID, gfn, bfn, cookie, NULL, 1, XENGT_PROT_READ),
                     -EOPNOTSUPP);
}

/* The flaw of the interface: any unmap drops the pin, however many lookups there were. */
TEST(the_pin_stays_until_its_last_mapping_goes)
{
    struct fixture *f = *state;
    struct xengt_bfn a;
    struct xengt_bfn both[2];
    struct xengt_cookie both_cookie[2];
    const struct xengt_gfn gfn[2] = {{5}, {5}};
    assert_int_equal(map(f, 5, &a), 0);
    assert_int_equal(xengt_map(f->xg, DOMID, gfn, both, both_cookie, NULL, 2, XENGT_PROT_RW), 0);
    assert_true(both[0].v == a.v && both[1].v == a.v);
    assert_int_equal(unmap(f, a), 0);
    assert_true(is_pinned(f, 5));
    assert_int_equal(xengt_unmap(f->xg, both_cookie, NULL, 2), 0);
    assert_false(is_pinned(f, 5));
    assert_int_equal(unmap(f, a), -ENOENT);
}

TEST(a_space_and_a_plain_map_share_a_page)
{
    struct fixture *f = *state;
    struct xengt_space *space;
    struct xengt_bfn plain;
    struct xengt_bfn bfn;
    struct xengt_gfn gfn = {5};
    const struct xengt_space_options options = {.no_defer = true};
    assert_int_equal(xengt_space_open(f->xg, DOMID, &options, &space), 0);
    assert_int_equal(xengt_space_get(space, &gfn, &bfn, NULL, 1), 0);
    assert_int_equal(map(f, 5, &plain), 0);
    assert_int_equal(xengt_space_users(space, bfn), 1);
    assert_int_equal(xengt_space_put(space, &bfn, 1), 0);
    assert_int_equal(xengt_space_put(space, &bfn, 1), -ENOENT);
    assert_true(is_pinned(f, 5));
    assert_int_equal(unmap(f, plain), 0);
    assert_false(is_pinned(f, 5));
    xengt_space_close(space);
}

/* A mapping made stale and a new one of the same page are one BFN with two counts. */
TEST(stale_and_fresh_share_a_page)
{
    struct fixture *f = *state;
    struct xengt_space *space;
    struct xengt_bfn bfn[2];
    struct xengt_gfn gfn = {5};
    assert_int_equal(xengt_space_open(f->xg, DOMID, NULL, &space), 0);
    assert_int_equal(xengt_space_get(space, &gfn, &bfn[0], NULL, 1), 0);
    xengt_space_invalidate(space);
    assert_int_equal(xengt_space_get(space, &gfn, &bfn[1], NULL, 1), 0);
    assert_true(bfn[0].v == bfn[1].v);
    assert_int_equal(xengt_space_users(space, bfn[0]), 2);
    assert_int_equal(xengt_space_mappings(space, bfn[0]), 2);
    assert_int_equal(xengt_space_put(space, bfn, 1), 0);
    assert_int_equal(xengt_space_mappings(space, bfn[0]), 1);
    assert_int_equal(xengt_space_put(space, bfn, 1), 0);
    assert_int_equal(xengt_space_put(space, bfn, 1), -ENOENT);
    xengt_space_flush(space);
    assert_false(is_pinned(f, 5));
    xengt_space_close(space);
}

/* Whichever operation faults, before or after it took effect: all of the batch is mapped. */
TEST(a_fault_in_the_middle_loses_nothing)
{
    struct fixture *f = *state;
    struct xengt_gfn gfn[8];
    struct xengt_bfn bfn[8];
    struct xengt_cookie cookie[8];
    for (unsigned i = 0; i < 8; i++) {
        gfn[i].v = i;
    }
    for (int at = 0; at < 32; at++) {
        f->model.fault_at = (int)f->model.ops + at / 2;
        f->model.fault_after = at % 2;
        assert_int_equal(xengt_map(f->xg, DOMID, gfn, bfn, cookie, NULL, 8, XENGT_PROT_RW), 0);
        assert_int_equal(model_pins(&f->model), 8);
        assert_int_equal(xengt_unmap(f->xg, cookie, NULL, 8), 0);
        assert_int_equal(model_pins(&f->model), 0);
    }
}

/* Xen dropped the pins itself, and the pages belong to somebody else, who pinned them, too. */
TEST(nothing_is_unmapped_for_a_dead_domain)
{
    struct fixture *f = *state;
    struct xengt_bfn old;
    struct xengt_bfn new;
    struct xengt_cookie new_cookie;
    assert_int_equal(map(f, 5, &old), 0);
    model_destroy(&f->model, DOMID);
    model_create(&f->model, 2, 9);
    assert_int_equal(xengt_target_add(f->xg, 2), 0);
    struct xengt_gfn gfn = {5};
    assert_int_equal(xengt_map(f->xg, 2, &gfn, &new, &new_cookie, NULL, 1, XENGT_PROT_RW), 0);
    assert_true(old.v == new.v);
    struct xengt_stats stats;
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.mapped, 2);
    assert_int_equal(unmap(f, old), 0);
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.mapped, 1);
    assert_int_equal(xengt_unmap(f->xg, &new_cookie, NULL, 1), 0);
    assert_int_equal(model_pins(&f->model), 0);
}

/* The same domid, another domain. */
TEST(a_reused_domid_is_noticed)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    assert_int_equal(map(f, 5, &bfn), 0);
    model_destroy(&f->model, DOMID);
    model_create(&f->model, DOMID, 9);
    f->model.page[bfn.v - MODEL_OFFSET].pinned = true; /* by somebody else */
    assert_int_equal(unmap(f, bfn), 0);
    assert_true(f->model.page[bfn.v - MODEL_OFFSET].pinned);
    f->model.page[bfn.v - MODEL_OFFSET].pinned = false;
}

/* A kill: nothing is closed and the lock goes with the process. What is left is memory only. */
static void kill_it(struct fixture *f)
{
    struct xengt *dead = f->xg;
    close(dead->lock_fd);
    bfns_free(&dead->bfns);
    slots_close(&dead->slots, false, NULL);
    dead->hv->ops->close(dead->hv);
    for (size_t i = 0; i < dead->targets_count; i++) {
        free(dead->targets[i]);
    }
    free(dead->batch.entry);
    free(dead->batch.err);
    free(dead->batch.unmap_err);
    free(dead->batch.entry_err);
    free(dead->offered);
    free(dead->state_dir);
    free(dead);
    f->xg = NULL;
}

static void die(struct fixture *f)
{
    kill_it(f);
    assert_int_equal(open_handle(f), 0);
}

static void flip_byte(struct fixture *f, off_t at)
{
    char path[64];
    unsigned char byte;
    snprintf(path, sizeof(path), "%s/journal", f->dir);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* A wrong BFN would take somebody else's pin: without proof nothing is unmapped. */
TEST(a_damaged_entry_is_left_alone)
{
    static const off_t places[] = {0, 4, 7, 8, 12, 15};
    struct fixture *f = *state;
    off_t records = (char *)f->xg->slots.record - (char *)f->xg->slots.file;
    struct xengt_bfn bfn[2];
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        assert_int_equal(map(f, 5, &bfn[0]), 0);
        assert_int_equal(map(f, 6, &bfn[1]), 0);
        kill_it(f);
        flip_byte(f, records + places[i]);
        assert_int_equal(open_handle(f), 0);
        assert_true(is_pinned(f, 5));
        assert_false(is_pinned(f, 6));
        f->model.page[bfn[0].v - MODEL_OFFSET].pinned = false;
        assert_int_equal(xengt_target_add(f->xg, DOMID), 0);
    }
}

TEST(without_a_header_nothing_is_unmapped)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    assert_int_equal(map(f, 5, &bfn), 0);
    kill_it(f);
    flip_byte(f, 12);
    assert_int_equal(open_handle(f), 0);
    assert_true(is_pinned(f, 5));
    f->model.page[bfn.v - MODEL_OFFSET].pinned = false;
}

/* A pin does not keep the domid: the heir's page must not stay pinned, nor be told. */
TEST(another_domain_between_question_and_lookup_is_noticed)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_bfn first;
    for (unsigned at = 1; at <= 6; at++) {
        bool held = at % 2;
        if (held) {
            assert_int_equal(map(f, 6, &first), 0);
        }
        f->swap_at = (at + 1) / 2;
        assert_int_equal(map(f, 5, &bfn), -ESRCH);
        assert_int_equal(model_pins(&f->model), 0);
        assert_int_equal(held ? unmap(f, first) : 0, 0);
        assert_int_equal(xengt_target_remove(f->xg, DOMID), 0);
        assert_int_equal(xengt_target_add(f->xg, DOMID), 0);
    }
}

TEST(another_back_end_does_not_touch_it)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt *other;
    char error[256];
    assert_int_equal(map(f, 5, &bfn), 0);
    kill_it(f);
    struct xengt_sim *sim = xengt_sim_new();
    struct xengt_options options = {.backend = XENGT_BACKEND_SIM, .sim = sim, .state_dir = f->dir};
    assert_int_equal(xengt_open(&other, &options, error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "another back end"));
    assert_int_equal(open_handle(f), 0);
    assert_false(is_pinned(f, 5));
    /* A journal that holds nothing is no obstacle. */
    kill_it(f);
    assert_int_equal(xengt_open(&other, &options, error, sizeof(error)), 0);
    xengt_close(other);
    xengt_sim_free(sim);
    assert_int_equal(open_handle(f), 0);
}

TEST(a_successor_releases_what_was_pinned)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[3];
    assert_int_equal(map(f, 5, &bfn[0]), 0);
    assert_int_equal(map(f, 5, &bfn[1]), 0);
    assert_int_equal(map(f, 6, &bfn[2]), 0);
    assert_int_equal(model_pins(&f->model), 2);
    die(f);
    assert_int_equal(model_pins(&f->model), 0);
}

TEST(a_successor_leaves_a_dead_domains_pages_alone)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    assert_int_equal(map(f, 5, &bfn), 0);
    model_destroy(&f->model, DOMID);
    model_create(&f->model, DOMID, 9);
    f->model.page[bfn.v - MODEL_OFFSET].pinned = true;
    die(f);
    assert_true(f->model.page[bfn.v - MODEL_OFFSET].pinned);
    f->model.page[bfn.v - MODEL_OFFSET].pinned = false;
}

/* Killed after the hypercall and before its answer was taken: it is in the journal. */
TEST(an_answer_nobody_read_is_found)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn[2];
    struct xengt_cookie cookie[2];
    const struct xengt_gfn gfn[2] = {{5}, {6}};
    const uint32_t saved[2] = {2, 0};
    assert_int_equal(xengt_map(f->xg, DOMID, gfn, bfn, cookie, NULL, 2, XENGT_PROT_RW), 0);
    uint32_t s = mapper_slot(f->xg, bfn[1]);
    f->xg->slots.record[s].held = 0;
    flight_set(f->xg->slots.maps, 2);
    /* n and first lie behind the operations of a full batch. */
    memcpy((char *)f->xg->slots.area + 32 * PVIOMMU_BATCH, saved, sizeof(saved));
    die(f);
    assert_int_equal(model_pins(&f->model), 0);
}

TEST(a_xen_without_it_is_refused)
{
    struct fixture *f = *state;
    char text[256];
    struct hv_error error = {text, sizeof(text)};
    struct hv *hv;
    const struct pviommu_env env = model_env(&f->model);
    f->model.absent = true;
    assert_int_equal(pviommu_new(&env, SLOTS, &hv, &error), -ENODEV);
    f->model.absent = false;
    f->model.no_hwdom = true;
    assert_int_equal(pviommu_new(&env, SLOTS, &hv, &error), -ENODEV);
    f->model.no_hwdom = false;
}

/* The back end itself, should a PV domain ever get past the target list. */
TEST(a_pv_domain_is_refused)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    f->model.domain[DOMID].pv = true;
    assert_int_equal(map(f, 5, &bfn), -EINVAL);
    f->model.domain[DOMID].dying = true;
    assert_int_equal(map(f, 5, &bfn), -ESRCH);
    f->model.domain[DOMID].dying = false;
}

/* Random maps and unmaps of few pages against plain counts. */
TEST(counts_agree_with_the_pins)
{
    struct fixture *f = *state;
    unsigned count[8] = {0};
    struct xengt_bfn bfn[8];
    srand(1);
    for (int i = 0; i < 5000; i++) {
        unsigned g = (unsigned)rand() % 8;
        if (count[g] < 6 && rand() % 2) {
            assert_int_equal(map(f, g, &bfn[g]), 0);
            count[g]++;
        } else if (count[g]) {
            assert_int_equal(unmap(f, bfn[g]), 0);
            count[g]--;
        }
        assert_int_equal(is_pinned(f, g), count[g] > 0);
    }
}
