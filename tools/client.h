/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other end of xengtd's control socket. */
#ifndef XENGT_TOOLS_CLIENT_H
#define XENGT_TOOLS_CLIENT_H

#include <stddef.h>

struct json_object;

/*
 * Sends a request (docs/control.md) and waits for its answer. Returns the result, which is the
 * caller's, or NULL and one line in error.
 */
struct json_object *client_call(const char *socket_path, struct json_object *request, char *error,
                                size_t error_size);

#endif
