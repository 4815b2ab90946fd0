/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clients of the control socket: their places, and whose turn it is. */
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "control/client.h"
#include "control/listen.h"
#include "guests/guests.h"
#include "text.h"

struct control {
    struct control_config config;
    struct clients clients;
    struct client places[CONTROL_CLIENTS_MAX];
    unsigned next; /* whose turn it is */
    int fd;        /* listens */
    struct event *accept;
    struct event *accept_again; /* when there may be descriptors again */
    struct stat socket;         /* tells ours from one that replaced it */
};

/* --- places ------------------------------------------------------------------------------ */

/* Root, and who the daemon is itself. A client that cannot be told may as little as possible. */
static uid_t peer_of(int fd, bool *reader)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
        peer.uid = (uid_t)-1;
    }
    *reader = peer.uid != 0 && peer.uid != geteuid();
    return peer.uid;
}

static unsigned readers(const struct control *control)
{
    unsigned n = 0;

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        n += control->places[i].clients && control->places[i].session.may_not_change;
    }
    return n;
}

/* Who listens keeps its place, so that there are only so many of them. */
static bool listeners_are_many(const struct control *control, bool reader)
{
    unsigned all = 0, among_readers = 0;

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        const struct client *client = &control->places[i];

        if (client->clients && client_listens(client)) {
            all++;
            among_readers += client->session.may_not_change;
        }
    }
    return all >= CONTROL_LISTENERS_MAX || (reader && among_readers >= CONTROL_LISTENERS_MAX / 2);
}

static struct client *free_place(struct control *control)
{
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (!control->places[i].clients) {
            return &control->places[i];
        }
    }
    return NULL;
}

/* Who has said nothing for longest, and waits for nothing. NULL: there is none. */
static struct client *silent_client(struct control *control, bool among_readers)
{
    struct client *longest = NULL;

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *client = &control->places[i];

        if (client->clients && !client_is_busy(client) && !client_listens(client) &&
            (client->session.may_not_change || !among_readers) &&
            (!longest || client->spoke < longest->spoke)) {
            longest = client;
        }
    }
    return longest;
}

/* Readers have a part of the places and make way for each other: they do not keep root out. */
static struct client *place_for(struct control *control, bool reader)
{
    bool full = reader && readers(control) >= CONTROL_READERS_MAX;
    struct client *place = full ? NULL : free_place(control);

    if (!place) {
        place = silent_client(control, full);
        if (place) {
            client_oust(place);
        }
    }
    return place;
}

/* --- turns ------------------------------------------------------------------------------- */

/*
 * One thing for one client, and then the loop looks at everything else: guests' requests wait for
 * one of the clients', however many there are.
 */
static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    struct control *control = arg;

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        unsigned at = (control->next + i) % CONTROL_CLIENTS_MAX;
        struct client *client = &control->places[at];

        if (!client->clients) {
            continue;
        }
        client->session.may_not_subscribe =
            listeners_are_many(control, client->session.may_not_change);
        if (client_turn(client)) {
            control->next = at + 1;
            clients_wake(&control->clients);
            return;
        }
    }
}

/* --- the socket -------------------------------------------------------------------------- */

/* Descriptors or memory are short: to try again at once would be to do nothing else. */
static void pause_accepting(struct control *control)
{
    static const struct timeval pause = {.tv_sec = 1};

    event_del(control->accept);
    event_add(control->accept_again, &pause);
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct control *control = arg;

    (void)fd;
    (void)what;
    event_add(control->accept, NULL);
}

/* One in each round of the loop, however many wait. */
static void on_accept(evutil_socket_t listener, short what, void *arg)
{
    struct control *control = arg;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    bool reader;

    (void)what;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pause_accepting(control);
        }
        return;
    }
    uid_t uid = peer_of(fd, &reader);
    struct client *place = place_for(control, reader);
    if (place) {
        client_open(place, &control->clients, fd, uid, reader);
    } else {
        client_turn_away(fd);
    }
}

static int open_events(struct control *control)
{
    struct event_base *base = control->config.base;

    control->clients.turn = evtimer_new(base, on_turn, control);
    control->accept_again = evtimer_new(base, on_accept_again, control);
    control->accept = event_new(base, control->fd, EV_READ | EV_PERSIST, on_accept, control);
    return control->clients.turn && control->accept_again && control->accept &&
                   !event_add(control->accept, NULL)
               ? 0
               : -ENOMEM;
}

static void on_guests_event(void *arg)
{
    struct control *control = arg;

    clients_wake(&control->clients);
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
    control->clients = (struct clients){
        .base = config->base,
        .guests = config->guests,
        .record = {.log = config->log, .log_arg = config->log_arg},
        .idle = {.tv_sec = config->idle_s ? config->idle_s : CONTROL_IDLE_S},
    };
    control->fd = config->fd ? control_adopt(config->fd, error, error_size)
                             : control_listen(config->path, config->group, error, error_size);
    if (control->fd < 0) {
        int ret = control->fd;

        free(control);
        return ret;
    }
    if ((!config->fd && lstat(config->path, &control->socket)) || open_events(control)) {
        control_close(control);
        return text_error(error, error_size, -ENOMEM, "%s: cannot be listened on", config->path);
    }
    guests_on_event(config->guests, on_guests_event, control);
    *out = control;
    return 0;
}

static void close_event(struct event *event)
{
    if (event) {
        event_free(event);
    }
}

void control_close(struct control *control)
{
    struct stat now;

    if (!control) {
        return;
    }
    guests_on_event(control->config.guests, NULL, NULL);
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        if (control->places[i].clients) {
            client_drop(&control->places[i]);
        }
    }
    close_event(control->accept);
    close_event(control->accept_again);
    close_event(control->clients.turn);
    close(control->fd);
    if (!lstat(control->config.path, &now) && now.st_ino == control->socket.st_ino &&
        now.st_dev == control->socket.st_dev) {
        unlink(control->config.path);
    }
    free(control);
}
