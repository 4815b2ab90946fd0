/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl attach: one line that says what the domain was given. */
#include <stdio.h>

#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    char what[64];

    (void)in;
    snprintf(what, sizeof(what), "attached, %s", member_text(result, "type"));
    return show_done(result, what);
}

static const struct verb_option options[] = {
    {"type", "NAME", "type of the vGPU (xengtd's default)"},
    {0},
};

const struct verb verb_attach = {
    .name = "attach",
    .domain = VERB_DOMAIN,
    .options = options,
    .summary = "give a running domain a vGPU",
    .description =
        "The domain must be a PVH or HVM guest with hardware assisted paging. Attach it before\n"
        "its driver starts. --type chooses one of those that xengt-ctl types shows.",
    .show = show,
};
