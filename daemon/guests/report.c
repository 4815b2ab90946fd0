/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests' lines in the log. */
#include <stdarg.h>

#include "guests/guest.h"
#include "text.h"

void guests_log(struct guests *guests, int level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vlog(guests->config.log, guests->config.log_arg, level, format, args);
    va_end(args);
}
