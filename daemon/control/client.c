/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of the control socket: its lines, its answers, its limits. */
#include "control/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <json-c/json.h>

#include "control/control.h"

/* The same of events: the others wait in the guests' list, or are dropped there. */
#define EVENTS_UNREAD_MAX (16u << 10)

/* Answers a client has not read; with more than this its next request waits. */
#define UNREAD_MAX (1u << 20)

void clients_wake(struct clients *clients)
{
    static const struct timeval now = {0};

    /* To set it anew would be to put it off. */
    if (!event_pending(clients->turn, EV_TIMEOUT, NULL)) {
        event_add(clients->turn, &now);
    }
}

/* --- what it is told --------------------------------------------------------------------- */

static size_t unread(const struct client *client)
{
    return evbuffer_get_length(bufferevent_get_output(client->bev));
}

static void send_answer(struct client *client, struct json_object *answer)
{
    struct evbuffer *out = bufferevent_get_output(client->bev);
    const char *text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE);

    if (text) {
        evbuffer_add(out, text, strlen(text));
        evbuffer_add(out, "\n", 1);
    }
    json_object_put(answer);
}

/* Reads nothing more; the client goes when it has the reason, or does not take it in time. */
static void dismiss(struct client *client, enum verb_code code, const char *reason)
{
    client->closing = true;
    protocol_end(&client->session);
    bufferevent_disable(client->bev, EV_READ);
    send_answer(client, protocol_error(code, reason));
}

/* At once or not at all. */
static void send_line(int fd, const char *line)
{
    if (send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        /* Nothing to be done. */
    }
}

void client_turn_away(int fd)
{
    send_line(fd, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32004,"
                  "\"message\":\"too many clients; try again later\"}}\n");
    close(fd);
}

void client_oust(struct client *client)
{
    /* In the middle of another line it would be nothing. */
    if (!unread(client)) {
        send_line(bufferevent_getfd(client->bev),
                  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32006,"
                  "\"message\":\"closed for another client: this one was silent for longest\"}}\n");
    }
    client_drop(client);
}

/* --- what it says ------------------------------------------------------------------------ */

static bool may_ask(const struct client *client)
{
    return !client->closing && unread(client) <= UNREAD_MAX;
}

static bool has_line(const struct client *client)
{
    struct evbuffer *in = bufferevent_get_input(client->bev);

    return evbuffer_get_length(in) >= CONTROL_LINE_MAX ||
           evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF).pos >= 0;
}

bool client_is_busy(const struct client *client)
{
    return client->session.verb || (may_ask(client) && has_line(client));
}

bool client_listens(const struct client *client)
{
    return client->session.events.on;
}

static void note_speech(struct client *client)
{
    client->spoke = ++client->clients->said;
    event_add(client->silent, &client->clients->idle);
}

/* What there is to tell a subscriber, as far as it reads. False: nothing. */
static bool tell_events(struct client *client)
{
    struct json_object *notification = NULL;
    bool any = false;

    while (!client->ended && unread(client) <= EVENTS_UNREAD_MAX &&
           (notification = subscription_next(&client->session.events, client->clients->guests))) {
        send_answer(client, notification);
        any = true;
    }
    return any;
}

static void take_line(struct client *client, const char *line, size_t len)
{
    struct json_object *answer = NULL;

    note_speech(client);
    if (protocol_line(&client->session, line, len, &answer) && answer) {
        send_answer(client, answer);
    }
}

static void go_on(struct client *client)
{
    struct json_object *answer = NULL;

    if (protocol_go_on(&client->session, &answer)) {
        note_speech(client);
        if (answer) {
            send_answer(client, answer);
        }
    }
}

/* What it said is answered, and it says no more. */
static void close_written(struct client *client)
{
    client->closing = true;
    if (!unread(client)) {
        client_drop(client);
    }
}

bool client_turn(struct client *client)
{
    struct evbuffer *in = bufferevent_get_input(client->bev);
    size_t len;

    if (client->session.verb) {
        go_on(client);
        return true;
    }
    if (!may_ask(client)) {
        return false;
    }
    if (tell_events(client)) {
        return true;
    }
    char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
    if (line && !client->ended) {
        bufferevent_enable(client->bev, EV_READ); /* there is room again */
    }
    if (line && len < CONTROL_LINE_MAX) {
        take_line(client, line, len);
    } else if (line || evbuffer_get_length(in) >= CONTROL_LINE_MAX) {
        dismiss(client, VERB_INVALID, "the line is too long");
    } else {
        if (client->ended) {
            close_written(client);
        }
        return false;
    }
    free(line);
    return true;
}

/* --- the loop's calls -------------------------------------------------------------------- */

static void on_read(struct bufferevent *bev, void *arg)
{
    struct client *client = arg;

    /* While there is no room libevent would call again and again. */
    if (evbuffer_get_length(bufferevent_get_input(bev)) >= CONTROL_LINE_MAX) {
        bufferevent_disable(bev, EV_READ);
    }
    clients_wake(client->clients);
}

/* Everything is written: requests that waited for this go on. */
static void on_written(struct bufferevent *bev, void *arg)
{
    struct client *client = arg;

    (void)bev;
    if (client->closing) {
        client_drop(client);
    } else {
        clients_wake(client->clients);
    }
}

/* The client said all it wanted to; it may still be there to hear the answers. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct client *client = arg;

    (void)bev;
    if (what & BEV_EVENT_EOF) {
        client->ended = true;
        clients_wake(client->clients);
    } else {
        client_drop(client);
    }
}

/* Who is written to is not silent: to take too long over that has a limit of its own. */
static void on_silent(evutil_socket_t fd, short what, void *arg)
{
    struct client *client = arg;

    (void)fd;
    (void)what;
    if (client_is_busy(client) || client_listens(client) || unread(client)) {
        event_add(client->silent, &client->clients->idle);
    } else if (!client->closing) {
        dismiss(client, VERB_CLOSED, "closed: nothing was said for too long");
    }
}

bool client_open(struct client *client, struct clients *clients, int fd, uid_t uid, bool reader)
{
    *client = (struct client){
        .clients = clients,
        .session = {.guests = clients->guests,
                    .record = &clients->record,
                    .uid = uid,
                    .may_not_change = reader},
    };
    client->bev = bufferevent_socket_new(clients->base, fd, BEV_OPT_CLOSE_ON_FREE);
    client->silent = evtimer_new(clients->base, on_silent, client);
    if (!client->bev || !client->silent) {
        if (!client->bev) {
            client_turn_away(fd);
        }
        client_drop(client);
        return false;
    }
    bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
    bufferevent_setwatermark(client->bev, EV_READ, 0, CONTROL_LINE_MAX);
    bufferevent_set_timeouts(client->bev, NULL, &clients->idle);
    bufferevent_enable(client->bev, EV_READ | EV_WRITE);
    note_speech(client);
    return true;
}

void client_drop(struct client *client)
{
    if (client->bev) {
        bufferevent_free(client->bev);
    }
    if (client->silent) {
        event_free(client->silent);
    }
    protocol_end(&client->session);
    *client = (struct client){.clients = NULL};
}
