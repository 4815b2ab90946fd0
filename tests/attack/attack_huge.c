/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Huge pages: each entry of 2 MiB is 512 of the GPU's, so that one page of alice's makes a quarter
 * of a million of them, and a few pages millions; in a submission, and when an administrator asks
 * whether all of them are right.
 */
#include "attack.h"

#include <errno.h>

#define PML4        PAGES
#define PDP         (PAGES + 1)
#define PD          (PAGES + 2)
#define DIRECTORIES 24u
#define HUGE        2048u /* frame of the one huge page that all entries name */
#define HUGE_FLAG   0x80u
#define ALICE_PAGES 4096u

static int setup_large(void **state)
{
    return setup_like(state, (struct stack_options){.window_pages = 1u << 16, .unwatched = true});
}

static uint64_t *table(const struct pair *p, uint32_t gfn)
{
    return (uint64_t *)pair_ram(p, p->alice.domid, gfn);
}

static struct pair begin(void **state)
{
    struct pair p = pair_begin_large(state, ALICE_PAGES);

    pair_map(&p, &p.alice);
    for (uint32_t gfn = HUGE; gfn < HUGE + 512; gfn++) {
        pair_fill(&p, p.alice.domid, gfn, MARK);
    }
    table(&p, PML4)[0] = (uint64_t)PDP << 12 | PTE_FLAGS;
    for (uint32_t d = 0; d < DIRECTORIES; d++) {
        table(&p, PDP)[d] = (uint64_t)(PD + d) << 12 | PTE_FLAGS;
        for (uint32_t i = 0; i < 512; i++) {
            table(&p, PD + d)[i] = (uint64_t)HUGE << 12 | HUGE_FLAG | PTE_FLAGS;
        }
    }
    return p;
}

TEST_WITH(a_submission_with_huge_pages_takes_its_own_time, setup_large, teardown)
{
    struct pair p = begin(state);
    struct wait wait = {0};

    attack_run_batch(&p, &wait, PML4, 0);
    attack_turns(&p, &wait, 1000000);
    pair_refresh(&p);
    assert_null(p.alice.failsafe);
    assert_true(p.alice.gtt.present > DIRECTORIES * 512 * 256); /* else this is no test */
    pair_check_bob_works(&p, 7);
    attack_check_wait(&wait);
    pair_end(&p);
}

TEST_WITH(the_verification_of_a_full_gpu_takes_its_own_time, setup_large, teardown)
{
    struct pair p = begin(state);
    struct wait building = {0}, wait = {0};

    attack_announce(&p, &building, PML4);
    attack_run_batch(&p, &building, PML4, 0);
    attack_turns(&p, &building, 1000000);
    int ret;
    do {
        ATTACK_WAIT(&p, &wait, "a verification",
                    ret = guests_verify_some(p.f->guests, "alice", p.f->error, sizeof(p.f->error)));
        attack_turns(&p, &wait, 1);
    } while (ret == -EAGAIN);
    assert_int_equal(ret, 0);
    attack_check_wait(&wait);
    pair_end(&p);
}
