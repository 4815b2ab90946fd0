/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people: the log and the reason of a refusal. */
#include <stdarg.h>

#include "guests/guest.h"
#include "text.h"

void guests_log(struct guests *guests, int level, const char *format, ...)
{
    char line[512];
    va_list args;

    if (!guests->config.log) {
        return;
    }
    va_start(args, format);
    text_vline(line, sizeof(line), format, args);
    va_end(args);
    guests->config.log(guests->config.log_arg, level, line);
}

int guests_error(char *error, size_t size, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vline(error, size, format, args);
    va_end(args);
    return err;
}
