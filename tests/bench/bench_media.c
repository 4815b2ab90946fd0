/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The media workload (tests/guest/cases_media.c) on the simulator, played with each of the ways in
 * which stores into page tables are noticed. A line for each: what a frame costs.
 *
 * usage: bench-media ["KEY=VALUE ..." for the guest]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/guest.h"

/* 240 surfaces of 4.5 MiB on average, and what the driver needs. */
#define GUEST_PAGES  300000u
#define WINDOW_PAGES (1u << 17)

/* As long as the workload may take: what is released leaves by the bound in pages alone. */
#define DEFER_MS 600000u

struct counts {
    uint64_t ioreqs;
    uint64_t hypercalls; /* of mapping, unmapping, and tracking */
    uint64_t track_calls;
    uint64_t tlb_invalidates;
    uint64_t iotlb_flushes;
    uint64_t ptes;
    uint64_t trapped;
};

struct play {
    struct stack stack;
    struct counts begin;
    struct counts end;
    unsigned frames;
    unsigned broken; /* rules, at the steps */
};

static void count(struct play *play, struct counts *counts)
{
    struct xengt_sim_stats sim;
    struct gpu_stats gpu;
    struct guest_info info;
    char error[256];

    xengt_sim_get_stats(play->stack.sim, &sim);
    play->stack.gpu->ops->get_stats(play->stack.gpu, &gpu);
    if (guests_info(play->stack.guests, "guest", &info, error, sizeof(error))) {
        return;
    }
    *counts = (struct counts){
        .ioreqs = info.host.ioreqs,
        .hypercalls = sim.hypercalls + info.gtt.track_calls,
        .track_calls = info.gtt.track_calls,
        .tlb_invalidates = gpu.invalidates,
        .iotlb_flushes = sim.iotlb_flushes,
        .ptes = info.gtt.ptes,
        .trapped = info.gtt.table_writes,
    };
    if (guests_verify(play->stack.guests, "guest", error, sizeof(error))) {
        fprintf(stderr, "bench-media: %s\n", error);
        play->broken++;
    }
}

static void on_line(void *arg, const char *line)
{
    struct play *play = arg;

    if (!strcmp(line, "step media begins")) {
        count(play, &play->begin);
    } else if (sscanf(line, "step media ends after %u frames", &play->frames) == 1) {
        count(play, &play->end);
    }
}

static void report(const char *mode, const struct play *play)
{
    const struct counts *a = &play->begin, *b = &play->end;
    double n = play->frames;

    printf("{\"media\": \"%s\", \"frames\": %u, \"ioreqs\": %.3f, \"hypercalls\": %.3f, "
           "\"track_calls\": %.3f, \"tlb_invalidates\": %.3f, \"iotlb_flushes\": %.3f, "
           "\"ptes\": %.3f, \"trapped_stores\": %.3f}\n",
           mode, play->frames, (double)(b->ioreqs - a->ioreqs) / n,
           (double)(b->hypercalls - a->hypercalls) / n,
           (double)(b->track_calls - a->track_calls) / n,
           (double)(b->tlb_invalidates - a->tlb_invalidates) / n,
           (double)(b->iotlb_flushes - a->iotlb_flushes) / n, (double)(b->ptes - a->ptes) / n,
           (double)(b->trapped - a->trapped) / n);
}

static int play(const char *mode, enum guests_gtt_mode gtt_mode, const char *command_line)
{
    struct play play = {.frames = 0};
    const struct stack_options options = {
        .space = {.defer_ms = DEFER_MS},
        .gtt_mode = gtt_mode,
        .window_pages = WINDOW_PAGES,
        .mute = true,
    };
    struct guest_run run = {
        .stack = &play.stack,
        .pages = GUEST_PAGES,
        .command_line = command_line,
        .on_line = on_line,
        .on_line_arg = &play,
    };
    const char *reason = "no stack";

    if (!stack_open(&play.stack, &options) &&
        !stack_guest(&play.stack, "guest", run.pages, &run.domid)) {
        reason = guest_run(&run);
    }
    if (reason || !play.frames || play.broken) {
        fprintf(stderr, "bench-media: %s: %s\n", mode, reason ? reason : "no frames, or broken");
    } else {
        report(mode, &play);
    }
    stack_close(&play.stack);
    return reason || !play.frames || play.broken;
}

int main(int argc, char **argv)
{
    char command_line[256];

    snprintf(command_line, sizeof(command_line), "media %s", argc > 1 ? argv[1] : "");
    setvbuf(stdout, NULL, _IOLBF, 0);
    return play("trap-each", GUESTS_GTT_TRAP_EACH, command_line) ||
                   play("trap", GUESTS_GTT_TRAP, command_line) ||
                   play("sync", GUESTS_GTT_SYNC, command_line)
               ? EXIT_FAILURE
               : EXIT_SUCCESS;
}
