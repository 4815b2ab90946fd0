/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests over the end of xengtd: what is found in the state directory, and what is not believed. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "gen/registers.h"
#include "guests/keep.h"
#include "support/guests_fixture.h"

static char dir[64];

static void forget_dir(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): our own words */
}

static int setup_in(void **state, bool lazy)
{
    snprintf(dir, sizeof(dir), "/tmp/xengt-outlive-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return setup_like(state, (struct stack_options){.state_dir = dir, .lazy_ggtt = lazy});
}

static int setup_trapped(void **state)
{
    return setup_in(state, false);
}

static int setup_lazy(void **state)
{
    return setup_in(state, true);
}

static int teardown_dir(void **state)
{
    teardown(state);
    forget_dir();
    return 0;
}

#define TEST(name)      TEST_WITH(name, setup_trapped, teardown_dir)
#define LAZY_TEST(name) TEST_WITH(name, setup_lazy, teardown_dir)

static unsigned files(void)
{
    DIR *stream = opendir(dir);
    unsigned n = 0;

    assert_non_null(stream);
    while (readdir(stream)) {
        n++;
    }
    closedir(stream);
    return n - 2; /* . and .. */
}

static void assert_mapped(struct stack *f, const char *name, unsigned n)
{
    struct guest_info info;

    for (int i = 0; i < 200; i++) {
        settle(f, name);
        refresh(f, name, &info);
        if (info.gtt.present == n) {
            break;
        }
        usleep(5000); /* a table in RAM does not say that something is pending */
    }
    assert_int_equal(info.gtt.present, n);
    assert_int_equal(guests_verify(f->guests, name, f->error, sizeof(f->error)), 0);
}

static void restart(struct stack *f)
{
    struct xengt_sim_stats stats;

    assert_int_equal(stack_restart(f, false, NULL), 0);
    xengt_sim_get_stats(f->sim, &stats);
    assert_int_equal(stats.violations, 0);
}

/* --- they are there again ---------------------------------------------------------------- */

static void check_two_guests(struct stack *f)
{
    struct guest_info alice, bob, again;

    new_guest(f, "alice", &alice);
    new_guest(f, "bob", &bob);
    guest_maps(f, &bob, 100, 7);
    guest_writes(f, bob.domid, 0x4f100, 77);
    restart(f);
    assert_mapped(f, "bob", 7);
    assert_mapped(f, "alice", 0);
    refresh(f, "bob", &again);
    assert_int_equal(again.id, bob.id);
    assert_int_equal(again.mappable.first, bob.mappable.first);
    assert_int_equal(again.unmappable.first, bob.unmappable.first);
    assert_ptr_equal(again.failsafe, NULL);
    assert_int_equal(guest_reads(f, bob.domid, MMIO_BASE, 0x4f100), 77);
    assert_int_equal(guest_reads(f, alice.domid, MMIO_BASE, 0x4f100), 0);
    guest_clears(f, &again, 7);
    assert_mapped(f, "bob", 0);
}

TEST(two_guests)
{
    check_two_guests(*state);
}

LAZY_TEST(two_guests_with_their_gtt_in_ram)
{
    check_two_guests(*state);
}

/* Whose place would be the first one's if places were given anew. */
/* What the next xengtd is told holds for its own guests. */
LAZY_TEST(a_gtt_in_ram_stays_there)
{
    struct stack *f = *state;
    f->options.lazy_ggtt = false;
    check_two_guests(f);
}

TEST(a_guest_keeps_its_place)
{
    struct stack *f = *state;
    struct guest_info alice, bob, again;

    new_guest(f, "alice", &alice);
    new_guest(f, "bob", &bob);
    assert_int_equal(guests_detach(f->guests, "alice", f->error, sizeof(f->error)), 0);
    restart(f);
    refresh(f, "bob", &again);
    assert_int_equal(again.mappable.first, bob.mappable.first);
    attach(f, "alice", &again);
    assert_int_equal(again.mappable.first, alice.mappable.first);
}

TEST(a_guest_that_is_paused_stays_so)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    assert_int_equal(guests_pause(f->guests, "alice", true, f->error, sizeof(f->error)), 0);
    restart(f);
    refresh(f, "alice", &info);
    assert_true(info.paused);
}

static void announce(struct stack *f, uint32_t domid, uint64_t root, uint32_t code)
{
    guest_writes(f, domid, PVINFO_BASE + PVINFO_PDP, (uint32_t)root);
    guest_writes(f, domid, PVINFO_BASE + PVINFO_PDP + 4, (uint32_t)(root >> 32));
    guest_writes(f, domid, PVINFO_BASE + PVINFO_NOTIFY, code);
}

/* What the guest takes back is what it announced to another process. */
TEST(address_spaces_are_known)
{
    enum { CREATE = 4, DESTROY = 5 };
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    for (uint64_t root = 1; root <= 5; root++) {
        announce(f, info.domid, root << 12, CREATE);
    }
    announce(f, info.domid, 2 << 12, CREATE);
    announce(f, info.domid, 3 << 12, DESTROY);
    for (unsigned round = 0; round < 3; round++) {
        restart(f);
        refresh(f, "alice", &info);
        assert_int_equal(info.gtt.mms, 4);
    }
    announce(f, info.domid, 2 << 12, DESTROY);
    refresh(f, "alice", &info);
    assert_int_equal(info.gtt.mms, 4); /* it was created twice */
    for (uint64_t root = 1; root <= 5; root++) {
        announce(f, info.domid, root << 12, DESTROY);
    }
    refresh(f, "alice", &info);
    assert_int_equal(info.gtt.mms, 0);
    assert_int_equal(info.vgpu.ppgtt_failures, 1); /* the third was gone */
}

TEST(a_guest_that_is_detached_is_not_found)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    assert_int_equal(files(), 1);
    assert_int_equal(guests_detach(f->guests, "alice", f->error, sizeof(f->error)), 0);
    assert_int_equal(files(), 0);
    restart(f);
    assert_false(guests_list(f->guests, 0, &info));
}

static struct stack *restarted;
static uint32_t restarted_domid;

static void destroy_alice(const char *where)
{
    uint32_t domid;

    (void)where;
    assert_int_equal(xengt_sim_domain_find(restarted->sim, "alice", &domid), 0);
    xengt_sim_domain_destroy(restarted->sim, domid);
}

/* While nobody looked: nothing of it is mapped then, so that Xen can let go of it. */
TEST(a_domain_that_dies_in_between)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    guest_maps(f, &info, 100, 7);
    restarted = f;
    assert_int_equal(stack_restart(f, false, destroy_alice), 0);
    assert_false(guests_list(f->guests, 0, &info));
    assert_int_equal(files(), 0);
    assert_false(xengt_sim_domain_exists(f->sim, info.domid));
}

/* --- files that are not believed --------------------------------------------------------- */

static const char *change; /* what to do to alice's file, in a shell */

static void change_file(const char *where)
{
    char command[256];

    snprintf(command, sizeof(command), "cd %s && f=$(ls vgpu.* | head -n 1) && %s", where, change);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): our own words */
}

/* The guest gets another vGPU, which says what became of the one before; bob's is as it was. */
TEST(what_cannot_be_read_is_said)
{
    static const struct {
        const char *change;
        const char *reason;
    } wrong[] = {
        {"printf '\\377' | dd of=$f bs=1 seek=8 conv=notrunc 2>/dev/null", "another version"},
        {"truncate -s -4096 $f", "damaged"},
        {"truncate -s 5000 $f", "damaged"},
        {"cp $f x && s=$(($(stat -c %s x) + 4096)) && truncate -s $s $f", "damaged"},
    };
    struct stack *f = *state;
    struct guest_info alice, bob;

    f->options.mute = true;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        new_guest(f, "alice", &alice);
        new_guest(f, "bob", &bob);
        guest_maps(f, &bob, 100, 3);
        change = wrong[i].change;
        assert_int_equal(stack_restart(f, false, change_file), 0);
        refresh(f, "alice", &alice);
        if (!alice.failsafe || !strstr(alice.failsafe, wrong[i].reason)) {
            fail_msg("%s: \"%s\" does not say \"%s\"", change, alice.failsafe ? alice.failsafe : "",
                     wrong[i].reason);
        }
        assert_mapped(f, "bob", 3);
        assert_int_equal(guests_detach(f->guests, "alice", f->error, sizeof(f->error)), 0);
        assert_int_equal(guests_detach(f->guests, "bob", f->error, sizeof(f->error)), 0);
        stack_run(f);
        xengt_sim_domain_destroy(f->sim, alice.domid);
        xengt_sim_domain_destroy(f->sim, bob.domid);
    }
}

/* Whose it is cannot be known: nobody gets a vGPU for it. */
TEST(what_somebody_else_can_write_is_not_read)
{
    static const char *const changes[] = {"chmod 666 $f", "mv $f x && ln -s x $f",
                                          "rm $f && mkfifo $f", "rm $f && mkdir $f"};
    struct stack *f = *state;
    struct guest_info alice;

    new_domain(f, "alice");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        attach(f, "alice", &alice);
        change = changes[i];
        assert_int_equal(stack_restart(f, false, change_file), 0);
        assert_false(guests_list(f->guests, 0, &alice));
        change = "rm -rf vgpu.* x";
        change_file(dir);
    }
}

/* An end of xengtd in the middle of what it does for alice. */
static void at_work(const char *where)
{
    struct keep_note note;
    struct keep keep;

    assert_int_equal(keep_open(&keep, where, restarted_domid, &note), 0);
    keep_mark(&keep, true);
    keep_close(&keep);
}

static void end_at_work(struct stack *f, const struct guest_info *alice, unsigned times)
{
    restarted_domid = alice->domid;
    while (times--) {
        assert_int_equal(stack_restart(f, true, at_work), 0);
    }
}

/* What a guest asks for when xengtd ends it asks for again after it; bob pays for it three times.
 */
TEST(a_guest_that_ends_each_xengtd)
{
    struct stack *f = *state;
    struct guest_info alice, bob;

    new_guest(f, "alice", &alice);
    new_guest(f, "bob", &bob);
    guest_maps(f, &bob, 100, 3);
    end_at_work(f, &alice, KEEP_ENDS_MAX - 1);
    refresh(f, "alice", &alice);
    assert_null(alice.failsafe);
    f->options.mute = true;
    end_at_work(f, &alice, 1);
    refresh(f, "alice", &alice);
    assert_non_null(alice.failsafe);
    assert_non_null(strstr(alice.failsafe, "ended three times at its work"));
    assert_mapped(f, "bob", 3);
    restart(f);
    refresh(f, "alice", &alice);
    assert_non_null(alice.failsafe);
    assert_mapped(f, "bob", 3);
}

/* Ends far from each other, or with one in order between them, are nobody's fault. */
TEST(a_guest_that_is_served_well_is_trusted_again)
{
    struct stack *f = *state;
    struct guest_info alice;

    new_guest(f, "alice", &alice);
    end_at_work(f, &alice, KEEP_ENDS_MAX - 1);
    restart(f);
    end_at_work(f, &alice, KEEP_ENDS_MAX - 1);
    for (unsigned i = 0; i < 1000; i++) {
        guest_reads(f, alice.domid, MMIO_BASE, 0x4f100);
    }
    guests_turn(f->guests);
    end_at_work(f, &alice, KEEP_ENDS_MAX - 1);
    refresh(f, "alice", &alice);
    assert_null(alice.failsafe);
}

/* Of an attach that was cut short: the guest never had this vGPU. */
TEST(what_was_not_finished_is_nothing)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    change = "dd if=/dev/zero of=$f bs=8 count=1 conv=notrunc 2>/dev/null";
    assert_int_equal(stack_restart(f, true, change_file), 0);
    assert_false(guests_list(f->guests, 0, &info));
    assert_int_equal(files(), 0);
    attach(f, "alice", &info);
}

/* A domid is another's soon: the new domain never asked for a vGPU. */
TEST(another_domain_of_that_number)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    /* Behind magic, version, layout, size and domid is the domain's uuid. */
    change = "printf 'another' | dd of=$f bs=1 seek=30 conv=notrunc 2>/dev/null";
    assert_int_equal(stack_restart(f, true, change_file), 0);
    assert_false(guests_list(f->guests, 0, &info));
    assert_int_equal(files(), 0);
}

/* A name that is nobody's is let alone. */
TEST(other_files_stay)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "alice", &info);
    change = "touch vgpu. vgpu.1x journal && cp $f vgpu.7";
    assert_int_equal(stack_restart(f, false, change_file), 0);
    assert_int_equal(files(), 4); /* the copy is of another domid, which there is not */
    assert_true(guests_list(f->guests, 0, &info));
    assert_false(guests_list(f->guests, 1, &info));
}
