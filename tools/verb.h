/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A verb of xengt-ctl, whole: its operand, options, help, and how its result is shown. Each stands
 * in a file of its own, cmd_NAME.c. As a rule it asks xengtd for the method of the same name, with
 * the operand and the options as that method's parameters; one with a run() of its own asks for
 * what it likes.
 */
#ifndef XENGT_TOOLS_VERB_H
#define XENGT_TOOLS_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"

struct json_object;

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NO_DAEMON };

struct verb_option {
    const char *name;  /* without the dashes; the method's parameter */
    const char *value; /* what the help calls it; NULL: the option takes none */
    const char *help;
    bool local; /* xengtd does not hear of it */
};

/* Options of all verbs, and of one command line: more than there are. */
#define OPTIONS_MAX 32u

/* An option as it was given. */
struct argument {
    const struct verb_option *option;
    const char *value; /* NULL: it takes none */
};

/* A command line. */
struct invocation {
    const struct verb *verb;
    const char *domain; /* or NULL */
    const char *socket;
    unsigned timeout_s;
    bool json;
    bool help;
    bool version;
    struct argument own[OPTIONS_MAX]; /* options that are the verb's own */
    unsigned own_n;
};

struct verb {
    const char *name;
    enum { VERB_NO_DOMAIN, VERB_DOMAIN, VERB_MAY_DOMAIN } domain;
    const struct verb_option *options; /* its own, to a row without a name; NULL: none */
    const char *summary;
    const char *description;

    /* Prints a result for people. The exit status */
    int (*show)(struct json_object *result, const struct invocation *in);

    /* The exit status where the result is printed as JSON; NULL: EXIT_OK */
    int (*status)(struct json_object *result);

    /* All of it, instead. The exit status */
    int (*run)(const struct invocation *in);
};

/* All of them, in the order of the help: each is the verb_NAME of its file. */
#define VERBS(ROW) \
    ROW(check)     \
    ROW(attach)    \
    ROW(detach)    \
    ROW(list)      \
    ROW(stats)     \
    ROW(top)       \
    ROW(pause)     \
    ROW(resume)    \
    ROW(verify)    \
    ROW(types)     \
    ROW(mappings)  \
    ROW(failsafe)  \
    ROW(events)    \
    ROW(metrics)   \
    ROW(version)

#define VERB_DECLARATION(name) extern const struct verb verb_##name;
VERBS(VERB_DECLARATION)

/* --- what verbs are made of -------------------------------------------------------------- */

/* Was the option given? */
bool has_option(const struct invocation *in, const char *name);

/* Its value, the last one; NULL: it was not given. */
const char *option_value(const struct invocation *in, const char *name);

/* The parameters that the command line says, the caller's. */
struct json_object *params_of(const struct invocation *in);

/* Says on stderr what the client's error is. The exit status */
int report(const struct client *client, enum client_status status);

/* Asks once. The exit status; where it is EXIT_OK *result is the caller's. */
int ask(const struct invocation *in, const char *method, struct json_object **result);

/* Asks once, and prints the result as the command line wants it. The exit status */
int ask_and_show(const struct invocation *in, const char *method);

/* Prints a result as the command line wants it. The exit status */
int show_result(const struct invocation *in, struct json_object *result);
void print_json(struct json_object *document);

/* Members of a result; what is not there reads as 0, "-" or NULL. */
struct json_object *member(struct json_object *object, const char *key);
uint64_t member_number(struct json_object *object, const char *key);
const char *member_text(struct json_object *object, const char *key);

/* Prints which vGPU of which domain it is about, and what was done. EXIT_OK */
int show_done(struct json_object *guest, const char *what);

#endif
