/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the control protocol: each a row, and the function that carries it out. */
#ifndef XENGT_CONTROL_VERBS_H
#define XENGT_CONTROL_VERBS_H

#include <stdbool.h>

#include <json-c/json.h>

struct guests;

#define VERB_ARGS_MAX  4u
#define VERB_ERROR_MAX 384

struct verb_arg {
    const char *name;
    json_type type;
    bool required;
};

struct verb {
    const char *name;
    /*
     * Answers the result, or NULL and the reason. NULL without a reason: it is not through, to be
     * run again in a later turn. What is in request is as the rows want it.
     */
    struct json_object *(*run)(struct guests *guests, struct json_object *request,
                               char error[VERB_ERROR_MAX]);
    struct verb_arg args[VERB_ARGS_MAX]; /* to the first without a name */
};

/* NULL: there is none of that name. */
const struct verb *verb_find(const char *name);

#endif
