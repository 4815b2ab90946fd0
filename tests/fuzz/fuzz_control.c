/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines of the control protocol, to a guests with two domains: each gets one answer of one line. */
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

static void check_answer(struct json_object *answer)
{
    struct json_object *ok, *text;
    REQUIRE(json_object_object_get_ex(answer, "ok", &ok), "an answer without \"ok\"");
    if (json_object_get_boolean(ok)) {
        REQUIRE(json_object_object_get_ex(answer, "result", NULL), "no result");
    } else {
        REQUIRE(json_object_object_get_ex(answer, "error", &text), "no error");
        const char *error = json_object_get_string(text);
        REQUIRE(error && *error, "an empty error");
        REQUIRE(!strpbrk(error, "\r\n"), "an error of more than one line");
    }
    const char *line = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);
    REQUIRE(line && !strchr(line, '\n'), "an answer of more than one line");
    check_json(line);
}

/* The line is a string of its own, as the socket's buffer gives it. */
static bool serve_line(struct guests *guests, const uint8_t *data, size_t len)
{
    char *line = malloc(len + 1);
    enum control_next next;
    if (!line) {
        return false;
    }
    memcpy(line, data, len);
    line[len] = '\0';
    struct json_object *answer = control_command(guests, line, len, &next);
    while (next == CONTROL_AGAIN) {
        answer = control_command(guests, line, len, &next);
    }
    REQUIRE(answer, "no answer");
    check_answer(answer);
    json_object_put(answer);
    free(line);
    return next != CONTROL_GARBAGE;
}

static void serve_lines(struct guests *guests, const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < LINES_MAX && size; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        if (len >= CONTROL_LINE_MAX || !serve_line(guests, data, len)) {
            return;
        }
        guests_turn(guests);
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
        serve_lines(stack.guests, data, size);
    }
    stack_close(&stack);
    return 0;
}
