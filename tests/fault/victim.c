/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The victim: a handle on the simulator, killed at a hypercall or at a store to the journal. */
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "handle.h"

#define JOURNAL_MAX   (1u << 17)
#define EFLAGS_TRAP   0x100
#define DEAD_MEN_TELL (-EIO)

static struct victim {
    char path[128];
    struct hv *hv;
    const struct hv_ops *real;
    uint64_t instants;
    uint64_t last; /* the instant it dies at; 0: never */
    bool dead;
    bool stores;
    char *watched; /* the journal in memory; NULL: stores are not watched */
    size_t watched_size;
    char journal[JOURNAL_MAX]; /* of the instant of its death; size -1: none */
    ssize_t size;
} victim;

void victim_make_dir(char *dir, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, size, "%.40s/xengt-XXXXXX", tmp ? tmp : "/dev/shm");
    if (!mkdtemp(dir)) {
        abort();
    }
}

void victim_remove_dir(const char *dir)
{
    static const char *const names[] = {"journal", "lock"};
    char path[128];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* --- dying ------------------------------------------------------------------------------- */

static void die(void)
{
    int fd = open(victim.path, O_RDONLY | O_CLOEXEC);
    victim.dead = true;
    victim.size = fd < 0 ? -1 : read(fd, victim.journal, sizeof(victim.journal));
    if (fd >= 0) {
        close(fd);
    }
}

/* Another instant; false when nothing that the process does counts any more. */
static bool lives(void)
{
    if (!victim.dead && ++victim.instants == victim.last) {
        die();
    }
    return !victim.dead;
}

static size_t tell_nothing(int *err, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        err[i] = DEAD_MEN_TELL;
    }
    return n;
}

static size_t map(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                  unsigned prot)
{
    return lives() ? victim.real->map(hv, domid, slot, err, n, prot) : tell_nothing(err, n);
}

static size_t unmap(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    return lives() ? victim.real->unmap(hv, slot, err, n) : tell_nothing(err, n);
}

static size_t map_offered(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                          unsigned prot)
{
    return lives() ? victim.real->map_offered(hv, domid, slot, err, n, prot) : tell_nothing(err, n);
}

static size_t unmap_offered(struct hv *hv, const uint32_t *slot, int *err, size_t n)
{
    return lives() ? victim.real->unmap_offered(hv, slot, err, n) : tell_nothing(err, n);
}

/* --- watching stores: each one faults, and is then done as a single step ----------------- */

static void on_fault(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    char *at = info->si_addr;
    (void)signal;
    if (!victim.watched || at < victim.watched || at >= victim.watched + victim.watched_size) {
        abort();
    }
    lives();
    mprotect(victim.watched, victim.watched_size, PROT_READ | PROT_WRITE);
    c->uc_mcontext.gregs[REG_EFL] |= EFLAGS_TRAP;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    (void)signal;
    (void)info;
    c->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)EFLAGS_TRAP;
    if (victim.watched && !victim.dead) {
        mprotect(victim.watched, victim.watched_size, PROT_READ);
    }
}

static void watch(struct xengt *xg)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = on_fault};
    sigaction(SIGSEGV, &action, NULL);
    action.sa_sigaction = on_step;
    sigaction(SIGTRAP, &action, NULL);
    victim.watched = xg->slots.file;
    victim.watched_size = xg->slots.file_size;
    mprotect(victim.watched, victim.watched_size, PROT_READ);
}

static void unwatch(void)
{
    if (victim.watched) {
        mprotect(victim.watched, victim.watched_size, PROT_READ | PROT_WRITE);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGTRAP, SIG_DFL);
        victim.watched = NULL;
    }
}

/* --- life -------------------------------------------------------------------------------- */

int victim_open(struct xengt **out, const struct xengt_options *options, uint64_t nth, bool stores)
{
    static struct hv_ops ops; /* outlives the call; there is one victim at a time */
    char text[256] = "";
    struct hv_error error = {text, sizeof(text)};
    struct hv *hv;
    *out = NULL;
    victim.instants = 0;
    victim.last = nth;
    victim.dead = false;
    victim.watched = NULL;
    snprintf(victim.path, sizeof(victim.path), "%s/journal", options->state_dir);
    int ret = hv_sim_open(options, &hv, &error);
    if (ret) {
        return ret;
    }
    victim.real = hv->ops;
    ops = *hv->ops;
    ops.map = map;
    ops.unmap = unmap;
    ops.map_offered = map_offered;
    ops.unmap_offered = unmap_offered;
    hv->ops = &ops;
    ret = handle_open(out, options, hv, &error);
    if (!ret && stores && !victim.dead) {
        watch(*out);
    }
    return ret;
}

void victim_will_die(uint64_t nth)
{
    victim.last = victim.instants + nth;
}

bool victim_is_dead(void)
{
    return victim.dead;
}

uint64_t victim_instants(void)
{
    return victim.instants;
}

void victim_bury(struct xengt *xg)
{
    unwatch();
    if (!victim.dead) {
        die();
    }
    xengt_close(xg);
    if (victim.size < 0) {
        unlink(victim.path);
        return;
    }
    int fd = open(victim.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, victim.journal, (size_t)victim.size) != victim.size) {
        abort();
    }
    close(fd);
}
