/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people: the log and the reason of a refusal. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "guests/guest.h"

/* Names come from guests and from clients; a line stays one line whatever they hold. */
static void keep_one_line(char *text)
{
    for (; *text; text++) {
        if (iscntrl((unsigned char)*text)) {
            *text = '?';
        }
    }
}

void guests_log(struct guests *guests, int level, const char *format, ...)
{
    char line[512];
    va_list args;

    if (!guests->config.log) {
        return;
    }
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    keep_one_line(line);
    guests->config.log(guests->config.log_arg, level, line);
}

int guests_error(char *error, size_t size, int err, const char *format, ...)
{
    va_list args;

    if (!size) {
        return err;
    }
    va_start(args, format);
    vsnprintf(error, size, format, args);
    va_end(args);
    keep_one_line(error);
    return err;
}
