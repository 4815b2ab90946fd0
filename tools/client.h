/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other end of xengtd's control socket: requests by JSON-RPC, as docs/control.md has them. */
#ifndef XENGT_TOOLS_CLIENT_H
#define XENGT_TOOLS_CLIENT_H

#include <stdio.h>

struct json_object;

enum client_status {
    CLIENT_OK,
    CLIENT_REFUSED,   /* by a daemon that did not do it */
    CLIENT_NO_DAEMON, /* there is none, or it has no ear for us */
};

struct client {
    const char *path;
    unsigned patience_s; /* for each answer */
    int fd;
    FILE *in;
    unsigned asked;
    char error[512]; /* one line, where a call did not return CLIENT_OK */
};

enum client_status client_connect(struct client *client, const char *path, unsigned patience_s);
void client_close(struct client *client);

/* Takes params, which may be NULL: none. *result is the caller's where CLIENT_OK is returned. */
enum client_status client_call(struct client *client, const char *method,
                               struct json_object *params, struct json_object **result);

/* Waits for the next notification, as long as it takes, and returns its params, the caller's. */
enum client_status client_next(struct client *client, struct json_object **params);

#endif
