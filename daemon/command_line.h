/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of xengtd, and the file that it names. */
#ifndef XENGT_COMMAND_LINE_H
#define XENGT_COMMAND_LINE_H

#include <stddef.h>

struct options;

enum command_line_result {
    COMMAND_LINE_RUN,
    COMMAND_LINE_DONE,  /* --help, --version, --check-config: printed, nothing else to do */
    COMMAND_LINE_WRONG, /* error has one line */
};

/* The command line wins over the file. */
enum command_line_result command_line_read(struct options *options, int argc, char **argv,
                                           char *error, size_t error_size);

#endif
