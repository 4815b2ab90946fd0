/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client of the control socket: what it sends, one thing at a time, and what it has not read.
 * For the files of this folder.
 */
#ifndef XENGT_CONTROL_CLIENT_H
#define XENGT_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>

#include "control/protocol.h"
#include "control/record.h"

struct bufferevent;
struct event;
struct event_base;

/* What all clients share. */
struct clients {
    struct event_base *base;
    struct guests *guests;
    struct record record;
    struct timeval idle; /* a client that says nothing for so long is closed */
    struct event *turn;  /* when there may be something to do for one of them */
    uint64_t said;       /* lines, of all of them */
};

struct client {
    struct clients *clients; /* NULL: this place is free */
    struct bufferevent *bev;
    struct event *silent;
    struct session session;
    uint64_t spoke; /* what had been said when it had said something last */
    bool closing;   /* when everything is written; it is not listened to */
    bool ended;     /* it says nothing more: closing, when all it said is answered */
};

/* Takes the descriptor, whatever comes of it. False: no memory. */
bool client_open(struct client *client, struct clients *clients, int fd, uid_t uid, bool reader);
void client_drop(struct client *client);

/* Does one thing that there is to do for the client. False: there was none. */
bool client_turn(struct client *client);

/* Does it have a subscription? Then it need not say anything. */
bool client_listens(const struct client *client);

/* Is something it asked being done, or next? */
bool client_is_busy(const struct client *client);

/* Makes way for another one, at once. */
void client_oust(struct client *client);

/* Tells who has no place; a client that is gone does not matter. Closes fd. */
void client_turn_away(int fd);

/* There may be something to do, in the loop's next round: not later because more comes. */
void clients_wake(struct clients *clients);

#endif
