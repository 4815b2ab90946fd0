/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handle: opening, closing, the lock. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "dma.h"
#include "gfns.h"
#include "mapper.h"
#include "offers.h"
#include "sized.h"
#include "space.h"
#include "state.h"

const struct xengt_caps *xengt_get_caps(const struct xengt *xg)
{
    return &xg->caps;
}

static uint64_t count_deferred(const struct xengt *xg)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < xg->targets_count; i++) {
        sum += xg->targets[i]->space ? space_deferred(xg->targets[i]->space) : 0;
    }
    return sum;
}

void xengt_get_stats_sized(const struct xengt *xg, struct xengt_stats *stats, size_t size)
{
    struct xengt_stats all = xg->stats;
    all.mapped = xg->slots.used - xg->slots.leaked;
    all.leaked = xg->slots.leaked;
    all.deferred = count_deferred(xg);
    sized_write(stats, size, &all, sizeof(all));
}

/* Says who has the lock: the process that wrote its number there, or one that it has forked. */
static void tell_owner(const struct xengt *xg, struct hv_error *error)
{
    char text[16] = "";
    ssize_t n = pread(xg->lock_fd, text, sizeof(text) - 1, 0);
    pid_t pid = n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
    if (pid > 0 && kill(pid, 0) && errno == ESRCH) {
        hv_error(error,
                 "state directory '%s' is locked by a process that %d has forked and that is "
                 "still there, although %d is not: end it",
                 xg->state_dir, (int)pid, (int)pid);
    } else {
        hv_error(error, "state directory '%s' is locked: another process (%d) owns the mappings",
                 xg->state_dir, (int)pid);
    }
}

/*
 * One process owns a journal. The lock lives as long as the descriptor: the kernel drops it with
 * the process, however that ends, and with the last of those that it has forked.
 */
static int take_lock(struct xengt *xg, struct hv_error *error)
{
    if (!xg->state_dir) {
        return 0;
    }
    if (mkdir(xg->state_dir, 0700) && errno != EEXIST) {
        int err = -errno;
        hv_error(error, "state directory '%s': %s", xg->state_dir, strerror(-err));
        return err;
    }
    xg->lock_fd = state_file(xg->state_dir, "lock", error);
    if (xg->lock_fd < 0) {
        return xg->lock_fd;
    }
    if (flock(xg->lock_fd, LOCK_EX | LOCK_NB)) {
        tell_owner(xg, error);
        return -EBUSY;
    }
    char pid[16];
    int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(xg->lock_fd, 0) || pwrite(xg->lock_fd, pid, n, 0) != n) {
        int err = -errno;
        hv_error(error, "lock in '%s': %s", xg->state_dir, strerror(-err));
        return err;
    }
    return 0;
}

/* The window is this handle's before it is looked at or touched. */
static int take_window(struct xengt *xg, struct hv_error *error)
{
    struct hv *hv = xg->hv;
    int ret = hv->ops->claim ? hv->ops->claim(hv, hv->window_base, hv->slots, error) : 0;
    return ret || !hv->ops->inspect ? ret : hv->ops->inspect(hv, error);
}

static int alloc_batch(struct xengt *xg, unsigned n)
{
    struct batch *b = &xg->batch;
    b->entry = calloc(n, sizeof(*b->entry));
    b->err = calloc(n, sizeof(*b->err));
    b->unmap_err = calloc(n, sizeof(*b->unmap_err));
    b->entry_err = calloc(n, sizeof(*b->entry_err));
    return b->entry && b->err && b->unmap_err && b->entry_err ? 0 : -ENOMEM;
}

static void handle_free(struct xengt *xg)
{
    if (xg->hv) {
        xg->hv->ops->close(xg->hv);
    }
    if (xg->views) {
        munmap(xg->views, xg->slots.count * sizeof(void *));
    }
    if (xg->lock_fd >= 0) {
        close(xg->lock_fd);
    }
    offers_free(xg);
    free(xg->batch.entry);
    free(xg->batch.err);
    free(xg->batch.unmap_err);
    free(xg->batch.entry_err);
    for (size_t i = 0; i < xg->targets_count; i++) {
        free(xg->targets[i]);
    }
    free(xg->state_dir);
    free(xg);
}

/* What the back end has to say, to the program's log. */
static void relay(void *arg, int level, const char *line)
{
    handle_log(arg, level, "%s", line);
}

static int handle_init(struct xengt *xg, const struct xengt_options *options,
                       struct hv_error *error)
{
    unsigned batch = options->batch ? options->batch : XENGT_BATCH_DEFAULT;
    if (batch > XENGT_BATCH_MAX) {
        hv_error(error, "batch of %u entries: at most %u are possible", batch, XENGT_BATCH_MAX);
        return -EINVAL;
    }
    const char *dir = options->state_dir;
    if (!dir && options->backend != XENGT_BACKEND_SIM && !options->sim) {
        dir = XENGT_STATE_DIR;
    }
    if (dir && !(xg->state_dir = strdup(dir))) {
        return -ENOMEM;
    }
    struct xengt_options relayed = *options;
    relayed.log = relay;
    relayed.log_arg = xg;
    int ret = xg->hv ? 0 : hv_open(&relayed, &xg->hv, error);
    if (ret) {
        return ret;
    }
    if (xg->hv->batch_max && batch > xg->hv->batch_max) {
        batch = xg->hv->batch_max;
    }
    xg->hv->batch = batch;
    xg->hv->gfn_max = xg->hv->gfn_max ? xg->hv->gfn_max : XENGT_GFN_MAX;
    if (getrandom(&xg->hash_key, sizeof(xg->hash_key), 0) != sizeof(xg->hash_key)) {
        hv_error(error, "the kernel has no random numbers: %s", strerror(errno));
        return -EIO;
    }
    xg->hash_key = gfns_key(xg->hash_key);
    ret = take_lock(xg, error);
    ret = ret ? ret : take_window(xg, error);
    if (ret) {
        return ret;
    }
    ret = alloc_batch(xg, batch);
    if (ret) {
        return ret;
    }
    ret = take_over(xg, options->adopt, error);
    ret = ret || !xg->hv->one_pin ? ret : mapper_need_bfns(xg);
    if (ret) {
        return ret;
    }
    ret = offers_init(xg, options->offer_quota);
    if (ret) {
        return ret;
    }
    xg->caps = (struct xengt_caps){
        .backend = xg->hv->backend,
        .backend_name = xg->hv->name,
        .explanation = xg->hv->explanation,
        .window_base = xg->hv->window_base,
        .window_pages = xg->hv->slots,
        .batch = batch,
        .read_only = xg->hv->read_only,
    };
    return 0;
}

int handle_open(struct xengt **out, const struct xengt_options *options, struct hv *hv,
                struct hv_error *error)
{
    struct xengt *xg = calloc(1, sizeof(*xg));
    if (!xg) {
        if (hv) {
            hv->ops->close(hv);
        }
        return -ENOMEM;
    }
    xg->hv = hv;
    xg->lock_fd = -1;
    xg->slots.fd = -1;
    xg->log = options->log;
    xg->log_arg = options->log_arg;
    int ret = handle_init(xg, options, error);
    if (ret) {
        bfns_free(&xg->bfns);
        slots_close(&xg->slots, false, NULL);
        handle_free(xg);
        return ret;
    }
    handle_log(xg, LOG_INFO, "%s: %s", xg->caps.backend_name, xg->caps.explanation);
    *out = xg;
    return 0;
}

int xengt_open_sized(struct xengt **out, const struct xengt_options *options, size_t options_size,
                     char *error, size_t error_size)
{
    struct xengt_options known = {0};
    char unused[1];
    struct hv_error err = {error ? error : unused, error ? error_size : sizeof(unused)};
    *out = NULL;
    if (error && error_size) {
        error[0] = '\0';
    }
    if (options && !sized_read(&known, sizeof(known), options, options_size)) {
        hv_error(&err, "an option that this version of libxengt does not know");
        return -EINVAL;
    }
    int ret = handle_open(out, &known, NULL, &err);
    if (ret == -ENOMEM && error && error_size && !error[0]) {
        hv_error(&err, "out of memory");
    }
    return ret;
}

int xengt_check(char *text, size_t size)
{
    struct hv_error error = {text, size};

    if (size) {
        text[0] = '\0';
    }
    return hv_check(text, size, &error);
}

static bool is_mapped(const struct xengt *xg, uint32_t s)
{
    return slots_state(&xg->slots, s) == SLOT_MAPPED;
}

/* Mappings of xengt_map() that their owner did not undo. */
static void unmap_plain(struct xengt *xg)
{
    for (uint32_t s = 0; s != SLOT_NONE;) {
        size_t n = mapper_gather(xg, &s, is_mapped);
        mapper_unmap(xg, xg->batch.unmap_err, n);
    }
}

void xengt_close(struct xengt *xg)
{
    if (!xg) {
        return;
    }
    for (size_t i = 0; i < xg->targets_count; i++) {
        xengt_space_close(xg->targets[i]->space);
    }
    unmap_plain(xg);
    dma_free_all(xg);
    for (size_t i = 0; i < xg->targets_count && xg->hv->ops->forget; i++) {
        xg->hv->ops->forget(xg->hv, xg->targets[i]->domid);
    }
    bfns_free(&xg->bfns);
    /* Leaked slots stay in the journal, so that the next owner tries again. */
    slots_close(&xg->slots, xg->slots.leaked == 0, xg->state_dir);
    handle_free(xg);
}
