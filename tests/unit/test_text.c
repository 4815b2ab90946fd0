/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people: whatever is put into one, it is one line of UTF-8. */
#include <string.h>

#include "support/test.h"
#include "text.h"

static void assert_line(const char *bytes, const char *line)
{
    char text[64];

    text_line(text, sizeof(text), "%s", bytes);
    assert_string_equal(text, line);
}

PLAIN_TEST(text_stays_as_it_is)
{
    (void)state;
    assert_line("plain", "plain");
    assert_line("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_line("\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80",
                "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80");
}

PLAIN_TEST(what_breaks_a_line_is_replaced)
{
    (void)state;
    assert_line("a\nb\rc\x1b[2Jd\x7f", "a?b?c?[2Jd?");
    assert_line("\xc2\x9b", "??");                     /* CSI in one character */
    assert_line("\xe2\x80\xa8\xe2\x80\xa9", "??????"); /* separators of lines and paragraphs */
    assert_line("\xc2\xa0", "\xc2\xa0");
}

PLAIN_TEST(what_is_no_utf8_is_replaced)
{
    (void)state;
    assert_line("\xff\xfe", "??");
    assert_line("\x80x", "?x");
    assert_line("\xc0\x80", "??"); /* overlong */
    assert_line("\xe0\x9f\xbf", "???");
    assert_line("\xed\xa0\x80", "???");      /* a surrogate */
    assert_line("\xf4\x90\x80\x80", "????"); /* beyond the last character */
    assert_line("\xe2\x82", "??");
    assert_line("\xe2\x82x", "??x");
}

/* At every length, and whatever the last character. */
PLAIN_TEST(a_line_is_cut_between_characters)
{
    static const char all[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z";
    static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    char text[16];

    (void)state;
    for (size_t len = 0; len < sizeof(ends) / sizeof(ends[0]); len++) {
        text_line(text, len + 1, "%s", all);
        assert_int_equal(strlen(text), ends[len]);
        assert_memory_equal(text, all, ends[len]);
    }
}

PLAIN_TEST(nothing_is_written_where_there_is_no_room)
{
    char text[2] = "x";

    (void)state;
    text_line(text, 0, "%s", "long");
    assert_string_equal(text, "x");
}
