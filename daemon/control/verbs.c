/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of the control protocol. docs/control.md says what each answers. */
#include "control/verbs.h"

#include <string.h>

#include "control/documents.h"
#include "guests/guests.h"

/* Counts up when a field changes its meaning or goes. New fields do not change it. */
#define CONTROL_PROTOCOL 1

typedef struct json_object json;

/* NULL: the client does not say. */
static const char *text_arg(json *request, const char *name)
{
    return json_object_get_string(json_object_object_get(request, name));
}

static const char *domain_arg(json *request)
{
    return text_arg(request, "domain");
}

/* --- one guest --------------------------------------------------------------------------- */

static json *attach(struct guests *guests, json *request, char *error)
{
    struct guest_info info;

    if (guests_attach(guests, domain_arg(request), text_arg(request, "type"), &info, error,
                      VERB_ERROR_MAX)) {
        return NULL;
    }
    return document_guest(&info);
}

/* The result is the guest as it was last. */
static json *detach(struct guests *guests, json *request, char *error)
{
    const char *domain = domain_arg(request);
    struct guest_info info;

    if (guests_info(guests, domain, &info, error, VERB_ERROR_MAX)) {
        return NULL;
    }
    json *last = document_guest(&info);
    if (!guests_detach(guests, domain, error, VERB_ERROR_MAX)) {
        return last;
    }
    json_object_put(last);
    return NULL;
}

static json *set_paused(struct guests *guests, json *request, bool paused, char *error)
{
    const char *domain = domain_arg(request);
    struct guest_info info;

    if (guests_pause(guests, domain, paused, error, VERB_ERROR_MAX) ||
        guests_info(guests, domain, &info, error, VERB_ERROR_MAX)) {
        return NULL;
    }
    return document_guest(&info);
}

static json *pause_guest(struct guests *guests, json *request, char *error)
{
    return set_paused(guests, request, true, error);
}

static json *resume(struct guests *guests, json *request, char *error)
{
    return set_paused(guests, request, false, error);
}

static json *verify(struct guests *guests, json *request, char *error)
{
    int violations = guests_verify_some(guests, domain_arg(request), error, VERB_ERROR_MAX);

    if (violations < 0) {
        return NULL;
    }
    json *result = json_object_new_object();
    json_object_object_add(result, "violations", json_object_new_int(violations));
    json_object_object_add(result, "first", violations ? json_object_new_string(error) : NULL);
    return result;
}

static void add_mapping(void *arg, const struct guests_mapping *mapping)
{
    json_object_array_add(arg, document_mapping(mapping));
}

static json *mappings(struct guests *guests, json *request, char *error)
{
    json *array = json_object_new_array();

    if (guests_mappings(guests, domain_arg(request), add_mapping, array, error, VERB_ERROR_MAX)) {
        json_object_put(array);
        return NULL;
    }
    json *result = json_object_new_object();
    json_object_object_add(result, "mappings", array);
    return result;
}

/* --- all of them ------------------------------------------------------------------------- */

static json *guest_array(struct guests *guests, json *describe(const struct guest_info *))
{
    json *array = json_object_new_array();
    struct guest_info info;

    for (unsigned i = 0; guests_list(guests, i, &info); i++) {
        json_object_array_add(array, describe(&info));
    }
    return array;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a verb's run() */
static json *list(struct guests *guests, json *request, char *error)
{
    json *result = json_object_new_object();

    (void)request;
    (void)error;
    json_object_object_add(result, "guests", guest_array(guests, document_guest));
    return result;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a verb's run() */
static json *types(struct guests *guests, json *request, char *error)
{
    json *array = json_object_new_array();
    struct guests_type_info info;

    (void)request;
    (void)error;
    for (unsigned i = 0; guests_type(guests, i, &info); i++) {
        json_object_array_add(array, document_type(&info));
    }
    json *result = json_object_new_object();
    json_object_object_add(result, "types", array);
    return result;
}

static json *stats(struct guests *guests, json *request, char *error)
{
    const char *domain = domain_arg(request);
    struct guests_shared shared;
    json *array;

    if (domain) {
        struct guest_info info;

        if (guests_info(guests, domain, &info, error, VERB_ERROR_MAX)) {
            return NULL;
        }
        array = json_object_new_array();
        json_object_array_add(array, document_guest_stats(&info));
    } else {
        array = guest_array(guests, document_guest_stats);
    }
    guests_shared(guests, &shared);
    json *result = json_object_new_object();
    json_object_object_add(result, "backend", document_backend(&shared));
    json_object_object_add(result, "library", document_library(&shared));
    json_object_object_add(result, "gpu", document_gpu(&shared));
    json_object_object_add(result, "guests", array);
    return result;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a verb's run() */
static json *version(struct guests *guests, json *request, char *error)
{
    struct guests_shared shared;

    (void)request;
    (void)error;
    guests_shared(guests, &shared);
    json *result = json_object_new_object();
    json_object_object_add(result, "version", json_object_new_string(XENGT_VERSION));
    json_object_object_add(result, "protocol", json_object_new_int(CONTROL_PROTOCOL));
    json_object_object_add(result, "backend", document_backend(&shared));
    return result;
}

/* --- the rows ---------------------------------------------------------------------------- */

#define DOMAIN_REQUIRED                              \
    {                                                \
        "domain", json_type_string, .required = true \
    }
#define DOMAIN_OPTIONAL                               \
    {                                                 \
        "domain", json_type_string, .required = false \
    }
#define TYPE_OPTIONAL                               \
    {                                               \
        "type", json_type_string, .required = false \
    }

static const struct verb verbs[] = {
    {"attach", attach, {DOMAIN_REQUIRED, TYPE_OPTIONAL}},
    {"detach", detach, {DOMAIN_REQUIRED}},
    {"list", list, {{0}}},
    {"mappings", mappings, {DOMAIN_REQUIRED}},
    {"pause", pause_guest, {DOMAIN_REQUIRED}},
    {"resume", resume, {DOMAIN_REQUIRED}},
    {"stats", stats, {DOMAIN_OPTIONAL}},
    {"types", types, {{0}}},
    {"verify", verify, {DOMAIN_REQUIRED}},
    {"version", version, {{0}}},
};

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!strcmp(verbs[i].name, name)) {
            return &verbs[i];
        }
    }
    return NULL;
}
