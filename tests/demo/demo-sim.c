/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The demonstration without Xen: the story of demo.py, told by a run on the simulator. Every line
 * that begins with "ok" was checked; one that begins with "FAILED" makes the exit status 1.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gpu/gpu.h"
#include "sim/guest.h"

#define GUEST_PAGES    1024u
#define STRANGER_PAGES 4096u
#define PATTERN        UINT64_C(0x5354524e47455221) /* what a stranger's memory is filled with */

struct demo {
    struct stack stack;
    unsigned failed;
    uint32_t stranger;      /* domid; 0: not there yet */
    unsigned long long gfn; /* the page that is given away, */
    unsigned entry;         /* the GTT entry that points to it, */
    struct xengt_bfn bfn;   /* and where the GPU finds it */
};

/* --- telling ----------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf("         ");
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
}

__attribute__((format(printf, 3, 4))) static void check(struct demo *demo, bool good,
                                                        const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    printf("%s", good ? "  ok     " : "  FAILED ");
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    demo->failed += !good;
}

static void heading(const char *text)
{
    printf("\n%s\n", text);
}

/* --- the guest and its blit -------------------------------------------------------------- */

static void on_blit_line(void *arg, const char *line)
{
    (void)arg;
    say("guest: %s", line);
}

static void show_list(struct demo *demo)
{
    struct guest_info info;
    say("%-10s %5s  %4s  %-8s  %s", "NAME", "DOMID", "VGPU", "STATE", "MAPPED PAGES");
    for (unsigned i = 0; guests_list(demo->stack.guests, i, &info); i++) {
        const char *state = info.failsafe ? "failsafe" : info.paused ? "paused" : "running";
        say("%-10s %5u  %4u  %-8s  %12u", info.name, info.domid, info.id, state, info.space.mapped);
    }
}

static void tell_blit(struct demo *demo)
{
    struct stack *stack = &demo->stack;
    struct guest_info info;
    struct gpu_stats gpu;
    char error[256];
    uint32_t domid;

    heading("A guest uses its virtual GPU");
    if (stack_guest(stack, "guest", GUEST_PAGES, &domid)) {
        check(demo, false, "a domain is created and gets a vGPU");
        return;
    }
    const struct guest_run run = {.stack = stack,
                                  .domid = domid,
                                  .pages = GUEST_PAGES,
                                  .command_line = "blit pages=20",
                                  .on_line = on_blit_line};
    const char *reason = guest_run(&run);
    check(demo, !reason, "20 pages copied by the GPU, compared byte for byte by the guest%s%s",
          reason ? ": " : "", reason ? reason : "");
    show_list(demo);
    if (guests_info(stack->guests, "guest", &info, error, sizeof(error))) {
        check(demo, false, "%s", error);
        return;
    }
    stack->gpu->ops->get_stats(stack->gpu, &gpu);
    say("%" PRIu64 " ioreqs; %" PRIu64 " stores to the GTT; %u pages mapped by %" PRIu64
        " map hypercalls; %" PRIu64 " TLB invalidates",
        info.host.ioreqs, info.gtt.writes, info.space.mapped, info.space.map_calls,
        gpu.invalidates);
    check(demo, info.space.map_calls * 10 <= info.space.mapped,
          "hypercalls are made for batches, not for pages");
    int violations = guests_verify(stack->guests, "guest", error, sizeof(error));
    check(demo, violations == 0, "every GPU entry is a mapping of this guest, or scratch%s%s",
          *error ? ": " : "", error);
}

/* --- the race ---------------------------------------------------------------------------- */

static void find_bfn(void *arg, const struct guests_mapping *m)
{
    struct demo *demo = arg;
    if (m->index == demo->entry) {
        demo->bfn.v = m->bfn;
    }
}

static void check_stranger(struct demo *demo, const char *when)
{
    uint64_t changed = stack_changed_bytes(&demo->stack, demo->stranger, PATTERN);
    check(demo, demo->stranger && changed == 0,
          "%s: of the stranger's %u bytes %" PRIu64 " have changed", when,
          STRANGER_PAGES * XENGT_PAGE_SIZE, changed);
}

/* The guest has given its page away and the DMA waits: now everybody else moves. */
static void on_race_line(void *arg, const char *line)
{
    struct demo *demo = arg;
    struct stack *stack = &demo->stack;
    char error[256];

    say("guest: %s", line);
    if (sscanf(line, "gave gfn %llx away, GTT entry %u", &demo->gfn, &demo->entry) != 2) {
        return;
    }
    guests_mappings(stack->guests, "racer", find_bfn, demo, error, sizeof(error));
    check(demo, demo->bfn.v != 0,
          "gfn 0x%llx is not the guest's any more; Xen keeps BFN 0x%" PRIx64 " for the GPU",
          demo->gfn, demo->bfn.v);
    int ret = stack_domain(stack, "stranger", STRANGER_PAGES, PATTERN, &demo->stranger);
    check(demo, !ret, "a stranger is started and fills its %u pages", STRANGER_PAGES);
    say("the vGPU is resumed: the DMA runs");
    guests_pause(stack->guests, "racer", false, error, sizeof(error));
}

static void tell_race(struct demo *demo)
{
    struct stack *stack = &demo->stack;
    char error[256];
    uint32_t domid;

    heading("The race: a page changes hands between the guest's request and the DMA");
    if (stack_guest(stack, "racer", GUEST_PAGES, &domid)) {
        check(demo, false, "a domain is created and gets a vGPU");
        return;
    }
    guests_pause(stack->guests, "racer", true, error, sizeof(error));
    say("the vGPU is paused, so that the DMA has to wait");
    const struct guest_run run = {.stack = stack,
                                  .domid = domid,
                                  .pages = GUEST_PAGES,
                                  .command_line = "race",
                                  .on_line = on_race_line,
                                  .on_line_arg = demo};
    const char *reason = guest_run(&run);
    check(demo, !reason, "the guest copied it back and found its data%s%s", reason ? ": " : "",
          reason ? reason : "");
    check_stranger(demo, "after the DMA");
}

/* --- after the unmap --------------------------------------------------------------------- */

static void tell_fault(struct demo *demo)
{
    struct stack *stack = &demo->stack;
    struct xengt_sim_stats before, after;
    uint8_t page[XENGT_PAGE_SIZE];
    char error[256] = "";

    heading("After the unmap: the same DMA once more");
    int ret = guests_detach(stack->guests, "racer", error, sizeof(error));
    check(demo, !ret, "the vGPU is detached, its pages are unmapped%s%s", *error ? ": " : "",
          error);
    memset(page, 0xa5, sizeof(page));
    xengt_sim_get_stats(stack->sim, &before);
    ret = xengt_sim_dma_write(stack->sim, xengt_bfn_to_addr(demo->bfn), page, sizeof(page));
    xengt_sim_get_stats(stack->sim, &after);
    check(demo, ret == -EFAULT && after.iommu_faults == before.iommu_faults + 1,
          "DMA to BFN 0x%" PRIx64 ": IOMMU fault, nothing written", demo->bfn.v);
    check_stranger(demo, "after the fault");
    const char *violation = xengt_sim_violation(stack->sim);
    check(demo, after.violations == 0, "breaches of the order of release: %" PRIu64 "%s%s",
          after.violations, *violation ? ": " : "", violation);
}

/* --- for contrast ------------------------------------------------------------------------ */

/*
 * What a device would do to whom with an address that was looked up: the same steps with nobody
 * holding a reference. The pointer plays the machine address; it goes around the IOMMU's window,
 * as the addresses of a backend domain do that may reach all memory.
 */
static void tell_lookup(struct demo *demo)
{
    const struct xengt_sim_domain config = {.name = "careless", .pages = GUEST_PAGES};
    const struct xengt_gfn gfn = {demo->gfn};
    struct xengt_sim *sim = demo->stack.sim;
    uint32_t careless, other;
    void *looked_up;

    heading("For contrast: the same with the address looked up instead of mapped");
    if (xengt_sim_domain_create(sim, &config, &careless)) {
        check(demo, false, "a domain is created");
        return;
    }
    looked_up = xengt_sim_guest_page(sim, careless, gfn);
    xengt_sim_balloon_out(sim, careless, gfn);
    if (!looked_up || stack_domain(&demo->stack, "other", STRANGER_PAGES, PATTERN, &other)) {
        check(demo, false, "a stranger is created");
        return;
    }
    memset(looked_up, 0xa5, XENGT_PAGE_SIZE);
    say("gfn 0x%llx looked up, then ballooned out, a stranger started, and the DMA runs:",
        demo->gfn);
    uint64_t changed = stack_changed_bytes(&demo->stack, other, PATTERN);
    check(demo, changed > 0,
          "%" PRIu64 " bytes of the stranger are lost: what the mapping prevents", changed);
}

int main(void)
{
    struct demo demo = {0};
    struct timespec start, end;

    setvbuf(stdout, NULL, _IOLBF, 0);
    clock_gettime(CLOCK_MONOTONIC, &start);
    puts("xengt on the simulator: Xen's memory, an IOMMU and a GPU, modelled in this process.");
    if (stack_open(&demo.stack, &(struct stack_options){0})) {
        return 1;
    }
    demo.stack.options.mute = true;
    tell_blit(&demo);
    tell_race(&demo);
    tell_fault(&demo);
    tell_lookup(&demo);
    stack_close(&demo.stack);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (demo.failed) {
        printf("\n%u of the claims above did not hold.\n", demo.failed);
        return 1;
    }
    printf("\nEverything held, in %.2f s. The same on real Xen: ./dev demo\n", seconds);
    return 0;
}
