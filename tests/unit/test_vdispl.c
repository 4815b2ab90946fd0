/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vdispl devices: each state of the nodes against each phase, and paths. */
#include "host/xen/vdispl.h"
#include "support/test.h"

enum { W = VDISPL_STEP_WAIT };
#define GIVE   VDISPL_STEP_GIVE
#define ACCEPT VDISPL_STEP_ACCEPT
#define DENY   VDISPL_STEP_DENY
#define TAKE   VDISPL_STEP_TAKE
#define CLOSE  VDISPL_STEP_CLOSE
#define FORGET VDISPL_STEP_FORGET

/* By phase: new, asked, given, denied, held, taking, taken, done. */
static const struct {
    unsigned state;
    bool known;
    unsigned step[VDISPL_DONE + 1];
} rows[] = {
    {VDISPL_NONE, false, {FORGET, W, TAKE, FORGET, TAKE, W, FORGET, FORGET}},
    {VDISPL_INITIALISING, false, {GIVE, W, ACCEPT, DENY, TAKE, W, GIVE, GIVE}},
    {VDISPL_INIT_WAIT, true, {GIVE, W, ACCEPT, DENY, W, W, W, W}},
    {VDISPL_INIT_WAIT, false, {GIVE, W, ACCEPT, DENY, W, W, W, W}},
    {VDISPL_CONNECTED, true, {GIVE, W, ACCEPT, DENY, W, W, W, W}},
    {VDISPL_CLOSING, false, {CLOSE, W, TAKE, CLOSE, TAKE, W, CLOSE, CLOSE}},
    {VDISPL_CLOSING, true, {TAKE, W, TAKE, CLOSE, TAKE, W, CLOSE, CLOSE}},
    {VDISPL_CLOSED, false, {W, W, TAKE, W, TAKE, W, W, W}},
    {VDISPL_CLOSED, true, {TAKE, W, TAKE, W, TAKE, W, W, W}},
    {4711, false, {W, W, TAKE, W, TAKE, W, W, W}},
};

PLAIN_TEST(the_next_step_follows_from_state_and_phase)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct vdispl_nodes nodes = {.state = rows[i].state, .known = rows[i].known};

        for (unsigned phase = VDISPL_NEW; phase <= VDISPL_DONE; phase++) {
            print_message("# state %u, phase %u\n", rows[i].state, phase);
            assert_int_equal(vdispl_next(phase, &nodes), rows[i].step[phase]);
        }
    }
}

PLAIN_TEST(a_path_of_a_device_or_below_it_names_the_device)
{
    uint32_t domid, number;

    (void)state;
    assert_true(vdispl_of_path("backend/vdispl/5/0", &domid, &number));
    assert_int_equal(domid, 5);
    assert_int_equal(number, 0);
    assert_true(vdispl_of_path("backend/vdispl/12/3/xengt/error", &domid, &number));
    assert_int_equal(domid, 12);
    assert_int_equal(number, 3);
}

PLAIN_TEST(other_paths_name_none)
{
    static const char *const paths[] = {
        "",
        "backend/vdispl",
        "backend/vdispl/",
        "backend/vdispl/5",
        "backend/vdispl/5/",
        "backend/vdispl/5/x",
        "backend/vdispl/5/0x1",
        "backend/vdispl/-5/0",
        "backend/vdispl/ 5/0",
        "backend/vdispl/32752/0",
        "backend/vdispl/4294967301/0",
        "backend/vdispl/5/2147483648",
        "backend/vdispl/5/99999999999999999999999999",
        "backend/vdispls/5/0",
        "/local/domain/0/backend/vdispl/5/0",
    };
    uint32_t domid, number;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_false(vdispl_of_path(paths[i], &domid, &number));
    }
}
