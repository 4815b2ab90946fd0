/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing the window from a kernel's memory map. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/test.h"

#include "hv/xen/window.h"

/* Linux 6.1, PVH dom0 with 1 GiB of 3: the rest is "Unusable memory". */
static const char linux_6_1[] = "00000000-00000fff : Reserved\n"
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

/*
 * The same machine with Linux 6.12: its pvh_reserve_extra_memory() makes RAM of what is unusable,
 * up to ten times what it has.
 */
static const char linux_6_12[] = "00000000-00000fff : Reserved\n"
                                 "00001000-0009fbff : System RAM\n"
                                 "000a0000-000fffff : Reserved\n"
                                 "00100000-7fffffff : System RAM\n"
                                 "  01000000-01e02517 : Kernel code\n"
                                 "b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]\n"
                                 "c0000000-febfffff : PCI Bus 0000:00\n"
                                 "fec00000-fec00fff : Reserved\n"
                                 "100000000-13fffffff : System RAM\n"
                                 "380000000000-383fffffffff : PCI Bus 0000:00\n"
                                 "fd00000000-ffffffffff : Reserved\n";

/* And with dom0_mem=2G on a host of 64 GiB: it takes 20 GiB, and what is beyond stays. */
static const char linux_6_12_large[] = "00100000-7fffffff : System RAM\n"
                                       "c0000000-febfffff : PCI Bus 0000:00\n"
                                       "100000000-57fffffff : System RAM\n"
                                       "580000000-107fffffff : Unusable memory\n"
                                       "4000000000-7fffffffff : PCI Bus 0000:00\n";

/* And with a range at 256 GiB, above all RAM, reserved. */
#define RESERVED_2G "memmap=2G$0x4000000000"
static const char linux_6_12_memmap[] = "00100000-7fffffff : System RAM\n"
                                        "c0000000-febfffff : PCI Bus 0000:00\n"
                                        "100000000-13fffffff : System RAM\n"
                                        "4000000000-407fffffff : Reserved\n"
                                        "fd00000000-ffffffffff : Reserved\n";

#define BITS_39 (UINT64_C(1) << 27) /* frames */
#define BITS_46 (UINT64_C(1) << 34)

static char text[256]; /* of the last refusal */

static int choose_below(uint64_t ceiling, const char *map, const char *cmdline, uint64_t base,
                        uint32_t pages, struct window *w)
{
    const struct window_rules rules = {cmdline, ceiling};
    struct hv_error error = {text, sizeof(text)};
    FILE *f = fmemopen((void *)(uintptr_t)map, strlen(map), "r");
    text[0] = '\0';
    int ret = window_choose(f, &rules, base, pages, w, &error);
    fclose(f);
    return ret;
}

static int choose(const char *map, const char *cmdline, uint64_t base, uint32_t pages,
                  struct window *w)
{
    return choose_below(BITS_39, map, cmdline, base, pages, w);
}

static void text_says(const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("'%s' does not say '%s'", text, part);
    }
}

PLAIN_TEST(unusable_memory_above_4g_is_chosen)
{
    (void)state;
    struct window w;
    assert_int_equal(choose(linux_6_1, "quiet", 0, 0, &w), 0);
    assert_true(w.base == 0x100000);
    assert_int_equal(w.pages, 1u << 18);
    assert_string_equal(w.where, "Unusable memory");
    assert_int_equal(choose(linux_6_1, "quiet", 0, 512, &w), 0);
    assert_int_equal(w.pages, 512);
}

PLAIN_TEST(what_a_newer_kernel_has_left_unusable_is_chosen_too)
{
    (void)state;
    struct window w;
    assert_int_equal(choose(linux_6_12_large, "quiet", 0, 0, &w), 0);
    assert_true(w.base == 0x580000);
    assert_int_equal(choose(linux_6_12, "quiet", 0, 0, &w), -EINVAL);
}

PLAIN_TEST(a_range_that_memmap_reserved_is_chosen)
{
    (void)state;
    struct window w;
    static const char *const good[] = {
        RESERVED_2G,
        "quiet memmap=2G$0x4000000000 loglevel=4\n",
        "memmap=1M#0x1000,2G$0x4000000000",
        "memmap=64K$0xa0000,2048M$256G",
        "memmap=2147483648$0x4000000000 -- single",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(choose(linux_6_12_memmap, good[i], 0, 1u << 19, &w), 0);
        assert_true(w.base == 0x4000000);
        assert_int_equal(w.pages, 1u << 19);
        assert_string_equal(w.where, "Reserved");
    }
    assert_int_equal(choose(linux_6_12_memmap, RESERVED_2G, 0x4000200, 512, &w), 0);
}

PLAIN_TEST(what_the_firmware_reserved_is_not_taken)
{
    (void)state;
    struct window w;
    static const char *const other[] = {
        "",
        "memmap=2G@0x4000000000",
        "memmap=2G#0x4000000000",
        "memmap=2G%0x4000000000-1+2",
        "memmap=2G$0x8000000000",
        "memmap=2X$0x4000000000",
        "memmap=2G$0x4000000000z",
        "memmap=$0x4000000000",
        "memmap=99999999999G$0x4000000000",
        "memmap=0$0x4000000000",
        "xmemmap=2G$0x4000000000",
        "-- memmap=2G$0x4000000000",
    };
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_int_equal(choose(linux_6_12_memmap, other[i], 0, 0, &w), -EINVAL);
        assert_int_equal(choose(linux_6_12_memmap, other[i], 0x4000000, 512, &w), -EINVAL);
        text_says("overlaps 'Reserved'");
    }
}

PLAIN_TEST(of_a_reserved_entry_only_the_part_that_memmap_named_is_taken)
{
    (void)state;
    struct window w;
    const char map[] = "00100000-7fffffff : System RAM\n"
                       "3fc0000000-407fffffff : Reserved\n";
    assert_int_equal(choose(map, "memmap=1G$0x4000000000", 0, 0, &w), 0);
    assert_true(w.base == 0x4000000);
    assert_int_equal(w.pages, 1u << 18);
    assert_int_equal(choose(map, "memmap=1G$0x4000000000", 0x4000000 - 512, 1024, &w), -EINVAL);
    assert_int_equal(choose(map, "memmap=1G$0x4000000000", 0x4040000 - 512, 1024, &w), -EINVAL);
}

/* The kernel has taken the host's RAM for itself before it reads memmap=. */
PLAIN_TEST(a_reservation_within_the_hosts_ram_is_refused)
{
    (void)state;
    struct window w;
    static const char *const maps[] = {
        "00100000-7fffffff : System RAM\n" /* in the middle */
        "100000000-1ffffffff : System RAM\n"
        "200000000-23fffffff : Reserved\n"
        "240000000-3ffffffff : System RAM\n",
        "100000000-1ffffffff : System RAM\n" /* at the end */
        "200000000-23fffffff : Reserved\n",
        "200000000-23fffffff : Reserved\n" /* at the begin */
        "240000000-3ffffffff : System RAM\n",
    };
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        assert_int_equal(choose(maps[i], "memmap=1G$0x200000000", 0, 0, &w), -EINVAL);
        assert_int_equal(choose(maps[i], "memmap=1G$0x200000000", 0x200000, 512, &w), -EINVAL);
    }
    const char older[] = "00100000-7fffffff : System RAM\n" /* it took nothing */
                         "100000000-1ffffffff : Unusable memory\n"
                         "200000000-23fffffff : Reserved\n";
    assert_int_equal(choose(older, "memmap=1G$0x200000000", 0x200000, 512, &w), 0);
}

PLAIN_TEST(the_devices_address_bits_bound_the_window)
{
    (void)state;
    struct window w;
    const char map[] = "00100000-7fffffff : System RAM\n"
                       "7fe0000000-10000000000 : Unusable memory\n";
    assert_int_equal(choose_below(BITS_39, map, "", 0, 0, &w), 0);
    assert_true(w.base == 0x7fe0000);
    assert_int_equal(w.pages, 0x20000);
    assert_int_equal(choose_below(BITS_39, map, "", BITS_39 - 512, 1024, &w), -EINVAL);
    assert_int_equal(choose_below(BITS_46, map, "", BITS_39 - 512, 1024, &w), 0);
    assert_int_equal(choose_below(BITS_46, map, "", 0, 0, &w), 0);
    assert_int_equal(w.pages, 1u << 18);
}

PLAIN_TEST(the_remedy_names_an_address_that_is_free_on_this_host)
{
    (void)state;
    struct window w;
    static const struct {
        const char *map;
        uint64_t ceiling;
        uint32_t pages;
        const char *remedy;
    } cases[] = {
        {linux_6_12, BITS_39, 0, "memmap=1G$0x7fc0000000 "},
        {linux_6_12, BITS_39, (1u << 18) + 512, "memmap=2G$0x7f80000000 "},
        /* A client of Intel: PCI has the upper half of 39 bits. */
        {"00100000-7fffffff : System RAM\n"
         "100000000-103fffffff : System RAM\n"
         "4000000000-7fffffffff : PCI Bus 0000:00\n",
         BITS_39, 0, "memmap=1G$0x3fc0000000 "},
        /* Not right behind RAM, of which it would be taken for a part. */
        {"00100000-3f7fffffff : System RAM\n"
         "4000000000-7fffffffff : PCI Bus 0000:00\n",
         BITS_39, 0, "memmap=1G$0x3fc0000000 "},
        {"00100000-3fbfffffff : System RAM\n"
         "4000000000-7fffffffff : PCI Bus 0000:00\n",
         BITS_39, 0, "dom0_mem="},
        {"00100000-ffffffffff : System RAM\n", BITS_39, 0, "dom0_mem="},
        {"00100000-ffffffffff : System RAM\n", BITS_46, 0, "memmap=1G$0x3fffc0000000 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(choose_below(cases[i].ceiling, cases[i].map, "", 0, cases[i].pages, &w),
                         -EINVAL);
        text_says(cases[i].remedy);
    }
}

/* Who follows the remedy has a window after the reboot. */
PLAIN_TEST(the_remedy_works)
{
    (void)state;
    struct window w;
    assert_int_equal(choose(linux_6_12, "", 0, 0, &w), -EINVAL);
    text_says("memmap=1G$0x7fc0000000 ");
    char map[sizeof(linux_6_12) + 64];
    snprintf(map, sizeof(map), "%s7fc0000000-7fffffffff : Reserved\n", linux_6_12);
    assert_int_equal(choose(map, "memmap=1G$0x7fc0000000", 0, 0, &w), 0);
    assert_true(w.base == 0x7fc0000);
    assert_int_equal(w.pages, 1u << 18);
}

PLAIN_TEST(more_than_there_is_is_refused)
{
    (void)state;
    struct window w;
    assert_int_equal(choose(linux_6_1, "", 0, 1u << 19, &w), -EINVAL);
    text_says("memmap=2G$0x7f80000000 ");
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
        {UINT64_MAX - 511, 512, "devices"},
        {UINT64_MAX - 511, 1024, "devices"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct window w;
        int ret = choose(linux_6_1, "", cases[i].base, cases[i].pages, &w);
        if (!cases[i].complaint) {
            assert_int_equal(ret, 0);
            assert_true(w.base == cases[i].base);
            continue;
        }
        assert_int_equal(ret, -EINVAL);
        text_says(cases[i].complaint);
    }
}

PLAIN_TEST(something_nested_spoils_a_range)
{
    (void)state;
    const char map[] = "100000000-13fffffff : Unusable memory\n"
                       "  110000000-1100fffff : 0000:00:02.0\n";
    struct window w;
    assert_int_equal(choose(map, "", 0, 0, &w), -EINVAL);
    assert_int_equal(choose(map, "", 0x110000, 512, &w), -EINVAL);
    assert_int_equal(choose(map, "", 0x120000, 512, &w), 0);
}

PLAIN_TEST(nonsense_is_no_map)
{
    (void)state;
    struct window w;
    assert_int_equal(choose("hello\n\n-: x\n", "", 0, 0, &w), -EINVAL);
}

/* What a process without the privilege sees. */
PLAIN_TEST(a_map_without_addresses_names_the_privilege)
{
    (void)state;
    struct window w;
    const char map[] = "00000000-00000000 : System RAM\n"
                       "00000000-00000000 : Unusable memory\n";
    assert_int_equal(choose(map, "", 0, 0, &w), -EPERM);
    text_says("CAP_SYS_ADMIN");
}
