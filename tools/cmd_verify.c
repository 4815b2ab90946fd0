/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl verify: a sentence on the guest's GPU entries; it fails when one is not allowed. */
#include <inttypes.h>
#include <stdio.h>

#include "verb.h"

static int status(struct json_object *result)
{
    return member_number(result, "violations") ? EXIT_FAILED : EXIT_OK;
}

static int show(struct json_object *result, const struct invocation *in)
{
    if (status(result) == EXIT_OK) {
        printf("domain '%s': every GPU entry is scratch or a mapping of its own\n", in->domain);
    } else {
        printf("domain '%s': %" PRIu64 " violations; the first: %s\n", in->domain,
               member_number(result, "violations"), member_text(result, "first"));
    }
    return status(result);
}

const struct verb verb_verify = {
    .name = "verify",
    .domain = VERB_DOMAIN,
    .summary = "check every GPU entry of a guest",
    .description =
        "Each must be scratch or a live mapping of this guest, in the GPU's copy too. Exit\n"
        "status 1 if one is not.",
    .show = show,
    .status = status,
};
