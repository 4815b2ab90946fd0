/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log, as far as it is to be heard. */
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* systemd.exec(5): the device and inode of the stream that goes to the journal. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && !fstat(fd, &st) &&
           st.st_dev == device && st.st_ino == inode;
}

void log_init(struct log *log, int level)
{
    log->level = level;
    log->terminal = isatty(STDERR_FILENO);
    log->journal = !log->terminal && is_journal(STDERR_FILENO);
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
        fprintf(stderr, "<%d>%s%s\n", level, log->journal ? "" : "xengtd: ", line);
    }
}
