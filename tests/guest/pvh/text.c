/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text in and out of a bare PVH guest: Xen's debug console and the command line. */

#include "text.h"

#include "../platform.h"

#include <stdarg.h>

#define CONSOLE_PORT     0xe9
#define COMMAND_LINE_MAX 1024

static char command_line[COMMAND_LINE_MAX];

/* --- console ----------------------------------------------------------------------------- */

static void put_char(char c)
{
    asm volatile("outb %0, %1" : : "a"(c), "Nd"((uint16_t)CONSOLE_PORT));
}

static void put_string(const char *s)
{
    while (*s) {
        put_char(*s++);
    }
}

static void put_number(uint64_t value, unsigned int base)
{
    char digits[20];
    unsigned int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count) {
        put_char(digits[--count]);
    }
}

static void put_signed(int value)
{
    if (value < 0) {
        put_char('-');
    }
    put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void put_line(const char *fmt, va_list args)
{
    for (; *fmt; fmt++) {
        bool is_long = false;

        if (*fmt != '%') {
            put_char(*fmt);
            continue;
        }
        for (fmt++; *fmt == 'l'; fmt++) {
            is_long = true;
        }
        if (*fmt == 's') {
            put_string(va_arg(args, const char *));
        } else if (*fmt == 'c') {
            put_char((char)va_arg(args, int));
        } else if (*fmt == 'd') {
            put_signed(va_arg(args, int));
        } else if (*fmt == 'u' || *fmt == 'x') {
            put_number(is_long ? va_arg(args, unsigned long) : va_arg(args, unsigned int),
                       *fmt == 'u' ? 10 : 16);
        } else {
            put_char(*fmt);
        }
    }
    put_char('\n');
}

void say(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_line(fmt, args);
    va_end(args);
}

void step(const char *fmt, ...)
{
    va_list args;

    put_string("step ");
    va_start(args, fmt);
    put_line(fmt, args);
    va_end(args);
    if (arg_num("steps", 0)) {
        wait_for_go();
    }
}

/* --- command line ------------------------------------------------------------------------ */

/* Keeps a copy, words separated by NULs: Xen's own may lie in pages that are handed out later. */
void command_line_init(const char *from)
{
    /* The last two bytes stay 0: they end the last word and the list of words. */
    for (unsigned int i = 0; from[i] && i < COMMAND_LINE_MAX - 2; i++) {
        command_line[i] = from[i] == ' ' ? '\0' : from[i];
    }
}

const char *case_name(void)
{
    return command_line;
}

/* The value, when @word is "@key=value". */
static const char *value_of(const char *word, const char *key)
{
    while (*key && *word == *key) {
        word++;
        key++;
    }
    return *key == '\0' && *word == '=' ? word + 1 : NULL;
}

const char *arg(const char *key, const char *dflt)
{
    for (const char *word = command_line; word < command_line + COMMAND_LINE_MAX; word++) {
        const char *value = value_of(word, key);

        if (value && (word == command_line || word[-1] == '\0')) {
            return value;
        }
    }
    return dflt;
}

unsigned long arg_num(const char *key, unsigned long dflt)
{
    const char *text = arg(key, NULL);
    unsigned long value = 0, base = 10;

    if (!text) {
        return dflt;
    }
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    for (; *text; text++) {
        if (*text >= '0' && *text <= '9') {
            value = value * base + (unsigned long)(*text - '0');
        } else if (base == 16 && *text >= 'a' && *text <= 'f') {
            value = value * base + (unsigned long)(*text - 'a' + 10);
        } else {
            return dflt;
        }
    }
    return value;
}
