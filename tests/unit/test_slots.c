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

/* The next free slot, with a record. */
static uint32_t add(struct slots *slots, uint32_t domid, uint64_t gfn, bool offered, bool read_only)
{
    uint32_t s = slots_take(slots, &slots->pool[0]);
    if (s != SLOT_NONE) {
        slots_set(slots, s, record_kind(domid, SLOT_MAPPED, offered, read_only) | gfn);
    }
    return s;
}

static void drop(struct slots *slots, uint32_t s)
{
    slots_free(slots, s);
}

PLAIN_TEST(records_keep_what_they_were_given)
{
    (void)state;
    struct slots slots;
    fresh(&slots, NULL, 16);
    for (int i = 0; i < 4; i++) {
        uint32_t s = add(&slots, 0x7fef, XENGT_GFN_MAX - (uint64_t)i, i & 1, i & 2);
        slots_set_held(&slots, s, HELD_BFN_MAX, HELD_HANDLE_MAX - (uint32_t)i);
        assert_true(slots_sound(&slots, s));
        assert_int_equal(slots_state(&slots, s), SLOT_MAPPED);
        assert_int_equal(slots_domid(&slots, s), 0x7fef);
        assert_true(slots_gfn(&slots, s).v == XENGT_GFN_MAX - (uint64_t)i);
        assert_true(slots_offered(&slots, s) == (i & 1) && slots_read_only(&slots, s) == i / 2);
        assert_true(slots_bfn(&slots, s) == HELD_BFN_MAX);
        assert_int_equal(slots_handle(&slots, s), HELD_HANDLE_MAX - (uint32_t)i);
    }
    slots_close(&slots, true, NULL);
}

PLAIN_TEST(all_slots_are_handed_out_once)
{
    (void)state;
    struct slots slots;
    bool seen[8] = {false};
    fresh(&slots, NULL, 8);
    for (int i = 0; i < 8; i++) {
        uint32_t s = add(&slots, 1, i, false, false);
        assert_in_range(s, 0, 7);
        assert_false(seen[s]);
        seen[s] = true;
    }
    assert_int_equal(add(&slots, 1, 9, false, false), SLOT_NONE);
    drop(&slots, 3);
    drop(&slots, 5);
    assert_int_equal(add(&slots, 1, 9, false, false), 5);
    assert_int_equal(add(&slots, 1, 9, false, false), 3);
    assert_int_equal(add(&slots, 1, 9, false, false), SLOT_NONE);
    slots_close(&slots, true, NULL);
}

PLAIN_TEST(a_leaked_slot_is_never_handed_out)
{
    (void)state;
    struct slots slots;
    fresh(&slots, NULL, 2);
    uint32_t s = add(&slots, 1, 1, false, false);
    slots_give_up(&slots, s, SLOT_LEAKED);
    assert_int_equal(slots.leaked, 1);
    assert_true(slots_sound(&slots, s) && slots_state(&slots, s) == SLOT_LEAKED);
    assert_int_not_equal(add(&slots, 1, 2, false, false), s);
    assert_int_equal(add(&slots, 1, 3, false, false), SLOT_NONE);
    slots_close(&slots, true, NULL);
}

/* Each pool has slots of its own, whose records take no memory before the first is used. */
TEST_WITH(pools_are_apart, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    const struct slots_kind kind = {.count = 70 * 512, .stride = 512};
    for (int round = 0; round < 2; round++) {
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_int_equal(round ? slots_continue(&slots) : slots_begin(&slots, &kind), 0);
        assert_int_equal(slots.used, round ? 2 * 300 : 0);
        for (uint32_t p = 3; p < 70; p += 60) {
            for (uint32_t i = round ? 300 : 0; i < (round ? 512 : 300); i++) {
                uint32_t s = slots_take(&slots, &slots.pool[p]);
                assert_int_equal(s, p * 512 + i);
                slots_set(&slots, s, record_kind(1, SLOT_MAPPED, false, false) | i);
            }
        }
        uint32_t n = 0;
        for (uint32_t s = 0; (s = slots_next(&slots, s)) != SLOT_NONE; s++) {
            n++;
        }
        assert_int_equal(n, round ? 2 * 512 : 2 * 300);
        if (round) {
            assert_int_equal(slots_take(&slots, &slots.pool[3]), SLOT_NONE);
            assert_int_equal(slots_take(&slots, &slots.pool[4]), 4 * 512);
        }
        slots_close(&slots, false, NULL);
    }
}

/* What a killed process leaves: nothing is closed, the file is as it was at that instant. */
TEST_WITH(a_successor_finds_the_records, make_dir, remove_dir)
{
    struct slots dead;
    struct slots heir;
    struct slots_found found;
    fresh(&dead, *state, 32);
    add(&dead, 5, 77, false, false);
    slots_set_held(&dead, add(&dead, 6, 78, false, true), 99, 7);

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
    assert_true(slots_read_only(&heir, 1) && slots_bfn(&heir, 1) == 99);
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

static void damage_is_noticed(const char *dir, off_t at, bool record)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, dir, 32);
    slots_set_held(&slots, add(&slots, 5, 77, false, false), 0x1234, 5);
    at += record ? (char *)slots.record - (char *)slots.file : 0;
    slots_close(&slots, false, NULL);
    flip_byte(dir, at);
    assert_int_equal(slots_open(&slots, dir, &found, &no_words), 0);
    assert_true(found.exists);
    assert_true(found.damaged);
    assert_int_equal(found.readable, record);
    slots_close(&slots, false, NULL);
}

TEST_WITH(a_damaged_header_is_not_believed, make_dir, remove_dir)
{
    damage_is_noticed(*state, 0, false);  /* magic */
    damage_is_noticed(*state, 8, false);  /* version */
    damage_is_noticed(*state, 12, false); /* count */
    damage_is_noticed(*state, 17, false); /* window */
    damage_is_noticed(*state, 24, false); /* back end */
    damage_is_noticed(*state, 29, false); /* area */
    damage_is_noticed(*state, 40, false); /* boot */
    damage_is_noticed(*state, 97, false); /* pools */
}

TEST_WITH(a_damaged_record_is_not_believed, make_dir, remove_dir)
{
    for (off_t byte = 0; byte < 16; byte++) {
        damage_is_noticed(*state, byte, true);
    }
}

/* For any record: the change of one byte changes a sum of products by more than is left out of it.
 */
PLAIN_TEST(no_changed_byte_is_overlooked)
{
    (void)state;
    const uint64_t step = UINT64_C(1) << RECORD_CHECK_SHIFT;
    for (unsigned byte = 0; byte < 8; byte++) {
        for (uint64_t d = 1; d < 256; d++) {
            uint64_t held = (d << 8 * byte) * RECORD_HELD_FACTOR;
            assert_true(held >= step && -held >= step);
            if (byte == 7 || (byte == 6 && d >= 128)) {
                continue; /* the check itself */
            }
            uint64_t what = (d << 8 * byte) * RECORD_WHAT_FACTOR;
            /* Of the byte that has a bit of the check, too, by more than that bit. */
            uint64_t least = byte == 6 ? 2 * step : step;
            assert_true(what >= least && -what >= least);
        }
    }
}

PLAIN_TEST(a_record_that_strayed_is_not_sound)
{
    (void)state;
    struct slots slots;
    fresh(&slots, NULL, 512);
    uint32_t s = add(&slots, 5, 77, false, false);
    slots_set_held(&slots, s, 1, 2);
    for (uint32_t other = s + 1; other < s + 9; other++) {
        slots.record[other] = slots.record[s];
        assert_false(slots_sound(&slots, other));
    }
    slots_close(&slots, true, NULL);
}

/* A kill between the two words of a record, of a slot that a hypercall is about. */
TEST_WITH(a_record_in_flight_may_be_cut_short, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    for (uint32_t n = 0; n < 2; n++) {
        fresh(&slots, *state, 32);
        uint32_t s = add(&slots, 5, 77, false, false);
        slots.record[s].held = 0x1234;
        slots.maps->slot[0] = s;
        flight_set(slots.maps, n);
        slots_close(&slots, false, NULL);
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_true(found.readable && found.damaged == !n);
        slots_close(&slots, false, NULL);
    }
}

/* A recovery writes to what it reads, and none of it reaches the file. */
TEST_WITH(a_recovery_that_is_killed_loses_nothing, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    uint32_t s = add(&slots, 5, 77, false, false);
    slots_set_held(&slots, s, 1, 2);
    slots_close(&slots, false, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
        assert_true(slots_sound(&slots, s));
        assert_int_equal(slots_handle(&slots, s), 2);
        slots_free(&slots, s);
        memset(slots.area, 0xff, AREA);
        slots_close(&slots, false, NULL);
    }
}

/* What a slot was used for is known while it is free, and after a kill. */
TEST_WITH(a_free_slot_has_a_past, make_dir, remove_dir)
{
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    add(&slots, 5, 76, false, false);
    uint32_t s = add(&slots, 5, UINT32_MAX, false, false);
    record_free(&slots.record[s], record_past(UINT32_MAX), slots.pool[0].free);
    slots.pool[0].free = s;
    slots_close(&slots, false, NULL);
    assert_int_equal(slots_open(&slots, *state, &found, &no_words), 0);
    assert_true(found.readable && !found.damaged);
    assert_int_equal(slots_continue(&slots), 0);
    assert_int_equal(slots.used, 1);
    assert_int_equal(slots_take(&slots, &slots.pool[0]), s);
    assert_true((slots.record[s].held & ~(uint64_t)SLOT_NONE) == record_past(UINT32_MAX));
    slots_untake(&slots, s);
    assert_true((slots.record[s].held & ~(uint64_t)SLOT_NONE) == record_past(UINT32_MAX));
    slots_close(&slots, false, NULL);
}

TEST_WITH(a_truncated_file_is_not_believed, make_dir, remove_dir)
{
    char path[128];
    struct slots slots;
    struct slots_found found;
    fresh(&slots, *state, 32);
    slots_close(&slots, false, NULL);
    journal_path(*state, path, sizeof(path));
    for (off_t size = 1; size < 4096 * 13; size += 1533) {
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
