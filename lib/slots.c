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

#define JOURNAL_MAGIC   UINT64_C(0x316c6e6a74676e78) /* "xngtjnl1", little endian */
#define JOURNAL_VERSION 3u
#define HEADER_SIZE     4096u
#define BOOT_ID_SIZE    40u
#define AREA_MAX        (1u << 24)
#define STRIDE_MIN      (XENGT_PAGE_SIZE / (uint32_t)sizeof(struct record))

#define READY_BITS  40u /* in a word of them */
#define READY_MASK  ((UINT64_C(1) << READY_BITS) - 1)
#define READY_WORDS ((POOLS_MAX + READY_BITS - 1) / READY_BITS)

struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t window_base;
    uint32_t backend;
    uint32_t area_size;
    uint32_t stride;
    uint32_t unused;
    char boot_id[BOOT_ID_SIZE];  /* of the kernel: mappings end with the domain that has them */
    uint64_t check;              /* of the members above */
    uint64_t ready[READY_WORDS]; /* pools whose records have memory, and a check above them */
    uint16_t owner[POOLS_MAX];   /* nothing depends on these being right */
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

/* --- the pools that are in use ----------------------------------------------------------- */

static uint64_t ready_make(uint64_t pools)
{
    return pools | mix(pools + 1) << READY_BITS;
}

static bool is_ready(const struct slots *slots, uint32_t p)
{
    const struct header *h = slots->file;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is mapped */
    return h->ready[p / READY_BITS] >> p % READY_BITS & 1;
}

static bool is_ready_sound(const struct header *h)
{
    for (unsigned i = 0; i < READY_WORDS; i++) {
        if (h->ready[i] != ready_make(h->ready[i] & READY_MASK)) {
            return false;
        }
    }
    return true;
}

static size_t page_up(size_t size)
{
    return (size + XENGT_PAGE_SIZE - 1) / XENGT_PAGE_SIZE * XENGT_PAGE_SIZE;
}

#define FLIGHT_SIZE page_up(sizeof(struct flight))
#define AREA_OFFSET (HEADER_SIZE + 2 * FLIGHT_SIZE)

static size_t records_offset(uint32_t area_size)
{
    return AREA_OFFSET + page_up(area_size);
}

static size_t journal_size(uint32_t count, uint32_t area_size)
{
    return records_offset(area_size) + page_up(count * sizeof(struct record));
}

/* A part of the file gets its memory: on a tmpfs without room a store would end the process. */
static int reserve_file(const struct slots *slots, size_t first, size_t end)
{
    return slots->fd < 0 ? 0 : -posix_fallocate(slots->fd, (off_t)first, (off_t)(end - first));
}

static int reserve_pool(const struct slots *slots, uint32_t p)
{
    size_t first = records_offset((uint32_t)slots->area_size);
    const struct pool *pool = &slots->pool[p];
    uint32_t end = p + 1 < slots->pools ? slots->pool[p + 1].first : slots->count;
    return reserve_file(slots, first + pool->first * sizeof(struct record),
                        first + page_up(end * sizeof(struct record)));
}

/* What comes after the last slot of a pool once it is ready. */
static uint32_t end_of(const struct slots *slots, uint32_t p)
{
    return p + 1 < slots->pools ? slots->pool[p + 1].first : slots->count;
}

static int make_ready(struct slots *slots, uint32_t p)
{
    struct header *h = slots->file;
    int ret = reserve_pool(slots, p);
    if (!ret) {
        uint64_t *word = &h->ready[p / READY_BITS];
        uint64_t bits = (*word & READY_MASK) | UINT64_C(1) << p % READY_BITS;
        __atomic_store_n(word, ready_make(bits), __ATOMIC_RELEASE);
        slots_order();
        slots->pool[p].end = end_of(slots, p);
    }
    return ret;
}

/* All pools, none of them ready. */
static void lay_out_pools(struct slots *slots, uint32_t stride)
{
    slots->pool_shift = stride ? (unsigned)__builtin_ctz(stride) : 31;
    slots->pools = stride ? slots->count / stride : 1;
    for (uint32_t p = 0; p < slots->pools; p++) {
        uint32_t first = p * stride;
        slots->pool[p] = (struct pool){first, first, first, SLOT_NONE};
    }
}

/* Can there be such pools? */
static bool is_stride(uint32_t stride, uint32_t count)
{
    return !stride || (stride >= STRIDE_MIN && !(stride & (stride - 1)) && count % stride == 0 &&
                       count / stride <= POOLS_MAX);
}

/* --- slots ------------------------------------------------------------------------------- */

bool slots_sound(const struct slots *slots, uint32_t s)
{
    const struct record *r = &slots->record[s];
    return r->what == 0 || (r->what == record_check(s, r->what & RECORD_BODY_MASK, r->held) &&
                            slots_state(slots, s) != SLOT_FREE);
}

uint32_t slots_take_fresh(struct slots *slots, struct pool *pool)
{
    if (pool->end == pool->first && make_ready(slots, (uint32_t)(pool - slots->pool))) {
        return SLOT_NONE;
    }
    while (pool->fresh < pool->end && slots->record[pool->fresh].what) {
        pool->fresh++; /* retired before it was ever used */
    }
    return pool->fresh < pool->end ? pool->fresh++ : SLOT_NONE;
}

void slots_set_owner(struct slots *slots, const struct pool *pool, uint32_t domid)
{
    ((struct header *)slots->file)->owner[pool - slots->pool] = (uint16_t)domid;
}

uint32_t slots_owner(const struct slots *slots, const struct pool *pool)
{
    return ((const struct header *)slots->file)->owner[pool - slots->pool];
}

uint32_t slots_take_some(struct slots *slots, struct pool *pool, uint32_t *slot, uint32_t n)
{
    const struct record *record = slots->record;
    uint32_t count = 0;
    uint32_t s = pool->free;
    for (; count < n && s != SLOT_NONE; s = record[s].held & SLOT_NONE) {
        slot[count++] = s;
    }
    pool->free = s;
    while (count < n && (s = slots_take_fresh(slots, pool)) != SLOT_NONE) {
        slot[count++] = s++;
        /* Those behind it, as long as none has been retired. */
        while (count < n && s < pool->end && !record[s].what) {
            slot[count++] = s++;
        }
        pool->fresh = s;
    }
    return count;
}

void slots_refill(struct slots *slots, struct pool *pool)
{
    const struct record *last = &slots->record[pool->fresh];
    while (pool->fresh > pool->first && !(--last)->what && !(last->held & RECORD_HAS_PAST)) {
        pool->fresh--;
    }
    pool->free = SLOT_NONE;
    for (uint32_t s = pool->fresh; s-- > pool->first;) {
        if (!slots->record[s].what) {
            slots_untake(slots, s);
        }
    }
}

uint32_t slots_next(const struct slots *slots, uint32_t s)
{
    while (s < slots->count) {
        uint32_t p = s >> slots->pool_shift;
        if (s < slots->pool[p].fresh) {
            return s;
        }
        s = end_of(slots, p);
    }
    return SLOT_NONE;
}

void slots_give_up(struct slots *slots, uint32_t s, enum slot_state state)
{
    struct record *r = &slots->record[s];
    uint64_t body = r->what & RECORD_BODY_MASK & ~(UINT64_C(3) << RECORD_STATE_SHIFT);
    body |= (uint64_t)state << RECORD_STATE_SHIFT;
    record_store(&r->what, record_check(s, body, r->held));
    slots->leaked++;
}

void slots_retire(struct slots *slots, uint32_t first, uint32_t n)
{
    uint32_t before = SLOT_NONE;
    for (uint32_t s = slots->pool[0].free; s != SLOT_NONE;) {
        uint32_t next = slots->record[s].held & SLOT_NONE;
        if (s - first >= n) {
            before = s;
        } else if (before == SLOT_NONE) {
            slots->pool[0].free = next;
        } else {
            slots->record[before].held = next;
        }
        s = next;
    }
    for (uint32_t s = first; s - first < n && s < slots->count; s++) {
        if (!slots->record[s].what) {
            slots_set(slots, s, record_kind(0, SLOT_TAKEN, false, false));
            slots->used++;
            slots->leaked++;
        }
    }
}

/* --- the file ---------------------------------------------------------------------------- */

static void point_into(struct slots *slots, void *file, const struct slots_kind *kind)
{
    char *base = file;
    slots->file = file;
    slots->file_size = journal_size(kind->count, kind->area_size);
    slots->count = kind->count;
    slots->maps = (struct flight *)(base + HEADER_SIZE);
    slots->unmaps = (struct flight *)(base + HEADER_SIZE + FLIGHT_SIZE);
    slots->area = base + AREA_OFFSET;
    slots->area_size = kind->area_size;
    slots->record = (struct record *)(base + records_offset(kind->area_size));
    lay_out_pools(slots, kind->stride);
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

/* The record of a slot in flight may have been cut short. */
static bool is_in_flight(const struct flight *flight, uint32_t s)
{
    for (uint32_t i = 0; i < flight->n && i < XENGT_BATCH_MAX; i++) {
        if (flight->slot[i] == s) {
            return true;
        }
    }
    return false;
}

static bool are_records_sound(const struct slots *slots)
{
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        if (!slots_sound(slots, s) && !is_in_flight(slots->maps, s)) {
            return false;
        }
    }
    return slots->maps->n <= XENGT_BATCH_MAX && slots->unmaps->n <= XENGT_BATCH_MAX;
}

/*
 * All that is looked at gets its memory: where the file has a hole, looking takes some, too. The
 * slots of the pools that are ready count as used, the others do not.
 */
static int reserve_ready(struct slots *slots)
{
    int ret = reserve_file(slots, 0, records_offset((uint32_t)slots->area_size));
    for (uint32_t p = 0; !ret && p < slots->pools; p++) {
        if (is_ready(slots, p)) {
            ret = reserve_pool(slots, p);
            slots->pool[p].end = slots->pool[p].fresh = end_of(slots, p);
        }
    }
    return ret;
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
        .stride = h.stride,
        .backend = h.backend,
        .area_size = h.area_size,
    };
    if (h.count > SLOTS_MAX || h.area_size > AREA_MAX || !is_stride(h.stride, h.count) ||
        (size_t)size != journal_size(h.count, h.area_size) || !is_ready_sound(&h)) {
        return 0;
    }
    void *file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, slots->fd, 0);
    if (file == MAP_FAILED) {
        return -errno;
    }
    point_into(slots, file, &found->kind);
    int ret = reserve_ready(slots);
    if (ret) {
        return ret;
    }
    found->readable = true;
    found->damaged = !are_records_sound(slots);
    return 0;
}

static void unmap_file(struct slots *slots)
{
    if (slots->file) {
        munmap(slots->file, slots->file_size);
    }
    slots->file = NULL;
    slots->record = NULL;
    slots->maps = slots->unmaps = NULL;
    slots->area = NULL;
}

int slots_open(struct slots *slots, const char *dir, struct slots_found *found,
               struct hv_error *error)
{
    *slots = (struct slots){.fd = -1};
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

static int map_file(struct slots *slots, const struct slots_kind *kind)
{
    int ret = reserve_file(slots, 0, records_offset(kind->area_size));
    if (ret) {
        return ret;
    }
    int flags = slots->fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *file = mmap(NULL, journal_size(kind->count, kind->area_size), PROT_READ | PROT_WRITE,
                      flags, slots->fd, 0);
    if (file == MAP_FAILED) {
        return -errno;
    }
    point_into(slots, file, kind);
    /* The hypervisor reads and writes the area and cannot wait for a page to come. */
    if (kind->area_size && mlock(slots->area, kind->area_size)) {
        return -errno;
    }
    /* Pages of the array are taken when slots are first used, not now. */
    slots->slot = mmap(NULL, kind->count * sizeof(struct slot), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots->slot == MAP_FAILED) {
        slots->slot = NULL;
        return -ENOMEM;
    }
    slots->used = slots->leaked = 0;
    return 0;
}

int slots_begin(struct slots *slots, const struct slots_kind *kind)
{
    unmap_file(slots);
    int ret = slots->fd >= 0 ? make_file(slots, kind) : 0;
    ret = ret ? ret : map_file(slots, kind);
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
        .stride = kind->stride,
        .ready = {ready_make(0), ready_make(0)},
    };
    read_boot_id(h.boot_id);
    h.check = header_check(&h);
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): mapped above */
    memcpy(slots->file, &h, sizeof(h));
    return kind->stride ? 0 : make_ready(slots, 0);
}

static void count_used(struct slots *slots, const struct pool *pool)
{
    for (uint32_t s = pool->first; s < pool->fresh; s++) {
        slots->used += slots->record[s].what != 0;
        slots->leaked += slots_state(slots, s) == SLOT_TAKEN;
    }
}

int slots_continue(struct slots *slots)
{
    const struct slots_kind kind = {
        .count = slots->count,
        .stride = slots->pools > 1 ? slots->count / slots->pools : 0,
        .area_size = (uint32_t)slots->area_size,
    };
    unmap_file(slots);
    int ret = map_file(slots, &kind);
    ret = ret ? ret : reserve_ready(slots);
    for (uint32_t p = 0; !ret && p < slots->pools; p++) {
        slots_refill(slots, &slots->pool[p]);
        count_used(slots, &slots->pool[p]);
    }
    return ret;
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
