/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control/verbs.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "control/documents.h"
#include "guests/guests.h"

#ifndef XENGT_VERSION
#define XENGT_VERSION "unknown"
#endif

/* Counts up when a field changes its meaning or goes. New fields do not change it. */
#define CONTROL_PROTOCOL 1

#define NESTING_MAX 4
#define ERROR_MAX   384

typedef struct json_object json;

/* What is asked for; NULL where the client does not say. */
struct request {
    const char *domain;
    const char *type;
};

/* A command gives its result, or NULL and why not. */
typedef json *command_fn(struct guests *guests, const struct request *request, char *error);

/* --- the commands ------------------------------------------------------------------------ */

static json *cmd_attach(struct guests *guests, const struct request *request, char *error)
{
    struct guest_info info;

    if (guests_attach(guests, request->domain, request->type, &info, error, ERROR_MAX)) {
        return NULL;
    }
    return document_guest(&info);
}

/* The result is the guest as it was last. */
static json *cmd_detach(struct guests *guests, const struct request *request, char *error)
{
    struct guest_info info;
    json *last;

    if (guests_info(guests, request->domain, &info, error, ERROR_MAX)) {
        return NULL;
    }
    last = document_guest(&info);
    if (!guests_detach(guests, request->domain, error, ERROR_MAX)) {
        return last;
    }
    json_object_put(last);
    return NULL;
}

static json *set_paused(struct guests *guests, const char *domain, bool paused, char *error)
{
    struct guest_info info;

    if (guests_pause(guests, domain, paused, error, ERROR_MAX) ||
        guests_info(guests, domain, &info, error, ERROR_MAX)) {
        return NULL;
    }
    return document_guest(&info);
}

static json *cmd_pause(struct guests *guests, const struct request *request, char *error)
{
    return set_paused(guests, request->domain, true, error);
}

static json *cmd_resume(struct guests *guests, const struct request *request, char *error)
{
    return set_paused(guests, request->domain, false, error);
}

static json *guest_array(struct guests *guests, json *describe(const struct guest_info *))
{
    json *array = json_object_new_array();
    struct guest_info info;

    for (unsigned i = 0; guests_list(guests, i, &info); i++) {
        json_object_array_add(array, describe(&info));
    }
    return array;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a command_fn */
static json *cmd_list(struct guests *guests, const struct request *request, char *error)
{
    json *result = json_object_new_object();

    (void)request;
    (void)error;
    json_object_object_add(result, "guests", guest_array(guests, document_guest));
    return result;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a command_fn */
static json *cmd_types(struct guests *guests, const struct request *request, char *error)
{
    json *result = json_object_new_object();
    json *types = json_object_new_array();
    struct guests_type_info info;

    (void)request;
    (void)error;
    for (unsigned i = 0; guests_type(guests, i, &info); i++) {
        json_object_array_add(types, document_type(&info));
    }
    json_object_object_add(result, "types", types);
    return result;
}

static json *cmd_stats(struct guests *guests, const struct request *request, char *error)
{
    struct gpu *gpu = guests_gpu(guests);
    struct guest_info info;
    struct gpu_stats stats;
    json *result, *array;

    if (request->domain && guests_info(guests, request->domain, &info, error, ERROR_MAX)) {
        return NULL;
    }
    if (request->domain) {
        array = json_object_new_array();
        json_object_array_add(array, document_guest_stats(&info));
    } else {
        array = guest_array(guests, document_guest_stats);
    }
    gpu->ops->get_stats(gpu, &stats);
    result = json_object_new_object();
    json_object_object_add(result, "backend", document_backend(guests));
    json_object_object_add(result, "library", document_library(guests));
    json_object_object_add(result, "gpu", document_gpu(&stats));
    json_object_object_add(result, "guests", array);
    return result;
}

static json *cmd_verify(struct guests *guests, const struct request *request, char *error)
{
    int violations = guests_verify(guests, request->domain, error, ERROR_MAX);
    json *result;

    if (violations < 0) {
        return NULL;
    }
    result = json_object_new_object();
    json_object_object_add(result, "violations", json_object_new_int(violations));
    json_object_object_add(result, "first", violations ? json_object_new_string(error) : NULL);
    return result;
}

static void add_mapping(void *arg, const struct guests_mapping *mapping)
{
    json_object_array_add(arg, document_mapping(mapping));
}

static json *cmd_mappings(struct guests *guests, const struct request *request, char *error)
{
    json *mappings = json_object_new_array();
    json *result;

    if (guests_mappings(guests, request->domain, add_mapping, mappings, error, ERROR_MAX)) {
        json_object_put(mappings);
        return NULL;
    }
    result = json_object_new_object();
    json_object_object_add(result, "mappings", mappings);
    return result;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): a command_fn */
static json *cmd_version(struct guests *guests, const struct request *request, char *error)
{
    json *result = json_object_new_object();

    (void)request;
    (void)error;
    json_object_object_add(result, "version", json_object_new_string(XENGT_VERSION));
    json_object_object_add(result, "protocol", json_object_new_int(CONTROL_PROTOCOL));
    json_object_object_add(result, "backend", document_backend(guests));
    return result;
}

/* --- the protocol ------------------------------------------------------------------------ */

static const struct command {
    const char *name;
    command_fn *run;
    enum { DOMAIN_NONE, DOMAIN_OPTIONAL, DOMAIN_REQUIRED } domain;
    bool type; /* may be given */
} commands[] = {
    {"attach", cmd_attach, DOMAIN_REQUIRED, true},
    {"detach", cmd_detach, DOMAIN_REQUIRED, false},
    {"list", cmd_list, DOMAIN_NONE, false},
    {"mappings", cmd_mappings, DOMAIN_REQUIRED, false},
    {"pause", cmd_pause, DOMAIN_REQUIRED, false},
    {"resume", cmd_resume, DOMAIN_REQUIRED, false},
    {"stats", cmd_stats, DOMAIN_OPTIONAL, false},
    {"types", cmd_types, DOMAIN_NONE, false},
    {"verify", cmd_verify, DOMAIN_REQUIRED, false},
    {"version", cmd_version, DOMAIN_NONE, false},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

/* A member that must be a string if it is there at all. *text is NULL when it is not. */
static bool get_text(json *request, const char *key, const char **text)
{
    json *value;

    *text = NULL;
    if (!json_object_object_get_ex(request, key, &value)) {
        return true;
    }
    if (!json_object_is_type(value, json_type_string)) {
        return false;
    }
    *text = json_object_get_string(value);
    return strlen(*text) == (size_t)json_object_get_string_len(value);
}

/* A member nobody reads is a mistake the client should hear of. */
static bool check_members(json *request, const struct command *command, char *error)
{
    json_object_object_foreach(request, key, value)
    {
        (void)value;
        if (!strcmp(key, "command") || (command->domain != DOMAIN_NONE && !strcmp(key, "domain")) ||
            (command->type && !strcmp(key, "type"))) {
            continue;
        }
        snprintf(error, ERROR_MAX, "%s: unknown field \"%.64s\"", command->name, key);
        return false;
    }
    return true;
}

static json *run_request(struct guests *guests, json *object, char *error)
{
    const struct command *command;
    struct request request;
    const char *name;

    if (!get_text(object, "command", &name) || !name) {
        snprintf(error, ERROR_MAX, "the field \"command\" is missing or not a string");
        return NULL;
    }
    command = find_command(name);
    if (!command) {
        snprintf(error, ERROR_MAX, "unknown command \"%.64s\"", name);
        return NULL;
    }
    if (!check_members(object, command, error)) {
        return NULL;
    }
    if (!get_text(object, "domain", &request.domain) ||
        (command->domain == DOMAIN_REQUIRED && !request.domain)) {
        snprintf(error, ERROR_MAX, "%s: the field \"domain\" is missing or not a string", name);
        return NULL;
    }
    if (!get_text(object, "type", &request.type)) {
        snprintf(error, ERROR_MAX, "%s: the field \"type\" is not a string", name);
        return NULL;
    }
    return command->run(guests, &request, error);
}

static json *parse(const char *line, size_t len)
{
    struct json_tokener *tokener = json_tokener_new_ex(NESTING_MAX);
    json *request = NULL;

    if (!tokener) {
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    request = json_tokener_parse_ex(tokener, line, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        json_tokener_get_parse_end(tokener) != len) {
        json_object_put(request);
        request = NULL;
    }
    json_tokener_free(tokener);
    return request;
}

/* Bytes of the UTF-8 sequence at text; 0: it is none. */
static size_t sequence(const char *text)
{
    static const unsigned char lead[] = {0xc0, 0xe0, 0xf0, 0xf8}; /* of 2, 3, 4 bytes; beyond */
    unsigned char first = (unsigned char)*text;
    size_t n = 1;

    if (first < 0x80) {
        return 1;
    }
    while (n < sizeof(lead) && first >= lead[n]) {
        n++;
    }
    n = first < lead[0] || n == sizeof(lead) ? 0 : n + 1;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Words of a client may be in it: it stays one line, and JSON, where they were cut short too. */
static void keep_one_line(char *text)
{
    while (*text) {
        size_t n = sequence(text);

        if (n == 0 || iscntrl((unsigned char)*text)) {
            *text = '?';
        }
        text += n ? n : 1;
    }
}

json *control_refusal(const char *text)
{
    json *answer = json_object_new_object();
    char line[ERROR_MAX];

    snprintf(line, sizeof(line), "%s", text);
    keep_one_line(line);
    json_object_object_add(answer, "ok", json_object_new_boolean(false));
    json_object_object_add(answer, "error", json_object_new_string(line));
    return answer;
}

json *control_command(struct guests *guests, const char *line, size_t len, bool *garbage)
{
    char error[ERROR_MAX] = "";
    json *request = parse(line, len);
    json *result, *answer;

    *garbage = !json_object_is_type(request, json_type_object);
    if (*garbage) {
        json_object_put(request);
        return control_refusal("not a JSON object on one line");
    }
    result = run_request(guests, request, error);
    json_object_put(request);
    if (!result) {
        return control_refusal(error);
    }
    answer = json_object_new_object();
    json_object_object_add(answer, "ok", json_object_new_boolean(true));
    json_object_object_add(answer, "result", result);
    return answer;
}
