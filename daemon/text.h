/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines for people: log lines, and the reason of a refusal. Names that guests and clients chose
 * get into them: whatever they hold, a line stays one line, and UTF-8. One that is too long ends
 * with a whole character.
 */
#ifndef XENGT_TEXT_H
#define XENGT_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Takes a line; level is syslog's. */
typedef void text_log_fn(void *arg, int level, const char *line);

/* Replaces what would break a line, and what is no UTF-8. */
void text_clean(char *text);

/* Nothing is written where size is 0. */
__attribute__((format(printf, 3, 4))) void text_line(char *text, size_t size, const char *format,
                                                     ...);
__attribute__((format(printf, 3, 0))) void text_vline(char *text, size_t size, const char *format,
                                                      va_list args);

/* A line that says why something is refused or failed. Returns err. */
__attribute__((format(printf, 4, 5))) int text_error(char *error, size_t size, int err,
                                                     const char *format, ...);

/* Of n words the one that name is most likely meant to be; NULL: it is like none of them. */
const char *text_nearest(const char *name, const char *const *words, size_t n);

/* A line for a log; log may be NULL. */
__attribute__((format(printf, 4, 5))) void text_log(text_log_fn *log, void *arg, int level,
                                                    const char *format, ...);
__attribute__((format(printf, 4, 0))) void text_vlog(text_log_fn *log, void *arg, int level,
                                                     const char *format, va_list args);

#endif
