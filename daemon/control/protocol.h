/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control protocol: a line of a client in, an answer out. */
#ifndef XENGT_CONTROL_PROTOCOL_H
#define XENGT_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

struct json_object;
struct guests;

/*
 * Carries out one command and returns its answer, {"ok":…}; NULL: no memory. *garbage tells
 * that the line is not a JSON object at all, so that there is no use in reading on.
 */
struct json_object *control_command(struct guests *guests, const char *line, size_t len,
                                    bool *garbage);

/* The answer {"ok":false,"error":text}. */
struct json_object *control_refusal(const char *text);

#endif
