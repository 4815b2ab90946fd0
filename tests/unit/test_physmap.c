/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The physmap back end over a model of its hypercalls: nothing of dom0's is ever lost. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xengt/grant.h>

#include "mapper.h"
#include "physmap_model.h"
#include "support/test.h"

#define WINDOW 1536u /* three pieces */
#define PIECE  512u

struct fixture {
    struct model model;
    struct xengt *xg;
    char dir[32];
    char error[256];
};

static int open_at(struct fixture *f, uint64_t base, bool may_grow)
{
    struct hv_error error = {f->error, sizeof(f->error)};
    const struct window window = {.base = base, .pages = WINDOW, .where = "test"};
    const struct physmap_env env = model_env(&f->model);
    const struct xengt_options options = {.state_dir = f->dir};
    struct hv *hv;
    int ret = physmap_new(&env, &window, may_grow, &hv, &error);
    ret = ret ? ret : handle_open(&f->xg, &options, hv, &error);
    return ret ? ret : xengt_target_add(f->xg, MODEL_GUEST);
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    f->model.nr_frames = 4;
    f->model.max_frames = 64;
    strcpy(f->dir, "/tmp/xengt-test-XXXXXX");
    *state = f;
    return mkdtemp(f->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"journal", "lock"};
    char path[64];
    xengt_close(f->xg);
    int bad = f->model.crashes || f->model.lost;
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
        unlink(path);
    }
    rmdir(f->dir);
    test_free(f);
    return bad;
}

static void open_it(struct fixture *f)
{
    assert_int_equal(open_at(f, MODEL_BASE, false), 0);
}

/* The process is gone, its journal stays. */
static void kill_it(struct fixture *f)
{
    struct xengt *xg = f->xg;
    f->xg = NULL;
    xg->slots.pool[0].fresh = 0; /* it unmaps nothing any more */
    xg->slots.leaked = 1;
    xengt_close(xg);
}

static int map_one(struct fixture *f, uint64_t gfn, struct xengt_bfn *bfn)
{
    const struct xengt_gfn g = {gfn};
    struct xengt_cookie cookie;
    return xengt_map(f->xg, MODEL_GUEST, &g, bfn, &cookie, NULL, 1, XENGT_PROT_RW);
}

static int map_ref(struct fixture *f, uint32_t ref, struct xengt_bfn *bfn)
{
    struct xengt_cookie cookie;
    return xengt_map_offered(f->xg, MODEL_GUEST, &ref, bfn, &cookie, NULL, 1, XENGT_PROT_RW);
}

#define TEST(name) TEST_WITH(name, set_up, tear_down)

/* --- opening ----------------------------------------------------------------------------- */

TEST(nothing_is_touched_before_the_window_is_owned)
{
    struct fixture *f = *state;
    f->model.claim_error = EBUSY;
    f->model.at[0] = f->model.at[511] = AT_FOREIGN; /* the owner's */
    assert_int_equal(open_at(f, MODEL_BASE, false), -EBUSY);
    assert_int_equal(model_count(&f->model, AT_FOREIGN), 2);
    assert_int_equal(f->model.nr_frames, 4);
}

TEST(a_window_over_ram_or_a_device_is_refused)
{
    struct fixture *f = *state;
    static const enum model_at bad[] = {AT_RAM, AT_DEVICE, AT_GRANT};
    for (int i = 0; i < 6; i++) {
        uint32_t frame = i % 2 ? PIECE - 1 : 0;
        f->model.at[frame] = bad[i / 2];
        assert_int_equal(open_at(f, MODEL_BASE, false), -EINVAL);
        f->model.at[frame] = AT_NOTHING;
    }
}

/* A process was killed between two hypercalls of its probe: the table's last frame is there. */
TEST(a_page_that_a_killed_probe_left_is_taken_away)
{
    struct fixture *f = *state;
    static const uint32_t left[] = {0, PIECE - 1, PIECE + 1, WINDOW - 1};
    f->model.nr_frames = f->model.max_frames;
    for (int i = 0; i < 4; i++) {
        f->model.at[left[i]] = AT_TABLE;
        open_it(f);
        assert_int_equal(model_count(&f->model, AT_TABLE), 0);
        xengt_close(f->xg);
        f->xg = NULL;
    }
}

TEST(where_the_window_is_not_the_table_stays_as_it_is)
{
    struct fixture *f = *state;
    f->model.nr_frames = f->model.max_frames;
    f->model.at[WINDOW] = AT_TABLE;
    open_it(f);
    assert_int_equal(f->model.at[WINDOW], AT_TABLE);
}

TEST(an_answer_nobody_knows_is_not_safe)
{
    struct fixture *f = *state;
    f->model.table_error = -ENOSYS;
    assert_int_equal(open_at(f, MODEL_BASE, false), -EINVAL);
}

TEST(a_grant_frame_in_use_is_not_taken)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    f->model.nr_frames = 64;
    f->model.last_in_use = true;
    open_it(f);
    assert_int_equal(map_one(f, 5, &bfn), 0);
    /* Without one a slot cannot be proven to be empty, unless it was ours. */
    assert_int_equal(map_ref(f, 5, &bfn), -EOPNOTSUPP);
    assert_int_equal(f->model.lost, 0);
}

TEST(a_grant_frame_that_is_nowhere_is_used_again)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    open_it(f);
    assert_int_equal(f->model.nr_frames, 64);
    xengt_close(f->xg);
    open_it(f);
    assert_int_equal(map_ref(f, 5, &bfn), 0);
}

/* --- what is in the window --------------------------------------------------------------- */

TEST(a_foreign_page_in_a_slot_is_not_taken_away)
{
    struct fixture *f = *state;
    const struct xengt_gfn gfn[3] = {{1}, {2}, {3}};
    struct xengt_bfn bfn[3];
    struct xengt_cookie cookie[3];
    int err[3];
    open_it(f);
    f->model.at[1] = AT_FOREIGN;
    f->model.gfn[1] = 77;
    assert_int_equal(xengt_map(f->xg, MODEL_GUEST, gfn, bfn, cookie, err, 3, XENGT_PROT_RW), 0);
    assert_true(err[0] == 0 && err[1] == -EAGAIN && err[2] == 0);
    assert_true(f->model.at[1] == AT_FOREIGN && f->model.gfn[1] == 77);
    assert_int_equal(map_one(f, 4, &bfn[1]), 0);
    assert_int_equal(bfn[1].v, MODEL_BASE + 3);
}

TEST(a_grant_goes_only_where_nothing_is)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_stats stats;
    f->model.at[1] = AT_FOREIGN; /* at[0] and at[511] are looked at in any case */
    f->model.at[2] = AT_GRANT;
    f->model.at[3] = AT_DEVICE;
    f->model.at[4] = AT_RAM;
    open_it(f);
    assert_int_equal(map_ref(f, 5, &bfn), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(map_ref(f, 6, &bfn), -EAGAIN);
    }
    assert_int_equal(map_ref(f, 6, &bfn), 0);
    assert_int_equal(bfn.v, MODEL_BASE + 5);
    xengt_get_stats(f->xg, &stats);
    assert_true(stats.leaked == 4 && stats.mapped == 2);
}

/* The batch goes on around a slot that must not be used. */
TEST(a_batch_of_grants_has_gaps)
{
    struct fixture *f = *state;
    const uint32_t ref[5] = {1, 2, 3, 4, 5};
    struct xengt_bfn bfn[5];
    struct xengt_cookie cookie[5];
    int err[5];
    f->model.at[1] = AT_FOREIGN;
    f->model.at[4] = AT_FOREIGN;
    open_it(f);
    assert_int_equal(xengt_map_offered(f->xg, MODEL_GUEST, ref, bfn, cookie, err, 5, XENGT_PROT_RW),
                     0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(err[i], i == 1 || i == 4 ? -EAGAIN : 0);
    }
    assert_int_equal(model_count(&f->model, AT_GRANT), 3);
    assert_int_equal(xengt_unmap(f->xg, cookie, err, 5), 0);
    assert_int_equal(model_count(&f->model, AT_GRANT), 0);
}

/* Otherwise each single map would come to the same slot again, for ever. */
TEST(a_piece_that_must_not_be_used_is_left_out)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_stats stats;
    unsigned refused = 0;
    f->model.at[2 * PIECE - 1] = AT_DEVICE;
    open_it(f);
    for (unsigned i = 0; i < 2 * PIECE; i++) {
        int ret = map_one(f, i, &bfn);
        assert_true(!ret || ret == -EAGAIN);
        refused += ret != 0;
        assert_true(ret || bfn.v < MODEL_BASE + PIECE || bfn.v >= MODEL_BASE + 2 * PIECE);
    }
    assert_int_equal(refused, 1);
    xengt_get_stats(f->xg, &stats);
    assert_int_equal(stats.leaked, PIECE);
}

/* --- a predecessor's --------------------------------------------------------------------- */

TEST(what_a_predecessor_mapped_is_released)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_stats stats;
    open_it(f);
    assert_int_equal(map_one(f, 1, &bfn), 0);
    assert_int_equal(map_ref(f, 2, &bfn), 0);
    kill_it(f);
    open_it(f);
    xengt_get_stats(f->xg, &stats);
    assert_true(stats.reclaimed == 2 && stats.leaked == 0);
    assert_int_equal(model_count(&f->model, AT_NOTHING), MODEL_FRAMES);
}

/* A journal may say what it likes: RAM of this domain is not removed. */
TEST(a_journal_cannot_take_ram_away)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    struct xengt_stats stats;
    for (int other = 0; other < 2; other++) {
        open_it(f);
        for (uint64_t i = 0; i < 8; i++) {
            assert_int_equal(map_one(f, i, &bfn), 0);
        }
        kill_it(f);
        f->model.at[3] = AT_RAM;
        f->model.at[4] = AT_GRANT;
        /* Gone on with in its place, or swept from another window. */
        assert_int_equal(open_at(f, MODEL_BASE + other * WINDOW, false), 0);
        xengt_get_stats(f->xg, &stats);
        assert_int_equal(stats.reclaimed, 6);
        assert_int_equal(f->model.lost, 0);
        assert_int_equal(model_count(&f->model, AT_FOREIGN), 0);
        xengt_close(f->xg);
        f->model.at[3] = f->model.at[4] = AT_NOTHING;
        open_it(f);
        xengt_close(f->xg);
    }
    f->xg = NULL;
}

/* --- what is not known ------------------------------------------------------------------- */

PLAIN_TEST(what_xen_does_not_say_is_not_safe)
{
    (void)state;
    assert_null(xen_judge(0, 0, 0, true));
    assert_null(xen_judge(0, 0, 0, false));
    assert_non_null(strstr(xen_judge(1, 0, 0, true), "altp2m"));
    assert_non_null(strstr(xen_judge(0, 1, 0, false), "nestedhvm"));
    assert_non_null(strstr(xen_judge(0, 0, 1, true), "maxmem"));
    assert_non_null(xen_judge(-EPERM, 0, 0, true));
    assert_non_null(xen_judge(0, -EPERM, 0, true));
    assert_non_null(xen_judge(0, 0, -EPERM, true));
    assert_non_null(xen_judge(-EIO, 0, 0, false));
    assert_non_null(xen_judge(-EPERM, -ENOMEM, 0, false));
    assert_non_null(xen_judge(-EPERM, -EPERM, -EIO, false));
    assert_null(xen_judge(-EPERM, -EPERM, -EPERM, false));
}

/* --- memory for page tables -------------------------------------------------------------- */

TEST(the_pool_grows_once)
{
    struct fixture *f = *state;
    struct xengt_bfn bfn;
    f->model.pool = 1 << 20;
    assert_int_equal(open_at(f, MODEL_BASE, true), 0);
    for (unsigned i = 0; i < 200; i++) {
        f->model.no_memory = 2; /* whatever it has */
        assert_int_equal(map_one(f, i, &bfn), -ENOMEM);
    }
    assert_int_equal(f->model.pool_set, 1);
    assert_in_range(f->model.pool, (1 << 20) + 1, (1 << 20) + 64 * XENGT_PAGE_SIZE);
    f->model.no_memory = 0;
    assert_int_equal(map_one(f, 1, &bfn), 0);
}
