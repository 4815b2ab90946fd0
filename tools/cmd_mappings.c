/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl mappings: one line for each entry of the GTT with a guest page behind it. */
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "verb.h"

static int show(struct json_object *result, const char *domain)
{
    struct json_object *mappings = member(result, "mappings");

    (void)domain;
    if (!json_object_is_type(mappings, json_type_array)) {
        return EXIT_FAILED;
    }
    printf("%10s  %12s  %12s\n", "ENTRY", "GFN", "BFN");
    for (size_t i = 0; i < json_object_array_length(mappings); i++) {
        struct json_object *m = json_object_array_get_idx(mappings, i);

        printf("%#10" PRIx64 "  %#12" PRIx64 "  %#12" PRIx64 "\n", member_number(m, "entry"),
               member_number(m, "gfn"), member_number(m, "bfn"));
    }
    return EXIT_OK;
}

const struct verb verb_mappings = {
    .name = "mappings",
    .domain = VERB_DOMAIN,
    .summary = "show which guest page is behind which GPU entry",
    .description = "GFN is the guest's frame number, BFN the one the GPU uses.",
    .show = show,
};
