/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A record, from bit 0: gfn 36, domid 16, state 4, check 8. The check byte makes a record that
 * was not written by us recognisable; a free slot is all zero.
 */
#define RECORD_GFN_BITS   36
#define RECORD_DOMID_BITS 16
#define RECORD_STATE_BITS 4
#define RECORD_DOMID_SHIFT RECORD_GFN_BITS
#define RECORD_STATE_SHIFT (RECORD_DOMID_SHIFT + RECORD_DOMID_BITS)
#define RECORD_CHECK_SHIFT (RECORD_STATE_SHIFT + RECORD_STATE_BITS)
#define RECORD_BODY_MASK  ((UINT64_C(1) << RECORD_CHECK_SHIFT) - 1)

#define JOURNAL_MAGIC   UINT64_C(0x316c6e6a74676e78) /* "xngtjnl1", little endian */
#define JOURNAL_VERSION 1u
#define HEADER_SIZE     4096u

struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t window_base;
    uint64_t check; /* of the members above */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ (x >> 29);
}

static uint64_t header_check(const struct header *h)
{
    return mix(h->magic ^ mix(h->version + mix(h->count + mix(h->window_base))));
}

static uint64_t record_make(uint32_t domid, struct xengt_gfn gfn, enum slot_state state)
{
    uint64_t body = gfn.v | (uint64_t)domid << RECORD_DOMID_SHIFT |
                    (uint64_t)state << RECORD_STATE_SHIFT;
    return body | mix(body) << RECORD_CHECK_SHIFT;
}

static bool record_is_sound(uint64_t record)
{
    uint64_t body = record & RECORD_BODY_MASK;
    return record == 0 || (record == (body | mix(body) << RECORD_CHECK_SHIFT) &&
                           body >> RECORD_STATE_SHIFT < SLOT_STATES);
}

/* One store moves a slot on: the file never shows half a record. */
static void record_store(struct slots *slots, uint32_t s, uint64_t record)
{
    __atomic_store_n(&slots->record[s], record, __ATOMIC_RELEASE);
}

enum slot_state slots_state(const struct slots *slots, uint32_t s)
{
    return (slots->record[s] & RECORD_BODY_MASK) >> RECORD_STATE_SHIFT;
}

uint32_t slots_domid(const struct slots *slots, uint32_t s)
{
    return slots->record[s] >> RECORD_DOMID_SHIFT & ((1u << RECORD_DOMID_BITS) - 1);
}

struct xengt_gfn slots_gfn(const struct slots *slots, uint32_t s)
{
    return (struct xengt_gfn){slots->record[s] & ((UINT64_C(1) << RECORD_GFN_BITS) - 1)};
}

void slots_set_state(struct slots *slots, uint32_t s, enum slot_state state)
{
    if (state == SLOT_LEAKED) {
        slots->leaked++;
    }
    record_store(slots, s, record_make(slots_domid(slots, s), slots_gfn(slots, s), state));
}

static size_t journal_size(uint32_t count)
{
    return HEADER_SIZE + (size_t)count * sizeof(uint64_t);
}

/* Reads what a predecessor left; on any doubt the file is called damaged, never believed. */
static void look_at_predecessor(struct slots *slots, off_t size, struct slots_found *found)
{
    found->exists = true;
    found->damaged = true;
    if (size < (off_t)HEADER_SIZE) {
        return;
    }
    slots->file = mmap(NULL, size, PROT_READ, MAP_SHARED, slots->fd, 0);
    if (slots->file == MAP_FAILED) {
        slots->file = NULL;
        return;
    }
    slots->file_size = size;
    const struct header *h = slots->file;
    if (h->magic != JOURNAL_MAGIC || h->version != JOURNAL_VERSION ||
        h->check != header_check(h)) {
        return;
    }
    found->window_base = h->window_base;
    if ((size_t)size != journal_size(h->count)) {
        return;
    }
    found->count = h->count;
    slots->count = h->count;
    slots->record = (uint64_t *)((char *)slots->file + HEADER_SIZE);
    found->damaged = false;
    for (uint32_t s = 0; s < h->count; s++) {
        if (!record_is_sound(slots->record[s])) {
            found->damaged = true;
        }
    }
}

static void unmap_file(struct slots *slots)
{
    if (slots->file) {
        munmap(slots->file, slots->file_size);
    }
    slots->file = NULL;
    slots->record = NULL;
}

int slots_open(struct slots *slots, const char *dir, struct slots_found *found)
{
    *slots = (struct slots){.fd = -1, .free = SLOT_NONE};
    *found = (struct slots_found){0};
    if (!dir) {
        return 0;
    }
    char path[512];
    if (snprintf(path, sizeof(path), "%s/journal", dir) >= (int)sizeof(path)) {
        return -ENAMETOOLONG;
    }
    slots->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (slots->fd < 0) {
        return -errno;
    }
    struct stat st;
    if (fstat(slots->fd, &st)) {
        return -errno;
    }
    if (st.st_size > 0) {
        look_at_predecessor(slots, st.st_size, found);
    }
    return 0;
}

int slots_begin(struct slots *slots, uint64_t window_base, uint32_t count)
{
    unmap_file(slots);
    size_t size = journal_size(count);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    if (slots->fd >= 0) {
        flags = MAP_SHARED;
        if (ftruncate(slots->fd, 0) || ftruncate(slots->fd, size)) {
            return -errno;
        }
    }
    void *file = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, slots->fd, 0);
    if (file == MAP_FAILED) {
        return -errno;
    }
    slots->file = file;
    slots->file_size = size;
    slots->record = (uint64_t *)((char *)file + HEADER_SIZE);

    /* Pages of the array are taken when slots are first used, not now. */
    slots->slot = mmap(NULL, count * sizeof(struct slot), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots->slot == MAP_FAILED) {
        slots->slot = NULL;
        return -ENOMEM;
    }
    slots->count = count;
    slots->used = slots->leaked = slots->fresh = 0;
    slots->free = SLOT_NONE;

    struct header h = {
        .magic = JOURNAL_MAGIC,
        .version = JOURNAL_VERSION,
        .count = count,
        .window_base = window_base,
    };
    h.check = header_check(&h);
    memcpy(file, &h, sizeof(h));
    return 0;
}

void slots_close(struct slots *slots, bool remove_file, const char *dir)
{
    char path[512];
    if (remove_file && dir &&
        snprintf(path, sizeof(path), "%s/journal", dir) < (int)sizeof(path)) {
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

uint32_t slots_reserve(struct slots *slots, uint32_t domid, struct xengt_gfn gfn)
{
    uint32_t s = slots->free;
    if (s != SLOT_NONE) {
        slots->free = slots->slot[s].next;
    } else if (slots->fresh < slots->count) {
        s = slots->fresh++;
    } else {
        return SLOT_NONE;
    }
    slots->used++;
    slots->slot[s] = (struct slot){.hash_next = SLOT_NONE, .prev = SLOT_NONE, .next = SLOT_NONE};
    record_store(slots, s, record_make(domid, gfn, SLOT_RESERVED));
    return s;
}

void slots_free(struct slots *slots, uint32_t s)
{
    record_store(slots, s, 0);
    slots->slot[s].next = slots->free;
    slots->free = s;
    slots->used--;
}
