/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request over the control socket: connect, one line out, one line in. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

/* The daemon answers at once; after this long something is wrong with it. */
#define ANSWER_S 30

typedef struct json_object json;

static int connect_daemon(const char *path, char *error, size_t error_size)
{
    const struct timeval patience = {.tv_sec = ANSWER_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        snprintf(error, error_size, "%s: the path is too long for a socket", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return fd;
    }
    int err = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (err == ENOENT || err == ECONNREFUSED) {
        snprintf(error, error_size,
                 "xengtd is not running (nobody answers on %s): systemctl start xengtd", path);
    } else if (err == EACCES) {
        snprintf(error, error_size, "%s: no permission: run as root", path);
    } else {
        snprintf(error, error_size, "%s: %s", path, strerror(err));
    }
    return -1;
}

static void send_request(FILE *stream, json *request)
{
    fprintf(stream, "%s\n", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
    fflush(stream);
}

static json *receive_answer(FILE *stream)
{
    char *line = NULL;
    size_t size = 0;
    json *answer = NULL;

    if (getline(&line, &size, stream) > 0) {
        answer = json_tokener_parse(line);
    }
    free(line);
    return answer;
}

/* The result out of {"ok":true,"result":…}, or the reason out of {"ok":false,"error":…}. */
static json *unwrap(json *answer, char *error, size_t error_size)
{
    json *ok, *member;

    if (json_object_object_get_ex(answer, "ok", &ok) && json_object_get_boolean(ok) &&
        json_object_object_get_ex(answer, "result", &member)) {
        return json_object_get(member);
    }
    if (json_object_object_get_ex(answer, "error", &member)) {
        snprintf(error, error_size, "%s", json_object_get_string(member));
    } else {
        snprintf(error, error_size, "xengtd gave no answer that makes sense");
    }
    return NULL;
}

json *client_call(const char *socket_path, json *request, char *error, size_t error_size)
{
    int fd = connect_daemon(socket_path, error, error_size);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "r+");

    if (!stream) {
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    /* A daemon that turns us away says why before it hangs up: listen also if the send failed. */
    send_request(stream, request);
    json *answer = receive_answer(stream);
    json *result = NULL;
    if (answer) {
        result = unwrap(answer, error, error_size);
    } else {
        snprintf(error, error_size, "xengtd does not answer on %s", socket_path);
    }
    json_object_put(answer);
    fclose(stream);
    return result;
}
