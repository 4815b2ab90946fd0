/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts that several verbs ask with, and show their results with. */
#include "verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

/* --- asking ------------------------------------------------------------------------------ */

bool has_option(const struct invocation *in, const char *name)
{
    for (unsigned i = 0; i < in->own_n; i++) {
        if (!strcmp(in->own[i].option->name, name)) {
            return true;
        }
    }
    return false;
}

const char *option_value(const struct invocation *in, const char *name)
{
    const char *value = NULL;

    for (unsigned i = 0; i < in->own_n; i++) {
        if (!strcmp(in->own[i].option->name, name)) {
            value = in->own[i].value;
        }
    }
    return value;
}

struct json_object *params_of(const struct invocation *in)
{
    struct json_object *params = json_object_new_object();

    if (in->domain) {
        json_object_object_add(params, "domain", json_object_new_string(in->domain));
    }
    for (unsigned i = 0; i < in->own_n; i++) {
        const struct argument *own = &in->own[i];

        if (!own->option->local) {
            json_object_object_add(params, own->option->name,
                                   own->value ? json_object_new_string(own->value)
                                              : json_object_new_boolean(true));
        }
    }
    return params;
}

int report(const struct client *client, enum client_status status)
{
    fprintf(stderr, "xengt-ctl: %s\n", client->error);
    return status == CLIENT_REFUSED ? EXIT_FAILED : EXIT_NO_DAEMON;
}

void print_json(struct json_object *document)
{
    printf("%s\n", json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE));
}

int show_result(const struct invocation *in, struct json_object *result)
{
    if (!in->json) {
        return in->verb->show(result, in);
    }
    print_json(result);
    return in->verb->status ? in->verb->status(result) : EXIT_OK;
}

int ask(const struct invocation *in, const char *method, struct json_object **result)
{
    struct client client;
    enum client_status status = client_connect(&client, in->socket, in->timeout_s);

    if (status == CLIENT_OK) {
        status = client_call(&client, method, params_of(in), result);
        client_close(&client);
    }
    return status == CLIENT_OK ? EXIT_OK : report(&client, status);
}

int ask_and_show(const struct invocation *in, const char *method)
{
    struct json_object *result = NULL;
    int status = ask(in, method, &result);

    if (status != EXIT_OK) {
        return status;
    }
    int shown = show_result(in, result);
    json_object_put(result);
    return shown;
}

/* --- showing ----------------------------------------------------------------------------- */

struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(object, key, &value);
    return value;
}

uint64_t member_number(struct json_object *object, const char *key)
{
    return json_object_get_uint64(member(object, key));
}

const char *member_text(struct json_object *object, const char *key)
{
    const char *text = json_object_get_string(member(object, key));

    return text ? text : "-";
}

int show_done(struct json_object *guest, const char *what)
{
    printf("domain '%s' (%" PRIu64 "): vGPU %" PRIu64 " %s\n", member_text(guest, "name"),
           member_number(guest, "domid"), member_number(guest, "vgpu"), what);
    return EXIT_OK;
}
