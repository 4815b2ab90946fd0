/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A verb of xengt-ctl, whole: its operand, options, help, and how its result is shown. Each stands
 * in a file of its own, cmd_NAME.c. It sends the command of the same name to xengtd, with the
 * operand and the options as that command's fields.
 */
#ifndef XENGT_TOOLS_VERB_H
#define XENGT_TOOLS_VERB_H

#include <stdint.h>

struct json_object;

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

struct verb_option {
    const char *name;  /* without the dashes; the command's field */
    const char *value; /* what the help calls it; NULL: the option takes none */
    const char *help;
};

struct verb {
    const char *name;
    enum { VERB_NO_DOMAIN, VERB_DOMAIN, VERB_MAY_DOMAIN } domain;
    const struct verb_option *options; /* its own, to a row without a name; NULL: none */
    const char *summary;
    const char *description;

    /* Prints a result for people. domain is what the user called it, or NULL. The exit status */
    int (*show)(struct json_object *result, const char *domain);

    /* The exit status where the result is printed as JSON; NULL: EXIT_OK */
    int (*status)(struct json_object *result);
};

/* All of them, in the order of the help: each is the verb_NAME of its file. */
#define VERBS(ROW) \
    ROW(attach)    \
    ROW(detach)    \
    ROW(list)      \
    ROW(stats)     \
    ROW(pause)     \
    ROW(resume)    \
    ROW(verify)    \
    ROW(types)     \
    ROW(mappings)

#define VERB_DECLARATION(name) extern const struct verb verb_##name;
VERBS(VERB_DECLARATION)

/* Members of a result; what is not there reads as 0, "-" or NULL. */
struct json_object *member(struct json_object *object, const char *key);
uint64_t member_number(struct json_object *object, const char *key);
const char *member_text(struct json_object *object, const char *key);

/* Prints which vGPU of which domain it is about, and what was done. EXIT_OK */
int show_done(struct json_object *guest, const char *what);

#endif
