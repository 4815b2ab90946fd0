/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl pause: one line that says which vGPU waits. */
#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    (void)in;
    return show_done(result, "paused");
}

const struct verb verb_pause = {
    .name = "pause",
    .domain = VERB_DOMAIN,
    .summary = "let the vGPU execute nothing for now",
    .description = "Its registers still answer, and what the guest submits waits.",
    .show = show,
};
