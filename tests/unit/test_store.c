/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store over a xenstored in the process: names, xl's orders, a xenstored that hangs or ends,
 * and guests that write whatever they can into their own nodes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include <event2/event.h>

#include "host/xen/store.h"
#include "support/test.h"
#include "xenstore_fake.h"

struct rig {
    struct event_base *base;
    struct store *store;
    unsigned released;
    unsigned given, taken;
    unsigned busy; /* orders are answered so, as often */
    uint32_t domid, device;
    char type[32];
    bool known;
    char line[512]; /* of the log, the last warning */
    unsigned warnings;
};

static void on_released(void *arg)
{
    ((struct rig *)arg)->released++;
}

static void on_log(void *arg, int level, const char *line)
{
    struct rig *rig = arg;

    if (level <= LOG_NOTICE) {
        rig->warnings++;
        snprintf(rig->line, sizeof(rig->line), "%s", line);
    }
}

static int give(void *arg, const struct host_order *order, char *error, size_t error_size)
{
    struct rig *rig = arg;

    rig->given++;
    rig->domid = order->domid;
    rig->device = order->device;
    rig->known = order->known;
    snprintf(rig->type, sizeof(rig->type), "%s", order->type);
    if (rig->busy) {
        rig->busy--;
        return -EBUSY;
    }
    if (strcmp(order->type, "custom") != 0) {
        snprintf(error, error_size, "only custom");
        return -EINVAL;
    }
    return 0;
}

static void take(void *arg, const struct host_order *order)
{
    struct rig *rig = arg;

    rig->taken++;
    rig->domid = order->domid;
    rig->known = order->known;
}

static const struct host_order_ops orders = {.give = give, .take = take};

static int open_store(struct rig *rig)
{
    const struct store_config config = {
        .base = rig->base,
        .vdispl = true,
        .released = on_released,
        .arg = rig,
        .log = on_log,
        .log_arg = rig,
    };
    int ret = store_open(&config, &rig->store);

    if (!ret) {
        store_listen(rig->store, &orders, rig);
    }
    return ret;
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    fake_reset();
    fake_write("/local/domain/0/name", "Domain-0", 0);
    fake_write("/local/domain/5/name", "web", 0);
    rig->base = event_base_new();
    assert_int_equal(open_store(rig), 0);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    fake_hang(false);
    store_close(rig->store);
    event_base_free(rig->base);
    free(rig);
    fake_reset();
    return 0;
}

#define TEST(name) TEST_WITH(name, setup, teardown)

/* The event loop goes round until that is so, for 5 s at most. */
#define UNTIL(rig, condition)                                               \
    do {                                                                    \
        for (unsigned round_ = 0; round_ < 500 && !(condition); round_++) { \
            turn(rig);                                                      \
        }                                                                   \
        assert_true(condition);                                             \
    } while (0)

static void turn(struct rig *rig)
{
    static const struct timespec pause = {.tv_nsec = 10000000};

    event_base_loop(rig->base, EVLOOP_NONBLOCK);
    nanosleep(&pause, NULL);
}

static void turns(struct rig *rig, unsigned n)
{
    while (n--) {
        turn(rig);
    }
}

static bool finds(struct rig *rig, const char *name, uint32_t expected)
{
    uint32_t domid;

    return !store_find(rig->store, name, 0, &domid) && domid == expected;
}

/* Writes the nodes that xl writes; the connector is owner's. */
static void create_device(uint32_t domid, const char *type, unsigned owner)
{
    char path[128], value[128];

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/device/vdispl/0/0/unique-id", domid);
    fake_write(path, type, owner);
    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/device/vdispl/0/state", domid);
    fake_write(path, "1", domid);
    snprintf(value, sizeof(value), "/local/domain/%" PRIu32 "/device/vdispl/0", domid);
    snprintf(path, sizeof(path), "backend/vdispl/%" PRIu32 "/0/frontend", domid);
    fake_write(path, value, 0);
    snprintf(value, sizeof(value), "%" PRIu32, domid);
    snprintf(path, sizeof(path), "backend/vdispl/%" PRIu32 "/0/frontend-id", domid);
    fake_write(path, value, 0);
    snprintf(path, sizeof(path), "backend/vdispl/%" PRIu32 "/0/state", domid);
    fake_write(path, "1", 0);
}

static void given_device(struct rig *rig)
{
    create_device(5, "custom", 0);
    UNTIL(rig, rig->given == 1);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/state", "2"));
}

/* --- names ------------------------------------------------------------------------------- */

TEST(names_are_known_when_it_is_open)
{
    struct rig *rig = *state;
    char name[64];
    uint32_t domid;

    assert_true(finds(rig, "web", 5));
    assert_true(finds(rig, "Domain-0", 0));
    store_name(rig->store, 5, name, sizeof(name));
    assert_string_equal(name, "web");
    assert_int_equal(store_find(rig->store, "mail", 0, &domid), -ENOENT);
    assert_int_equal(store_find(rig->store, "", 0, &domid), -ENOENT);
}

TEST(a_new_domain_a_renamed_one_and_one_that_went_are_heard_of)
{
    struct rig *rig = *state;
    uint32_t domid;

    fake_write("/local/domain/6/name", "mail", 0);
    fake_fire("@introduceDomain");
    UNTIL(rig, finds(rig, "mail", 6));
    fake_write("/local/domain/5/name", "shop", 0);
    UNTIL(rig, finds(rig, "shop", 5));
    assert_int_equal(store_find(rig->store, "web", 0, &domid), -ENOENT);
    fake_remove("/local/domain/6");
    fake_fire("@releaseDomain");
    UNTIL(rig, store_find(rig->store, "mail", 0, &domid) == -ENOENT);
    UNTIL(rig, rig->released);
}

TEST(a_name_without_end_and_domains_that_are_none_are_passed_over)
{
    struct rig *rig = *state;
    char name[2000], known[64];

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    fake_write("/local/domain/5/name", name, 0);
    fake_write("/local/domain/32752/name", "high", 0);
    fake_write("/local/domain/five/name", "word", 0);
    fake_write("/local/domain/7/name", "last", 0);
    fake_fire("@introduceDomain");
    UNTIL(rig, finds(rig, "last", 7));
    assert_false(finds(rig, "high", 32752));
    store_name(rig->store, 5, known, sizeof(known));
    assert_string_equal(known, "");
}

/* --- orders ------------------------------------------------------------------------------ */

TEST(a_device_is_given_and_xl_goes_on)
{
    struct rig *rig = *state;

    given_device(rig);
    assert_int_equal(rig->domid, 5);
    assert_string_equal(rig->type, "custom");
    assert_true(fake_becomes("backend/vdispl/5/0/xengt/type", "custom"));
    assert_true(fake_becomes("/local/domain/5/device/vdispl/0/state", "6"));
    turns(rig, 5);
    assert_int_equal(rig->given, 1);
}

TEST(what_cannot_be_given_has_its_reason_and_xl_need_not_wait)
{
    struct rig *rig = *state;

    create_device(5, "GVTg_V9_9", 0);
    UNTIL(rig, rig->given == 1);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/xengt/error", "only custom"));
    assert_true(fake_becomes("backend/vdispl/5/0/state", NULL));
    assert_non_null(strstr(rig->line, "only custom"));
    turns(rig, 5);
    assert_int_equal(rig->given, 1);
}

TEST(of_a_refused_device_nothing_stays_when_the_domain_is_gone)
{
    struct rig *rig = *state;

    create_device(5, "GVTg_V9_9", 0);
    UNTIL(rig, rig->given == 1);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/state", NULL));
    fake_remove("/local/domain/5");
    fake_fire("@releaseDomain");
    assert_true(fake_becomes("backend/vdispl/5/0/xengt/error", NULL));
    assert_true(fake_becomes("backend/vdispl/5/0/frontend", NULL));
}

TEST(what_cannot_be_given_yet_is_asked_for_again)
{
    struct rig *rig = *state;

    rig->busy = 2;
    create_device(5, "custom", 0);
    UNTIL(rig, rig->given == 3);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/state", "2"));
}

TEST(xl_takes_a_device_out)
{
    struct rig *rig = *state;

    given_device(rig);
    fake_write("backend/vdispl/5/0/state", "5", 0);
    UNTIL(rig, rig->taken == 1);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/state", "6"));
    fake_remove("backend/vdispl/5");
    turns(rig, 5);
    assert_int_equal(rig->taken, 1);
}

TEST(a_device_that_is_suddenly_gone_is_taken)
{
    struct rig *rig = *state;

    given_device(rig);
    fake_remove("backend/vdispl");
    UNTIL(rig, rig->taken == 1);
}

TEST(a_device_of_the_same_number_is_another_one)
{
    struct rig *rig = *state;

    given_device(rig);
    fake_remove("backend/vdispl/5/0");
    create_device(5, "custom", 0);
    UNTIL(rig, rig->taken == 1 && rig->given == 2);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/state", "2"));
}

TEST(a_predecessors_device_is_known)
{
    struct rig *rig = *state;

    store_close(rig->store);
    create_device(5, "GVTg_V4_8", 5);
    fake_write("backend/vdispl/5/0/xengt/type", "custom", 0);
    fake_write("backend/vdispl/5/0/state", "2", 0);
    assert_int_equal(open_store(rig), 0);
    UNTIL(rig, rig->given == 1);
    assert_true(rig->known);
    assert_string_equal(rig->type, "custom");
    turns(rig, 5);
    assert_true(fake_becomes("backend/vdispl/5/0/state", "2"));
}

TEST(a_device_that_was_taken_out_meanwhile_is_closed)
{
    struct rig *rig = *state;

    store_close(rig->store);
    create_device(5, "custom", 0);
    fake_write("backend/vdispl/5/0/xengt/type", "custom", 0);
    fake_write("backend/vdispl/5/0/state", "5", 0);
    assert_int_equal(open_store(rig), 0);
    UNTIL(rig, rig->taken == 1);
    assert_true(rig->known);
    turns(rig, 2);
    assert_true(fake_becomes("backend/vdispl/5/0/state", "6"));
}

/* --- hostile nodes ----------------------------------------------------------------------- */

static void assert_refused(struct rig *rig, const char *reason)
{
    for (unsigned i = 0; i < 500 && !strstr(rig->line, reason); i++) {
        turn(rig);
    }
    assert_non_null(strstr(rig->line, reason));
    assert_int_equal(rig->given, 0);
    assert_true(fake_becomes("backend/vdispl/5/0/state", NULL));
}

TEST(a_connector_that_the_guest_has_written_is_refused)
{
    struct rig *rig = *state;

    create_device(5, "custom", 5);
    assert_refused(rig, "the guest's own doing");
}

TEST(a_connector_that_the_guest_has_removed_is_refused)
{
    struct rig *rig = *state;

    fake_write("/local/domain/5/device/vdispl/0/state", "1", 5);
    fake_write("backend/vdispl/5/0/frontend", "/local/domain/5/device/vdispl/0", 0);
    fake_write("backend/vdispl/5/0/frontend-id", "5", 0);
    fake_write("backend/vdispl/5/0/state", "1", 0);
    assert_refused(rig, "no connector");
}

TEST(a_connector_that_is_no_word_is_refused)
{
    struct rig *rig = *state;

    create_device(5, "\xff\xfe\n\x1b[2J", 0);
    assert_refused(rig, "no name of a type");
}

TEST(a_connector_without_end_is_refused)
{
    struct rig *rig = *state;
    char type[3000];

    memset(type, 'x', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    create_device(5, type, 0);
    assert_refused(rig, "no name of a type");
}

TEST(two_connectors_of_the_toolstack_are_refused)
{
    struct rig *rig = *state;

    fake_write("/local/domain/5/device/vdispl/0/1/unique-id", "custom", 0);
    create_device(5, "custom", 0);
    assert_refused(rig, "more than one connector");
}

TEST(a_second_connector_of_the_guests_is_passed_over)
{
    struct rig *rig = *state;

    fake_write("/local/domain/5/device/vdispl/0/1/unique-id", "custom", 5);
    given_device(rig);
}

TEST(a_backend_that_names_another_domain_is_refused)
{
    struct rig *rig = *state;

    fake_write("backend/vdispl/5/0/frontend", "/local/domain/6/device/vdispl/0", 0);
    fake_write("backend/vdispl/5/0/frontend-id", "6", 0);
    fake_write("/local/domain/5/device/vdispl/0/0/unique-id", "custom", 0);
    fake_write("backend/vdispl/5/0/state", "1", 0);
    assert_refused(rig, "not of domain 5");
}

TEST(a_thousand_nodes_of_a_guests_cost_no_request)
{
    struct rig *rig = *state;
    char path[128];

    given_device(rig);
    turns(rig, 10);
    unsigned before = fake_requests();
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/local/domain/5/device/vdispl/0/%u/unique-id", i);
        fake_write(path, "GVTg_V4_1", 5);
    }
    turns(rig, 20);
    assert_in_range(fake_requests() - before, 0, 2); /* of those that come by themselves */
    assert_int_equal(rig->given, 1);
}

TEST(of_too_many_devices_some_wait)
{
    struct rig *rig = *state;
    char path[128];

    rig->busy = 1000000;
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(path, sizeof(path), "backend/vdispl/5/%u/state", i);
        fake_write(path, "1", 0);
    }
    turns(rig, 20);
    assert_int_equal(rig->given, 0);
    assert_in_range(rig->warnings, 0, 1024);
}

/* --- a xenstored that does not answer ---------------------------------------------------- */

TEST(nothing_waits_for_one_that_hangs)
{
    struct rig *rig = *state;
    uint32_t domid;

    fake_hang(true);
    fake_fire("@introduceDomain");
    turns(rig, 5);
    assert_true(finds(rig, "web", 5));
    assert_int_equal(store_find(rig->store, "mail", 0, &domid), -ENOENT);
    store_check(rig->store);
    assert_int_equal(rig->warnings, 0);
    for (unsigned i = 0; i < 400 && !rig->warnings; i++) {
        turn(rig);
        store_check(rig->store);
    }
    assert_non_null(strstr(rig->line, "has not answered for"));
    store_check(rig->store);
    assert_int_equal(rig->warnings, 1);
    assert_true(finds(rig, "web", 5));
    assert_int_equal(store_find(rig->store, "mail", 0, &domid), -ETIMEDOUT);
    fake_hang(false);
    turns(rig, 5);
    store_check(rig->store);
    assert_non_null(strstr(rig->line, "answers again"));
    assert_int_equal(rig->warnings, 2);
}

TEST(one_that_ends_is_looked_for_until_it_is_back)
{
    struct rig *rig = *state;

    given_device(rig);
    fake_break(true);
    for (unsigned i = 0; i < 400 && !rig->warnings; i++) {
        turn(rig);
        store_check(rig->store);
    }
    assert_non_null(strstr(rig->line, "is not reachable"));
    assert_true(finds(rig, "web", 5));
    fake_break(false);
    for (unsigned i = 0; i < 400 && rig->warnings < 2; i++) {
        turn(rig);
        store_check(rig->store);
    }
    assert_non_null(strstr(rig->line, "answers again"));
    turns(rig, 5);
    assert_int_equal(rig->taken, 0);
}

TEST(one_that_forgot_everything_takes_no_vgpu_away)
{
    struct rig *rig = *state;

    given_device(rig);
    fake_break(true);
    fake_reset();
    fake_break(false);
    for (unsigned i = 0; i < 400 && finds(rig, "web", 5); i++) {
        turn(rig);
    }
    assert_false(finds(rig, "web", 5));
    turns(rig, 20);
    assert_int_equal(rig->taken, 0);
}

TEST(a_close_does_not_wait_for_one_that_hangs)
{
    struct rig *rig = *state;
    struct timespec begin, end;

    fake_hang(true);
    fake_fire("@introduceDomain");
    turns(rig, 5);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    store_close(rig->store);
    rig->store = NULL;
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_in_range(end.tv_sec - begin.tv_sec, 0, 3);
    fake_hang(false);
    turns(rig, 20); /* it ends in its own time */
}

TEST(without_one_it_opens_and_says_so)
{
    struct rig *rig = *state;

    store_close(rig->store);
    fake_break(true);
    assert_int_equal(open_store(rig), 0);
    assert_non_null(strstr(rig->line, "is not reachable"));
}
