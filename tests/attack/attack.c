/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attacks: their clock, their page tables, their batches. */
#include "attack.h"

#include <inttypes.h>

#include "attack/work.h"

#define WORK_MAX       5000000u /* at once: what docs/architecture.md says that bob waits */
#define HYPERCALLS_MAX 64u      /* at once: of some microseconds each, for 64 pages */

/* --- the wait ---------------------------------------------------------------------------- */

static struct wait_mark mark(const struct pair *p)
{
    struct xengt_sim_stats stats;

    xengt_sim_get_stats(p->f->sim, &stats);
    return (struct wait_mark){
        .work = work_done(),
        .hypercalls = stats.hypercalls,
    };
}

/* What has been measured until now, and from now on. */
static void note(struct wait *wait, const char *what)
{
    struct wait_mark now = mark(wait->p);

    if (now.work - wait->since.work > wait->most_work) {
        wait->most_work = now.work - wait->since.work;
        wait->worst = what;
    }
    if (now.hypercalls - wait->since.hypercalls > wait->most_hypercalls) {
        wait->most_hypercalls = now.hypercalls - wait->since.hypercalls;
        wait->most = what;
    }
    wait->since = mark(wait->p);
}

static void make_turn(void *arg)
{
    const struct stack *stack = arg;

    guests_turn(stack->guests);
}

static void make_measured_turn(void *arg)
{
    struct wait *wait = arg;

    note(wait, wait->what);
    make_turn(wait->p->f);
    note(wait, "a turn");
}

void attack_begin_wait(const struct pair *p, struct wait *wait, const char *what)
{
    wait->p = p;
    wait->what = what;
    wait->since = mark(p);
    host_sim_on_wait(p->f->host, make_measured_turn, wait);
}

void attack_end_wait(struct wait *wait)
{
    note(wait, wait->what);
    host_sim_on_wait(wait->p->f->host, make_turn, wait->p->f);
}

void attack_write(const struct pair *p, struct wait *wait, uint32_t reg, uint32_t value)
{
    ATTACK_WAIT(p, wait, "a store to a register", pair_write(p, &p->alice, reg, value));
}

void attack_turns(const struct pair *p, struct wait *wait, unsigned max)
{
    bool more = true;

    for (unsigned i = 0; more && i < max; i++) {
        ATTACK_WAIT(p, wait, "a turn", more = guests_turn(p->f->guests));
    }
}

void attack_check_wait(const struct wait *wait)
{
    print_message("# bob waited for %" PRIu64 " units of work (%s) and %" PRIu64 " hypercalls\n",
                  wait->most_work, wait->worst ? wait->worst : "-", wait->most_hypercalls);
    if (wait->most_work > WORK_MAX) {
        fail_msg("bob waits for %" PRIu64 " units of work for %s of alice's, %u are the most",
                 wait->most_work, wait->worst, WORK_MAX);
    }
    if (wait->most_hypercalls > HYPERCALLS_MAX) {
        fail_msg("bob waits for %" PRIu64 " hypercalls for %s of alice's, %u are the most",
                 wait->most_hypercalls, wait->most, HYPERCALLS_MAX);
    }
}

/* --- page tables ------------------------------------------------------------------------- */

#define ENTRIES 512u

static uint32_t directories(uint32_t count)
{
    return (count + ENTRIES - 1) / ENTRIES;
}

uint32_t attack_tables_size(uint32_t count)
{
    return 2 + directories(count) + count;
}

uint32_t attack_table_gfn(const struct attack_tables *tables, uint32_t i)
{
    return tables->first + 2 + directories(tables->count) + i;
}

uint64_t *attack_table(const struct pair *p, const struct attack_tables *tables, uint32_t i)
{
    return (uint64_t *)pair_ram(p, p->alice.domid, attack_table_gfn(tables, i));
}

static uint64_t *page_of(const struct pair *p, uint32_t gfn)
{
    return memset(pair_ram(p, p->alice.domid, gfn), 0, PAGE);
}

void attack_make_tables(const struct pair *p, const struct attack_tables *tables)
{
    uint32_t first = tables->first;
    uint64_t *pdp = page_of(p, first + 1);

    page_of(p, first)[0] = (uint64_t)(first + 1) << 12 | PTE_FLAGS;
    for (uint32_t d = 0; d < directories(tables->count); d++) {
        uint64_t *pd = page_of(p, first + 2 + d);

        pdp[d] = (uint64_t)(first + 2 + d) << 12 | PTE_FLAGS;
        for (uint32_t i = 0; i < ENTRIES && d * ENTRIES + i < tables->count; i++) {
            pd[i] = (uint64_t)attack_table_gfn(tables, d * ENTRIES + i) << 12 | PTE_FLAGS;
        }
    }
}

void attack_announce(const struct pair *p, struct wait *wait, uint32_t pml4_gfn)
{
    attack_write(p, wait, PVINFO_PDP0, pml4_gfn << 12);
    attack_write(p, wait, PVINFO_PDP0 + 4, pml4_gfn >> 20);
    attack_write(p, wait, G2V_NOTIFY, L4_CREATE);
}

void attack_run_batch(const struct pair *p, struct wait *wait, uint32_t pml4_gfn, uint64_t batch_va)
{
    const uint32_t ring[] = {0x18800101, (uint32_t)batch_va, (uint32_t)(batch_va >> 32), 0};
    uint32_t image = pair_low(&p->alice, IMAGE);
    uint32_t start = pair_low(&p->alice, RING);

    memcpy(pair_ram(p, p->alice.domid, GFN(RING)), ring, sizeof(ring));
    ATTACK_WAIT(
        p, wait, "a submission",
        pair_submit_context(p, &p->alice, image, start, sizeof(ring), (uint64_t)pml4_gfn << 12));
}
