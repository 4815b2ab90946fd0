/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl stats: every counter as a line "key: value". */
#include <stdio.h>

#include <json-c/json.h>

#include "verb.h"

/* Objects become a prefix: gtt.commits. Arrays are shown by who knows what is in them. */
static void show_object(struct json_object *object, const char *prefix)
{
    json_object_object_foreach(object, key, value)
    {
        char path[128];

        snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_object_is_type(value, json_type_object)) {
            show_object(value, path);
        } else if (!json_object_is_type(value, json_type_array)) {
            printf("%s: %s\n", path, value ? json_object_get_string(value) : "-");
        }
    }
}

static int show(struct json_object *result, const struct invocation *in)
{
    struct json_object *guests = member(result, "guests");

    if (!json_object_is_type(guests, json_type_array)) {
        return EXIT_FAILED;
    }
    if (!in->domain) {
        show_object(result, "");
    }
    for (size_t i = 0; i < json_object_array_length(guests); i++) {
        if (i || !in->domain) {
            putchar('\n');
        }
        show_object(json_object_array_get_idx(guests, i), "");
    }
    return EXIT_OK;
}

const struct verb verb_stats = {
    .name = "stats",
    .domain = VERB_MAY_DOMAIN,
    .summary = "show counters of one guest, or of everything",
    .description = "Lines \"key: value\". docs/control.md says what each counts.",
    .show = show,
};
