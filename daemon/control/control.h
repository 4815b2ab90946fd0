/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control socket: an administrator's requests, one JSON object per line in, one out; see
 * docs/control.md. A client can be anything that connects: what it sends is bounded and checked,
 * what it asks is done one thing at a time, and what it does not read never blocks the daemon.
 */
#ifndef XENGT_CONTROL_CONTROL_H
#define XENGT_CONTROL_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "text.h"

struct control;
struct event_base;
struct guests;

#define CONTROL_CLIENTS_MAX   16u
#define CONTROL_READERS_MAX   8u /* of these: clients that are not root */
#define CONTROL_LISTENERS_MAX 8u /* of all: with a subscription; and half of them among readers */
#define CONTROL_LINE_MAX      (64u << 10) /* bytes of a request, the newline included */
#define CONTROL_IDLE_S        60          /* a client that says nothing for so long is closed */

/* All of it stays the caller's and outlives the control socket. */
struct control_config {
    struct event_base *base;
    struct guests *guests;
    const char *path;   /* of the socket; its folder is made if absent */
    int fd;             /* somebody else's, which listens there already; 0: there is none */
    const gid_t *group; /* whose members may read; NULL: root alone may connect */
    unsigned idle_s;    /* 0: CONTROL_IDLE_S */
    text_log_fn *log;
    void *log_arg;
};

/*
 * -EADDRINUSE: a daemon answers on the socket already. A socket nobody answers on is replaced.
 * error gets one line.
 */
int control_open(const struct control_config *config, struct control **out, char *error,
                 size_t error_size);

/* Closes all clients and removes the socket. NULL is allowed. */
void control_close(struct control *control);

#endif
