/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl types: one line for each type of vGPU. */
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    struct json_object *types = member(result, "types");

    (void)in;
    if (!json_object_is_type(types, json_type_array)) {
        return EXIT_FAILED;
    }
    printf("%-10s  %12s  %14s  %6s  %6s  %9s\n", "TYPE", "MAPPABLE MIB", "UNMAPPABLE MIB", "FENCES",
           "WEIGHT", "AVAILABLE");
    for (size_t i = 0; i < json_object_array_length(types); i++) {
        struct json_object *type = json_object_array_get_idx(types, i);

        printf("%-10s  %12" PRIu64 "  %14" PRIu64 "  %6" PRIu64 "  %6" PRIu64 "  %9" PRIu64 "%s\n",
               member_text(type, "name"), member_number(type, "mappable_mib"),
               member_number(type, "unmappable_mib"), member_number(type, "fences"),
               member_number(type, "weight"), member_number(type, "available_instances"),
               member_number(type, "default") ? "  default" : "");
    }
    return EXIT_OK;
}

const struct verb verb_types = {
    .name = "types",
    .domain = VERB_NO_DOMAIN,
    .summary = "show the types of vGPU there are",
    .description =
        "What a vGPU of each has of the GPU, and how many more of it there is room for now.",
    .show = show,
};
