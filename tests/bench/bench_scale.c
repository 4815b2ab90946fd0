/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cost of a request against the number of vGPUs: the daemon's, on the simulator, in
 * instructions.
 *
 * usage: bench-scale GUESTS, under callgrind, which dumps at "read" and "request"
 *
 *   read     a register is read
 *   request  on average of what a driver asks for a small piece of work: eight entries of the
 * global GTT, a flush, a submission, a read
 *
 * All guests ask by turns, and after each request the event loop makes its turn.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <valgrind/callgrind.h>

#include "support/pair.h"

#define WARM_UP 64u
#define ROUNDS  128u
#define ENTRIES 8u
#define ASKS    (ENTRIES + 3u) /* of a guest, in a round */

#define STORE_DATA 0x10400002u /* MI_STORE_DATA_IMM by the global GTT */

static struct stack stack;
static struct guest_info guests[GUESTS_VGPUS_MAX];
static unsigned guests_n;

/* What the daemon does when a request is answered, and what it has to do besides. */
static void end_request(const struct guest_info *guest)
{
    host_sim_end_of_turn(stack.host, guest->domid);
    event_base_loop(stack.base, EVLOOP_NONBLOCK);
}

static void make_guest(unsigned i)
{
    static const struct pair p = {.f = &stack};
    struct guest_info *guest = &guests[i];
    char name[16];

    snprintf(name, sizeof(name), "guest%u", i);
    new_guest(&stack, name, guest);
    pair_map(&p, guest);
    pair_submit(&p, guest, (const uint32_t[]){0, 0}, 2); /* the ring is the engine's from here on */
    end_request(guest);
}

/* --- requests ---------------------------------------------------------------------------- */

static void ask_read(const struct guest_info *guest)
{
    guest_reads(&stack, guest->domid, MMIO_BASE, PVINFO);
    end_request(guest);
}

/* Entries point to pages that are mapped already, another one each round. */
static void ask_store(const struct guest_info *guest, unsigned round, unsigned i)
{
    static const struct pair p = {.f = &stack};

    pair_set_entry(&p, guest, guest->unmappable.first + MAPPED + i,
                   (uint64_t)(GFN(MAPPED) + (round + i) % (2 * ENTRIES)) << 12 | PTE_FLAGS);
    end_request(guest);
}

/* Each round's command lies behind the last one's. Nothing is in the ring at the end of a round. */
static void ask_submit(const struct guest_info *guest, unsigned round)
{
    static const struct pair p = {.f = &stack};
    uint32_t *ring = pair_ram(&p, guest->domid, GFN(RING));
    uint32_t at = 8 + round * 16 % (PAGE - 16);
    uint32_t command[] = {STORE_DATA, pair_low(guest, DATA), 0, round};

    memcpy((uint8_t *)ring + at, command, sizeof(command));
    pair_write(&p, guest, RING_TAIL, at + 16);
    end_request(guest);
}

static void ask(const struct guest_info *guest, unsigned round, unsigned n)
{
    static const struct pair p = {.f = &stack};

    if (n < ENTRIES) {
        ask_store(guest, round, n);
    } else if (n == ENTRIES) {
        pair_write(&p, guest, GFX_FLSH, 1);
        end_request(guest);
    } else if (n == ENTRIES + 1) {
        ask_submit(guest, round);
    } else {
        ask_read(guest);
    }
}

/* Each of them has its own request answered before any has the next one's. */
static void ask_all(unsigned from, unsigned rounds)
{
    for (unsigned round = from; round < from + rounds; round++) {
        for (unsigned n = 0; n < ASKS; n++) {
            for (unsigned i = 0; i < guests_n; i++) {
                ask(&guests[i], round, n);
            }
        }
    }
}

/* --- counted ----------------------------------------------------------------------------- */

static void check_work(unsigned round)
{
    static const struct pair p = {.f = &stack};

    for (unsigned i = 0; i < guests_n; i++) {
        struct guest_info info;

        refresh(&stack, guests[i].name, &info);
        if (!pair_is_well(&info) || *pair_ram(&p, info.domid, GFN(DATA)) != round) {
            errx(1, "guest %u's work is not done", i);
        }
    }
}

static void count_reads(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < guests_n; i++) {
            ask_read(&guests[i]);
        }
    }
    CALLGRIND_DUMP_STATS_AT("read");
    CALLGRIND_STOP_INSTRUMENTATION;
    printf("{\"mark\":\"read\",\"n\":%u}\n", ROUNDS * guests_n);
}

static void count_requests(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    ask_all(WARM_UP, ROUNDS);
    CALLGRIND_DUMP_STATS_AT("request");
    CALLGRIND_STOP_INSTRUMENTATION;
    printf("{\"mark\":\"request\",\"n\":%u}\n", ROUNDS * ASKS * guests_n);
}

int main(int argc, char **argv)
{
    static struct stack_options options = {
        .gtt_entries = 1u << 20,
        .mappable_pages = 1024,
        .unmappable_pages = 1024,
        .unwatched = true,
    };

    guests_n = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (!guests_n || guests_n > GUESTS_VGPUS_MAX) {
        errx(2, "usage: bench-scale GUESTS, 1 to %u", GUESTS_VGPUS_MAX);
    }
    options.base = event_base_new();
    if (!options.base || stack_open(&stack, &options)) {
        errx(1, "no stack");
    }
    for (unsigned i = 0; i < guests_n; i++) {
        make_guest(i);
    }
    ask_all(0, WARM_UP);
    check_work(WARM_UP - 1);
    count_reads();
    count_requests();
    check_work(WARM_UP + ROUNDS - 1);
    stack_close(&stack);
    return 0;
}
