/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notices to systemd: the protocol of sd_notify(3), one datagram, is not worth a library. */
#include "notify.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify_systemd(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;

    if (!len || len >= sizeof(address.sun_path)) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* an abstract socket */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        /* systemd will notice by itself. */
    }
    close(fd);
}

/* The time is what tells this READY=1 from one before. */
void notify_reloading(void)
{
    struct timespec now;
    char state[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    notify_systemd(state);
}

/* The variables may be for another process, which started this one. */
static bool is_us(const char *pid)
{
    return pid && strtol(pid, NULL, 10) == getpid();
}

/* sd_watchdog_enabled(3) */
uint64_t notify_watchdog_us(void)
{
    const char *interval = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

    return interval && (!pid || is_us(pid)) ? strtoull(interval, NULL, 10) : 0;
}

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

int notify_listening(void)
{
    const char *n = getenv("LISTEN_FDS");

    return n && is_us(getenv("LISTEN_PID")) && strtol(n, NULL, 10) == 1 ? FIRST_FD : 0;
}
