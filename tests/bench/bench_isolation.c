/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The isolation of guests, in figures: how long a request of one waits for what four hostile ones
 * do, and how far from their shares of the GPU guests are whose commands cost very different
 * things.
 *
 * usage: bench-isolation [SECONDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "attack/attack.h"
#include "attack/work.h"
#include "guests/wake.h"

/* Time of this thread's processor, as other programs do not count. */
uint64_t work_done(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --- the wait ---------------------------------------------------------------------------- */

#define LOOP 0x18800101u /* MI_BATCH_BUFFER_START in the address space */

#define HOSTILE     4u
#define TABLES      8192u
#define FIRST       PAGES
#define ALICE_PAGES (FIRST + 2 + TABLES / 512 + TABLES)
#define HUGE        2048u
#define BATCHES     15u
#define BATCH_FIRST 64u
#define BATCH_PAGES 64u
#define VGPU_DEVFN  0x10u

static const struct attack_tables tables = {.first = FIRST, .count = TABLES};

struct rounds {
    struct stack *stack;
    uint64_t since;
    uint64_t worst;
    uint64_t sum;
    uint64_t n;
};

/* One round of the loop: requests of the hostile guests, and a turn. Bob's waits for all of it. */
static void end_round(void *arg)
{
    struct rounds *rounds = arg;
    uint64_t took;

    guests_turn(rounds->stack->guests);
    took = work_done() - rounds->since;
    rounds->worst = took > rounds->worst ? took : rounds->worst;
    rounds->sum += took;
    rounds->n++;
    rounds->since = work_done();
}

static void make_hostile(struct pair *p, unsigned i)
{
    char name[16];
    uint32_t domid;

    snprintf(name, sizeof(name), "alice%u", i);
    assert_int_equal(stack_domain(p->f, name, ALICE_PAGES, 0, &domid), 0);
    attach(p->f, name, &p->alice);
    pair_fill(p, domid, GFN(DATA), MARK);
    pair_map(p, &p->alice);
}

/* As many tables as there can be, all of which are stored into and flushed. */
static void run_tables(struct pair *p)
{
    static const uint32_t ring[] = {LOOP, 0, 0, 0}; /* her batch ends at once */

    memcpy(pair_ram(p, p->alice.domid, GFN(RING)), ring, sizeof(ring));
    pair_write(p, &p->alice, PVINFO_PDP0, FIRST << 12);
    pair_write(p, &p->alice, G2V_NOTIFY, L4_CREATE);
    pair_submit_context(p, &p->alice, pair_low(&p->alice, IMAGE), pair_low(&p->alice, RING),
                        sizeof(ring), FIRST << 12);
}

static void begin_tables(struct pair *p)
{
    attack_make_tables(p, &tables);
    for (uint32_t i = 0; i < TABLES; i++) {
        attack_table(p, &tables, i)[0] = GFN(DATA) << 12 | PTE_FLAGS;
    }
    run_tables(p);
}

static void go_on_tables(struct pair *p, unsigned round)
{
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t *table = attack_table(p, &tables, (round * 64 + i) % TABLES);

        table[1] = round % 2 ? 0 : GFN(DATA) << 12 | PTE_FLAGS;
    }
    pair_write(p, &p->alice, GFX_FLSH, 1);
}

/* Millions of entries by one of the PML4, there and gone. */
static void begin_huge(struct pair *p)
{
    for (uint32_t d = 0; d < 24; d++) {
        uint64_t *pd = (uint64_t *)pair_ram(p, p->alice.domid, FIRST + 2 + d);

        for (uint32_t i = 0; i < 512; i++) {
            pd[i] = HUGE << 12 | 0x80 | PTE_FLAGS;
        }
        ((uint64_t *)pair_ram(p, p->alice.domid, FIRST + 1))[d] =
            (uint64_t)(FIRST + 2 + d) << 12 | PTE_FLAGS;
    }
    ((uint64_t *)pair_ram(p, p->alice.domid, FIRST))[0] = (FIRST + 1) << 12 | PTE_FLAGS;
    run_tables(p);
}

static void go_on_huge(struct pair *p, unsigned round)
{
    host_sim_guest_store(p->f->host, p->alice.domid, FIRST << 12,
                         round % 2 ? (FIRST + 1) << 12 | PTE_FLAGS : 0, 8);
    pair_write(p, &p->alice, GFX_FLSH, 1);
}

/* Everything mapped, and reset. */
static void begin_resets(struct pair *p)
{
    begin_tables(p);
    for (uint32_t i = 0; i < 64; i++) {
        for (uint32_t n = 0; n < 512; n++) {
            attack_table(p, &tables, i)[n] = (64 + (i * 512 + n) % 8192) << 12 | PTE_FLAGS;
        }
    }
}

static void go_on_resets(struct pair *p, unsigned round)
{
    if (round % 32 == 31) {
        host_sim_pci_write(p->f->host, p->alice.domid, VGPU_DEVFN, 0xa8, 1, 4);
        host_sim_pci_write(p->f->host, p->alice.domid, VGPU_DEVFN, 0x10, (uint32_t)MMIO_BASE, 4);
        host_sim_pci_write(p->f->host, p->alice.domid, VGPU_DEVFN, 0x04, 6, 4);
    } else if (round % 32 == 0) {
        pair_map(p, &p->alice);
        run_tables(p);
    }
}

/* As many privileged commands as a submission may have. */
static void begin_audits(struct pair *p)
{
    for (uint32_t page = 0; page < BATCHES * BATCH_PAGES; page++) {
        uint32_t entry = p->alice.mappable.first + BATCH_FIRST + page;
        bool last = page % BATCH_PAGES == BATCH_PAGES - 1;

        pair_fill(p, p->alice.domid, BATCH_FIRST + page, 0);
        pair_ram(p, p->alice.domid, BATCH_FIRST + page)[PAGE / 4 - 8] = last ? MARK : 0;
        pair_set_entry(p, &p->alice, entry, (uint64_t)(BATCH_FIRST + page) << 12 | PTE_FLAGS);
    }
}

static void go_on_audits(struct pair *p, unsigned round)
{
    uint32_t ring[3 * BATCHES + 1] = {0};

    for (uint32_t i = 0; i < BATCHES; i++) {
        ring[3 * i] = 0x18800001;
        ring[3 * i + 1] = pair_low(&p->alice, BATCH_FIRST + i * BATCH_PAGES);
    }
    if (round % 4 == 0) {
        pair_submit(p, &p->alice, ring, 3 * BATCHES + 1);
    }
}

static const struct hostile {
    void (*begin)(struct pair *p);
    void (*go_on)(struct pair *p, unsigned round);
} hostile[HOSTILE] = {
    {begin_tables, go_on_tables},
    {begin_huge, go_on_huge},
    {begin_resets, go_on_resets},
    {begin_audits, go_on_audits},
};

static void measure_wait(double seconds)
{
    static const struct stack_options options = {
        .gtt_entries = 1u << 18,
        .mappable_pages = 2048,
        .unmappable_pages = 512,
        .window_pages = 1u << 17,
        .gpu_clock = wake_now_ns,
        .unwatched = true,
    };
    struct pair pairs[HOSTILE] = {0};
    struct stack stack;
    struct rounds rounds = {.stack = &stack};

    assert_int_equal(stack_open(&stack, &options), 0);
    for (unsigned i = 0; i < HOSTILE; i++) {
        pairs[i].f = &stack;
        make_hostile(&pairs[i], i);
        hostile[i].begin(&pairs[i]);
    }
    rounds.since = work_done();
    host_sim_on_wait(stack.host, end_round, &rounds);
    for (uint64_t end = work_done() + (uint64_t)(seconds * 1e9); rounds.since < end;) {
        static unsigned round;

        for (unsigned i = 0; i < HOSTILE; i++) {
            hostile[i].go_on(&pairs[i], round);
        }
        round++;
        end_round(&rounds);
    }
    printf("{\"name\": \"worst_wait_ms\", \"value\": %.3f, \"unit\": \"ms\"}\n",
           (double)rounds.worst / 1e6);
    printf("{\"name\": \"mean_wait_ms\", \"value\": %.3f, \"unit\": \"ms\"}\n",
           (double)rounds.sum / (double)rounds.n / 1e6);
    stack_close(&stack);
}

/* --- shares ------------------------------------------------------------------------------ */

#define SHARERS 3u
#define ROUNDS  15u

struct sharer {
    const char *name, *type;
    uint32_t weight;
    uint32_t commands[1020];
    uint32_t count;
    struct guest_info info;
    double share[ROUNDS]; /* what it gets done beside the others, of what it does alone */
};

static void run_loop(struct pair *p, const struct sharer *s)
{
    static const uint32_t ring[] = {LOOP, 0, 0, 0};
    static const uint32_t again[] = {LOOP, 0, 0};
    uint32_t *batch = pair_ram(p, s->info.domid, BATCH_GFN);

    pair_map(p, &s->info);
    pair_make_ppgtt(p, &s->info);
    memcpy(batch, s->commands, s->count * sizeof(*batch));
    memcpy(batch + s->count, again, sizeof(again));
    memcpy(pair_ram(p, s->info.domid, GFN(RING)), ring, sizeof(ring));
    pair_submit_context(p, &s->info, pair_low(&s->info, IMAGE), pair_low(&s->info, RING),
                        sizeof(ring), TABLE_GFN(4) << 12);
}

/* The guests that are not paused, for some time. */
static double run_for(struct stack *stack, uint64_t ns)
{
    uint64_t start = work_done();

    do {
        guests_turn(stack->guests);
    } while (work_done() - start < ns);
    return (double)(work_done() - start);
}

static double commands_of(struct stack *stack, const struct sharer *s)
{
    struct guest_info info;

    refresh(stack, s->name, &info);
    return (double)info.gpu.commands;
}

static void pause_all_but(struct stack *stack, const struct sharer *sharers, const char *name)
{
    for (unsigned i = 0; i < SHARERS; i++) {
        bool paused = name && strcmp(name, sharers[i].name) != 0;

        guests_pause(stack->guests, sharers[i].name, paused, stack->error, sizeof(stack->error));
    }
}

/* One after the other: a machine that others use, too, is now fast and now slow. */
static void measure_round(struct stack *stack, struct sharer *sharers, unsigned round)
{
    double alone[SHARERS], before[SHARERS], ns;

    for (unsigned i = 0; i < SHARERS; i++) {
        pause_all_but(stack, sharers, sharers[i].name);
        before[i] = commands_of(stack, &sharers[i]);
        ns = run_for(stack, 20000000);
        alone[i] = (commands_of(stack, &sharers[i]) - before[i]) / ns;
    }
    pause_all_but(stack, sharers, NULL);
    for (unsigned i = 0; i < SHARERS; i++) {
        before[i] = commands_of(stack, &sharers[i]);
    }
    ns = run_for(stack, 60000000);
    for (unsigned i = 0; i < SHARERS; i++) {
        sharers[i].share[round] = (commands_of(stack, &sharers[i]) - before[i]) / ns / alone[i];
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return values[n / 2];
}

static void measure_shares(void)
{
    static const struct stack_options options = {.gtt_entries = 1u << 20, .gpu_clock = work_done};
    static struct sharer sharers[SHARERS] = {
        {.name = "noops", .type = "GVTg_V4_8", .weight = 2, .count = 1000},
        {.name = "stores",
         .type = "GVTg_V4_4",
         .weight = 4,
         .commands = {0x10000000 | (1017 - 2), 0x2000},
         .count = 1017},
        {.name = "copies",
         .type = "GVTg_V4_8",
         .weight = 2,
         .commands = {0x54f00008, 0x03cc0000, 0, 1000 << 16 | 1, 0x2000, 0, 0, 4, 0x2000, 0},
         .count = 10},
    };
    struct stack stack;
    struct pair p = {.f = &stack};
    double worst = 0;
    uint32_t weights = 0;

    assert_int_equal(stack_open(&stack, &options), 0);
    for (unsigned i = 0; i < SHARERS; i++) {
        new_domain(&stack, sharers[i].name);
        attach_type(&stack, sharers[i].name, sharers[i].type, &sharers[i].info);
        weights += sharers[i].weight;
        run_loop(&p, &sharers[i]);
        run_for(&stack, 1000000); /* until its work is the GPU's */
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        measure_round(&stack, sharers, round);
    }
    for (unsigned i = 0; i < SHARERS; i++) {
        struct sharer *s = &sharers[i];
        double share = median(s->share, ROUNDS);
        double wanted = (double)s->weight / weights;
        double error = share > wanted ? share / wanted - 1 : 1 - share / wanted;

        worst = error > worst ? error : worst;
        printf("{\"name\": \"share.%s\", \"value\": %.4f, \"unit\": \"ratio\"}\n", s->name, share);
    }
    printf("{\"name\": \"share_error\", \"value\": %.4f, \"unit\": \"ratio\"}\n", worst);
    stack_close(&stack);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    measure_wait(argc > 1 ? strtod(argv[1], NULL) : 5);
    measure_shares();
    return EXIT_SUCCESS;
}
