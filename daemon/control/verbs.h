/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods of the control protocol: each a row, and the function that carries it out. */
#ifndef XENGT_CONTROL_VERBS_H
#define XENGT_CONTROL_VERBS_H

#include <stdbool.h>

#include <json-c/json.h>

struct guests;
struct subscription;

#define VERB_ARGS_MAX  4u
#define VERB_ERROR_MAX 384

/* Why something is not done: the codes of JSON-RPC 2.0, and ours. docs/control.md explains them. */
enum verb_code {
    VERB_PARSE = -32700,
    VERB_INVALID = -32600,
    VERB_UNKNOWN = -32601,
    VERB_PARAMS = -32602,

    VERB_REFUSED = -32000,
    VERB_NO_DOMAIN = -32001,
    VERB_NOT_ATTACHED = -32002,
    VERB_AMBIGUOUS = -32003,
    VERB_BUSY = -32004,
    VERB_FORBIDDEN = -32005,
    VERB_CLOSED = -32006,
};

/* What a verb is asked, and where it says why not. */
struct verb_call {
    struct guests *guests;
    struct subscription *events; /* the client's; NULL: it may have none */
    struct json_object *params;  /* as the row wants them; NULL: none */
    int code;                    /* enum verb_code; 0: none */
    char error[VERB_ERROR_MAX];  /* one line, where there is a code */
};

struct verb_arg {
    const char *name;
    json_type type;
    bool required;
};

struct verb {
    const char *name;
    bool changes; /* something, so that not everybody may: else it only reads */
    /*
     * Answers the result, or NULL and a code. NULL without one: it is not through, to be run again
     * in a later turn.
     */
    struct json_object *(*run)(struct verb_call *call);
    struct verb_arg args[VERB_ARGS_MAX]; /* to the first without a name */
};

/* NULL: there is none of that name. */
const struct verb *verb_find(const char *name);

#endif
