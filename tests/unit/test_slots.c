/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The slot table and its journal file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test.h"

#include "slots.h"

#define BASE UINT64_C(0x100000)
#define AREA 5000u

static struct hv_error no_words;

static int make_dir(void **state)
{
    char *dir = test_malloc(64);
    snprintf(dir, 64, "/tmp/xengt-test-XXXXXX");
    *state = dir;
    return mkdtemp(dir) ? 0 : -1;
}

static void journal_path(const char *dir, char *path, size_t size)
{
    snprintf(path, size, "%s/journal", dir);
}

static int remove_dir(void **state)
{
    char path[128];
    journal_path(*state, path, sizeof(path));
    unlink(path);
    rmdir(*state);
    test_free(*state);
    return 0;
}

static struct xengt_gfn gfn(uint64_t v)
{
    return (struct xengt_gfn){v};
}

static void fresh(struct slots *slots, const char *dir, uint32_t count)
{
    struct slots_found found;
    assert_int_equal(slots_open(slots, dir, &found, &no_words), 0);
    const struct slots_kind kind = {
        .window_base = BASE,
        .count = count,
        .backend = 7,
        .area_size = AREA,
    };
    assert_int_equal(slots_begin(slots, &kind), 0);
}

PLAIN_TEST(records_keep_what_they_were_given)
{
    (void)state;
    struct slots slots;
    fresh(&slots, NULL, 16);
    uint32_t s = slots_reserve(&slots, 0x7fef, gfn(XENGT_GFN_MAX));
    assert_int_equal(slots_state(&slots, s), SLOT_RESERVED);
    assert_int_equal(slots_domid(&slots, s), 0x7fef);
    assert_true(slots_gfn(&slots, s).v == XENGT_GFN_MAX);
    slots_set_state(&slots, s, SLOT_MAPPED);
    assert_int_equal(slots_state(&slots, s), SLOT_MAPPED);
    assert_int_equal(slots_domid(&slots, s), 0x7fef);
    assert_true(slots_gfn(&slots, s).v == XENGT_GFN_MAX);
    slots_close(&slots, true, NULL);
}

PLAIN_TEST(all_slots_are_handed_out_once)
{
    (void)state;
    struct slots slots;
    bool seen[8] = {false};
    fresh(&slots, NULL, 8);
    for (int i = 0; i < 8; i++) {
        uint32_t s = slots_reserve(&slots, 1, gfn(i));
        assert_in_range(s, 0, 7);
        assert_false(seen[s]);
        seen[s] = true;
    }
    assert_int_equal(slots_reserve(&slots, 1, gfn(9)), SLOT_NONE);
    slots_free(&slots, 3);
    assert_int_equal(slots_reserve(&slots, 1, gfn(9)), 3);
    slots_close(&slots, true, NULL);
}

PLAIN_TEST(a_leaked_slot_is_never_handed_out)
{
    (void)state;
    struct slots slots;
    fresh(&slots, NULL, 2);
    uint32_t s = slots_reserve(&slots, 1, gfn(1));
    slots_set_state(&slots, s, SLOT_LEAKED);
    assert_int_equal(slots.leaked, 1);
    assert_int_not_equal(slots_reserve(&slots, 1, gfn(2)), s);
    assert_int_equal(slots_reserve(&slots, 1, gfn(3)), SLOT_NONE);
    slots_close(&slots, true, NULL);
}

/* What a killed process leaves: nothing is closed, the file is as it was at that instant. */
TEST_WITH(a_successor_finds_the_records, make_dir, remove_dir)
{
    struct slots dead;
    struct slots heir;
    struct slots_found found;
    fresh(&dead, *state, 32);
    slots_set_state(&dead, slots_reserve(&dead, 5, gfn(77)), SLOT_MAPPED);
    slots_reserve(&dead, 6, gfn(78));

    assert_int_equal(slots_open(&heir, *state, &found, &no_words), 0);
    assert_true(found.exists);
    assert_false(found.damaged);
    assert_true(found.readable);
    assert_false(found.other_boot);
    assert_true(found.kind.window_base == BASE);
    assert_int_equal(found.kind.count, 32);
    assert_int_equal(found.kind.backend, 7);
    assert_int_equal(found.kind.area_size, AREA);
    assert_int_equal(slots_state(&heir, 0), SLOT_MAPPED);
    assert_int_equal(slots_domid(&heir, 0), 5);
    assert_int_equal(slots_state(&heir, 1), SLOT_RESERVED);
    assert_int_equal(slots_state(&heir, 2), SLOT_FREE);
    slots_close(&heir, false, NULL);
    slots_close(&dead, false, NULL);
}

static void flip_byte(const char *dir, off_t at)
{
    char path[128];
    unsigned char byte;
    journal_path(dir, path, sizeof(path));
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damage_is_noticed(const char *dir, off_t at)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, dir, 32);
    slots_set_state(&slots, slots_reserve(&slots, 5, gfn(77)), SLOT_MAPPED);
    slots_close(&slots, false, NULL);
    flip_byte(dir, at);
    assert_int_equal(slots_open(&slots, dir, &found, &no_words), 0);
    assert_true(found.exists);
    assert_true(found.damaged);
    assert_int_equal(found.readable, at >= 4096);
    slots_close(&slots, false, NULL);
}

TEST_WITH(a_damaged_header_is_not_believed, make_dir, remove_dir)
{
    damage_is_noticed(*state, 0);  /* magic */
    damage_is_noticed(*state, 8);  /* version */
    damage_is_noticed(*state, 12); /* count */
    damage_is_noticed(*state, 17); /* window */
    damage_is_noticed(*state, 24); /* back end */
    damage_is_noticed(*state, 29); /* area */
    damage_is_noticed(*state, 40); /* boot */
}

TEST_WITH(a_damaged_record_is_not_believed, make_dir, remove_dir)
{
    for (off_t byte = 0; byte < 8; byte++) {
        damage_is_noticed(*state, 4096 + byte);
    }
}

TEST_WITH(what_is_held_is_checked, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    uint32_t s = slots_reserve(&slots, 5, gfn(77));
    assert_true(held_empty(&slots, s) && held_sound(&slots, s));
    held_set(&slots, s, HELD_BFN_MAX, 0, UINT32_MAX);
    assert_true(held_sound(&slots, s) && !held_empty(&slots, s));
    assert_true(held_bfn(&slots, s) == HELD_BFN_MAX);
    slots.held[s + 1] = slots.held[s]; /* strayed */
    assert_false(held_sound(&slots, s + 1));
    held_set(&slots, s + 2, 0, 0, 0);
    assert_false(held_empty(&slots, s + 2));
    held_clear(&slots, s + 2);
    assert_true(held_empty(&slots, s + 2));
    memset(slots.area, 0x5a, AREA);
    slots_close(&slots, false, NULL);

    for (off_t byte = 0; byte < 16; byte++) {
        off_t at = 4096 + 4096 + byte;
        flip_byte(*state, at);
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_true(found.exists && !found.damaged);
        assert_false(held_sound(&slots, s));
        assert_int_equal(((unsigned char *)slots.area)[AREA - 1], 0x5a);
        slots_close(&slots, false, NULL);
        flip_byte(*state, at);
    }
}

/* A recovery writes to what it reads, and none of it reaches the file. */
TEST_WITH(a_recovery_that_is_killed_loses_nothing, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    uint32_t s = slots_reserve(&slots, 5, gfn(77));
    held_set(&slots, s, 1, 2, 3);
    slots_close(&slots, false, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_true(held_sound(&slots, s));
        assert_int_equal(slots.held[s].handle, 2);
        held_clear(&slots, s);
        memset(slots.area, 0xff, AREA);
        slots_close(&slots, false, NULL);
    }
}

PLAIN_TEST(an_offered_slot_says_so)
{
    (void)state;
    struct slots slots;
    fresh(&slots, NULL, 4);
    uint32_t s = slots_reserve_offered(&slots, 3, UINT32_MAX);
    uint32_t plain = slots_reserve(&slots, 3, gfn(1));
    assert_true(slots_offered(&slots, s));
    assert_false(slots_offered(&slots, plain));
    slots_set_state(&slots, s, SLOT_MAPPED);
    assert_true(slots_offered(&slots, s) && slots_sound(&slots, s));
    assert_int_equal(slots_state(&slots, s), SLOT_MAPPED);
    assert_true(slots_gfn(&slots, s).v == UINT32_MAX);
    slots_close(&slots, true, NULL);
}

TEST_WITH(a_truncated_file_is_not_believed, make_dir, remove_dir)
{
    char path[128];
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    slots_close(&slots, false, NULL);
    journal_path(*state, path, sizeof(path));
    for (off_t size = 1; size < 4096 * 5; size += 511) {
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_true(found.exists && found.damaged);
        slots_close(&slots, false, NULL);
    }
}

/* Killed while the file was being made. */
TEST_WITH(a_file_without_a_header_yet_holds_nothing, make_dir, remove_dir)
{
    char path[128];
    struct slots slots;
    struct slots_found found;
    journal_path(*state, path, sizeof(path));
    for (off_t size = 0; size < 60000; size += 10001) {
        fresh(&slots, *state, 32);
        slots_close(&slots, false, NULL);
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_false(found.exists);
        slots_close(&slots, false, NULL);
        if (size) {
            flip_byte(*state, size - 1);
            assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
            assert_true(found.exists && found.damaged);
            slots_close(&slots, false, NULL);
        }
    }
}

TEST_WITH(a_clean_close_leaves_nothing, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    slots_close(&slots, true, *state);
    assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
    assert_false(found.exists);
    slots_close(&slots, true, *state);
}
