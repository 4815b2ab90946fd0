/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A xenstored in the process: nodes, owners, watches; transactions that never meet another. */
#include "xenstore_fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenstore.h>

#define NODES_MAX   4096u
#define WATCHES_MAX 256u
#define EVENTS_MAX  8192u
#define HOME        "/local/domain/0/"

struct node {
    char path[128];
    char *value;
    unsigned owner;
};

struct xs_handle {
    unsigned life; /* of xenstored's */
    int fd;
    char watch[WATCHES_MAX][128];
    unsigned watches_n;
    char event[EVENTS_MAX][128];
    unsigned first, last;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct node nodes[NODES_MAX];
static unsigned nodes_n, life, requests;
static bool hangs, refuses;
static struct xs_handle *connection;

static void absolute(const char *path, char out[128])
{
    snprintf(out, 128, "%s%s", *path == '/' || *path == '@' ? "" : HOME, path);
}

static bool is_below(const char *path, const char *top)
{
    size_t len = strlen(top);

    return !strncmp(path, top, len) && (!path[len] || path[len] == '/');
}

static struct node *find(const char *path)
{
    for (unsigned i = 0; i < nodes_n; i++) {
        if (!strcmp(nodes[i].path, path)) {
            return &nodes[i];
        }
    }
    return NULL;
}

static void push(struct xs_handle *h, const char *path)
{
    if (h->last < EVENTS_MAX) {
        uint64_t one = 1;

        snprintf(h->event[h->last++], 128, "%s", path);
        if (write(h->fd, &one, sizeof(one)) < 0) {
            abort();
        }
    }
}

/* path is absolute; relative watches are told relative paths. */
static void fire(const char *path)
{
    struct xs_handle *h = connection;

    for (unsigned i = 0; h && h->life == life && i < h->watches_n; i++) {
        char watch[128];

        absolute(h->watch[i], watch);
        if (is_below(path, watch) || is_below(watch, path)) {
            const char *told = is_below(path, watch) ? path : watch;

            push(h, strcmp(watch, h->watch[i]) != 0 ? told + strlen(HOME) : told);
        }
    }
}

static void put(const char *path, const char *value, unsigned owner)
{
    struct node *node = find(path);

    if (!node && nodes_n < NODES_MAX) {
        node = &nodes[nodes_n++];
        *node = (struct node){.owner = owner};
        snprintf(node->path, sizeof(node->path), "%s", path);
    }
    if (node) {
        free(node->value);
        node->value = strdup(value);
        fire(path);
    }
}

static bool drop(const char *path)
{
    bool any = false;

    for (unsigned i = nodes_n; i--;) {
        if (is_below(nodes[i].path, path)) {
            free(nodes[i].value);
            nodes[i] = nodes[--nodes_n];
            any = true;
        }
    }
    if (any) {
        fire(path);
    }
    return any;
}

/* --- the test's side --------------------------------------------------------------------- */

void fake_reset(void)
{
    pthread_mutex_lock(&lock);
    while (nodes_n) {
        free(nodes[--nodes_n].value);
    }
    hangs = refuses = false;
    pthread_mutex_unlock(&lock);
}

void fake_write(const char *path, const char *value, unsigned owner)
{
    char full[128];

    absolute(path, full);
    pthread_mutex_lock(&lock);
    put(full, value, owner);
    pthread_mutex_unlock(&lock);
}

void fake_remove(const char *path)
{
    char full[128];

    absolute(path, full);
    pthread_mutex_lock(&lock);
    drop(full);
    pthread_mutex_unlock(&lock);
}

void fake_fire(const char *path)
{
    pthread_mutex_lock(&lock);
    fire(path);
    pthread_mutex_unlock(&lock);
}

bool fake_becomes(const char *path, const char *value)
{
    char full[128];
    bool same = false;

    absolute(path, full);
    for (unsigned i = 0; i < 500 && !same; i++) {
        pthread_mutex_lock(&lock);
        const struct node *node = find(full);
        same = value ? node && !strcmp(node->value, value) : !node;
        pthread_mutex_unlock(&lock);
        if (!same) {
            usleep(10000);
        }
    }
    return same;
}

void fake_hang(bool hang)
{
    pthread_mutex_lock(&lock);
    hangs = hang;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void fake_break(bool refuse)
{
    pthread_mutex_lock(&lock);
    life++;
    refuses = refuse;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

unsigned fake_requests(void)
{
    pthread_mutex_lock(&lock);
    unsigned n = requests;
    pthread_mutex_unlock(&lock);
    return n;
}

/* --- libxenstore's side ------------------------------------------------------------------ */

/* Locked, and answered. False: the connection is broken; not locked then. */
static bool begin(struct xs_handle *h)
{
    pthread_mutex_lock(&lock);
    requests++;
    while (hangs && h->life == life) {
        pthread_cond_wait(&changed, &lock);
    }
    if (h->life == life) {
        return true;
    }
    pthread_mutex_unlock(&lock);
    errno = EBADF;
    return false;
}

static bool end(int err)
{
    pthread_mutex_unlock(&lock);
    errno = err;
    return !err;
}

struct xs_handle *xs_open(unsigned long flags)
{
    struct xs_handle *h = NULL;

    (void)flags;
    pthread_mutex_lock(&lock);
    if (!refuses) {
        h = calloc(1, sizeof(*h));
        h->life = life;
        h->fd = eventfd(0, EFD_NONBLOCK);
        connection = h;
    }
    pthread_mutex_unlock(&lock);
    errno = h ? 0 : ECONNREFUSED;
    return h;
}

void xs_close(struct xs_handle *h)
{
    pthread_mutex_lock(&lock);
    connection = connection == h ? NULL : connection;
    pthread_mutex_unlock(&lock);
    close(h->fd);
    free(h);
}

int xs_fileno(struct xs_handle *h)
{
    return h->fd;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    char full[128], *value = NULL;

    (void)t;
    absolute(path, full);
    if (!begin(h)) {
        return NULL;
    }
    const struct node *node = find(full);
    if (node) {
        value = strdup(node->value);
        *len = (unsigned)strlen(value);
    }
    end(node ? 0 : ENOENT);
    return value;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
              unsigned int len)
{
    char full[128];

    (void)t;
    absolute(path, full);
    if (!begin(h)) {
        return false;
    }
    char *value = strndup(data, len);
    put(full, value, 0);
    free(value);
    return end(0);
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    char full[128];

    (void)t;
    absolute(path, full);
    return begin(h) && end(drop(full) ? 0 : ENOENT);
}

/* The names of all nodes below, once each. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    char full[128];

    (void)t;
    absolute(path, full);
    if (!begin(h)) {
        return NULL;
    }
    char **list = calloc(1, NODES_MAX * (sizeof(char *) + 64));
    char *text = (char *)(list + NODES_MAX);
    *num = 0;
    for (unsigned i = 0; i < nodes_n; i++) {
        const char *below = nodes[i].path + strlen(full) + 1;
        unsigned k;

        if (!is_below(nodes[i].path, full) || !strcmp(nodes[i].path, full)) {
            continue;
        }
        snprintf(text, 64, "%.*s", (int)strcspn(below, "/"), below);
        for (k = 0; k < *num && strcmp(list[k], text) != 0; k++) {
            ;
        }
        if (k == *num) {
            list[(*num)++] = text;
            text += 64;
        }
    }
    bool any = *num || find(full);
    end(any ? 0 : ENOENT);
    if (!any) {
        free(list);
        return NULL;
    }
    return list;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
                                          unsigned int *num)
{
    struct xs_permissions *entry = NULL;
    char full[128];

    (void)t;
    absolute(path, full);
    if (!begin(h)) {
        return NULL;
    }
    const struct node *node = find(full);
    if (node) {
        entry = calloc(1, sizeof(*entry));
        entry->id = node->owner;
        *num = 1;
    }
    end(node ? 0 : ENOENT);
    return entry;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    (void)token;
    if (!begin(h)) {
        return false;
    }
    if (h->watches_n < WATCHES_MAX) {
        snprintf(h->watch[h->watches_n++], sizeof(h->watch[0]), "%s", path);
        push(h, path);
    }
    return end(0);
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    (void)token;
    if (!begin(h)) {
        return false;
    }
    for (unsigned i = 0; i < h->watches_n; i++) {
        if (!strcmp(h->watch[i], path)) {
            memmove(h->watch[i], h->watch[--h->watches_n], sizeof(h->watch[0]));
            return end(0);
        }
    }
    return end(ENOENT);
}

char **xs_check_watch(struct xs_handle *h)
{
    char **event = NULL;
    uint64_t count;

    pthread_mutex_lock(&lock);
    if (h->first < h->last) {
        event = calloc(1, 2 * sizeof(char *) + 128);
        event[0] = (char *)(event + 2);
        event[1] = event[0];
        memcpy(event[0], h->event[h->first++], 128);
    } else {
        h->first = h->last = 0;
        if (read(h->fd, &count, sizeof(count)) < 0) {
            errno = EAGAIN;
        }
    }
    pthread_mutex_unlock(&lock);
    return event;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    return begin(h) && end(0) ? 1 : XBT_NULL;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    (void)t;
    (void)abort;
    return begin(h) && end(0);
}
