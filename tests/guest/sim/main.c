/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's cases against the simulator, as TAP. At each step of a case and after it nothing may
 * have been broken: no rule violated, the GTT's proof clean, and when the guest is gone, no page of
 * it mapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "late.h"

/* Tables that are left alone are trapped soon: the cases do not submit hundreds of times. */
#define TRACK_AFTER 2u

struct scenario {
    const char *command_line;
    uint32_t pages;         /* the guest's; 0: 2048 */
    bool lazy;              /* its GGTT is RAM */
    bool no_defer;          /* unmap at once: order mistakes cannot hide behind the delay */
    bool late;              /* stores come in the moment before a page is tracked */
    bool detach;            /* the guest loses its vGPU at the first step */
    unsigned restart;       /* the daemon ends when the guest has waited so often, then that much
                             * longer each time; 0: never */
    bool killed;            /* it has no chance to do anything before */
    bool tracked;           /* tables are to be tracked, and stores into them trapped */
    const char *failsafe;   /* the vGPU is expected to end in failsafe, for this reason */
    uint32_t max_map_calls; /* 0: not checked */
    uint32_t max_trapped;   /* stores into tables; 0: not checked */
    uint32_t scratch;       /* entries that are scratch at the end */
};

static const struct scenario scenarios[] = {
    {.command_line = "probe"},
    {.command_line = "blit pages=1", .no_defer = true},
    {.command_line = "blit pages=20", .no_defer = true},
    {.command_line = "blit pages=300", .max_map_calls = 4},
    {.command_line = "repoint", .no_defer = true},
    {.command_line = "repoint"},
    {.command_line = "halves", .no_defer = true},
    {.command_line = "badgfn", .no_defer = true, .scratch = 4},
    {.command_line = "badcommand", .failsafe = "unknown command"},
    {.command_line = "balloon"},
    {.command_line = "blit+repoint+halves+probe+blit pages=40", .no_defer = true},

    {.command_line = "tables mib=64", .pages = 18000},
    {.command_line = "tables mib=4", .no_defer = true},
    {.command_line = "pprepoint", .no_defer = true},
    {.command_line = "ppshare", .no_defer = true},
    {.command_line = "recycle", .no_defer = true},
    {.command_line = "hammer", .no_defer = true, .tracked = true},
    {.command_line = "hammer rounds=60 stores=500", .tracked = true},
    {.command_line = "pphalves", .no_defer = true, .tracked = true},
    {.command_line = "ppodd", .no_defer = true, .tracked = true},
    {.command_line = "pplate", .no_defer = true, .late = true},
    {.command_line = "ppbad", .no_defer = true},
    {.command_line = "pphuge", .no_defer = true},
    {.command_line = "pploops", .no_defer = true},
    {.command_line = "ppuses", .no_defer = true},
    {.command_line = "ppballoon", .no_defer = true},
    {.command_line = "ppnotify", .no_defer = true},
    {.command_line = "ggttclear", .no_defer = true},
    {.command_line = "tables+pprepoint+recycle+ppshare+hammer+ppbad+pploops+ppballoon+blit",
     .pages = 4096},
    {.command_line = "ppnoroot", .failsafe = "is not in the guest's memory"},
    {.command_line = "ppoddroot", .failsafe = "is no root of a PPGTT"},
    {.command_line = "pvrefusal", .failsafe = "insufficient"},
    {.command_line = "former stores=3000", .tracked = true},
    {.command_line = "former stores=20000", .detach = true},
    {.command_line = "former stores=20000 destroy=1", .max_trapped = 1},
    {.command_line = "outlive rounds=40"},
    {.command_line = "outlive rounds=40", .restart = 1},
    {.command_line = "outlive rounds=40", .restart = 1, .lazy = true},
    {.command_line = "outlive rounds=40", .restart = 3, .killed = true},
    {.command_line = "outlive rounds=40", .restart = 7, .killed = true, .lazy = true},
    {.command_line = "media scale=16 frames=20", .pages = 20000},
    {.command_line = "media scale=16 frames=20", .pages = 20000, .no_defer = true},
};

struct check {
    struct stack *stack;
    const struct scenario *scenario;
    bool detached;
    unsigned waits, restarts;
    char problem[600];
};

static void expect(struct check *check, bool good, const char *what, const char *detail)
{
    if (!good && !check->problem[0]) {
        snprintf(check->problem, sizeof(check->problem), "%s%s%s", what, *detail ? ": " : "",
                 detail);
    }
}

static void prove(struct check *check, const char *name, const char *when)
{
    char error[256] = "";
    char what[300];
    int violations = guests_verify(check->stack->guests, name, error, sizeof(error));

    snprintf(what, sizeof(what), "verify at '%s'", when);
    expect(check, violations == 0, what, error);
}

/* At each step all guests' tables are as they should be. */
static void on_line(void *arg, const char *line)
{
    struct check *check = arg;
    struct guest_info info;
    char error[256];

    if (strncmp(line, "step ", 5) != 0) {
        return;
    }
    for (unsigned i = 0; guests_list(check->stack->guests, i, &info); i++) {
        prove(check, info.name, line);
    }
    if (check->scenario && check->scenario->detach && !check->detached) {
        check->detached = true;
        guests_detach(check->stack->guests, "guest", error, sizeof(error));
    }
}

static void on_wait(void *arg)
{
    struct check *check = arg;
    const struct scenario *s = check->scenario;

    if (s->restart && ++check->waits >= s->restart * (check->restarts + 1)) {
        check->waits = 0;
        check->restarts++;
        expect(check, !stack_restart(check->stack, s->killed, NULL), "the daemon does not start",
               "");
    }
}

static void check_counters(struct check *check, const struct scenario *s,
                           const struct guest_info *info)
{
    expect(check, !info->failsafe == !s->failsafe, "failsafe",
           info->failsafe ? info->failsafe : "was expected");
    expect(check, !s->failsafe || !info->failsafe || strstr(info->failsafe, s->failsafe),
           "another reason for failsafe", info->failsafe ? info->failsafe : "");
    expect(check, !s->max_map_calls || info->space.map_calls <= s->max_map_calls,
           "too many map hypercalls", "");
    expect(check, info->gtt.scratch == s->scratch, "another number of scratch entries", "");
    expect(check, !s->tracked || info->gtt.track_calls > 1, "no table was tracked", "");
    expect(check, !s->tracked || info->gtt.table_writes > 0, "no store was trapped", "");
    expect(check, !s->max_trapped || info->gtt.table_writes <= s->max_trapped,
           "stores are trapped that are into no table", "");
    expect(check, !s->late || late_stores() > 0, "no store came late", "");
}

static void check_running(struct check *check, struct stack *stack, const struct scenario *s)
{
    char error[256] = "";
    struct guest_info info;

    if (s->detach) {
        return;
    }
    prove(check, "guest", "the end");
    if (guests_info(stack->guests, "guest", &info, error, sizeof(error))) {
        expect(check, false, "the guest has lost its vGPU", error);
        return;
    }
    check_counters(check, s, &info);
}

static void check_end(struct check *check, struct stack *stack)
{
    struct xengt_sim_stats stats;

    xengt_sim_get_stats(stack->sim, &stats);
    expect(check, stats.mapped == 0, "pages stay mapped after the guest's end", "");
    expect(check, stats.violations == 0, "violation", xengt_sim_violation(stack->sim));
    expect(check, stats.iommu_faults == 0, "the IOMMU stopped the GPU", "");
}

static void end_guest(struct check *check, struct stack *stack, uint32_t domid)
{
    xengt_sim_domain_destroy(stack->sim, domid);
    host_sim_notice_deaths(stack->host);
    stack_run(stack);
    expect(check, !xengt_sim_domain_exists(stack->sim, domid), "the domain is a zombie", "");
}

static void run_scenario(const struct scenario *s, struct check *check)
{
    struct stack stack;
    uint32_t domid, pages = s->pages ? s->pages : 2048;
    char dir[] = "/tmp/xengt-guest-XXXXXX";
    const struct stack_options options = {.space = {.no_defer = s->no_defer},
                                          .state_dir = s->restart ? mkdtemp(dir) : NULL,
                                          .lazy_ggtt = s->lazy,
                                          .track_after = TRACK_AFTER};

    *check = (struct check){.stack = &stack, .scenario = s};
    if (stack_open(&stack, &options)) {
        expect(check, false, "no stack", "");
        return;
    }
    if (s->late) {
        late_begin(&stack);
    }
    if (stack_guest(&stack, "guest", pages, &domid) == 0) {
        const struct guest_run run = {.stack = &stack,
                                      .domid = domid,
                                      .pages = pages,
                                      .command_line = s->command_line,
                                      .on_line = on_line,
                                      .on_line_arg = check,
                                      .on_wait = on_wait};
        const char *reason = guest_run(&run);

        if (s->restart) {
            printf("# %u restarts\n", check->restarts);
            expect(check, check->restarts >= 10, "fewer restarts than 10", "");
        }
        expect(check, !reason, "the guest says", reason ? reason : "");
        check_running(check, &stack, s);
        end_guest(check, &stack, domid);
        check_end(check, &stack);
    } else {
        expect(check, false, "no guest", "");
    }
    stack_close(&stack);
    expect(check, !s->restart || rmdir(dir) == 0, "something is left in", dir);
}

/* --- the race ---------------------------------------------------------------------------- */

#define PATTERN UINT64_C(0x5354524e47455221)

struct race {
    struct stack *stack;
    uint32_t stranger;
};

/* When the guest has given its page away: a stranger takes all memory, then the blit goes. */
static void on_race_line(void *arg, const char *line)
{
    struct race *race = arg;
    char error[256];

    if (strstr(line, "blit is waiting")) {
        stack_domain(race->stack, "stranger", 1024, PATTERN, &race->stranger);
        guests_pause(race->stack->guests, "guest", false, error, sizeof(error));
    }
}

static void run_race(struct check *check)
{
    struct stack stack;
    struct race race = {.stack = &stack};
    uint32_t domid;
    char error[256];

    *check = (struct check){.stack = &stack};
    if (stack_open(&stack, &(struct stack_options){.track_after = TRACK_AFTER})) {
        expect(check, false, "no stack", "");
        return;
    }
    stack_guest(&stack, "guest", 256, &domid);
    guests_pause(stack.guests, "guest", true, error, sizeof(error));
    const struct guest_run run = {.stack = &stack,
                                  .domid = domid,
                                  .pages = 256,
                                  .command_line = "race",
                                  .on_line = on_race_line,
                                  .on_line_arg = &race};
    const char *reason = guest_run(&run);

    expect(check, !reason, "the guest says", reason ? reason : "");
    expect(check, race.stranger != 0, "no stranger came", "");
    expect(check, stack_changed_bytes(&stack, race.stranger, PATTERN) == 0,
           "the stranger's memory changed", "");
    end_guest(check, &stack, domid);
    check_end(check, &stack);
    stack_close(&stack);
}

/* --- guests at once ---------------------------------------------------------------------- */

static void run_together(struct check *check)
{
    static const char *const lines[] = {
        "tables+hammer+recycle+pprepoint+ppbad mib=8",
        "hammer+ppshare+tables+pphalves+pploops mib=4",
        "hammer+ppballoon+ppodd+ppuses+blit",
    };
    static const char *const names[] = {"one", "two", "three"};
    enum { GUESTS = sizeof(lines) / sizeof(lines[0]), PAGES = 4096 };
    struct stack stack;
    struct guest_run run[GUESTS];
    const char *reason[GUESTS];

    *check = (struct check){.stack = &stack};
    if (stack_open(&stack, &(struct stack_options){.space = {.no_defer = true},
                                                   .track_after = TRACK_AFTER})) {
        expect(check, false, "no stack", "");
        return;
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        run[i] = (struct guest_run){.stack = &stack,
                                    .pages = PAGES,
                                    .command_line = lines[i],
                                    .on_line = on_line,
                                    .on_line_arg = check};
        expect(check, !stack_guest(&stack, names[i], PAGES, &run[i].domid), "no guest", "");
    }
    if (!check->problem[0]) {
        guest_run_together(run, GUESTS, reason);
        for (unsigned i = 0; i < GUESTS; i++) {
            expect(check, !reason[i], names[i], reason[i] ? reason[i] : "");
            prove(check, names[i], "the end");
        }
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        end_guest(check, &stack, run[i].domid);
    }
    check_end(check, &stack);
    stack_close(&stack);
}

/* --- all of it --------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(unsigned number, const char *name, const struct scenario *s,
                   const struct check *check, double seconds)
{
    printf("%s %u - sim: %s%s%s # %.3f s\n", check->problem[0] ? "not ok" : "ok", number, name,
           s && s->no_defer ? ", unmapping at once" : "", s && s->detach ? ", detached" : "",
           seconds);
    if (check->problem[0]) {
        printf("# %s\n", check->problem);
    }
}

/* With an argument: only those whose command lines contain it. */
int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct check *check);
    } special[] = {{"race", run_race}, {"three guests at once", run_together}};
    const unsigned n = sizeof(scenarios) / sizeof(scenarios[0]);
    const unsigned all = n + sizeof(special) / sizeof(special[0]);
    unsigned failed = 0, count = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < all; i++) {
        const struct scenario *s = i < n ? &scenarios[i] : NULL;
        const char *name = s ? s->command_line : special[i - n].name;
        struct check check;
        double start = now();

        if (argc > 1 && !strstr(name, argv[1])) {
            continue;
        }
        if (s) {
            run_scenario(s, &check);
        } else {
            special[i - n].run(&check);
        }
        report(++count, name, s, &check, now() - start);
        failed += check.problem[0] != '\0';
    }
    printf("1..%u\n", count);
    return failed ? 1 : 0;
}
