/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log: lines on stderr, for people on a terminal, with syslog's <level> for systemd otherwise.
 */
#ifndef XENGT_LOG_H
#define XENGT_LOG_H

#include <stdbool.h>

struct log {
    int level; /* of syslog; lines above it are not written */
    bool terminal;
    bool journal; /* which knows whose lines they are */
};

void log_init(struct log *log, int level);

/* Fits the log callbacks of all layers; arg is a struct log. */
void log_line(void *arg, int level, const char *line);

#endif
