/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control protocol, JSON-RPC 2.0: a line of a client in, an answer out. */
#ifndef XENGT_CONTROL_PROTOCOL_H
#define XENGT_CONTROL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "control/subscription.h"
#include "control/verbs.h"

struct json_object;
struct record;

/* A client, as the protocol knows it. Zero: root, and nothing is recorded. */
struct session {
    struct guests *guests;
    struct record *record;
    uid_t uid;
    bool may_not_change;
    bool may_not_subscribe; /* now: too many others have */
    struct subscription events;

    /* The request that is being carried out; no verb: there is none. */
    const struct verb *verb;
    struct json_object *request;
};

/*
 * Carries a line out. True: *answer is for the client, or NULL: it wanted none. False: there is
 * more to do, by protocol_go_on() in later turns, before the next line.
 */
bool protocol_line(struct session *session, const char *line, size_t len,
                   struct json_object **answer);
bool protocol_go_on(struct session *session, struct json_object **answer);

/* Gives up what is being carried out. */
void protocol_end(struct session *session);

/* An error that answers no request. */
struct json_object *protocol_error(enum verb_code code, const char *text);

#endif
