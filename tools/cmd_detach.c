/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl detach: one line that says what was taken away. */
#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    (void)in;
    return show_done(result, "detached");
}

const struct verb verb_detach = {
    .name = "detach",
    .domain = VERB_DOMAIN,
    .summary = "take the vGPU away",
    .description = "Every page of the domain is released. The guest reads all-ones from then on.",
    .show = show,
};
