/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing the window from a kernel's memory map. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/test.h"

#include "hv/xen/window.h"

/* A PVH dom0 with 1 GiB of 3: the rest is "Unusable memory". */
static const char dom0_map[] = "00000000-00000fff : Reserved\n"
                               "00001000-0009fbff : System RAM\n"
                               "000a0000-000fffff : Reserved\n"
                               "00100000-3fffffff : System RAM\n"
                               "  01000000-01e02517 : Kernel code\n"
                               "40000000-7fffffff : Unusable memory\n"
                               "b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]\n"
                               "c0000000-febfffff : PCI Bus 0000:00\n"
                               "fec00000-fec00fff : Reserved\n"
                               "100000000-13fffffff : Unusable memory\n"
                               "380000000000-383fffffffff : PCI Bus 0000:00\n"
                               "fd00000000-ffffffffff : Reserved\n";

static const struct window_rules before_6_9 = {true, UINT64_C(1) << 27};
static const struct window_rules after_6_9 = {false, UINT64_C(1) << 27};

static int choose(const char *map, const struct window_rules *rules, uint64_t base, uint32_t pages,
                  struct window *w, char *text, size_t size)
{
    struct hv_error error = {text, size};
    FILE *f = fmemopen((void *)(uintptr_t)map, strlen(map), "r");
    text[0] = '\0';
    int ret = window_choose(f, rules, base, pages, w, &error);
    fclose(f);
    return ret;
}

PLAIN_TEST(unusable_memory_above_4g_is_chosen)
{
    (void)state;
    struct window w;
    char text[256];
    assert_int_equal(choose(dom0_map, &before_6_9, 0, 0, &w, text, sizeof(text)), 0);
    assert_true(w.base == 0x100000);
    assert_int_equal(w.pages, 1u << 18);
    assert_string_equal(w.where, "Unusable memory");
    assert_int_equal(choose(dom0_map, &before_6_9, 0, 512, &w, text, sizeof(text)), 0);
    assert_int_equal(w.pages, 512);
}

/* Newer kernels put their own foreign mappings there; the range at 1 TiB is out of reach. */
PLAIN_TEST(a_newer_kernel_needs_a_reservation)
{
    (void)state;
    struct window w;
    char text[256];
    assert_int_equal(choose(dom0_map, &after_6_9, 0, 0, &w, text, sizeof(text)), -EINVAL);
    assert_non_null(strstr(text, "memmap="));
    const char reserved[] = "00100000-3fffffff : System RAM\n"
                            "100000000-13fffffff : Unusable memory\n"
                            "4000000000-403fffffff : Reserved\n";
    assert_int_equal(choose(reserved, &after_6_9, 0, 0, &w, text, sizeof(text)), 0);
    assert_true(w.base == 0x4000000);
}

PLAIN_TEST(more_than_there_is_is_refused)
{
    (void)state;
    struct window w;
    char text[256];
    assert_int_equal(choose(dom0_map, &before_6_9, 0, 1u << 19, &w, text, sizeof(text)), -EINVAL);
}

PLAIN_TEST(an_explicit_window_must_be_safe)
{
    (void)state;
    static const struct {
        uint64_t base;
        uint32_t pages;
        const char *complaint; /* NULL: good */
    } cases[] = {
        {0x100000, 512, NULL},
        {0x120000, 0x20000, NULL},
        {0x100200, 512, NULL},
        {0x100001, 512, "multiples"},
        {0x100000, 100, "multiples"},
        {0x10000, 512, "System RAM"},
        {0xd0000, 512, "PCI Bus"},
        {0x13fe00, 1024, "Unusable memory"},
        {0x200000, 512, "leaves alone"},
        {UINT64_C(1) << 27, 512, "devices"},
        {(UINT64_C(1) << 27) - 512, 1024, "devices"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct window w;
        char text[256];
        int ret =
            choose(dom0_map, &before_6_9, cases[i].base, cases[i].pages, &w, text, sizeof(text));
        if (!cases[i].complaint) {
            assert_int_equal(ret, 0);
            assert_true(w.base == cases[i].base);
            continue;
        }
        assert_int_equal(ret, -EINVAL);
        if (!strstr(text, cases[i].complaint)) {
            fail_msg("'%s' does not say '%s'", text, cases[i].complaint);
        }
    }
}

PLAIN_TEST(something_nested_spoils_a_range)
{
    (void)state;
    const char map[] = "100000000-13fffffff : Unusable memory\n"
                       "  110000000-1100fffff : 0000:00:02.0\n";
    struct window w;
    char text[256];
    assert_int_equal(choose(map, &before_6_9, 0, 0, &w, text, sizeof(text)), -EINVAL);
    assert_int_equal(choose(map, &before_6_9, 0x110000, 512, &w, text, sizeof(text)), -EINVAL);
    assert_int_equal(choose(map, &before_6_9, 0x120000, 512, &w, text, sizeof(text)), 0);
}

PLAIN_TEST(nonsense_is_no_map)
{
    (void)state;
    struct window w;
    char text[256];
    assert_int_equal(choose("hello\n\n-: x\n", &before_6_9, 0, 0, &w, text, sizeof(text)), -EINVAL);
}
