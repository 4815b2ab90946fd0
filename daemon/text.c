/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people, formatted and made safe to print. */
#include "text.h"

#include <ctype.h>
#include <stdio.h>

#define LOG_LINE_MAX 512

/* Bytes of the UTF-8 sequence at text; 0: it is none. */
static size_t sequence(const char *text)
{
    static const unsigned char lead[] = {0xc0, 0xe0, 0xf0, 0xf8}; /* of 2, 3, 4 bytes; beyond */
    unsigned char first = (unsigned char)*text;
    size_t n = 1;

    if (first < 0x80) {
        return 1;
    }
    while (n < sizeof(lead) && first >= lead[n]) {
        n++;
    }
    n = first < lead[0] || n == sizeof(lead) ? 0 : n + 1;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

void text_clean(char *text)
{
    while (*text) {
        size_t n = sequence(text);

        if (n == 0 || iscntrl((unsigned char)*text)) {
            *text = '?';
        }
        text += n ? n : 1;
    }
}

void text_vline(char *text, size_t size, const char *format, va_list args)
{
    if (size) {
        vsnprintf(text, size, format, args);
        text_clean(text);
    }
}

void text_line(char *text, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vline(text, size, format, args);
    va_end(args);
}

int text_error(char *error, size_t size, int err, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vline(error, size, format, args);
    va_end(args);
    return err;
}

void text_vlog(text_log_fn *log, void *arg, int level, const char *format, va_list args)
{
    char line[LOG_LINE_MAX];

    if (log) {
        text_vline(line, sizeof(line), format, args);
        log(arg, level, line);
    }
}

void text_log(text_log_fn *log, void *arg, int level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vlog(log, arg, level, format, args);
    va_end(args);
}
