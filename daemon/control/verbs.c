/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods of the control protocol. docs/control.md says what each answers. */
#include "control/verbs.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "control/documents.h"
#include "control/subscription.h"
#include "guests/guests.h"
#include "text.h"

/* Counts up when a field changes its meaning or goes. New fields do not change it. */
#define CONTROL_PROTOCOL 2

typedef struct json_object json;

/* NULL: the client does not say. */
static const char *text_arg(const struct verb_call *call, const char *name)
{
    return json_object_get_string(json_object_object_get(call->params, name));
}

static const char *domain_arg(const struct verb_call *call)
{
    return text_arg(call, "domain");
}

/* An attach knows domains without a vGPU, the others none but those with one. */
static json *refuse(struct verb_call *call, int err, enum verb_code not_there)
{
    switch (err) {
    case -ENOENT:
        call->code = not_there;
        break;
    case -ENOTUNIQ:
        call->code = VERB_AMBIGUOUS;
        break;
    case -EBUSY:
        call->code = VERB_BUSY;
        break;
    default:
        call->code = VERB_REFUSED;
    }
    return NULL;
}

/* --- one guest --------------------------------------------------------------------------- */

static json *attach(struct verb_call *call)
{
    struct guest_info info;
    int ret = guests_attach(call->guests, domain_arg(call), text_arg(call, "type"), &info,
                            call->error, sizeof(call->error));

    return ret ? refuse(call, ret, VERB_NO_DOMAIN) : document_guest(&info);
}

/* The result is the guest as it was last. */
static json *detach(struct verb_call *call)
{
    const char *domain = domain_arg(call);
    struct guest_info info;
    int ret = guests_info(call->guests, domain, &info, call->error, sizeof(call->error));

    if (ret) {
        return refuse(call, ret, VERB_NOT_ATTACHED);
    }
    json *last = document_guest(&info);
    ret = guests_detach(call->guests, domain, call->error, sizeof(call->error));
    if (ret) {
        json_object_put(last);
        return refuse(call, ret, VERB_NOT_ATTACHED);
    }
    return last;
}

static json *set_paused(struct verb_call *call, bool paused)
{
    const char *domain = domain_arg(call);
    struct guest_info info;
    int ret = guests_pause(call->guests, domain, paused, call->error, sizeof(call->error));

    if (!ret) {
        ret = guests_info(call->guests, domain, &info, call->error, sizeof(call->error));
    }
    return ret ? refuse(call, ret, VERB_NOT_ATTACHED) : document_guest(&info);
}

static json *pause_guest(struct verb_call *call)
{
    return set_paused(call, true);
}

static json *resume(struct verb_call *call)
{
    return set_paused(call, false);
}

static json *verify(struct verb_call *call)
{
    int violations =
        guests_verify_some(call->guests, domain_arg(call), call->error, sizeof(call->error));

    if (violations == -EAGAIN) {
        return NULL;
    }
    if (violations < 0) {
        return refuse(call, violations, VERB_NOT_ATTACHED);
    }
    json *result = json_object_new_object();
    json_object_object_add(result, "violations", json_object_new_int(violations));
    json_object_object_add(result, "first", violations ? document_text(call->error) : NULL);
    return result;
}

/* Mappings in an answer; the others are for another one. */
#define MAPPINGS_MAX 4096u

static void add_mapping(void *arg, const struct guests_mapping *mapping)
{
    json_object_array_add(arg, document_mapping(mapping));
}

static json *mappings(struct verb_call *call)
{
    int64_t from = json_object_get_int64(json_object_object_get(call->params, "from"));
    uint32_t next = (uint32_t)from;

    if (from < 0 || from > UINT32_MAX) {
        text_line(call->error, sizeof(call->error), "mappings: \"from\" is no entry of a GTT");
        call->code = VERB_PARAMS;
        return NULL;
    }
    json *array = json_object_new_array();
    int ret = guests_mappings_some(call->guests, domain_arg(call), &next, MAPPINGS_MAX, add_mapping,
                                   array, call->error, sizeof(call->error));
    if (ret < 0) {
        json_object_put(array);
        return refuse(call, ret, VERB_NOT_ATTACHED);
    }
    json *result = json_object_new_object();
    json_object_object_add(result, "mappings", array);
    json_object_object_add(result, "next", ret ? json_object_new_uint64(next) : NULL);
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
static json *list(struct verb_call *call)
{
    json *result = json_object_new_object();

    json_object_object_add(result, "guests", guest_array(call->guests, document_guest));
    return result;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a verb's run() */
static json *types(struct verb_call *call)
{
    json *array = json_object_new_array();
    struct guests_type_info info;

    for (unsigned i = 0; guests_type(call->guests, i, &info); i++) {
        json_object_array_add(array, document_type(&info));
    }
    json *result = json_object_new_object();
    json_object_object_add(result, "types", array);
    return result;
}

static json *stats(struct verb_call *call)
{
    const char *domain = domain_arg(call);
    struct guests_shared shared;
    json *array;

    if (domain) {
        struct guest_info info;
        int ret = guests_info(call->guests, domain, &info, call->error, sizeof(call->error));

        if (ret) {
            return refuse(call, ret, VERB_NOT_ATTACHED);
        }
        array = json_object_new_array();
        json_object_array_add(array, document_guest_stats(&info));
    } else {
        array = guest_array(call->guests, document_guest_stats);
    }
    guests_shared(call->guests, &shared);
    json *result = json_object_new_object();
    json_object_object_add(result, "backend", document_backend(&shared));
    json_object_object_add(result, "library", document_library(&shared));
    json_object_object_add(result, "gpu", document_gpu(&shared));
    json_object_object_add(result, "guests", array);
    return result;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a verb's run() */
static json *version(struct verb_call *call)
{
    struct guests_shared shared;

    guests_shared(call->guests, &shared);
    json *result = json_object_new_object();
    json_object_object_add(result, "version", json_object_new_string(XENGT_VERSION));
    json_object_object_add(result, "protocol", json_object_new_int(CONTROL_PROTOCOL));
    json_object_object_add(result, "backend", document_backend(&shared));
    return result;
}

static json *subscribe(struct verb_call *call)
{
    if (!call->events) {
        text_line(call->error, sizeof(call->error),
                  "subscribe: too many clients have subscribed; try again later");
        call->code = VERB_BUSY;
        return NULL;
    }
    subscription_begin(call->events, call->guests,
                       json_object_get_boolean(json_object_object_get(call->params, "recent")));
    json *result = json_object_new_object();
    json_object_object_add(result, "next", json_object_new_uint64(call->events->next));
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

#define FROM_OPTIONAL                            \
    {                                            \
        "from", json_type_int, .required = false \
    }
#define RECENT_OPTIONAL                                \
    {                                                  \
        "recent", json_type_boolean, .required = false \
    }

static const struct verb verbs[] = {
    {"attach", true, attach, {DOMAIN_REQUIRED, TYPE_OPTIONAL}},
    {"detach", true, detach, {DOMAIN_REQUIRED}},
    {"list", false, list, {{0}}},
    {"mappings", false, mappings, {DOMAIN_REQUIRED, FROM_OPTIONAL}},
    {"pause", true, pause_guest, {DOMAIN_REQUIRED}},
    {"resume", true, resume, {DOMAIN_REQUIRED}},
    {"stats", false, stats, {DOMAIN_OPTIONAL}},
    {"subscribe", false, subscribe, {RECENT_OPTIONAL}},
    {"types", false, types, {{0}}},
    {"verify", false, verify, {DOMAIN_REQUIRED}},
    {"version", false, version, {{0}}},
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
