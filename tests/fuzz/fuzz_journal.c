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

#define SINGLE_MAX 600u /* more than a page of records */
#define STRIDE     256u
#define COUNT_MAX  (50 * STRIDE)
#define AREA_MAX   5000u
#define OPS_MAX    256u
#define HEADER     104u /* bytes of the header on which something depends */

struct journal {
    char dir[64];
    char path[80];
    struct slots slots;
    struct slots_kind kind;
    struct record expected[COUNT_MAX]; /* as they were written */
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

static void take_one(struct input *in, struct slots *slots, bool offered)
{
    uint32_t s = slots_take(slots, &slots->pool[input_u8(in) % slots->pools]);
    if (s == SLOT_NONE) {
        return;
    }
    REQUIRE(slots_state(slots, s) == SLOT_FREE, "slot %u is handed out twice", s);
    uint32_t domid = input_u16(in) & 0x7fff;
    slots_set(slots, s,
              record_kind(domid, SLOT_MAPPED, offered, input_u8(in) & 1) |
                  (input_u64(in) & RECORD_GFN_MASK));
    slots->used++;
}

static void operate(struct input *in, struct slots *slots)
{
    for (unsigned i = 0; i < OPS_MAX && in->left; i++) {
        uint8_t op = input_u8(in);
        uint32_t s = slots_next(slots, input_u16(in) % slots->count);
        if (op % 5 < 2) {
            take_one(in, slots, op & 0x10);
            continue;
        }
        if (s == SLOT_NONE || slots_state(slots, s) == SLOT_FREE) {
            continue;
        }
        if (op % 5 == 2) {
            slots_free(slots, s);
            slots->used--;
        } else if (op % 5 == 3) {
            slots_give_up(slots, s, op & 0x10 ? SLOT_LEAKED : SLOT_TAKEN);
        } else {
            slots_set_held(slots, s, input_u64(in) & HELD_BFN_MAX, input_u32(in) & HELD_HANDLE_MAX);
        }
        REQUIRE(slots_sound(slots, s), "a record is not sound");
    }
}

static void read_kind(struct input *in, struct slots_kind *kind)
{
    *kind = (struct slots_kind){
        .window_base = input_u64(in),
        .count = 1 + input_u16(in) % SINGLE_MAX,
        .backend = input_u8(in),
        .area_size = input_u16(in) % AREA_MAX,
    };
    if (kind->backend & 1) {
        kind->stride = STRIDE;
        kind->count = STRIDE * (1 + kind->count % (COUNT_MAX / STRIDE));
    }
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
    memset(journal.expected, 0, sizeof(journal.expected));
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        journal.expected[s] = slots->record[s];
    }
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

/* Is a slot one whose record may have been cut short? */
static bool is_doubtful(const struct slots *slots, uint32_t s)
{
    bool doubtful = false;
    for (uint32_t i = 0; i < slots->maps->n && i < XENGT_BATCH_MAX; i++) {
        doubtful |= slots->maps->slot[i] == s;
    }
    return doubtful;
}

/* Reads all there is; the sanitizer sees whether it may. Returns whether all of it is sound. */
static bool look(const struct slots *slots)
{
    bool sound = slots->maps->n <= XENGT_BATCH_MAX && slots->unmaps->n <= XENGT_BATCH_MAX;
    uint64_t sum = 0;
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        sound &= slots_sound(slots, s) || is_doubtful(slots, s);
        sum += slots_state(slots, s) + slots_domid(slots, s) + slots_gfn(slots, s).v;
        sum += slots_offered(slots, s) + slots_bfn(slots, s) + slots_handle(slots, s);
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
                found->kind.stride == journal.kind.stride &&
                found->kind.backend == journal.kind.backend &&
                found->kind.area_size == journal.kind.area_size,
            "another kind");
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        REQUIRE(slots->record[s].what == journal.expected[s].what &&
                    slots->record[s].held == journal.expected[s].held,
                "another record");
    }
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
