/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log: alice provokes lines by the thousand. There are few of them, bob's are there, and so is
 * the one that says what became of alice.
 */
#include "attack.h"

#define VGPU_DEVFN 0x10u
#define LINES_MAX  250u

static struct {
    unsigned lines; /* about alice, or nobody */
    bool bob;
    bool alice_failed;
    bool left_out; /* how many are not there is said */
} seen;

static void listen(void *arg, int level, const char *line)
{
    (void)arg;
    (void)level;
    if (strstr(line, "'bob'")) {
        seen.bob |= strstr(line, "failsafe") != NULL;
        return;
    }
    seen.lines++;
    seen.alice_failed |= strstr(line, "failsafe") != NULL;
    seen.left_out |= strstr(line, "left out") || strstr(line, "suppressed");
}

static int setup_log(void **state)
{
    memset(&seen, 0, sizeof(seen));
    return setup_like(state, (struct stack_options){.log = listen});
}

/* No command at all: the vGPU fails. */
static void make_fail(const struct pair *p, const struct guest_info *guest)
{
    const uint32_t nonsense[] = {0x07ffffff, 0};

    pair_submit(p, guest, nonsense, 2);
    pair_run(p);
}

/* To where her vGPU cannot be, and to where it is, by turns. */
TEST_WITH(a_flood_of_moves_is_a_few_lines, setup_log, teardown)
{
    struct pair p = pair_begin_large(state, 8192); /* 32 MiB: her RAM is at the lower place */

    pair_map(&p, &p.alice);
    for (uint32_t i = 0; i < 10000; i++) {
        host_sim_pci_write(p.f->host, p.alice.domid, VGPU_DEVFN, 0x10,
                           i % 2 ? (uint32_t)MMIO_BASE : 0x01000000, 4);
    }
    assert_in_range(seen.lines, 0, LINES_MAX);
    make_fail(&p, &p.alice);
    assert_true(seen.alice_failed);
    make_fail(&p, &p.bob);
    assert_true(seen.bob);
    free(p.bob_before);
}

TEST_WITH(a_flood_of_notifications_is_a_few_lines, setup_log, teardown)
{
    struct pair p = pair_begin(state);

    pair_map(&p, &p.alice);
    for (uint32_t i = 0; i < 10000; i++) {
        pair_write(&p, &p.alice, PVINFO_PDP0, 0xfffff000);
        pair_write(&p, &p.alice, G2V_NOTIFY, L4_CREATE + i % 2);
    }
    assert_in_range(seen.lines, 0, LINES_MAX);
    make_fail(&p, &p.alice);
    assert_true(seen.alice_failed);
    make_fail(&p, &p.bob);
    assert_true(seen.bob);
    free(p.bob_before);
}
