/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people, formatted and made safe to print. */
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

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

/* --- words that are meant ---------------------------------------------------------------- */

#define WORD_MAX 32u

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Letters put in, left out or exchanged between two words (Levenshtein); WORD_MAX: long ones. */
static unsigned distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    unsigned row[WORD_MAX + 1];

    if (a_len >= WORD_MAX || b_len >= WORD_MAX) {
        return WORD_MAX;
    }
    for (unsigned j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned corner = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned above = row[j];

            row[j] = least(above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[b_len];
}

const char *text_nearest(const char *name, const char *const *words, size_t n)
{
    unsigned best = (unsigned)strlen(name) / 3 + 1; /* more, and it is another word */
    const char *nearest = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(name, words[i]);

        if (d <= best) {
            best = d ? d - 1 : 0;
            nearest = words[i];
        }
    }
    return nearest;
}
