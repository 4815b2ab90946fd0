/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl resume: one line that says which vGPU goes on. */
#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    (void)in;
    return show_done(result, "resumed");
}

const struct verb verb_resume = {
    .name = "resume",
    .domain = VERB_DOMAIN,
    .summary = "end a pause",
    .description = "What waited is executed.",
    .show = show,
};
