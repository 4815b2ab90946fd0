/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread that asks xenstore: connections, watches, names, and xl's vdispl devices. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/domain_arg.h"
#include "host/xen/store_state.h"
#include "text.h"

/* libxenstore does not say when a connection breaks, only when something is asked. */
#define ASK_AT_LEAST_MS 2000
#define ASK_SOON_MS     100

#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 16000

#define DOMAINS "/local/domain"

void store_wake(int eventfd)
{
    uint64_t one = 1;

    /* It cannot fail but by being awake already. */
    if (write(eventfd, &one, sizeof(one)) < 0) {
        return;
    }
}

void store_woken(int eventfd)
{
    uint64_t count;

    if (read(eventfd, &count, sizeof(count)) < 0) {
        return;
    }
}

static bool stopping(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    bool stop = store->stop;
    pthread_mutex_unlock(&store->lock);
    return stop;
}

static void set_status(struct store *store, int status)
{
    pthread_mutex_lock(&store->lock);
    store->status = status;
    pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->lock);
}

/* --- names ------------------------------------------------------------------------------- */

static void learn_name(struct store *store, uint32_t domid)
{
    char path[XENSTORE_PATH], text[NAMES_LENGTH];

    snprintf(path, sizeof(path), DOMAINS "/%" PRIu32 "/name", domid);
    int ret = xenstore_read(&store->xenstore, path, text, sizeof(text));
    if (ret && ret != -ENOENT && ret != -E2BIG) {
        return;
    }
    pthread_mutex_lock(&store->lock);
    struct name *name = names_get(&store->names, domid);
    if (name) {
        memcpy(name->text, text, sizeof(name->text));
    }
    pthread_mutex_unlock(&store->lock);
}

/* A watch on each name, not on all of them: below the same folder guests may write. */
static void watch_name(struct store *store, struct name *name, bool on)
{
    char path[XENSTORE_PATH];

    snprintf(path, sizeof(path), DOMAINS "/%" PRIu32 "/name", name->domid);
    if (on) {
        name->watched = !xenstore_watch(&store->xenstore, path);
    } else if (name->watched) {
        xenstore_unwatch(&store->xenstore, path);
    }
}

static struct name *add_name(struct store *store, uint32_t domid)
{
    pthread_mutex_lock(&store->lock);
    struct name *name = names_add(&store->names, domid);
    pthread_mutex_unlock(&store->lock);
    return name;
}

static void drop_unseen_names(struct store *store)
{
    for (unsigned i = store->names.n; i--;) {
        struct name *name = &store->names.name[i];

        if (!name->seen) {
            watch_name(store, name, false);
            if (store->config.vdispl) {
                vdispl_tidy(&store->xenstore, name->domid);
            }
            pthread_mutex_lock(&store->lock);
            names_drop(&store->names, name->domid);
            pthread_mutex_unlock(&store->lock);
        }
    }
}

static void look_at_domains(struct store *store)
{
    unsigned n;
    char **entries;
    uint32_t domid;
    int ret = xenstore_list(&store->xenstore, DOMAINS, &entries, &n);

    if (ret && ret != -ENOENT) {
        return;
    }
    for (unsigned i = 0; i < store->names.n; i++) {
        store->names.name[i].seen = false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!domain_arg_is_domid(entries[i], &domid) || domid >= DOMAIN_ARG_RESERVED) {
            continue;
        }
        struct name *name = add_name(store, domid);
        if (name) {
            name->seen = true;
            if (!name->watched) {
                watch_name(store, name, true);
            }
        }
    }
    free(entries);
    drop_unseen_names(store);
}

/* --- vdispl devices ---------------------------------------------------------------------- */

static struct store_device *find_device(struct store *store, uint32_t domid, uint32_t number)
{
    struct store_device *device;

    TAILQ_FOREACH(device, &store->devices, link)
    {
        if (device->domid == domid && device->number == number) {
            return device;
        }
    }
    return NULL;
}

static void device_is_due(struct store *store, uint32_t domid, uint32_t number)
{
    struct store_device *device = find_device(store, domid, number);

    if (!device) {
        device = store->devices_n < STORE_DEVICES ? calloc(1, sizeof(*device)) : NULL;
        if (!device) {
            return;
        }
        device->domid = domid;
        device->number = number;
        pthread_mutex_lock(&store->lock);
        device->serial = ++store->serial;
        TAILQ_INSERT_TAIL(&store->devices, device, link);
        store->devices_n++;
        pthread_mutex_unlock(&store->lock);
    }
    device->due = true;
}

static void forget(struct store *store, struct store_device *device)
{
    pthread_mutex_lock(&store->lock);
    TAILQ_REMOVE(&store->devices, device, link);
    store->devices_n--;
    pthread_mutex_unlock(&store->lock);
    free(device);
}

/* A new connection, perhaps to a new xenstored: of what it does not know nothing follows. */
static void forget_all(struct store *store)
{
    while (!TAILQ_EMPTY(&store->devices)) {
        forget(store, TAILQ_FIRST(&store->devices));
    }
}

static enum vdispl_phase phase_of(struct store *store, const struct store_device *device)
{
    pthread_mutex_lock(&store->lock);
    enum vdispl_phase phase = device->phase;
    pthread_mutex_unlock(&store->lock);
    return phase;
}

static void set_phase(struct store *store, struct store_device *device, enum vdispl_phase phase)
{
    pthread_mutex_lock(&store->lock);
    device->phase = phase;
    pthread_mutex_unlock(&store->lock);
}

static void hand_over(struct store *store, struct store_device *device,
                      const struct vdispl_nodes *nodes, enum vdispl_phase phase)
{
    pthread_mutex_lock(&store->lock);
    device->known = nodes->known;
    if (phase == VDISPL_ASKED) {
        memcpy(device->type, nodes->type, sizeof(device->type));
        memcpy(device->resolution, nodes->resolution, sizeof(device->resolution));
        memcpy(device->reason, nodes->wrong, sizeof(device->reason));
        device->tries = 0;
        device->not_before_ms = 0;
    }
    device->phase = phase;
    pthread_mutex_unlock(&store->lock);
    store_wake(store->to_loop);
}

/* What was to be written is, or will be tried again; in between xl may have changed its mind. */
static void wrote(struct store *store, struct store_device *device, int ret,
                  enum vdispl_phase phase)
{
    if (!ret) {
        set_phase(store, device, phase);
    } else {
        device->due = true;
    }
}

static void take_step(struct store *store, struct store_device *device, enum vdispl_phase phase,
                      const struct vdispl_nodes *nodes)
{
    struct xenstore *xenstore = &store->xenstore;
    int ret;

    switch (vdispl_next(phase, nodes)) {
    case VDISPL_STEP_WAIT:
        if (phase == VDISPL_TAKEN || phase == VDISPL_DENIED) {
            set_phase(store, device, VDISPL_DONE);
        }
        break;
    case VDISPL_STEP_GIVE:
        hand_over(store, device, nodes, VDISPL_ASKED);
        break;
    case VDISPL_STEP_TAKE:
        hand_over(store, device, nodes, VDISPL_TAKING);
        break;
    case VDISPL_STEP_ACCEPT:
        ret = vdispl_accept(xenstore, device->domid, device->number, device->type);
        wrote(store, device, ret, VDISPL_HELD);
        break;
    case VDISPL_STEP_DENY:
        ret = vdispl_deny(xenstore, device->domid, device->number, device->reason);
        wrote(store, device, ret, VDISPL_DONE);
        break;
    case VDISPL_STEP_CLOSE:
        ret = vdispl_close(xenstore, device->domid, device->number);
        wrote(store, device, ret, VDISPL_DONE);
        break;
    case VDISPL_STEP_FORGET:
        forget(store, device);
        break;
    }
}

static bool is_to_be_written(enum vdispl_phase phase)
{
    return phase == VDISPL_GIVEN || phase == VDISPL_DENIED || phase == VDISPL_TAKEN;
}

static void work_on_devices(struct store *store)
{
    struct store_device *device, *next;
    struct vdispl_nodes nodes;

    for (device = TAILQ_FIRST(&store->devices); device; device = next) {
        enum vdispl_phase phase = phase_of(store, device);

        next = TAILQ_NEXT(device, link);
        if (!device->due && !is_to_be_written(phase)) {
            continue;
        }
        device->due = false;
        if (vdispl_read(&store->xenstore, device->domid, device->number, &nodes)) {
            device->due = true;
        } else {
            take_step(store, device, phase, &nodes);
        }
    }
}

/* Those there are, and those there were. */
static void look_at_devices_of(struct store *store, uint32_t domid)
{
    struct store_device *device;
    char path[XENSTORE_PATH];
    char **entries;
    unsigned n;

    TAILQ_FOREACH(device, &store->devices, link)
    {
        device->due |= device->domid == domid;
    }
    snprintf(path, sizeof(path), VDISPL_BACKENDS "/%" PRIu32, domid);
    xenstore_list(&store->xenstore, path, &entries, &n);
    for (unsigned i = 0; i < n; i++) {
        uint32_t of, number;

        snprintf(path, sizeof(path), VDISPL_BACKENDS "/%" PRIu32 "/%.16s", domid, entries[i]);
        if (vdispl_of_path(path, &of, &number)) {
            device_is_due(store, of, number);
        }
    }
    free(entries);
}

static void look_at_devices(struct store *store)
{
    struct store_device *device;
    char **entries;
    uint32_t domid;
    unsigned n;

    TAILQ_FOREACH(device, &store->devices, link)
    {
        device->due = true;
    }
    xenstore_list(&store->xenstore, VDISPL_BACKENDS, &entries, &n);
    for (unsigned i = 0; i < n; i++) {
        if (domain_arg_is_domid(entries[i], &domid) && domid < DOMAIN_ARG_RESERVED) {
            look_at_devices_of(store, domid);
        }
    }
    free(entries);
}

/* --- events ------------------------------------------------------------------------------ */

static void tell_of_release(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    store->released = true;
    pthread_mutex_unlock(&store->lock);
    store_wake(store->to_loop);
}

static void take_event(struct store *store, const char *path)
{
    uint32_t domid, number;
    char end;

    if (!strcmp(path, "@introduceDomain")) {
        store->domains_due = true;
    } else if (!strcmp(path, "@releaseDomain")) {
        store->domains_due = true;
        tell_of_release(store);
    } else if (sscanf(path, DOMAINS "/%" SCNu32 "/nam%c", &domid, &end) == 2 && end == 'e') {
        learn_name(store, domid);
    } else if (vdispl_of_path(path, &domid, &number)) {
        device_is_due(store, domid, number);
    } else if (sscanf(path, VDISPL_BACKENDS "/%" SCNu32 "%c", &domid, &end) == 1) {
        look_at_devices_of(store, domid);
    } else {
        store->devices_due = true;
    }
}

/* All that have come by now, and what follows from them. False: there were none. */
static bool take_events(struct store *store)
{
    char path[XENSTORE_PATH];
    bool any = false;

    while (!store->xenstore.doubtful && xenstore_event(&store->xenstore, path, sizeof(path))) {
        take_event(store, path);
        any = true;
    }
    if (store->domains_due) {
        store->domains_due = false;
        look_at_domains(store);
    }
    if (store->devices_due) {
        store->devices_due = false;
        look_at_devices(store);
    }
    return any;
}

/* --- connections ------------------------------------------------------------------------- */

/* A watch fires once at the beginning, so that all of it is read that way. */
static int watch_all(struct store *store)
{
    int ret = xenstore_watch(&store->xenstore, "@introduceDomain");

    if (!ret) {
        ret = xenstore_watch(&store->xenstore, "@releaseDomain");
    }
    if (!ret && store->config.vdispl) {
        ret = xenstore_watch(&store->xenstore, VDISPL_BACKENDS);
    }
    return ret;
}

/* What was fired before an answer is there with it. Names are watched on the way: a second round.
 */
#define ROUNDS 4u

static int begin(struct store *store)
{
    forget_all(store);
    for (unsigned i = 0; i < store->names.n; i++) {
        store->names.name[i].watched = false;
    }
    int ret = xenstore_connect(&store->xenstore);
    if (!ret) {
        ret = watch_all(store);
    }
    for (unsigned i = 0; i < ROUNDS && !ret; i++) {
        if (!xenstore_is_there(&store->xenstore)) {
            ret = -ENOTCONN;
        } else if (!take_events(store)) {
            break;
        }
    }
    return ret;
}

/* Until there is something to do, or the time is over: false. */
static bool wait_for_work(struct store *store, int ms)
{
    struct pollfd fds[] = {
        {.fd = store->to_thread, .events = POLLIN},
        {.fd = store->xenstore.xs ? xenstore_fd(&store->xenstore) : -1, .events = POLLIN},
    };
    int n = poll(fds, 2, ms);

    if (fds[0].revents) {
        store_woken(store->to_thread);
    }
    return n > 0;
}

static int serve(struct store *store)
{
    while (!stopping(store)) {
        work_on_devices(store);
        bool work = wait_for_work(store, store->xenstore.doubtful ? ASK_SOON_MS : ASK_AT_LEAST_MS);
        if ((!work || store->xenstore.doubtful) && !xenstore_is_there(&store->xenstore)) {
            return -ENOTCONN;
        }
        take_events(store);
    }
    return 0;
}

void store_free(struct store *store)
{
    struct store_device *device;

    while ((device = TAILQ_FIRST(&store->devices))) {
        TAILQ_REMOVE(&store->devices, device, link);
        free(device);
    }
    names_clear(&store->names);
    if (store->to_loop >= 0) {
        close(store->to_loop);
    }
    if (store->to_thread >= 0) {
        close(store->to_thread);
    }
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

void *store_thread(void *arg)
{
    struct store *store = arg;
    int pause = PAUSE_MIN_MS;

    while (!stopping(store)) {
        int ret = begin(store);

        if (!ret) {
            pause = PAUSE_MIN_MS;
            set_status(store, 0);
            ret = serve(store);
        }
        xenstore_disconnect(&store->xenstore);
        if (stopping(store)) {
            break;
        }
        set_status(store, ret);
        wait_for_work(store, pause);
        pause = pause < PAUSE_MAX_MS ? 2 * pause : pause;
    }
    pthread_mutex_lock(&store->lock);
    store->ended = true;
    bool left = store->left;
    pthread_cond_signal(&store->changed);
    pthread_mutex_unlock(&store->lock);
    if (left) {
        store_free(store);
    }
    return NULL;
}
