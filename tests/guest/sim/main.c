/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's cases against the simulator, as TAP. After each case nothing may have been broken:
 * no rule violated, the GTT's proof clean, and when the guest is gone, no page of it mapped.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guest.h"

struct scenario {
    const char *command_line;
    bool no_defer;          /* unmap at once: order mistakes cannot hide behind the delay */
    const char *failsafe;   /* the vGPU is expected to end in failsafe, for this reason */
    uint32_t max_map_calls; /* 0: not checked */
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
};

struct check {
    char problem[256];
};

static void expect(struct check *check, bool good, const char *what, const char *detail)
{
    if (!good && !check->problem[0]) {
        snprintf(check->problem, sizeof(check->problem), "%s%s%s", what, *detail ? ": " : "",
                 detail);
    }
}

static void check_running(struct check *check, struct world *world, const struct scenario *s)
{
    char error[256] = "";
    struct server_vgpu_info info;
    int violations = server_verify(world->server, "guest", error, sizeof(error));
    expect(check, violations == 0, "verify", error);
    if (server_info(world->server, "guest", &info, error, sizeof(error))) {
        expect(check, false, "the guest has lost its vGPU", error);
        return;
    }
    expect(check, !info.failsafe == !s->failsafe, "failsafe",
           info.failsafe ? info.failsafe : "was expected");
    expect(check, !s->failsafe || !info.failsafe || strstr(info.failsafe, s->failsafe),
           "another reason for failsafe", info.failsafe ? info.failsafe : "");
    expect(check, !s->max_map_calls || info.space.map_calls <= s->max_map_calls,
           "too many map hypercalls", "");
    expect(check, info.gtt.scratch == s->scratch, "another number of scratch entries", "");
}

static void check_end(struct check *check, struct world *world, uint32_t domid)
{
    struct xengt_sim_stats stats;
    xengt_sim_domain_destroy(world->sim, domid);
    host_sim_notice_deaths(world->host);
    world_run(world);
    xengt_sim_get_stats(world->sim, &stats);
    expect(check, stats.mapped == 0, "pages stay mapped after the guest's end", "");
    expect(check, !xengt_sim_domain_exists(world->sim, domid), "the domain is a zombie", "");
    expect(check, stats.violations == 0, "violation", xengt_sim_violation(world->sim));
    expect(check, stats.iommu_faults == 0, "the IOMMU stopped the GPU", "");
}

static void run_scenario(const struct scenario *s, struct check *check)
{
    struct world world;
    uint32_t domid;
    const struct world_options options = {.space = {.no_defer = s->no_defer}};
    if (world_open(&world, &options)) {
        expect(check, false, "no world", "");
        return;
    }
    if (world_guest(&world, "guest", 2048, &domid) == 0) {
        const struct guest_run run = {
            .world = &world, .domid = domid, .pages = 2048, .command_line = s->command_line};
        const char *reason = guest_run(&run);
        expect(check, !reason, "the guest says", reason ? reason : "");
        check_running(check, &world, s);
        check_end(check, &world, domid);
    } else {
        expect(check, false, "no guest", "");
    }
    world_close(&world);
}

/* --- the race ------------------------------------------------------------------------------ */

#define PATTERN UINT64_C(0x5354524e47455221)

struct race {
    struct world *world;
    uint32_t stranger;
};

/* When the guest has given its page away: a stranger takes all memory, then the blit goes. */
static void on_race_line(void *arg, const char *line)
{
    struct race *race = arg;
    char error[256];
    if (strstr(line, "blit is waiting")) {
        world_stranger(race->world, "stranger", 1024, PATTERN, &race->stranger);
        server_pause(race->world->server, "guest", false, error, sizeof(error));
    }
}

static void run_race(struct check *check)
{
    struct world world;
    struct race race = {.world = &world};
    uint32_t domid;
    char error[256];
    if (world_open(&world, &(struct world_options){0})) {
        expect(check, false, "no world", "");
        return;
    }
    world_guest(&world, "guest", 256, &domid);
    server_pause(world.server, "guest", true, error, sizeof(error));
    const struct guest_run run = {.world = &world,
                                  .domid = domid,
                                  .pages = 256,
                                  .command_line = "race",
                                  .on_line = on_race_line,
                                  .on_line_arg = &race};
    const char *reason = guest_run(&run);
    expect(check, !reason, "the guest says", reason ? reason : "");
    expect(check, race.stranger != 0, "no stranger came", "");
    expect(check, world_changed_bytes(&world, race.stranger, PATTERN) == 0,
           "the stranger's memory changed", "");
    check_end(check, &world, domid);
    world_close(&world);
}

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(unsigned number, const char *name, bool no_defer, const struct check *check,
                   double seconds)
{
    printf("%s %u - sim: %s%s # %.3f s\n", check->problem[0] ? "not ok" : "ok", number, name,
           no_defer ? ", unmapping at once" : "", seconds);
    if (check->problem[0]) {
        printf("# %s\n", check->problem);
    }
}

int main(void)
{
    unsigned n = sizeof(scenarios) / sizeof(scenarios[0]);
    unsigned failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%u\n", n + 1);
    for (unsigned i = 0; i < n; i++) {
        struct check check = {""};
        double start = now();
        run_scenario(&scenarios[i], &check);
        report(i + 1, scenarios[i].command_line, scenarios[i].no_defer, &check, now() - start);
        failed += check.problem[0] != '\0';
    }
    struct check check = {""};
    double start = now();
    run_race(&check);
    report(n + 1, "race", false, &check, now() - start);
    failed += check.problem[0] != '\0';
    return failed ? 1 : 0;
}
