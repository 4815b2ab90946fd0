/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection to xenstore, by libxenstore. */
#include "host/xen/xenstore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#define SOCKET_PATH "/run/xenstored/socket"

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- one request ------------------------------------------------------------------------- */

static void ask(struct xenstore *xenstore)
{
    atomic_store(&xenstore->asked_at_ms, now_ms());
    errno = 0;
}

/* A connection that breaks is an error like others to libxenstore, and not always the same one. */
static int answered(struct xenstore *xenstore, bool ok)
{
    int err = ok ? 0 : errno ? errno : EIO;

    atomic_store(&xenstore->asked_at_ms, 0);
    if (err && err != ENOENT && err != EACCES && err != EAGAIN && err != EEXIST) {
        xenstore->doubtful = true;
    }
    return -err;
}

uint64_t xenstore_waits_ms(const struct xenstore *xenstore)
{
    uint64_t since = atomic_load(&xenstore->asked_at_ms);

    return since ? now_ms() - since : 0;
}

bool xenstore_is_there(struct xenstore *xenstore)
{
    char domid[16];
    int ret = xenstore_read(xenstore, "domid", domid, sizeof(domid));

    xenstore->doubtful = false;
    return !ret || ret == -ENOENT || ret == -EACCES || ret == -E2BIG;
}

/* --- the connection ---------------------------------------------------------------------- */

/*
 * libxenstore asks by the kernel's device where the socket does not answer, and waits there for a
 * daemon that has ended. Where there is no socket, xenstored is in another domain.
 */
static int socket_status(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ret = 0;

    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) && errno != ENOENT) {
        ret = -errno;
    }
    close(fd);
    return ret;
}

int xenstore_connect(struct xenstore *xenstore)
{
    ask(xenstore);
    int ret = socket_status();
    if (!ret) {
        xenstore->xs = xs_open(0);
        ret = xenstore->xs ? 0 : -(errno ? errno : EIO);
    }
    atomic_store(&xenstore->asked_at_ms, 0);
    xenstore->transaction = XBT_NULL;
    xenstore->doubtful = false;
    return ret;
}

void xenstore_disconnect(struct xenstore *xenstore)
{
    if (xenstore->xs) {
        xs_close(xenstore->xs);
    }
    xenstore->xs = NULL;
}

int xenstore_fd(struct xenstore *xenstore)
{
    return xs_fileno(xenstore->xs);
}

/* --- nodes ------------------------------------------------------------------------------- */

int xenstore_read(struct xenstore *xenstore, const char *path, char *value, size_t size)
{
    unsigned length = 0;

    value[0] = '\0';
    ask(xenstore);
    char *read = xs_read(xenstore->xs, xenstore->transaction, path, &length);
    int ret = answered(xenstore, read);
    if (ret) {
        return ret;
    }
    if (length >= size || memchr(read, '\0', length)) {
        ret = -E2BIG;
    } else {
        memcpy(value, read, length);
        value[length] = '\0';
    }
    free(read);
    return ret;
}

int xenstore_write(struct xenstore *xenstore, const char *path, const char *value)
{
    ask(xenstore);
    bool ok = xs_write(xenstore->xs, xenstore->transaction, path, value, (unsigned)strlen(value));
    return answered(xenstore, ok);
}

int xenstore_remove(struct xenstore *xenstore, const char *path)
{
    ask(xenstore);
    bool ok = xs_rm(xenstore->xs, xenstore->transaction, path);
    return answered(xenstore, ok);
}

int xenstore_list(struct xenstore *xenstore, const char *path, char ***entries, unsigned *n)
{
    *n = 0;
    ask(xenstore);
    *entries = xs_directory(xenstore->xs, xenstore->transaction, path, n);
    return answered(xenstore, *entries);
}

/* The first entry names the owner, and what those may do whom no other entry names. */
int xenstore_is_writable_by(struct xenstore *xenstore, const char *path, uint32_t domid,
                            bool *writable)
{
    unsigned n = 0;

    *writable = true;
    ask(xenstore);
    struct xs_permissions *entries =
        xs_get_permissions(xenstore->xs, xenstore->transaction, path, &n);
    int ret = answered(xenstore, entries);
    if (ret) {
        return ret;
    }
    if (n) {
        *writable = entries[0].id == domid || entries[0].perms & XS_PERM_WRITE;
    }
    for (unsigned i = 1; i < n; i++) {
        *writable |= entries[i].id == domid && entries[i].perms & XS_PERM_WRITE;
    }
    free(entries);
    return 0;
}

/* --- watches ----------------------------------------------------------------------------- */

int xenstore_watch(struct xenstore *xenstore, const char *path)
{
    ask(xenstore);
    bool ok = xs_watch(xenstore->xs, path, "xengt");
    return answered(xenstore, ok);
}

int xenstore_unwatch(struct xenstore *xenstore, const char *path)
{
    ask(xenstore);
    bool ok = xs_unwatch(xenstore->xs, path, "xengt");
    return answered(xenstore, ok);
}

bool xenstore_event(struct xenstore *xenstore, char *path, size_t size)
{
    char **event = xs_check_watch(xenstore->xs);

    if (!event) {
        return false;
    }
    snprintf(path, size, "%s", event[XS_WATCH_PATH]);
    free(event);
    return true;
}

/* --- transactions ------------------------------------------------------------------------ */

int xenstore_begin(struct xenstore *xenstore)
{
    ask(xenstore);
    xenstore->transaction = xs_transaction_start(xenstore->xs);
    return answered(xenstore, xenstore->transaction != XBT_NULL);
}

int xenstore_end(struct xenstore *xenstore, bool commit)
{
    xs_transaction_t transaction = xenstore->transaction;

    xenstore->transaction = XBT_NULL;
    ask(xenstore);
    bool ok = xs_transaction_end(xenstore->xs, transaction, !commit);
    return answered(xenstore, ok);
}
