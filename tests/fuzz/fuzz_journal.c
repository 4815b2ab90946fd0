/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal of the mappings: whatever the file holds that a predecessor left, opening it reports
 * damage or finds a table that makes sense, and a new one can be begun in its place. What was
 * written and not touched is found again; a header of which a byte was changed is not believed.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "slots.h"

#define COUNT_MAX 600u /* more than a page of records */
#define AREA_MAX  5000u
#define OPS_MAX   256u
#define HEADER    80u /* bytes of the header that mean something */

struct journal {
    char dir[64];
    char path[80];
    struct slots slots;
    struct slots_kind kind;
    uint64_t expected[COUNT_MAX]; /* the records as they were written */
};

static struct hv_error no_words;
static struct journal journal; /* one a process: libFuzzer calls with nothing but the input */

static void remove_dir(void)
{
    unlink(journal.path);
    rmdir(journal.dir);
}

/* On a tmpfs, as in use. */
static void make_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    if (journal.dir[0]) {
        return;
    }
    snprintf(journal.dir, sizeof(journal.dir), "%.40s/journal-XXXXXX", tmp ? tmp : "/dev/shm");
    REQUIRE(mkdtemp(journal.dir), "%s cannot be made", journal.dir);
    snprintf(journal.path, sizeof(journal.path), "%s/journal", journal.dir);
    atexit(remove_dir);
}

/* --- using it ---------------------------------------------------------------------------- */

static void operate(struct input *in, struct slots *slots)
{
    for (unsigned i = 0; i < OPS_MAX && in->left; i++) {
        uint8_t op = input_u8(in);
        uint32_t s = input_u16(in) % slots->count;
        switch (op % 6) {
        case 0:
        case 1:
            s = slots_reserve(slots, input_u16(in),
                              (struct xengt_gfn){input_u64(in) & XENGT_GFN_MAX});
            REQUIRE(s == SLOT_NONE ? slots->used == slots->count
                                   : slots_state(slots, s) == SLOT_RESERVED,
                    "slot %u of %u reserved, %u are used", s, slots->count, slots->used);
            break;
        case 2:
            slots_reserve_offered(slots, input_u16(in), input_u32(in));
            break;
        case 3:
            if (slots_state(slots, s) != SLOT_FREE) {
                held_clear(slots, s);
                slots_free(slots, s);
            }
            break;
        case 4:
            if (slots_state(slots, s) != SLOT_FREE) {
                slots_set_state(slots, s, SLOT_RESERVED + input_u8(in) % (SLOT_STATES - 1));
            }
            break;
        default:
            held_set(slots, s, input_u64(in) & HELD_BFN_MAX, input_u32(in), input_u32(in));
            REQUIRE(held_sound(slots, s), "what is held is not sound");
            break;
        }
    }
}

static void read_kind(struct input *in, struct slots_kind *kind)
{
    *kind = (struct slots_kind){
        .window_base = input_u64(in),
        .count = 1 + input_u16(in) % COUNT_MAX,
        .backend = input_u8(in),
        .area_size = input_u16(in) % AREA_MAX,
    };
}

/* --- what is in the file ----------------------------------------------------------------- */

static void write_raw(struct input *in)
{
    int fd = open(journal.path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0 && write(fd, in->data, in->left) == (ssize_t)in->left, "cannot write");
    close(fd);
}

static void write_valid(struct input *in)
{
    struct slots_found found;
    struct slots *slots = &journal.slots;
    unlink(journal.path);
    read_kind(in, &journal.kind);
    REQUIRE(!slots_open(slots, journal.dir, &found, &no_words) && !found.exists, "an empty folder");
    REQUIRE(!slots_begin(slots, &journal.kind), "no journal can be begun");
    operate(in, slots);
    memcpy(journal.expected, slots->record, slots->count * sizeof(*slots->record));
    slots_close(slots, false, journal.dir);
}

/* Changes some bytes, and may cut the end off. Returns whether the header is not what it was. */
static bool damage(struct input *in, bool *touched)
{
    uint8_t before[HEADER], after[HEADER] = {0};
    struct stat st;
    int fd = open(journal.path, O_RDWR);
    REQUIRE(fd >= 0 && !fstat(fd, &st), "the journal is gone");
    REQUIRE(pread(fd, before, HEADER, 0) == HEADER, "cannot read");
    uint8_t n = input_u8(in);
    *touched = n & 0xf;
    for (unsigned i = 0; i < (n & 7); i++) {
        off_t at = input_u32(in) % st.st_size;
        uint8_t byte = 0;
        REQUIRE(pread(fd, &byte, 1, n & 0x80 ? at % HEADER : at) == 1, "cannot read");
        byte ^= input_u8(in);
        REQUIRE(pwrite(fd, &byte, 1, n & 0x80 ? at % HEADER : at) == 1, "cannot write");
    }
    if (n & 8) {
        REQUIRE(!ftruncate(fd, input_u16(in)), "cannot cut");
    }
    ssize_t left = pread(fd, after, HEADER, 0);
    close(fd);
    return left != HEADER || memcmp(before, after, HEADER) != 0;
}

/* --- what is found ----------------------------------------------------------------------- */

/* Reads all there is; the sanitizer sees whether it may. Returns whether all records are sound. */
static bool look(const struct slots *slots)
{
    bool sound = true;
    uint64_t sum = 0;
    for (uint32_t s = 0; s < slots->count; s++) {
        sound &= slots_sound(slots, s);
        sum += slots_state(slots, s) + slots_domid(slots, s) + slots_gfn(slots, s).v;
        sum += slots_offered(slots, s) + held_bfn(slots, s) + held_sound(slots, s);
    }
    for (size_t i = 0; i < slots->area_size; i++) {
        sum += ((const uint8_t *)slots->area)[i];
    }
    return sound && sum != UINT64_MAX;
}

static void check_found(const struct slots *slots, const struct slots_found *found)
{
    struct stat st;
    REQUIRE(!stat(journal.path, &st) && (!found->exists || st.st_size > 0), "exists, or not");
    if (!found->readable) {
        REQUIRE(!found->exists || found->damaged, "neither readable nor damaged");
        return;
    }
    REQUIRE(slots->count == found->kind.count, "two counts");
    REQUIRE(look(slots) == !found->damaged, "a record that is not sound, and no damage, or none");
}

static void check_same(const struct slots *slots, const struct slots_found *found)
{
    REQUIRE(found->readable && !found->damaged && !found->other_boot, "damaged, untouched");
    REQUIRE(found->kind.count == journal.kind.count &&
                found->kind.window_base == journal.kind.window_base &&
                found->kind.backend == journal.kind.backend &&
                found->kind.area_size == journal.kind.area_size,
            "another kind");
    REQUIRE(!memcmp(slots->record, journal.expected, slots->count * sizeof(*slots->record)),
            "other records");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct slots *slots = &journal.slots;
    struct slots_found found;
    bool valid = input_u8(&in) & 1, touched = true, header = false;

    make_dir();
    if (valid) {
        write_valid(&in);
        header = damage(&in, &touched);
    } else {
        write_raw(&in);
    }
    REQUIRE(!slots_open(slots, journal.dir, &found, &no_words), "cannot be opened");
    check_found(slots, &found);
    REQUIRE(!header || !found.readable, "a damaged header is believed");
    if (valid && !touched) {
        check_same(slots, &found);
    }
    read_kind(&in, &journal.kind);
    REQUIRE(!slots_begin(slots, &journal.kind), "cannot be begun anew");
    REQUIRE(look(slots) && !slots->used, "a new journal is not empty");
    operate(&in, slots);
    slots_close(slots, true, journal.dir);
    return 0;
}
