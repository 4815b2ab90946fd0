/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log, as far as it is to be heard. */
#include "log.h"

#include <stdio.h>
#include <unistd.h>

void log_init(struct log *log, int level)
{
    log->level = level;
    log->terminal = isatty(STDERR_FILENO);
}

void log_line(void *arg, int level, const char *line)
{
    const struct log *log = arg;

    if (level > log->level) {
        return;
    }
    if (log->terminal) {
        fprintf(stderr, "xengtd: %s\n", line);
    } else {
        fprintf(stderr, "<%d>xengtd: %s\n", level, line);
    }
}
