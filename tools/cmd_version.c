/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl version: a line for this program, and one for the daemon that answers. */
#include <stdio.h>

#include <json-c/json.h>

#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    (void)in;
    printf("xengtd %s, protocol %s, back end %s\n", member_text(result, "version"),
           member_text(result, "protocol"), member_text(member(result, "backend"), "name"));
    return EXIT_OK;
}

static int run(const struct invocation *in)
{
    if (!in->json) {
        printf("xengt-ctl %s\n", XENGT_VERSION);
        fflush(stdout);
    }
    return ask_and_show(in, "version");
}

const struct verb verb_version = {
    .name = "version",
    .domain = VERB_NO_DOMAIN,
    .summary = "show this program's version and the running xengtd's",
    .description = "The daemon's line also says which protocol it speaks, and how it asks Xen.",
    .show = show,
    .run = run,
};
