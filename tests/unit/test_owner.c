/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One owner: locks, state directories, and what a handle finds that is not its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle.h"
#include "hv/sim/model.h"
#include "hv/xen/claim.h"
#include "space_fixture.h"

#define WINDOW 64u

struct owner {
    char dir[2][32];
    struct xengt_sim *sim;
    struct xengt *xg;
    uint32_t domid;
    char error[256];
};

static int open_in(struct owner *o, struct xengt **xg, const char *dir)
{
    const struct xengt_options options = {
        .backend = XENGT_BACKEND_SIM, .sim = o->sim, .window_pages = WINDOW, .state_dir = dir};
    return xengt_open(xg, &options, o->error, sizeof(o->error));
}

static int set_up_owner(void **state)
{
    struct owner *o = test_calloc(1, sizeof(*o));
    const struct xengt_sim_domain cfg = {.name = "guest", .pages = PAGES};
    o->sim = xengt_sim_new();
    for (int i = 0; i < 2; i++) {
        strcpy(o->dir[i], "/tmp/xengt-test-XXXXXX");
        assert_non_null(mkdtemp(o->dir[i]));
    }
    assert_int_equal(xengt_sim_domain_create(o->sim, &cfg, &o->domid), 0);
    assert_int_equal(open_in(o, &o->xg, o->dir[0]), 0);
    assert_int_equal(xengt_target_add(o->xg, o->domid), 0);
    *state = o;
    return 0;
}

static void empty_dir(const char *dir)
{
    static const char *const names[] = {"journal", "lock"};
    char path[64];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static int tear_down_owner(void **state)
{
    struct owner *o = *state;
    xengt_close(o->xg);
    for (int i = 0; i < 2; i++) {
        empty_dir(o->dir[i]);
    }
    xengt_sim_free(o->sim);
    test_free(o);
    return 0;
}

static struct xengt_bfn map_one(struct owner *o, uint64_t gfn)
{
    const struct xengt_gfn g = {gfn};
    struct xengt_bfn bfn;
    struct xengt_cookie cookie;
    assert_int_equal(xengt_map(o->xg, o->domid, &g, &bfn, &cookie, NULL, 1, XENGT_PROT_RW), 0);
    return bfn;
}

#define OWNER_TEST(name) TEST_WITH(name, set_up_owner, tear_down_owner)

/* --- locks ------------------------------------------------------------------------------- */

OWNER_TEST(a_window_has_one_owner_whatever_the_directory)
{
    struct owner *o = *state;
    struct xengt *second;
    struct xengt_sim_stats before;
    struct xengt_sim_stats after;
    map_one(o, 3);
    xengt_sim_get_stats(o->sim, &before);
    assert_int_equal(open_in(o, &second, o->dir[1]), -EBUSY);
    assert_non_null(strstr(o->error, "owns"));
    xengt_sim_get_stats(o->sim, &after);
    assert_true(before.hypercalls == after.hypercalls && after.mapped == 1);
    /* Another range is another resource. */
    const struct xengt_options options = {.backend = XENGT_BACKEND_SIM,
                                          .sim = o->sim,
                                          .window_base = SIM_WINDOW_BASE + WINDOW,
                                          .window_pages = WINDOW};
    assert_int_equal(xengt_open(&second, &options, NULL, 0), 0);
    xengt_close(second);
}

OWNER_TEST(a_directory_that_is_gone_does_not_make_another_owner)
{
    struct owner *o = *state;
    struct xengt *second;
    struct xengt_bfn bfn = map_one(o, 3);
    char byte;
    empty_dir(o->dir[0]);
    assert_int_equal(open_in(o, &second, o->dir[0]), -EBUSY);
    assert_int_equal(xengt_sim_dma_read(o->sim, xengt_bfn_to_addr(bfn), &byte, 1), 0);
}

OWNER_TEST(a_window_is_free_again_after_a_close)
{
    struct owner *o = *state;
    xengt_close(o->xg);
    assert_int_equal(open_in(o, &o->xg, o->dir[1]), 0);
}

OWNER_TEST(locks_are_of_ranges)
{
    struct owner *o = *state;
    char path[64];
    snprintf(path, sizeof(path), "%s/lock", o->dir[0]);
    int a = claim_open(path);
    int b = claim_open(path);
    assert_true(a >= 0 && b >= 0);
    assert_int_equal(claim_take(a, 512, 1024), 0);
    assert_int_equal(claim_take(a, 512, 512), 0);
    assert_int_equal(claim_take(b, 1535, 1), -EBUSY);
    assert_int_equal(claim_take(b, 0, 513), -EBUSY);
    assert_int_equal(claim_take(b, 1536, 512), 0);
    assert_int_equal(claim_take(b, CLAIM_GRANT_TABLE(3), 1), 0);
    assert_int_equal(claim_take(a, CLAIM_GRANT_TABLE(3), 1), -EBUSY);
    assert_int_equal(claim_take(a, CLAIM_GRANT_TABLE(4), 1), 0);
    assert_int_equal(claim_take(a, CLAIM_PINS, 1), 0);
    claim_drop(a, 512, 1024);
    assert_int_equal(claim_take(b, 0, 600), 0);
    claim_close(b);
    assert_int_equal(claim_take(a, CLAIM_GRANT_TABLE(3), 1), 0);
    claim_close(a);
    assert_int_equal(claim_open("/tmp/no/such/file"), -ENOENT);
}

/* The lock outlives its owner in a child that was forked and did not exec: that is said. */
OWNER_TEST(a_forked_child_that_keeps_the_lock_is_named)
{
    struct owner *o = *state;
    struct xengt *xg;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t owner = fork();
    if (!owner) {
        struct xengt_sim *sim = xengt_sim_new();
        o->sim = sim;
        if (open_in(o, &xg, o->dir[1]) || fork()) {
            _exit(0);
        }
        pid_t self = getpid();
        _exit(write(ends[1], &self, sizeof(self)) != sizeof(self) || pause());
    }
    pid_t child;
    assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
    waitpid(owner, NULL, 0);
    xengt_close(o->xg);
    o->xg = NULL;
    assert_int_equal(open_in(o, &xg, o->dir[1]), -EBUSY);
    assert_non_null(strstr(o->error, "forked"));
    kill(child, SIGKILL);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* it is gone */
    close(ends[0]);
    assert_int_equal(open_in(o, &o->xg, o->dir[1]), 0);
}

/* --- state directories ------------------------------------------------------------------- */

static void refused(struct owner *o, const char *dir)
{
    struct xengt *xg;
    assert_int_equal(open_in(o, &xg, dir), -EPERM);
    assert_non_null(strstr(o->error, dir));
}

OWNER_TEST(what_others_can_write_is_not_believed)
{
    struct owner *o = *state;
    const char *dir = o->dir[1];
    char path[64];
    xengt_close(o->xg);
    o->xg = NULL;
    chmod(dir, 0777);
    refused(o, dir);
    chmod(dir, 0720);
    refused(o, dir);
    chmod(dir, 0700);
    snprintf(path, sizeof(path), "%s/journal", dir);
    close(open(path, O_CREAT | O_RDWR, 0600));
    chmod(path, 0602);
    refused(o, dir);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(o, dir);
    unlink(path);
    assert_int_equal(open_in(o, &o->xg, dir), 0);
}

OWNER_TEST(a_link_is_not_followed)
{
    struct owner *o = *state;
    struct xengt *xg;
    char path[64];
    snprintf(path, sizeof(path), "%s/lock", o->dir[1]);
    assert_int_equal(symlink("/tmp/xengt-no-such-file", path), 0);
    xengt_close(o->xg);
    o->xg = NULL;
    assert_int_equal(open_in(o, &xg, o->dir[1]), -ELOOP);
}

OWNER_TEST(a_journal_has_its_memory_from_the_start)
{
    struct owner *o = *state;
    struct stat st;
    char path[64];
    snprintf(path, sizeof(path), "%s/journal", o->dir[0]);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_blocks * 512 >= st.st_size);
}

/* --- what is not ours -------------------------------------------------------------------- */

OWNER_TEST(what_is_in_a_slot_already_is_left_there)
{
    struct owner *o = *state;
    const struct xengt_gfn gfn[3] = {{1}, {2}, {3}};
    struct xengt_bfn bfn[3];
    struct xengt_cookie cookie[3];
    int err[3];
    char text[8];
    strcpy(xengt_sim_guest_page(o->sim, o->domid, (struct xengt_gfn){9}), "theirs");
    uint64_t frame = xengt_get_caps(o->xg)->window_base + 1;
    assert_int_equal(sim_add_to_physmap(o->sim, o->domid, (struct xengt_gfn){9}, frame, true), 0);
    assert_int_equal(xengt_map(o->xg, o->domid, gfn, bfn, cookie, err, 3, XENGT_PROT_RW), 0);
    assert_true(err[0] == 0 && err[1] == -EAGAIN && err[2] == 0);
    struct xengt_stats stats;
    xengt_get_stats(o->xg, &stats);
    assert_true(stats.leaked == 1 && stats.mapped == 2);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 10; i < 40; i++) {
            assert_true(map_one(o, i).v != frame); /* nor is it tried again */
        }
        xengt_sim_dma_read(o->sim, frame << XENGT_PAGE_SHIFT, text, sizeof(text));
        assert_string_equal(text, "theirs");
        xengt_close(o->xg);
        assert_int_equal(open_in(o, &o->xg, o->dir[0]), 0);
        assert_int_equal(xengt_target_add(o->xg, o->domid), 0);
    }
}
