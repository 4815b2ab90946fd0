/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chatter: a logger of Xen's libraries whose lines go to a program's log function. */
#include "hv/xen/chatter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

struct chatter {
    struct xentoollog_logger base;
    xengt_log_fn *log;
    void *arg;
};

static void __attribute__((format(printf, 5, 0)))
say(struct xentoollog_logger *logger, xentoollog_level level, int error, const char *context,
    const char *format, va_list args)
{
    const struct chatter *c = (const struct chatter *)logger;
    char line[256];
    int kept = errno; /* of the call that failed */
    if (!c->log || level < XTL_NOTICE) {
        return;
    }
    int at = snprintf(line, sizeof(line), "%s: ", context ? context : "xen");
    size_t n = at > 0 && (size_t)at < sizeof(line) ? (size_t)at : 0;
    vsnprintf(line + n, sizeof(line) - n, format, args);
    line[strcspn(line, "\n")] = '\0';
    n = strlen(line);
    if (error >= 0) {
        snprintf(line + n, sizeof(line) - n, ": %s", strerror(error));
    }
    c->log(c->arg, LOG_INFO, line);
    errno = kept;
}

/* Whoever made it frees it. */
static void destroy(struct xentoollog_logger *logger)
{
    (void)logger;
}

struct xentoollog_logger *chatter_new(xengt_log_fn *log, void *arg)
{
    struct chatter *c = calloc(1, sizeof(*c));
    if (!c) {
        return NULL;
    }
    c->base.vmessage = say;
    c->base.destroy = destroy;
    c->log = log;
    c->arg = arg;
    return &c->base;
}

void chatter_free(struct xentoollog_logger *logger)
{
    free(logger);
}
