/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl failsafe: one line for each guest that broke its vGPU, and how. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    struct json_object *guests = member(result, "guests");
    size_t n = json_object_is_type(guests, json_type_array) ? json_object_array_length(guests) : 0;

    (void)in;
    for (size_t i = 0; i < n; i++) {
        struct json_object *guest = json_object_array_get_idx(guests, i);

        printf("domain '%s' (%" PRIu64 "): vGPU %" PRIu64 " is in failsafe: %s\n",
               member_text(guest, "name"), member_number(guest, "domid"),
               member_number(guest, "vgpu"), member_text(guest, "failsafe_reason"));
    }
    return n ? EXIT_FAILED : EXIT_OK;
}

static int status(struct json_object *result)
{
    return json_object_array_length(member(result, "guests")) ? EXIT_FAILED : EXIT_OK;
}

/* Of a list of all guests. */
static struct json_object *failed_of(struct json_object *list)
{
    struct json_object *guests = member(list, "guests");
    struct json_object *failed = json_object_new_array();
    struct json_object *document = json_object_new_object();
    size_t n = json_object_is_type(guests, json_type_array) ? json_object_array_length(guests) : 0;

    for (size_t i = 0; i < n; i++) {
        struct json_object *guest = json_object_array_get_idx(guests, i);

        if (!strcmp(member_text(guest, "state"), "failsafe")) {
            json_object_array_add(failed, json_object_get(guest));
        }
    }
    json_object_object_add(document, "guests", failed);
    return document;
}

static int run(const struct invocation *in)
{
    struct json_object *list = NULL;
    int status_of_ask = ask(in, "list", &list);

    if (status_of_ask != EXIT_OK) {
        return status_of_ask;
    }
    struct json_object *failed = failed_of(list);
    int shown = show_result(in, failed);
    json_object_put(failed);
    json_object_put(list);
    return shown;
}

const struct verb verb_failsafe = {
    .name = "failsafe",
    .domain = VERB_NO_DOMAIN,
    .summary = "show the guests that broke their vGPU, and how",
    .description = "Exit status 1 if there is one.",
    .show = show,
    .status = status,
    .run = run,
};
