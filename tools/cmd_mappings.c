/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl mappings: one line for each entry of the GTT with a guest page behind it. */
#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

#include "verb.h"

static int show(struct json_object *result, const struct invocation *in)
{
    struct json_object *mappings = member(result, "mappings");

    (void)in;
    printf("%10s  %12s  %12s\n", "ENTRY", "GFN", "BFN");
    for (size_t i = 0; i < json_object_array_length(mappings); i++) {
        struct json_object *m = json_object_array_get_idx(mappings, i);

        printf("%#10" PRIx64 "  %#12" PRIx64 "  %#12" PRIx64 "\n", member_number(m, "entry"),
               member_number(m, "gfn"), member_number(m, "bfn"));
    }
    return EXIT_OK;
}

/* xengtd tells so many at a time, and where it goes on. The first entry not told; NULL: all are. */
static struct json_object *take(struct json_object *all, struct json_object *result)
{
    struct json_object *some = member(result, "mappings");

    for (size_t i = 0; some && i < json_object_array_length(some); i++) {
        json_object_array_add(all, json_object_get(json_object_array_get_idx(some, i)));
    }
    return json_object_get(member(result, "next"));
}

static enum client_status ask_for_all(const struct invocation *in, struct client *client,
                                      struct json_object *all)
{
    struct json_object *next = NULL;
    enum client_status status;

    do {
        struct json_object *params = params_of(in), *result = NULL;

        if (next) {
            json_object_object_add(params, "from", next);
        }
        status = client_call(client, "mappings", params, &result);
        next = status == CLIENT_OK ? take(all, result) : NULL;
        json_object_put(result);
    } while (next);
    return status;
}

static int run(const struct invocation *in)
{
    struct json_object *all = json_object_new_array(), *document = json_object_new_object();
    struct client client;
    enum client_status status = client_connect(&client, in->socket, in->timeout_s);

    json_object_object_add(document, "mappings", all);
    if (status == CLIENT_OK) {
        status = ask_for_all(in, &client, all);
        client_close(&client);
    }
    int shown = status == CLIENT_OK ? show_result(in, document) : report(&client, status);
    json_object_put(document);
    return shown;
}

const struct verb verb_mappings = {
    .name = "mappings",
    .domain = VERB_DOMAIN,
    .summary = "show which guest page is behind which GPU entry",
    .description = "GFN is the guest's frame number, BFN the one the GPU uses.",
    .show = show,
    .run = run,
};
