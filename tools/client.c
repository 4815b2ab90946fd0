/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other end of the control socket: connect, a line out, a line in. */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

/* What a daemon says that has no place for us. */
#define CODE_BUSY   (-32004)
#define CODE_CLOSED (-32006)

typedef struct json_object json;

__attribute__((format(printf, 2, 3))) static enum client_status no_daemon(struct client *client,
                                                                          const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(client->error, sizeof(client->error), format, args);
    va_end(args);
    return CLIENT_NO_DAEMON;
}

/* --- the connection ---------------------------------------------------------------------- */

static enum client_status explain_connect(struct client *client, int err)
{
    struct stat st;

    switch (err) {
    case ENOENT:
    case ECONNREFUSED:
        if (!stat(client->path, &st) && !S_ISSOCK(st.st_mode)) {
            return no_daemon(client, "%s is not a socket: give xengtd's by --socket", client->path);
        }
        return no_daemon(client,
                         "xengtd is not running (nobody answers on %s): systemctl start xengtd",
                         client->path);
    case EACCES:
    case EPERM:
        return no_daemon(client,
                         "%s: no permission: run as root, or to read as a member of the group that "
                         "xengtd --socket-group names",
                         client->path);
    case EAGAIN:
        return no_daemon(client, "xengtd is busy: it took no call on %s for %u s", client->path,
                         client->patience_s);
    default:
        return no_daemon(client, "%s: %s", client->path, strerror(err));
    }
}

static void be_patient(struct client *client, unsigned seconds)
{
    const struct timeval patience = {.tv_sec = (time_t)seconds};

    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

enum client_status client_connect(struct client *client, const char *path, unsigned patience_s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *client = (struct client){.path = path, .patience_s = patience_s};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return no_daemon(client, "%s: the path is too long for a socket", path);
    }
    memcpy(address.sun_path, path, strlen(path));
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        return no_daemon(client, "no socket: %s", strerror(errno));
    }
    be_patient(client, patience_s);
    int err = connect(client->fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;
    client->in = err ? NULL : fdopen(client->fd, "r");
    if (client->in) {
        return CLIENT_OK;
    }
    err = err ? err : errno;
    close(client->fd);
    return explain_connect(client, err);
}

void client_close(struct client *client)
{
    if (client->in) {
        fclose(client->in);
        client->in = NULL;
    }
}

/* --- requests and answers ---------------------------------------------------------------- */

/*
 * A daemon that turns us away says why and hangs up, before it has read anything: that it does not
 * take this says nothing yet.
 */
static void send_request(struct client *client, json *request)
{
    const char *text = json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN);
    size_t len = strlen(text);

    while (len) {
        ssize_t n = send(client->fd, text, len, MSG_NOSIGNAL | MSG_MORE);

        if (n < 0 && errno != EINTR) {
            return;
        }
        text += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
    }
    if (send(client->fd, "\n", 1, MSG_NOSIGNAL) < 0) {
        return;
    }
}

static enum client_status receive(struct client *client, json **message)
{
    char *line = NULL;
    size_t size = 0;

    errno = 0;
    *message = getline(&line, &size, client->in) > 0 ? json_tokener_parse(line) : NULL;
    int err = errno;
    free(line);
    if (json_object_is_type(*message, json_type_object)) {
        return CLIENT_OK;
    }
    if (*message || (!err && !feof(client->in))) {
        json_object_put(*message);
        return no_daemon(client, "who answers on %s is not xengtd", client->path);
    }
    if (err == EAGAIN) {
        return no_daemon(
            client, "xengtd is busy: no answer on %s in %u s; what was asked may still be done",
            client->path, client->patience_s);
    }
    return no_daemon(client, "xengtd hung up on %s: see its log", client->path);
}

static enum client_status explain_error(struct client *client, json *error, bool ours)
{
    const char *text = json_object_get_string(json_object_object_get(error, "message"));
    int code = json_object_get_int(json_object_object_get(error, "code"));

    snprintf(client->error, sizeof(client->error), "%s", text ? text : "refused");
    return !ours && (code == CODE_BUSY || code == CODE_CLOSED) ? CLIENT_NO_DAEMON : CLIENT_REFUSED;
}

static enum client_status unwrap(struct client *client, json *answer, json **result)
{
    json *id = json_object_object_get(answer, "id");
    bool ours = json_object_is_type(id, json_type_int) &&
                (unsigned)json_object_get_int(id) == client->asked;
    json *member;

    if (json_object_object_get_ex(answer, "error", &member) && (ours || !id)) {
        return explain_error(client, member, ours);
    }
    if (ours && json_object_object_get_ex(answer, "result", &member)) {
        *result = json_object_get(member);
        return CLIENT_OK;
    }
    return no_daemon(client, "who answers on %s is not xengtd", client->path);
}

enum client_status client_call(struct client *client, const char *method, json *params,
                               json **result)
{
    json *request = json_object_new_object(), *answer;

    json_object_object_add(request, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(request, "id", json_object_new_int((int)++client->asked));
    json_object_object_add(request, "method", json_object_new_string(method));
    if (params) {
        json_object_object_add(request, "params", params);
    }
    send_request(client, request);
    json_object_put(request);
    enum client_status status = receive(client, &answer);
    if (status == CLIENT_OK) {
        status = unwrap(client, answer, result);
        json_object_put(answer);
    }
    return status;
}

enum client_status client_next(struct client *client, json **params)
{
    json *message;

    be_patient(client, 0);
    enum client_status status = receive(client, &message);
    if (status != CLIENT_OK) {
        return status;
    }
    *params = json_object_get(json_object_object_get(message, "params"));
    json_object_put(message);
    return *params ? CLIENT_OK : no_daemon(client, "who answers on %s is not xengtd", client->path);
}
