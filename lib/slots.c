/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The slot table, and the file that its records are in. */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define RECORD_BODY_MASK ((UINT64_C(1) << RECORD_CHECK_SHIFT) - 1)
#define HELD_CHECK_SHIFT 40

#define JOURNAL_MAGIC   UINT64_C(0x316c6e6a74676e78) /* "xngtjnl1", little endian */
#define JOURNAL_VERSION 2u
#define HEADER_SIZE     4096u
#define BOOT_ID_SIZE    40u
#define SLOTS_MAX       (1u << 24) /* 64 GiB of guests' memory: no journal of ours has more */
#define AREA_MAX        (1u << 24)

struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t window_base;
    uint32_t backend;
    uint32_t area_size;
    char boot_id[BOOT_ID_SIZE]; /* of the kernel: mappings end with the domain that has them */
    uint64_t check;             /* of the members above */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ (x >> 29);
}

static uint64_t header_check(const struct header *h)
{
    const uint64_t *word = (const uint64_t *)h;
    uint64_t check = 0;
    for (size_t i = 0; i < offsetof(struct header, check) / sizeof(*word); i++) {
        check = mix(check + word[i]) + i;
    }
    return check;
}

static uint64_t record_make(uint32_t domid, uint64_t gfn, enum slot_state state, bool offered)
{
    uint64_t body = gfn | (uint64_t)domid << RECORD_DOMID_SHIFT |
                    (uint64_t)state << RECORD_STATE_SHIFT |
                    (uint64_t)offered << RECORD_OFFERED_SHIFT;
    return body | mix(body) << RECORD_CHECK_SHIFT;
}

bool slots_sound(const struct slots *slots, uint32_t s)
{
    uint64_t record = slots->record[s];
    uint64_t body = record & RECORD_BODY_MASK;
    return record == 0 || (record == (body | mix(body) << RECORD_CHECK_SHIFT) &&
                           slots_state(slots, s) < SLOT_STATES);
}

/* One store moves a slot on: the file never shows half a record. */
static void record_store(struct slots *slots, uint32_t s, uint64_t record)
{
    __atomic_store_n(&slots->record[s], record, __ATOMIC_RELEASE);
}

void slots_set_state(struct slots *slots, uint32_t s, enum slot_state state)
{
    if (state == SLOT_LEAKED || state == SLOT_TAKEN) {
        slots->leaked++;
    }
    record_store(
        slots, s,
        record_make(slots_domid(slots, s), slots_gfn(slots, s).v, state, slots_offered(slots, s)));
}

/* --- what is held ------------------------------------------------------------------------ */

/* The slot is part of it: an entry that strayed to another place is not believed either. */
static uint64_t held_check(uint32_t s, uint64_t bfn, uint32_t handle, uint32_t ref)
{
    uint64_t check = mix(bfn + mix((uint64_t)handle << 32 | ref) + mix(s + UINT64_C(1)));
    return check << HELD_CHECK_SHIFT | UINT64_C(1) << 63; /* never all zero: that is "nothing" */
}

/* The check is stored last: an entry that was cut short by a kill is recognised. */
void held_set(struct slots *slots, uint32_t s, uint64_t bfn, uint32_t handle, uint32_t ref)
{
    struct held *h = &slots->held[s];
    h->handle = handle;
    h->ref = ref;
    __atomic_store_n(&h->bfn, bfn | held_check(s, bfn, handle, ref), __ATOMIC_RELEASE);
}

void held_clear(struct slots *slots, uint32_t s)
{
    struct held *h = &slots->held[s];
    __atomic_store_n(&h->bfn, 0, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    h->handle = 0;
    h->ref = 0;
}

bool held_sound(const struct slots *slots, uint32_t s)
{
    const struct held *h = &slots->held[s];
    uint64_t bfn = h->bfn & HELD_BFN_MAX;
    return h->bfn == 0 || h->bfn == (bfn | held_check(s, bfn, h->handle, h->ref));
}

/* --- the file ---------------------------------------------------------------------------- */

static size_t page_up(size_t size)
{
    return (size + XENGT_PAGE_SIZE - 1) / XENGT_PAGE_SIZE * XENGT_PAGE_SIZE;
}

static size_t held_offset(uint32_t count)
{
    return HEADER_SIZE + page_up((size_t)count * sizeof(uint64_t));
}

static size_t area_offset(uint32_t count)
{
    return held_offset(count) + page_up((size_t)count * sizeof(struct held));
}

static size_t journal_size(uint32_t count, uint32_t area_size)
{
    return area_offset(count) + page_up(area_size);
}

static void point_into(struct slots *slots, void *file, uint32_t count, uint32_t area_size)
{
    slots->file = file;
    slots->file_size = journal_size(count, area_size);
    slots->count = count;
    slots->record = (uint64_t *)((char *)file + HEADER_SIZE);
    slots->held = (struct held *)((char *)file + held_offset(count));
    slots->area = (char *)file + area_offset(count);
    slots->area_size = area_size;
}

/* All zero when it cannot be read, which says nothing of what it is. */
static void read_boot_id(char id[BOOT_ID_SIZE])
{
    memset(id, 0, BOOT_ID_SIZE);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, id, BOOT_ID_SIZE - 1) < 0) {
            id[0] = '\0';
        }
        close(fd);
    }
}

static bool is_other_boot(const char then[BOOT_ID_SIZE])
{
    char now[BOOT_ID_SIZE];
    read_boot_id(now);
    return now[0] && then[0] && memcmp(now, then, sizeof(now)) != 0;
}

/*
 * A file that is all zero was being made when the process was killed: its header is written last,
 * and nothing is mapped before that.
 */
static bool is_blank(const struct slots *slots, off_t size)
{
    static const char zero[XENGT_PAGE_SIZE];
    char page[XENGT_PAGE_SIZE];
    for (off_t at = 0; at < size;) {
        ssize_t n = pread(slots->fd, page, sizeof(page), at);
        if (n <= 0 || memcmp(page, zero, n) != 0) {
            return false;
        }
        at += n;
    }
    return true;
}

/* Reads what a predecessor left; on any doubt the file is called damaged, never believed. */
static int look_at_predecessor(struct slots *slots, off_t size, struct slots_found *found)
{
    struct header h;
    found->exists = true;
    found->damaged = true;
    if (pread(slots->fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.magic != JOURNAL_MAGIC ||
        h.version != JOURNAL_VERSION || h.check != header_check(&h)) {
        return 0;
    }
    found->other_boot = is_other_boot(h.boot_id);
    found->kind = (struct slots_kind){
        .window_base = h.window_base,
        .count = h.count,
        .backend = h.backend,
        .area_size = h.area_size,
    };
    if (h.count > SLOTS_MAX || h.area_size > AREA_MAX ||
        (size_t)size != journal_size(h.count, h.area_size)) {
        return 0;
    }
    /* Where the file has a hole, looking at it takes memory, too. */
    int ret = -posix_fallocate(slots->fd, 0, size);
    if (ret) {
        return ret;
    }
    void *file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, slots->fd, 0);
    if (file == MAP_FAILED) {
        return -errno;
    }
    point_into(slots, file, h.count, h.area_size);
    found->readable = true;
    found->damaged = false;
    for (uint32_t s = 0; s < h.count; s++) {
        if (!slots_sound(slots, s)) {
            found->damaged = true;
        }
    }
    return 0;
}

static void unmap_file(struct slots *slots)
{
    if (slots->file) {
        munmap(slots->file, slots->file_size);
    }
    slots->file = NULL;
    slots->record = NULL;
    slots->held = NULL;
    slots->area = NULL;
}

int slots_open(struct slots *slots, const char *dir, struct slots_found *found,
               struct hv_error *error)
{
    *slots = (struct slots){.fd = -1, .free = SLOT_NONE};
    *found = (struct slots_found){0};
    if (!dir) {
        return 0;
    }
    slots->fd = state_file(dir, "journal", error);
    if (slots->fd < 0) {
        return slots->fd;
    }
    struct stat st;
    if (fstat(slots->fd, &st)) {
        return -errno;
    }
    int ret = st.st_size > 0 && !is_blank(slots, st.st_size)
                  ? look_at_predecessor(slots, st.st_size, found)
                  : 0;
    if (ret) {
        hv_error(error, "journal in '%s' cannot be read: %s", dir, strerror(-ret));
    }
    return ret;
}

/* Makes the file anew. */
static int make_file(struct slots *slots, const struct slots_kind *kind)
{
    size_t size = journal_size(kind->count, kind->area_size);
    return ftruncate(slots->fd, 0) || ftruncate(slots->fd, (off_t)size) ? -errno : 0;
}

static int map_file(struct slots *slots, uint32_t count, uint32_t area_size)
{
    /* All of it gets its memory now: on a tmpfs without room a store would end the process. */
    int ret =
        slots->fd >= 0 ? -posix_fallocate(slots->fd, 0, (off_t)journal_size(count, area_size)) : 0;
    if (ret) {
        return ret;
    }
    int flags = slots->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *file =
        mmap(NULL, journal_size(count, area_size), PROT_READ | PROT_WRITE, flags, slots->fd, 0);
    if (file == MAP_FAILED) {
        return -errno;
    }
    point_into(slots, file, count, area_size);
    /* The hypervisor reads and writes the area and cannot wait for a page to come. */
    if (area_size && mlock(slots->area, area_size)) {
        return -errno;
    }
    /* Pages of the array are taken when slots are first used, not now. */
    slots->slot = mmap(NULL, count * sizeof(struct slot), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots->slot == MAP_FAILED) {
        slots->slot = NULL;
        return -ENOMEM;
    }
    slots->used = slots->leaked = slots->fresh = 0;
    slots->free = SLOT_NONE;
    return 0;
}

int slots_begin(struct slots *slots, const struct slots_kind *kind)
{
    unmap_file(slots);
    int ret = slots->fd >= 0 ? make_file(slots, kind) : 0;
    ret = ret ? ret : map_file(slots, kind->count, kind->area_size);
    if (ret) {
        return ret;
    }
    struct header h = {
        .magic = JOURNAL_MAGIC,
        .version = JOURNAL_VERSION,
        .count = kind->count,
        .window_base = kind->window_base,
        .backend = kind->backend,
        .area_size = kind->area_size,
    };
    read_boot_id(h.boot_id);
    h.check = header_check(&h);
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): mapped above */
    memcpy(slots->file, &h, sizeof(h));
    return 0;
}

int slots_continue(struct slots *slots)
{
    uint32_t count = slots->count;
    uint32_t area_size = slots->area_size;
    unmap_file(slots);
    int ret = map_file(slots, count, area_size);
    if (ret) {
        return ret;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): mapped above */
    while (count && !slots->record[count - 1]) {
        count--;
    }
    slots->fresh = count;
    for (uint32_t s = count; s-- > 0;) {
        slots->slot[s] = (struct slot){.hash_next = SLOT_NONE, .prev = SLOT_NONE};
        if (slots->record[s]) {
            slots->used++;
            slots->slot[s].next = SLOT_NONE;
        } else {
            slots->slot[s].next = slots->free;
            slots->free = s;
        }
    }
    return 0;
}

void slots_close(struct slots *slots, bool remove_file, const char *dir)
{
    char path[512];
    if (remove_file && dir && snprintf(path, sizeof(path), "%s/journal", dir) < (int)sizeof(path)) {
        unlink(path);
    }
    unmap_file(slots);
    if (slots->slot) {
        munmap(slots->slot, slots->count * sizeof(struct slot));
    }
    if (slots->fd >= 0) {
        close(slots->fd);
    }
    slots->slot = NULL;
    slots->fd = -1;
}

static uint32_t reserve(struct slots *slots, uint32_t domid, uint64_t frame, bool offered)
{
    uint32_t s = slots->free;
    if (s != SLOT_NONE) {
        slots->free = slots->slot[s].next;
    } else {
        while (slots->fresh < slots->count && slots->record[slots->fresh]) {
            slots->fresh++; /* retired before it was ever used */
        }
        if (slots->fresh == slots->count) {
            return SLOT_NONE;
        }
        s = slots->fresh++;
    }
    slots->used++;
    slots->slot[s] = (struct slot){.hash_next = SLOT_NONE, .prev = SLOT_NONE, .next = SLOT_NONE};
    record_store(slots, s, record_make(domid, frame, SLOT_RESERVED, offered));
    return s;
}

uint32_t slots_reserve(struct slots *slots, uint32_t domid, struct xengt_gfn gfn)
{
    return reserve(slots, domid, gfn.v, false);
}

uint32_t slots_reserve_offered(struct slots *slots, uint32_t domid, uint32_t gref)
{
    return reserve(slots, domid, gref, true);
}

void slots_free(struct slots *slots, uint32_t s)
{
    record_store(slots, s, 0);
    slots->slot[s].next = slots->free;
    slots->free = s;
    slots->used--;
}

void slots_retire(struct slots *slots, uint32_t first, uint32_t n)
{
    uint32_t *link = &slots->free;
    while (*link != SLOT_NONE) {
        if (*link - first < n) {
            *link = slots->slot[*link].next;
        } else {
            link = &slots->slot[*link].next;
        }
    }
    for (uint32_t s = first; s - first < n && s < slots->count; s++) {
        if (!slots->record[s]) {
            record_store(slots, s, record_make(0, 0, SLOT_TAKEN, false));
            slots->used++;
            slots->leaked++;
        }
    }
}
