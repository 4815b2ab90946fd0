/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control protocol: a line of a client in, an answer out. */
#ifndef XENGT_CONTROL_PROTOCOL_H
#define XENGT_CONTROL_PROTOCOL_H

#include <stddef.h>

struct json_object;
struct guests;

enum control_next {
    CONTROL_READ_ON,
    CONTROL_GARBAGE, /* it is not a JSON object at all: there is no use in reading on */
    CONTROL_AGAIN,   /* it is not carried out yet, and has no answer: in a later turn */
};

/* Carries out one command and returns its answer, {"ok":…}; NULL: no memory. */
struct json_object *control_command(struct guests *guests, const char *line, size_t len,
                                    enum control_next *next);

/* The answer {"ok":false,"error":text}. */
struct json_object *control_refusal(const char *text);

#endif
