/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A verb of xengt-ctl: the command it sends and how it shows the result to people. */
#ifndef XENGT_TOOLS_VERB_H
#define XENGT_TOOLS_VERB_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* Shows a result; answers the exit status. domain is what the user called it, or NULL. */
typedef int verb_show_fn(struct json_object *result, const char *domain);

struct verb {
    const char *name;
    enum { VERB_NO_DOMAIN, VERB_DOMAIN, VERB_MAY_DOMAIN } domain;
    const char *summary;
    const char *description;
    verb_show_fn *show;
};

verb_show_fn show_attach, show_detach, show_pause, show_resume; /* cmd_guest.c */
verb_show_fn show_list;                                         /* cmd_list.c */
verb_show_fn show_stats;                                        /* cmd_stats.c */
verb_show_fn show_types;                                        /* cmd_types.c */
verb_show_fn show_verify;                                       /* cmd_verify.c */
verb_show_fn show_mappings;                                     /* cmd_mappings.c */

/* Members by a path of keys with dots; what is not there reads as 0, "-" or NULL. */
struct json_object *member(struct json_object *object, const char *path);
uint64_t member_number(struct json_object *object, const char *path);
const char *member_text(struct json_object *object, const char *path);

#endif
