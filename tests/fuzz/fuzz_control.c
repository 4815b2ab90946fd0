/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of the control protocol, to guests with two domains: each gets one answer of one line, or
 * none. */
#include <json-c/json.h>

#include "control/control.h"
#include "control/protocol.h"
#include "input.h"
#include "support/stack.h"

#define LINES_MAX 32u

/* As a strict client would read it. */
static void check_json(const char *line)
{
    struct json_tokener *tokener = json_tokener_new();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *again = json_tokener_parse_ex(tokener, line, (int)strlen(line));
    REQUIRE(again, "an answer that is not JSON: %s", line);
    json_object_put(again);
    json_tokener_free(tokener);
}

static void check_error(struct json_object *error)
{
    struct json_object *code, *message;
    REQUIRE(json_object_object_get_ex(error, "code", &code), "an error without a code");
    REQUIRE(json_object_get_int(code) <= VERB_REFUSED, "a code that is none");
    REQUIRE(json_object_object_get_ex(error, "message", &message), "an error without a message");
    const char *text = json_object_get_string(message);
    REQUIRE(text && *text, "an empty message");
    REQUIRE(!strpbrk(text, "\r\n"), "a message of more than one line");
}

static void check_answer(struct json_object *answer)
{
    struct json_object *error;
    REQUIRE(json_object_object_get_ex(answer, "jsonrpc", NULL), "an answer without \"jsonrpc\"");
    REQUIRE(json_object_object_get_ex(answer, "id", NULL), "an answer without \"id\"");
    REQUIRE(json_object_object_length(answer) == 3, "neither a result nor an error, or both");
    if (json_object_object_get_ex(answer, "error", &error)) {
        check_error(error);
    } else {
        REQUIRE(json_object_object_get_ex(answer, "result", NULL), "no result");
    }
    const char *line = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
    REQUIRE(line && !strchr(line, '\n'), "an answer of more than one line");
    check_json(line);
}

/* The line is a string of its own, as the socket's buffer gives it. */
static void serve_line(struct session *session, const uint8_t *data, size_t len)
{
    struct json_object *answer = NULL;
    char *line = malloc(len + 1);
    if (!line) {
        return;
    }
    memcpy(line, data, len);
    line[len] = '\0';
    bool through = protocol_line(session, line, len, &answer);
    free(line);
    while (!through) {
        through = protocol_go_on(session, &answer);
    }
    REQUIRE(!session->verb && !session->request, "a request that is answered is at work");
    if (answer) {
        check_answer(answer);
        json_object_put(answer);
    }
}

static void serve_lines(struct session *session, const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < LINES_MAX && size; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        if (len >= CONTROL_LINE_MAX) {
            return;
        }
        serve_line(session, data, len);
        guests_turn(session->guests);
        data += len + (end != NULL);
        size -= len + (end != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct stack_options options = {
        .mappable_pages = 16, .unmappable_pages = 16, .gtt_entries = 256};
    const struct xengt_sim_domain web = {.name = "web", .pages = 4};
    const struct xengt_sim_domain pv = {.name = "old \"pv\"", .pages = 4, .pv = true};
    struct stack stack;
    uint32_t domid;
    if (stack_open(&stack, &options)) {
        return 0;
    }
    if (!xengt_sim_domain_create(stack.sim, &web, &domid) &&
        !xengt_sim_domain_create(stack.sim, &pv, &domid)) {
        struct session session = {.guests = stack.guests, .may_not_change = size % 8 == 7};
        serve_lines(&session, data, size);
    }
    stack_close(&stack);
    return 0;
}
