/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chatter of Xen's libraries, in the program's log. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "support/test.h"

#include "hv/xen/chatter.h"

struct said {
    unsigned lines;
    int level;
    char line[400];
};

static void keep(void *arg, int level, const char *line)
{
    struct said *said = arg;
    said->lines++;
    said->level = level;
    snprintf(said->line, sizeof(said->line), "%s", line);
    errno = EDOM; /* as whatever it calls may */
}

__attribute__((format(printf, 4, 5))) static void say(struct xentoollog_logger *logger,
                                                      xentoollog_level level, int error,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    logger->vmessage(logger, level, error, "xc", format, args);
    va_end(args);
}

PLAIN_TEST(an_error_of_a_library_is_a_line_of_information)
{
    struct said said = {0};
    (void)state;
    struct xentoollog_logger *logger = chatter_new(keep, &said);
    errno = ENOENT;
    say(logger, XTL_ERROR, EACCES, "hypercall %d failed\n", 36);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(said.level, LOG_INFO);
    assert_string_equal(said.line, "xc: hypercall 36 failed: Permission denied");
    say(logger, XTL_DETAIL, -1, "nobody needs this");
    assert_int_equal(said.lines, 1);
    say(logger, XTL_WARN, -1, "%0300d", 1);
    assert_int_equal(said.lines, 2);
    assert_int_equal(strlen(said.line), 255);
    chatter_free(logger);
}

PLAIN_TEST(without_a_log_libraries_are_silent)
{
    (void)state;
    struct xentoollog_logger *logger = chatter_new(NULL, NULL);
    say(logger, XTL_CRITICAL, EIO, "all is lost");
    chatter_free(logger);
    chatter_free(NULL);
}
