/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clients of the control socket: their lines, their answers, their limits. */
#include "control/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <json-c/json.h>

#include "control/listen.h"
#include "control/protocol.h"
#include "text.h"

/* Answers a client has not read; with more than this its next command waits. */
#define UNREAD_MAX (1u << 20)

struct client {
    struct control *control; /* NULL: this place is free */
    struct bufferevent *bev;
    bool closing; /* when everything is written */
    bool ended;   /* it says nothing more: closing, when the command that waits is answered */
    char *line;   /* of the command that waits for a later turn; or NULL */
    size_t len;
    struct event *again;
};

struct control {
    struct control_config config;
    struct evconnlistener *listener;
    struct stat socket; /* tells ours from one that replaced it */
    struct client clients[CONTROL_CLIENTS_MAX];
};

/* --- one client -------------------------------------------------------------------------- */

static void drop_client(struct client *client)
{
    bufferevent_free(client->bev);
    if (client->again) {
        event_free(client->again);
    }
    free(client->line);
    *client = (struct client){0};
}

static void send_answer(struct client *client, struct json_object *answer)
{
    struct evbuffer *out = bufferevent_get_output(client->bev);
    const char *text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);

    if (text) {
        evbuffer_add(out, text, strlen(text));
    }
    evbuffer_add(out, "\n", 1);
    json_object_put(answer);
}

/* Reads nothing more; the client goes when it has the reason, or does not take it in time. */
static void dismiss(struct client *client, const char *reason)
{
    client->closing = true;
    bufferevent_disable(client->bev, EV_READ);
    send_answer(client, control_refusal(reason));
}

static bool may_answer(const struct client *client)
{
    return !client->closing && !client->line &&
           evbuffer_get_length(bufferevent_get_output(client->bev)) <= UNREAD_MAX;
}

/* True: the line is kept for later. */
static bool serve_line(struct client *client, const char *line, size_t len)
{
    static const struct timeval soon = {0};
    enum control_next next;
    struct json_object *answer = control_command(client->control->config.guests, line, len, &next);

    if (next == CONTROL_AGAIN) {
        event_add(client->again, &soon);
        return true;
    }
    send_answer(client, answer);
    if (next == CONTROL_GARBAGE) {
        client->closing = true;
        bufferevent_disable(client->bev, EV_READ);
    }
    return false;
}

static void serve(struct client *client)
{
    struct evbuffer *in = bufferevent_get_input(client->bev);

    while (may_answer(client)) {
        size_t len;
        char *line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);

        if (line && len < CONTROL_LINE_MAX) {
            if (serve_line(client, line, len)) {
                client->line = line;
                client->len = len;
                break;
            }
        } else if (line || evbuffer_get_length(in) >= CONTROL_LINE_MAX) {
            dismiss(client, "the line is too long");
        } else {
            break;
        }
        free(line);
    }
}

static void close_written(struct client *client)
{
    client->closing = true;
    if (!evbuffer_get_length(bufferevent_get_output(client->bev))) {
        drop_client(client);
    }
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct client *client = arg;

    (void)fd;
    (void)what;
    if (serve_line(client, client->line, client->len)) {
        return;
    }
    free(client->line);
    client->line = NULL;
    serve(client);
    if (client->ended && !client->line) {
        close_written(client);
    }
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    serve(arg);
}

/* Everything is written: commands that waited for this go on. */
static void on_written(struct bufferevent *bev, void *arg)
{
    struct client *client = arg;

    (void)bev;
    if (client->closing) {
        drop_client(client);
    } else {
        serve(client);
    }
}

/* The client said all it wanted to; it may still be there to hear the answers. */
static void on_end(struct client *client)
{
    serve(client);
    client->ended = true;
    if (!client->line) {
        close_written(client);
    }
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct client *client = arg;

    (void)bev;
    if (what & BEV_EVENT_EOF) {
        on_end(client);
    } else if (what & BEV_EVENT_TIMEOUT && what & BEV_EVENT_READING && !client->closing) {
        dismiss(client, "nothing was said for too long");
    } else {
        drop_client(client);
    }
}

/* --- all of them ------------------------------------------------------------------------- */

static struct client *free_place(struct control *control)
{
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (!control->clients[i].control) {
            return &control->clients[i];
        }
    }
    return NULL;
}

/* The socket's buffer is empty and takes a line at once; a client that is gone does not matter. */
static void turn_away(int fd)
{
    static const char line[] = "{\"ok\":false,\"error\":\"too many clients; try again later\"}\n";

    if (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        /* Nothing to be done. */
    }
    close(fd);
}

static void on_accept(struct evconnlistener *listener, int fd, struct sockaddr *address, int len,
                      void *arg)
{
    struct control *control = arg;
    struct client *client = free_place(control);
    const struct timeval idle = {
        .tv_sec = control->config.idle_s ? control->config.idle_s : CONTROL_IDLE_S,
    };

    (void)listener;
    (void)address;
    (void)len;
    if (!client) {
        turn_away(fd);
        return;
    }
    client->bev = bufferevent_socket_new(control->config.base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client->bev) {
        turn_away(fd);
        return;
    }
    client->again = evtimer_new(control->config.base, on_again, client);
    if (!client->again) {
        drop_client(client);
        return;
    }
    client->control = control;
    bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
    bufferevent_setwatermark(client->bev, EV_READ, 0, CONTROL_LINE_MAX);
    bufferevent_set_timeouts(client->bev, &idle, &idle);
    bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

int control_open(const struct control_config *config, struct control **out, char *error,
                 size_t error_size)
{
    struct control *control = calloc(1, sizeof(*control));

    *out = NULL;
    if (!control) {
        return text_error(error, error_size, -ENOMEM, "out of memory");
    }
    control->config = *config;
    int fd = control_listen(config->path, error, error_size);
    if (fd < 0) {
        free(control);
        return fd;
    }
    control->listener =
        evconnlistener_new(config->base, on_accept, control, LEV_OPT_CLOSE_ON_FREE, 0, fd);
    if (!control->listener || lstat(config->path, &control->socket)) {
        if (!control->listener) {
            close(fd);
        }
        control_close(control);
        return text_error(error, error_size, -ENOMEM, "%s: cannot be listened on", config->path);
    }
    *out = control;
    return 0;
}

void control_close(struct control *control)
{
    struct stat now;

    if (!control) {
        return;
    }
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->clients[i].control) {
            drop_client(&control->clients[i]);
        }
    }
    if (control->listener) {
        evconnlistener_free(control->listener);
    }
    if (!lstat(control->config.path, &now) && now.st_ino == control->socket.st_ino &&
        now.st_dev == control->socket.st_dev) {
        unlink(control->config.path);
    }
    free(control);
}
