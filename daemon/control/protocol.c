/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control protocol: a line is parsed, checked against the row of its verb, and answered. */
#include "control/protocol.h"

#include <string.h>

#include <json-c/json.h>

#include "control/verbs.h"
#include "text.h"

#define NESTING_MAX 4

typedef struct json_object json;

static json *parse(const char *line, size_t len)
{
    struct json_tokener *tokener = json_tokener_new_ex(NESTING_MAX);

    if (!tokener) {
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json *request = json_tokener_parse_ex(tokener, line, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        json_tokener_get_parse_end(tokener) != len) {
        json_object_put(request);
        request = NULL;
    }
    json_tokener_free(tokener);
    return request;
}

/* --- a request against the row ----------------------------------------------------------- */

/* A string with a zero byte in it would be read as a shorter one. */
static bool is_of_type(json *value, json_type type)
{
    return json_object_is_type(value, type) &&
           (type != json_type_string ||
            strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value));
}

static const struct verb_arg *find_arg(const struct verb *verb, const char *name)
{
    for (unsigned i = 0; i < VERB_ARGS_MAX && verb->args[i].name; i++) {
        if (!strcmp(verb->args[i].name, name)) {
            return &verb->args[i];
        }
    }
    return NULL;
}

static bool check_arg(const struct verb *verb, const struct verb_arg *arg, json *request,
                      char *error)
{
    json *value;

    if (json_object_object_get_ex(request, arg->name, &value) ? is_of_type(value, arg->type)
                                                              : !arg->required) {
        return true;
    }
    text_line(error, VERB_ERROR_MAX, "%s: the field \"%s\" is %snot a %s", verb->name, arg->name,
              arg->required ? "missing or " : "", json_type_to_name(arg->type));
    return false;
}

/* A field nobody reads is a mistake the client should hear of. */
static bool check_args(const struct verb *verb, json *request, char *error)
{
    json_object_object_foreach(request, key, value)
    {
        (void)value;
        if (strcmp(key, "command") != 0 && !find_arg(verb, key)) {
            text_line(error, VERB_ERROR_MAX, "%s: unknown field \"%.64s\"", verb->name, key);
            return false;
        }
    }
    for (unsigned i = 0; i < VERB_ARGS_MAX && verb->args[i].name; i++) {
        if (!check_arg(verb, &verb->args[i], request, error)) {
            return false;
        }
    }
    return true;
}

/* --- the answer -------------------------------------------------------------------------- */

static json *run_request(struct guests *guests, json *request, char *error)
{
    json *command;

    if (!json_object_object_get_ex(request, "command", &command) ||
        !is_of_type(command, json_type_string)) {
        text_line(error, VERB_ERROR_MAX, "the field \"command\" is missing or not a string");
        return NULL;
    }
    const char *name = json_object_get_string(command);
    const struct verb *verb = verb_find(name);
    if (!verb) {
        text_line(error, VERB_ERROR_MAX, "unknown command \"%.64s\"", name);
        return NULL;
    }
    return check_args(verb, request, error) ? verb->run(guests, request, error) : NULL;
}

json *control_refusal(const char *text)
{
    json *answer = json_object_new_object();
    char line[VERB_ERROR_MAX];

    text_line(line, sizeof(line), "%s", text);
    json_object_object_add(answer, "ok", json_object_new_boolean(false));
    json_object_object_add(answer, "error", json_object_new_string(line));
    return answer;
}

json *control_command(struct guests *guests, const char *line, size_t len, enum control_next *next)
{
    json *request = parse(line, len);

    *next = CONTROL_READ_ON;
    if (!json_object_is_type(request, json_type_object)) {
        *next = CONTROL_GARBAGE;
        json_object_put(request);
        return control_refusal("not a JSON object on one line");
    }
    char error[VERB_ERROR_MAX] = "";
    json *result = run_request(guests, request, error);
    json_object_put(request);
    if (!result && !error[0]) {
        *next = CONTROL_AGAIN;
        return NULL;
    }
    if (!result) {
        return control_refusal(error);
    }
    json *answer = json_object_new_object();
    json_object_object_add(answer, "ok", json_object_new_boolean(true));
    json_object_object_add(answer, "result", result);
    return answer;
}
