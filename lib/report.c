/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words for people: the last failure of a handle, its log, the reason an open was refused. */
#include <stdarg.h>
#include <stdio.h>

#include "handle.h"

int handle_fail(struct xengt *xg, int error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(xg->error, sizeof(xg->error), format, ap);
    va_end(ap);
    return error;
}

void handle_log(struct xengt *xg, int level, const char *format, ...)
{
    if (!xg->log) {
        return;
    }
    char line[320];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    xg->logging = true;
    xg->log(xg->log_arg, level, line);
    xg->logging = false;
}

void hv_error(struct hv_error *error, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(error->text, error->size, format, ap);
    va_end(ap);
}

const char *xengt_last_error(const struct xengt *xg)
{
    return xg->error;
}
