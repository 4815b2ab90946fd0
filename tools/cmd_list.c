/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl list: one line for each guest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "verb.h"

static int name_width(struct json_object *guests)
{
    size_t width = strlen("NAME");

    for (size_t i = 0; i < json_object_array_length(guests); i++) {
        size_t len = strlen(member_text(json_object_array_get_idx(guests, i), "name"));

        width = len > width ? len : width;
    }
    return (int)width;
}

static int show(struct json_object *result, const struct invocation *in)
{
    struct json_object *guests = member(result, "guests");

    if (!json_object_is_type(guests, json_type_array)) {
        return EXIT_FAILED;
    }
    if (has_option(in, "names")) {
        for (size_t i = 0; i < json_object_array_length(guests); i++) {
            printf("%s\n", member_text(json_object_array_get_idx(guests, i), "name"));
        }
        return EXIT_OK;
    }
    int width = name_width(guests);
    printf("%-*s  DOMID  VGPU  %-10s  %-8s  %12s\n", width, "NAME", "TYPE", "STATE",
           "MAPPED PAGES");
    for (size_t i = 0; i < json_object_array_length(guests); i++) {
        struct json_object *guest = json_object_array_get_idx(guests, i);
        const char *reason = json_object_get_string(member(guest, "failsafe_reason"));

        printf("%-*s  %5" PRIu64 "  %4" PRIu64 "  %-10s  %-8s  %12" PRIu64 "%s%s\n", width,
               member_text(guest, "name"), member_number(guest, "domid"),
               member_number(guest, "vgpu"), member_text(guest, "type"),
               member_text(guest, "state"), member_number(guest, "mapped_pages"),
               reason ? "  " : "", reason ? reason : "");
    }
    return EXIT_OK;
}

static const struct verb_option options[] = {
    {"names", NULL, "the names alone, one a line", .local = true},
    {0},
};

const struct verb verb_list = {
    .name = "list",
    .domain = VERB_NO_DOMAIN,
    .options = options,
    .summary = "show the guests that have a vGPU",
    .description = "STATE is running, paused, or failsafe with the reason at the end of the line.",
    .show = show,
};
