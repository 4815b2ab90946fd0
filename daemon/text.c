/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people, formatted and made safe to print. */
#include "text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LOG_LINE_MAX 512

/* Bytes of the UTF-8 sequence at text, as RFC 3629 has them; 0: it is none. */
static size_t sequence(const char *text)
{
    static const struct {
        unsigned char first, last; /* of the leading byte */
        unsigned char low, high; /* of the second: neither overlong, nor a surrogate, nor beyond */
        size_t bytes;
    } rows[] = {
        {0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    const unsigned char *at = (const unsigned char *)text;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (at[0] < rows[i].first || at[0] > rows[i].last) {
            continue;
        }
        if (rows[i].bytes > 1 && (at[1] < rows[i].low || at[1] > rows[i].high)) {
            return 0;
        }
        for (size_t k = 2; k < rows[i].bytes; k++) {
            if ((at[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return rows[i].bytes;
    }
    return 0;
}

/* What a terminal or a reader of lines takes for more than a character: C0, C1, U+2028, U+2029. */
static bool breaks_line(const char *text)
{
    return iscntrl((unsigned char)*text) || (*text == '\xc2' && (unsigned char)text[1] < 0xa0) ||
           !strncmp(text, "\xe2\x80\xa8", 3) || !strncmp(text, "\xe2\x80\xa9", 3);
}

void text_clean(char *text)
{
    while (*text) {
        size_t n = sequence(text);

        if (n == 0 || breaks_line(text)) {
            n = n ? n : 1;
            memset(text, '?', n);
        }
        text += n;
    }
}

/* Takes away the beginning of a sequence that what was cut ends with. */
static void drop_cut_end(char *text)
{
    size_t len = strlen(text);

    for (size_t n = 1; n < 4 && n <= len; n++) {
        unsigned char byte = (unsigned char)text[len - n];

        if (byte >= 0xc0 && !sequence(text + len - n)) {
            text[len - n] = '\0';
        }
        if (byte < 0x80 || byte >= 0xc0) {
            return;
        }
    }
}

void text_vline(char *text, size_t size, const char *format, va_list args)
{
    if (size) {
        int len = vsnprintf(text, size, format, args);

        if (len < 0) {
            text[0] = '\0';
        } else if ((size_t)len >= size) {
            drop_cut_end(text);
        }
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
#define FARTHEST 2u /* with more letters that differ it is another word */

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
    unsigned best = FARTHEST + 1;
    const char *nearest = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(name, words[i]);

        if (d < best && d < strlen(words[i])) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}
