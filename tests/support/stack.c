/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stack: what is opened in which order, and closed in the reverse one. */
#include "support/stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "gpu/dma/dma.h"
#include "gpu/soft/open.h"

#define GTT_ENTRIES      (1u << 18)
#define MAPPABLE_PAGES   4096u
#define UNMAPPABLE_PAGES 16384u
#define GPU_BUDGET       4096u /* in the GPU's own time: some tens of microseconds */

static uint32_t or_default(uint32_t value, uint32_t preset)
{
    return value ? value : preset;
}

static bool gpu_holds(void *arg, struct xengt_bfn bfn)
{
    struct gpu *gpu = arg;

    return gpu->ops->holds(gpu, bfn.v);
}

/* --- the lower half ---------------------------------------------------------------------- */

static int open_library(struct stack *stack)
{
    const struct xengt_options options = {
        .backend = XENGT_BACKEND_SIM,
        .sim = stack->sim,
        .window_pages = stack->options.window_pages,
    };

    return xengt_open(&stack->xengt, &options, stack->error, sizeof(stack->error));
}

static int open_gpu(struct stack *stack)
{
    const struct gpu_soft_options soft = {
        .gtt_entries = or_default(stack->options.gtt_entries, GTT_ENTRIES),
        .eager = !stack->options.unwatched,
        .clock = stack->options.gpu_clock,
    };
    struct dma_port *port;
    int ret = dma_sim_open(stack->sim, &port);

    if (!ret) {
        ret = gpu_soft_open(port, &soft, &stack->gpu);
    }
    if (!ret && !stack->options.unwatched) {
        xengt_sim_on_unmap(stack->sim, gpu_holds, stack->gpu);
    }
    return ret;
}

static int open_lower_half(struct stack *stack, const struct stack_options *options)
{
    *stack = (struct stack){.options = *options, .base = options->base};
    stack->sim = xengt_sim_new();
    if (!stack->sim) {
        return -ENOMEM;
    }
    int ret = open_library(stack);
    if (!ret) {
        ret = open_gpu(stack);
    }
    return ret;
}

/* --- the whole --------------------------------------------------------------------------- */

static int open_guests(struct stack *stack)
{
    const struct stack_options *options = &stack->options;
    const struct guests_config config = {
        .base = stack->base,
        .xengt = stack->xengt,
        .gpu = stack->gpu,
        .host = stack->host,
        .mmio_base = options->mmio_base ? options->mmio_base : STACK_MMIO_BASE,
        .mappable_pages = or_default(options->mappable_pages, MAPPABLE_PAGES),
        .unmappable_pages = or_default(options->unmappable_pages, UNMAPPABLE_PAGES),
        .space = options->space,
        .gtt_mode = options->gtt_mode,
        .track_after = options->track_after,
        .lazy_ggtt = options->lazy_ggtt,
        .state_dir = options->state_dir,
        .gpu_budget = options->gpu_clock ? 0 : GPU_BUDGET,
        .log = options->log,
        .log_arg = options->log_arg,
    };

    return guests_create(&config, &stack->guests);
}

/* While a guest's processor waits for its request to be answered, the daemon makes its turns. */
static void make_turn(void *arg)
{
    guests_turn(((struct stack *)arg)->guests);
}

static int finish(struct stack *stack, int ret)
{
    if (ret) {
        if (!stack->options.mute) {
            fprintf(stderr, "stack: %s %s\n", strerror(-ret), stack->error);
        }
        stack_close(stack);
    }
    return ret;
}

int stack_open_gpu(struct stack *stack, const struct stack_options *options)
{
    return finish(stack, open_lower_half(stack, options));
}

int stack_open(struct stack *stack, const struct stack_options *options)
{
    int ret = open_lower_half(stack, options);

    if (!ret) {
        ret = host_sim_open(stack->sim, &stack->host);
    }
    if (!ret) {
        ret = open_guests(stack);
    }
    if (!ret) {
        host_sim_on_wait(stack->host, make_turn, stack);
    }
    return finish(stack, ret);
}

int stack_restart(struct stack *stack, bool killed, void (*fn)(const char *state_dir))
{
    while (!killed && !guests_hold(stack->guests)) {
        guests_turn(stack->guests);
    }
    guests_hand_over(stack->guests);
    stack->guests = NULL;
    if (fn) {
        fn(stack->options.state_dir);
    }
    int ret = open_guests(stack);
    if (!ret) {
        guests_take_up(stack->guests);
    }
    return ret;
}

void stack_close(struct stack *stack)
{
    guests_destroy(stack->guests);
    if (stack->host) {
        stack->host->ops->close(stack->host);
    }
    xengt_close(stack->xengt);
    if (stack->gpu) {
        stack->gpu->ops->close(stack->gpu);
    }
    xengt_sim_free(stack->sim);
    if (stack->base) {
        event_base_free(stack->base);
    }
    *stack = (struct stack){.base = NULL};
}

/* --- domains ----------------------------------------------------------------------------- */

int stack_domain(struct stack *stack, const char *name, uint32_t pages, uint64_t pattern,
                 uint32_t *domid)
{
    const struct xengt_sim_domain config = {.name = name, .pages = pages};
    int ret = xengt_sim_domain_create(stack->sim, &config, domid);

    for (uint64_t gfn = 0; !ret && pattern && gfn < pages; gfn++) {
        uint64_t *word = xengt_sim_guest_page(stack->sim, *domid, (struct xengt_gfn){gfn});

        for (size_t i = 0; i < XENGT_PAGE_SIZE / sizeof(*word); i++) {
            word[i] = pattern;
        }
    }
    return ret;
}

uint64_t stack_changed_bytes(struct stack *stack, uint32_t domid, uint64_t pattern)
{
    const uint8_t *expected = (const uint8_t *)&pattern;
    const uint8_t *page;
    uint64_t changed = 0;

    for (uint64_t gfn = 0;
         (page = xengt_sim_guest_page(stack->sim, domid, (struct xengt_gfn){gfn})); gfn++) {
        for (size_t i = 0; i < XENGT_PAGE_SIZE; i++) {
            changed += page[i] != expected[i % sizeof(pattern)];
        }
    }
    return changed;
}

int stack_guest(struct stack *stack, const char *name, uint32_t pages, uint32_t *domid)
{
    int ret = stack_domain(stack, name, pages, 0, domid);

    if (!ret) {
        ret = guests_attach(stack->guests, name, NULL, NULL, stack->error, sizeof(stack->error));
        if (ret && !stack->options.mute) {
            fprintf(stderr, "stack: %s\n", stack->error);
        }
    }
    return ret;
}

void stack_run(struct stack *stack)
{
    while (guests_turn(stack->guests)) {
        ;
    }
}
