/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vGPUs by the toolstack's order: given, had already, refused, and taken from the right one only.
 */
#include "support/guests_fixture.h"

static char dir[64];

static int setup_kept(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/xengt-orders-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return setup_like(state, (struct stack_options){.state_dir = dir});
}

static int teardown_kept(void **state)
{
    char command[96];

    teardown(state);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): our own words */
    return 0;
}

#define TEST(name)      TEST_WITH(name, setup, teardown)
#define KEPT_TEST(name) TEST_WITH(name, setup_kept, teardown_kept)

static int give(struct stack *f, uint32_t domid, uint32_t device, const char *type)
{
    const struct host_order order = {.domid = domid, .device = device, .type = type};

    return host_sim_give(f->host, &order, f->error, sizeof(f->error));
}

static void take(struct stack *f, uint32_t domid, uint32_t device, bool known)
{
    const struct host_order order = {domid, device, "custom", known};

    host_sim_take(f->host, &order);
}

static unsigned attached(struct stack *f)
{
    struct guest_info info;
    unsigned n = 0;

    while (guests_list(f->guests, n, &info)) {
        n++;
    }
    return n;
}

TEST(an_order_gives_a_vgpu_of_its_type)
{
    struct stack *f = *state;
    struct guest_info info;
    uint32_t domid = new_domain(f, "web");

    assert_int_equal(give(f, domid, 0, "custom"), 0);
    refresh(f, "web", &info);
    assert_string_equal(info.type->name, "custom");
}

TEST(an_unknown_type_is_refused_with_the_known_ones)
{
    struct stack *f = *state;

    assert_int_equal(give(f, new_domain(f, "web"), 0, "GVTg_V9_9"), -EINVAL);
    assert_non_null(strstr(f->error, "GVTg_V4_8"));
    assert_int_equal(attached(f), 0);
}

TEST(a_domain_that_is_gone_is_refused)
{
    struct stack *f = *state;

    assert_int_equal(give(f, 77, 0, "custom"), -ENOENT);
}

TEST(the_same_order_again_is_followed_already)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");

    assert_int_equal(give(f, domid, 0, "custom"), 0);
    assert_int_equal(give(f, domid, 0, "custom"), 0);
    assert_int_equal(attached(f), 1);
}

TEST(a_second_device_is_refused)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");

    assert_int_equal(give(f, domid, 0, "custom"), 0);
    assert_int_equal(give(f, domid, 1, "custom"), -EEXIST);
    assert_non_null(strstr(f->error, "by its device 0"));
}

TEST(taking_one_device_leaves_anothers_vgpu)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");

    assert_int_equal(give(f, domid, 0, "custom"), 0);
    take(f, domid, 1, true);
    assert_int_equal(attached(f), 1);
    take(f, domid, 0, false);
    assert_int_equal(attached(f), 0);
}

TEST(a_vgpu_by_hand_is_not_taken_by_a_device_that_never_had_it)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    take(f, info.domid, 0, false);
    assert_int_equal(attached(f), 1);
}

TEST(a_vgpu_by_hand_is_what_an_order_of_its_type_asks_for)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_int_equal(give(f, info.domid, 0, "GVTg_V4_8"), -EEXIST);
    assert_int_equal(give(f, info.domid, 0, "custom"), 0);
    take(f, info.domid, 0, false);
    assert_int_equal(attached(f), 0);
}

TEST(a_dead_domains_vgpu_is_not_given_to_the_next_of_its_number)
{
    struct stack *f = *state;
    struct guest_info info;

    new_guest(f, "web", &info);
    assert_int_equal(xengt_sim_domain_destroy(f->sim, info.domid), 0);
    host_sim_notice_deaths(f->host);
    assert_int_equal(give(f, info.domid, 0, "custom"), -EBUSY);
    stack_run(f);
}

TEST(nobody_listens_when_the_guests_are_gone)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");

    guests_destroy(f->guests);
    f->guests = NULL;
    assert_int_equal(give(f, domid, 0, "custom"), -ENOTCONN);
}

KEPT_TEST(what_was_given_before_a_kill_can_be_taken_after_it)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");

    assert_int_equal(give(f, domid, 0, "custom"), 0);
    assert_int_equal(stack_restart(f, true, NULL), 0);
    assert_int_equal(attached(f), 1);
    take(f, domid, 0, true);
    assert_int_equal(attached(f), 0);
}

KEPT_TEST(what_was_given_before_a_kill_is_had_after_it)
{
    struct stack *f = *state;
    uint32_t domid = new_domain(f, "web");

    assert_int_equal(give(f, domid, 3, "custom"), 0);
    assert_int_equal(stack_restart(f, true, NULL), 0);
    assert_int_equal(give(f, domid, 3, "custom"), 0);
    assert_int_equal(give(f, domid, 4, "custom"), -EEXIST);
}
