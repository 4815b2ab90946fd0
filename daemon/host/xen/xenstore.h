/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to xenstore, and since when its last request waits. Every call but
 * xenstore_waits_ms() may take as long as xenstored likes: for a thread that nobody waits for.
 */
#ifndef XENGT_HOST_XEN_XENSTORE_H
#define XENGT_HOST_XEN_XENSTORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xs_handle;

/* Of a path or an absolute one with a number or two in it. */
#define XENSTORE_PATH 128u

struct xenstore {
    struct xs_handle *xs;
    uint32_t transaction;         /* what is read and written is part of it; 0: none is open */
    bool doubtful;                /* an answer made no sense: is the connection still there? */
    _Atomic uint64_t asked_at_ms; /* 0: no request waits */
};

/* Statuses are 0 or a negative errno value; -ENOENT is xenstored's own word for "is not there". */
int xenstore_connect(struct xenstore *xenstore);
void xenstore_disconnect(struct xenstore *xenstore);

/* Readable when a watch has fired. */
int xenstore_fd(struct xenstore *xenstore);

/* -E2BIG: it is longer, or no text. */
int xenstore_read(struct xenstore *xenstore, const char *path, char *value, size_t size);
int xenstore_write(struct xenstore *xenstore, const char *path, const char *value);
int xenstore_remove(struct xenstore *xenstore, const char *path);

/* The caller frees the entries, in one piece. */
int xenstore_list(struct xenstore *xenstore, const char *path, char ***entries, unsigned *n);

/* Whether the domain owns the node, or else may write to it. */
int xenstore_is_writable_by(struct xenstore *xenstore, const char *path, uint32_t domid,
                            bool *writable);

int xenstore_watch(struct xenstore *xenstore, const char *path);
int xenstore_unwatch(struct xenstore *xenstore, const char *path);

/* The path that a watch fired for; false: none has. */
bool xenstore_event(struct xenstore *xenstore, char *path, size_t size);

/* -EAGAIN of the second: somebody else changed what was read; all of it is to be done again. */
int xenstore_begin(struct xenstore *xenstore);
int xenstore_end(struct xenstore *xenstore, bool commit);

/* Asks for something that makes no difference. False: the connection is gone. */
bool xenstore_is_there(struct xenstore *xenstore);

/* How long a request has been waiting; from any thread. */
uint64_t xenstore_waits_ms(const struct xenstore *xenstore);

#endif
