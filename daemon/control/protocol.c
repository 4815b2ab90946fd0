/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control protocol: a line is parsed, checked to be a request, held against the row of its
 * method, and answered.
 */
#include "control/protocol.h"

#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

#include "control/record.h"
#include "control/verbs.h"
#include "text.h"

#define NESTING_MAX 4
#define ID_MAX      (INT64_C(1) << 53) /* beyond, readers of JSON round */

typedef struct json_object json;

/* --- answers ----------------------------------------------------------------------------- */

static json *answer_to(json *id)
{
    json *answer = json_object_new_object();

    json_object_object_add(answer, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(answer, "id", json_object_get(id));
    return answer;
}

static json *error_to(json *id, int code, const char *text)
{
    json *answer = answer_to(id);
    json *error = json_object_new_object();
    char line[VERB_ERROR_MAX];

    text_line(line, sizeof(line), "%s", text);
    json_object_object_add(error, "code", json_object_new_int(code));
    json_object_object_add(error, "message", json_object_new_string(line));
    json_object_object_add(answer, "error", error);
    return answer;
}

json *protocol_error(enum verb_code code, const char *text)
{
    return error_to(NULL, code, text);
}

/* --- a line is a request ----------------------------------------------------------------- */

/* With the zero byte behind the line, by which a number ends. */
static json *parse(const char *line, size_t len, bool *good)
{
    struct json_tokener *tokener = json_tokener_new_ex(NESTING_MAX);

    *good = false;
    if (!tokener) {
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json *value = json_tokener_parse_ex(tokener, line, (int)len + 1);
    *good = json_tokener_get_error(tokener) == json_tokener_success &&
            json_tokener_get_parse_end(tokener) >= len;
    json_tokener_free(tokener);
    if (!*good) {
        json_object_put(value);
        value = NULL;
    }
    return value;
}

/* A string with a zero byte in it would be read as a shorter one. */
static bool is_of_type(json *value, json_type type)
{
    return json_object_is_type(value, type) &&
           (type != json_type_string ||
            strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value));
}

static bool is_id(json *id)
{
    int64_t number = json_object_get_int64(id);

    return !id || json_object_is_type(id, json_type_string) ||
           (json_object_is_type(id, json_type_int) && number >= -ID_MAX && number <= ID_MAX);
}

static bool has_member(json *request, const char *key, json_type type, json **value)
{
    return json_object_object_get_ex(request, key, value) && is_of_type(*value, type);
}

/* NULL, or why it is no request. */
static const char *problem_of(json *request)
{
    static const char *const members[] = {"jsonrpc", "id", "method", "params"};
    json *value;

    if (json_object_is_type(request, json_type_array)) {
        return "batches are not taken: send the requests one by one, each on its line";
    }
    if (!json_object_is_type(request, json_type_object)) {
        return "a request is a JSON object";
    }
    if (!has_member(request, "jsonrpc", json_type_string, &value) ||
        strcmp(json_object_get_string(value), "2.0") != 0) {
        return "\"jsonrpc\" is missing or not \"2.0\"";
    }
    if (!is_id(json_object_object_get(request, "id"))) {
        return "\"id\" is neither a string nor a whole number of at most 2^53";
    }
    if (!has_member(request, "method", json_type_string, &value)) {
        return "\"method\" is missing or not a string";
    }
    json_object_object_foreach(request, key, other)
    {
        bool known = false;

        (void)other;
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
            known |= !strcmp(key, members[i]);
        }
        if (!known) {
            return "a member is none of \"jsonrpc\", \"id\", \"method\" and \"params\"";
        }
    }
    return NULL;
}

/* --- a request against the row ----------------------------------------------------------- */

static const struct verb_arg *find_arg(const struct verb *verb, const char *name)
{
    for (unsigned i = 0; i < VERB_ARGS_MAX && verb->args[i].name; i++) {
        if (!strcmp(verb->args[i].name, name)) {
            return &verb->args[i];
        }
    }
    return NULL;
}

static bool check_arg(const struct verb *verb, const struct verb_arg *arg, json *params,
                      char *error)
{
    json *value;

    if (json_object_object_get_ex(params, arg->name, &value) ? is_of_type(value, arg->type)
                                                             : !arg->required) {
        return true;
    }
    text_line(error, VERB_ERROR_MAX, "%s: the parameter \"%s\" is %snot a%s %s", verb->name,
              arg->name, arg->required ? "missing or " : "", arg->type == json_type_int ? "n" : "",
              json_type_to_name(arg->type));
    return false;
}

/* A parameter nobody reads is a mistake the client should hear of. */
static bool check_params(const struct verb *verb, json *params, char *error)
{
    if (params && !json_object_is_type(params, json_type_object)) {
        text_line(error, VERB_ERROR_MAX, "%s: \"params\" is not an object: parameters have names",
                  verb->name);
        return false;
    }
    if (params) {
        json_object_object_foreach(params, key, value)
        {
            (void)value;
            if (!find_arg(verb, key)) {
                text_line(error, VERB_ERROR_MAX, "%s: unknown parameter \"%.64s\"", verb->name,
                          key);
                return false;
            }
        }
    }
    for (unsigned i = 0; i < VERB_ARGS_MAX && verb->args[i].name; i++) {
        if (!check_arg(verb, &verb->args[i], params, error)) {
            return false;
        }
    }
    return true;
}

/* --- carried out ------------------------------------------------------------------------- */

static void record(struct session *session, const struct verb_call *call, json *result)
{
    const struct verb *verb = session->verb;

    if (!session->record || !verb->changes) {
        return;
    }
    if (result) {
        record_change(session->record, verb->name, result, session->uid);
    } else {
        record_refusal(session->record,
                       call->code == VERB_FORBIDDEN ? RECORD_FORBIDDEN : RECORD_REFUSAL, verb->name,
                       json_object_get_string(json_object_object_get(call->params, "domain")),
                       call->error, session->uid);
    }
}

static json *run(struct session *session, struct verb_call *call)
{
    if (session->verb->changes && session->may_not_change) {
        text_line(call->error, sizeof(call->error), "%s: only root may; you may read",
                  session->verb->name);
        call->code = VERB_FORBIDDEN;
        return NULL;
    }
    return session->verb->run(call);
}

/* Ends the request with its answer. A notification has none, whatever came of it. */
static json *finish(struct session *session, const struct verb_call *call, json *result)
{
    json *id = NULL, *answer = NULL;

    if (!json_object_object_get_ex(session->request, "id", &id)) {
        json_object_put(result);
    } else if (result) {
        answer = answer_to(id);
        json_object_object_add(answer, "result", result);
    } else {
        answer = error_to(id, call->code, call->error);
    }
    protocol_end(session);
    return answer;
}

bool protocol_go_on(struct session *session, json **answer)
{
    struct verb_call call = {
        .guests = session->guests,
        .events = session->may_not_subscribe && !session->events.on ? NULL : &session->events,
        .params = json_object_object_get(session->request, "params"),
    };
    json *result = run(session, &call);

    if (!result && !call.code) {
        return false;
    }
    record(session, &call, result);
    *answer = finish(session, &call, result);
    return true;
}

bool protocol_line(struct session *session, const char *line, size_t len, json **answer)
{
    struct verb_call call = {.code = 0};
    bool good;
    json *request = parse(line, len, &good);
    const char *problem = good ? problem_of(request) : "not JSON on one line";

    if (problem) {
        json *id = json_object_is_type(request, json_type_object)
                       ? json_object_object_get(request, "id")
                       : NULL;

        *answer = error_to(is_id(id) ? id : NULL, good ? VERB_INVALID : VERB_PARSE, problem);
        json_object_put(request);
        return true;
    }
    const char *method = json_object_get_string(json_object_object_get(request, "method"));
    session->request = request;
    session->verb = verb_find(method);
    if (!session->verb) {
        text_line(call.error, sizeof(call.error), "there is no method \"%.64s\"", method);
        call.code = VERB_UNKNOWN;
    } else if (!check_params(session->verb, json_object_object_get(request, "params"),
                             call.error)) {
        call.code = VERB_PARAMS;
    }
    if (call.code) {
        *answer = finish(session, &call, NULL);
        return true;
    }
    return protocol_go_on(session, answer);
}

void protocol_end(struct session *session)
{
    json_object_put(session->request);
    session->request = NULL;
    session->verb = NULL;
}
