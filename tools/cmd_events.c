/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl events: a line for each thing that happens to a guest, as it happens. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <json-c/json.h>

#include "verb.h"

static void print_time(uint64_t unix_ms)
{
    const time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    char text[32] = "-";

    if (localtime_r(&seconds, &tm)) {
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    }
    printf("%s ", text);
}

static int show(struct json_object *event, const struct invocation *in)
{
    const char *reason = json_object_get_string(member(event, "reason"));
    uint64_t dropped = member_number(event, "dropped");

    (void)in;
    if (dropped) {
        printf("(%" PRIu64 " events are missing here)\n", dropped);
    }
    print_time(member_number(event, "unix_ms"));
    printf("domain '%s' (%" PRIu64 "): vGPU %" PRIu64 ", %s: %s%s%s\n", member_text(event, "name"),
           member_number(event, "domid"), member_number(event, "vgpu"), member_text(event, "type"),
           member_text(event, "event"), reason ? ": " : "", reason ? reason : "");
    return EXIT_OK;
}

/* Until somebody ends it: the daemon, the user, or who reads the output. */
static enum client_status follow(const struct invocation *in, struct client *client)
{
    struct json_object *event = NULL;
    enum client_status status;

    while ((status = client_next(client, &event)) == CLIENT_OK) {
        show_result(in, event);
        json_object_put(event);
        if (fflush(stdout)) {
            break;
        }
    }
    return status;
}

static int run(const struct invocation *in)
{
    struct client client;
    struct json_object *result = NULL;
    enum client_status status = client_connect(&client, in->socket, in->timeout_s);

    if (status == CLIENT_OK) {
        status = client_call(&client, "subscribe", params_of(in), &result);
        json_object_put(result);
        status = status == CLIENT_OK ? follow(in, &client) : status;
        client_close(&client);
    }
    return status == CLIENT_OK ? EXIT_FAILED : report(&client, status);
}

static const struct verb_option options[] = {
    {"recent", NULL, "first those that xengtd still remembers", .local = false},
    {0},
};

const struct verb verb_events = {
    .name = "events",
    .domain = VERB_NO_DOMAIN,
    .options = options,
    .summary = "show what happens to guests' vGPUs, as it happens",
    .description =
        "attached, detached, died, failsafe with the reason, paused, resumed, and taken_up by an\n"
        "xengtd from the one before. With --json a document a line. Ends when xengtd does.",
    .show = show,
    .run = run,
};
