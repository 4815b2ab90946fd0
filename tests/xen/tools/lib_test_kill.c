/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that maps and unmaps is killed at any instant, over and over. Its successor releases
 * what it held; then Xen itself is asked whether anything is left, not the journal.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#include <xen/grant_table.h>
#include <xen/memory.h>

#include "lib_test.h"

#define WINDOW       4096u /* slots: all of them are looked at in each round */
#define MULTI        512u
#define TABLE_FRAMES 64u
#define LOOK_FRAMES  12u /* of a guest's grant table, from its end: more than the load uses */
#define IN_A_FRAME   512u

struct kill {
    const uint32_t *domid;
    unsigned domids;
    struct xengt_options options;
    xencall_handle *call;
    xenforeignmemory_handle *memory;
    unsigned long long reclaimed;
    unsigned early; /* kills before the process had come to its work */
    unsigned found; /* what Xen still held */
    unsigned failed;
};

/* --- what Xen says ----------------------------------------------------------------------- */

/* A slot that is empty cannot be emptied. Returns how many were not. */
static unsigned occupied_slots(struct kill *k, uint64_t base)
{
    struct {
        multicall_entry_t call[MULTI];
        struct xen_remove_from_physmap remove[MULTI];
    } *a = xencall_alloc_buffer(k->call, sizeof(*a));
    unsigned occupied = 0;
    for (unsigned first = 0; a && first < WINDOW; first += MULTI) {
        for (unsigned i = 0; i < MULTI; i++) {
            a->remove[i] = (struct xen_remove_from_physmap){DOMID_SELF, base + first + i};
            a->call[i] = (multicall_entry_t){
                .op = __HYPERVISOR_memory_op,
                .args = {XENMEM_remove_from_physmap, (uintptr_t)&a->remove[i]},
            };
        }
        int ret = xencall2(k->call, __HYPERVISOR_multicall, (uintptr_t)a->call, MULTI);
        for (unsigned i = 0; i < MULTI; i++) {
            occupied += ret || (int)(long)a->call[i].result != -ENOENT;
        }
    }
    xencall_free_buffer(k->call, a);
    return a ? occupied : WINDOW;
}

/* Entries of a guest's table that Xen marks as in use, or that somebody has left there. */
static unsigned used_entries(struct kill *k, uint32_t domid)
{
    unsigned used = 0;
    void *table = NULL;
    xenforeignmemory_resource_handle *resource = xenforeignmemory_map_resource(
        k->memory, domid, XENMEM_resource_grant_table, XENMEM_resource_grant_table_id_shared,
        TABLE_FRAMES - LOOK_FRAMES, LOOK_FRAMES, &table, PROT_READ | PROT_WRITE, 0);
    if (!resource) {
        printf("# the grant table of domain %u: %s\n", domid, strerror(errno));
        return LOOK_FRAMES * IN_A_FRAME;
    }
    const grant_entry_v1_t *entry = table;
    for (unsigned i = 0; i < LOOK_FRAMES * IN_A_FRAME; i++) {
        used += entry[i].flags != 0;
    }
    xenforeignmemory_unmap_resource(k->memory, resource);
    return used;
}

static unsigned left_in_xen(struct kill *k, uint64_t window_base)
{
    unsigned left = window_base ? occupied_slots(k, window_base) : 0;
    for (unsigned i = 0; i < k->domids && !window_base; i++) {
        left += used_entries(k, k->domid[i]);
    }
    return left;
}

/* --- a life ------------------------------------------------------------------------------ */

_Noreturn static void live(const struct kill *k, int out)
{
    struct test t = {0};
    dup2(out, STDOUT_FILENO);
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool good = xengt_open(&t.xg, &k->options, NULL, 0) == 0;
    _exit(good ? run_load(&t, k->domid, k->domids) : 1);
}

/* Whether the process says that it works, or ends. */
static bool has_begun(int in, char *line, size_t size)
{
    size_t n = 0;
    while (n + 1 < size && read(in, line + n, 1) == 1 && line[n] != '\n') {
        n++;
    }
    line[n] = '\0';
    return strncmp(line, "running", 7) == 0;
}

static void sleep_for(unsigned us)
{
    const struct timespec t = {0, (long)us * 1000};
    nanosleep(&t, NULL);
}

/* Every fourth is killed from its start on: in its taking over, often. */
static void kill_one(struct kill *k, unsigned round)
{
    char line[200] = "";
    int ends[2];
    if (pipe(ends)) {
        k->failed++;
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        live(k, ends[1]);
    }
    close(ends[1]);
    bool begun = round % 4 && has_begun(ends[0], line, sizeof(line));
    if (round % 4 && !begun) {
        k->failed++;
        printf("# round %u: '%s'\n", round, line);
    }
    k->early += !begun;
    sleep_for((unsigned)rand() % 100000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
}

static void succeed(struct kill *k, unsigned round)
{
    struct xengt *xg;
    struct xengt_stats stats;
    char error[256];
    if (xengt_open(&xg, &k->options, error, sizeof(error))) {
        k->failed++;
        printf("# round %u: no successor: %s\n", round, error);
        return;
    }
    xengt_get_stats(xg, &stats);
    k->reclaimed += stats.reclaimed;
    unsigned left = left_in_xen(k, xengt_get_caps(xg)->window_base);
    if (left) {
        printf("# round %u: %u are left\n", round, left);
    }
    k->found += left;
    xengt_close(xg);
}

int run_kills(const char *dir, unsigned rounds, const uint32_t *domids, unsigned n)
{
    struct test t = {0};
    struct kill k = {
        .domid = domids,
        .domids = n,
        .options = {.state_dir = dir, .window_pages = WINDOW},
        .call = xencall_open(NULL, 0),
        .memory = xenforeignmemory_open(NULL, 0),
    };
    unsigned tenths = rounds / 10 ? rounds / 10 : 1;
    srand((unsigned)time(NULL));
    for (unsigned round = 1; round <= rounds; round++) {
        kill_one(&k, round);
        /* Now and then one that was killed is followed by one that is killed, too. */
        if (round % 3 || round == rounds) {
            succeed(&k, round);
        }
        if (round % tenths == 0) {
            printf("# %u kills, %llu mappings reclaimed\n", round, k.reclaimed);
        }
    }
    expect(&t, k.failed == 0, "%u kills, %u of them before any work: %u failures", rounds, k.early,
           k.failed);
    expect(&t, k.reclaimed > 0, "successors released %llu mappings", k.reclaimed);
    expect(&t, k.found == 0, "Xen holds none of them after that: %u", k.found);
    xenforeignmemory_close(k.memory);
    xencall_close(k.call);
    return t.failed != 0;
}
