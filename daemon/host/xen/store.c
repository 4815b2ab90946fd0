/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenstore as the event loop has it: the thread's beginning and end, names, orders, complaints. */
#include "host/xen/store.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "host/xen/store_state.h"

/* How long xenstored may take for one request before that is worth a line. */
#define PATIENCE_MS 3000u

/* How long the beginning and the end wait for the thread. */
#define BEGIN_MS 2000u
#define END_MS   1000u

/* An order that cannot be followed yet is tried again as often: less than xl's 10 s. */
#define AGAIN_MS  200
#define TRIES_MAX 25u

static struct timespec in_ms(uint64_t ms)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    ms += (uint64_t)time.tv_nsec / 1000000;
    time.tv_sec += (time_t)(ms / 1000);
    time.tv_nsec = (long)(ms % 1000) * 1000000;
    return time;
}

static uint64_t now_ms(void)
{
    struct timespec now = in_ms(0);

    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- names ------------------------------------------------------------------------------- */

int store_find(struct store *store, const char *name, uint32_t from, uint32_t *domid)
{
    pthread_mutex_lock(&store->lock);
    int status = store->status;
    bool found = names_find(&store->names, name, from, domid);
    pthread_mutex_unlock(&store->lock);
    if (found) {
        return 0;
    }
    if (store->lost || status < 0) {
        return -ETIMEDOUT;
    }
    return status == STORE_CONNECTING ? -EAGAIN : -ENOENT;
}

void store_name(struct store *store, uint32_t domid, char *name, size_t size)
{
    pthread_mutex_lock(&store->lock);
    const struct name *known = names_get(&store->names, domid);
    snprintf(name, size, "%s", known ? known->text : "");
    pthread_mutex_unlock(&store->lock);
}

/* --- whether it answers ------------------------------------------------------------------ */

static void say_lost(struct store *store, int status, uint64_t waits_ms)
{
    static const char *const means = "domains are known by the names they had, \"vdispl\" is not "
                                     "followed, guests go on";
    const struct store_config *config = &store->config;

    if (status < 0) {
        text_log(config->log, config->log_arg, LOG_WARNING,
                 "xenstored is not reachable (%s; systemctl status xenstored): %s",
                 strerror(-status), means);
    } else {
        text_log(config->log, config->log_arg, LOG_WARNING,
                 "xenstored has not answered for %" PRIu64 " s: %s", waits_ms / 1000, means);
    }
}

void store_check(struct store *store)
{
    uint64_t waits_ms = xenstore_waits_ms(&store->xenstore);

    pthread_mutex_lock(&store->lock);
    int status = store->status;
    pthread_mutex_unlock(&store->lock);
    bool lost = status < 0 || waits_ms >= PATIENCE_MS;
    if (lost && !store->lost) {
        say_lost(store, status, waits_ms);
    } else if (!lost && store->lost && status) {
        return; /* it answers, but not all of it is known again */
    } else if (!lost && store->lost) {
        text_log(store->config.log, store->config.log_arg, LOG_NOTICE, "xenstored answers again");
    }
    store->lost = lost;
}

/* --- orders ------------------------------------------------------------------------------ */

/* A copy of the first that is to be worked on now; false: none is, but one may be later. */
static bool next_order(struct store *store, struct store_device *order, bool *later)
{
    struct store_device *device;
    uint64_t now = now_ms();
    bool found = false;

    *later = false;
    pthread_mutex_lock(&store->lock);
    TAILQ_FOREACH(device, &store->devices, link)
    {
        if (device->phase != VDISPL_ASKED && device->phase != VDISPL_TAKING) {
            continue;
        }
        if (device->not_before_ms <= now) {
            *order = *device;
            found = true;
            break;
        }
        *later = true;
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

static void finish_order(struct store *store, const struct store_device *order)
{
    struct store_device *device;

    pthread_mutex_lock(&store->lock);
    TAILQ_FOREACH(device, &store->devices, link)
    {
        if (device->serial == order->serial) {
            device->phase = order->phase;
            device->tries = order->tries;
            device->not_before_ms = order->not_before_ms;
            memcpy(device->reason, order->reason, sizeof(device->reason));
        }
    }
    pthread_mutex_unlock(&store->lock);
    store_wake(store->to_thread);
}

static struct host_order order_of(const struct store_device *device)
{
    return (struct host_order){
        .domid = device->domid,
        .device = device->number,
        .type = device->type,
        .known = device->known,
    };
}

static void give(struct store *store, struct store_device *order)
{
    const struct store_config *config = &store->config;
    const struct host_order asked = order_of(order);
    int ret = -EINVAL;

    if (!order->reason[0]) {
        ret = store->orders->give(store->orders_arg, &asked, order->reason, sizeof(order->reason));
    }
    if (ret == -EBUSY && ++order->tries < TRIES_MAX) {
        order->reason[0] = '\0';
        order->not_before_ms = now_ms() + AGAIN_MS;
        return;
    }
    order->phase = ret ? VDISPL_DENIED : VDISPL_GIVEN;
    if (ret) {
        text_log(config->log, config->log_arg, LOG_WARNING,
                 "vdispl device %" PRIu32 " of domain %" PRIu32 " gets no vGPU: %s", order->number,
                 order->domid, order->reason);
    } else {
        text_log(config->log, config->log_arg, LOG_INFO,
                 "vdispl device %" PRIu32 " of domain %" PRIu32 " is a vGPU: %s %s", order->number,
                 order->domid, order->type, order->resolution);
    }
}

/* One order, as an attach takes its time: others are the next turns' of the event loop. */
static void follow_orders(struct store *store)
{
    static const struct timeval pause = {.tv_usec = AGAIN_MS * 1000};
    struct store_device order;
    bool later;

    if (!store->orders) {
        return;
    }
    if (next_order(store, &order, &later)) {
        if (order.phase == VDISPL_ASKED) {
            give(store, &order);
        } else {
            const struct host_order asked = order_of(&order);

            store->orders->take(store->orders_arg, &asked);
            order.phase = VDISPL_TAKEN;
        }
        finish_order(store, &order);
        event_active(store->told, EV_TIMEOUT, 0);
    } else if (later) {
        event_add(store->again, &pause);
    }
}

static void on_told(evutil_socket_t fd, short what, void *arg)
{
    struct store *store = arg;

    (void)fd;
    if (what & EV_READ) {
        store_woken(store->to_loop);
    }
    pthread_mutex_lock(&store->lock);
    bool released = store->released;
    store->released = false;
    pthread_mutex_unlock(&store->lock);
    if (released) {
        store->config.released(store->config.arg);
    }
    follow_orders(store);
}

void store_listen(struct store *store, const struct host_order_ops *ops, void *arg)
{
    store->orders = ops;
    store->orders_arg = arg;
    store_wake(store->to_loop);
}

/* --- the beginning and the end ----------------------------------------------------------- */

static void init_lock(struct store *store)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* Signals are the event loop's. */
static int start(struct store *store)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int ret = -pthread_create(&store->thread, NULL, store_thread, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    store->started = !ret;
    return ret;
}

static void wait_for_first_look(struct store *store)
{
    const struct timespec end = in_ms(BEGIN_MS);

    pthread_mutex_lock(&store->lock);
    while (store->status == STORE_CONNECTING &&
           pthread_cond_timedwait(&store->changed, &store->lock, &end) != ETIMEDOUT) {
        ;
    }
    pthread_mutex_unlock(&store->lock);
    store_check(store);
}

int store_open(const struct store_config *config, struct store **out)
{
    struct store *store = calloc(1, sizeof(*store));
    int ret = -ENOMEM;

    *out = NULL;
    if (!store) {
        return ret;
    }
    store->config = *config;
    store->status = STORE_CONNECTING;
    TAILQ_INIT(&store->devices);
    init_lock(store);
    store->to_loop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    store->to_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->to_loop < 0 || store->to_thread < 0) {
        ret = -errno;
        goto fail;
    }
    store->told = event_new(config->base, store->to_loop, EV_READ | EV_PERSIST, on_told, store);
    store->again = evtimer_new(config->base, on_told, store);
    if (!store->told || !store->again || event_add(store->told, NULL)) {
        goto fail;
    }
    ret = start(store);
    if (ret) {
        goto fail;
    }
    wait_for_first_look(store);
    *out = store;
    return 0;

fail:
    store_close(store);
    return ret;
}

/*
 * A thread that waits for xenstored cannot be ended: then all of it is left to the thread, until
 * there is an answer or the process ends.
 */
static bool has_ended(struct store *store)
{
    const struct timespec end = in_ms(END_MS);

    pthread_mutex_lock(&store->lock);
    store->stop = true;
    pthread_mutex_unlock(&store->lock);
    store_wake(store->to_thread);
    pthread_mutex_lock(&store->lock);
    while (!store->ended &&
           pthread_cond_timedwait(&store->changed, &store->lock, &end) != ETIMEDOUT) {
        ;
    }
    bool ended = store->ended;
    store->left = !ended;
    pthread_mutex_unlock(&store->lock);
    return ended;
}

void store_close(struct store *store)
{
    if (!store) {
        return;
    }
    if (store->told) {
        event_free(store->told);
    }
    if (store->again) {
        event_free(store->again);
    }
    pthread_t thread = store->thread;
    bool started = store->started;
    if (started && !has_ended(store)) {
        pthread_detach(thread);
        return;
    }
    if (started) {
        pthread_join(thread, NULL);
    }
    store_free(store);
}
