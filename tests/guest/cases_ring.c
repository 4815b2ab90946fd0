/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest of examples/ring-device: has a device of no GPU copy between its pages. */

#include "../../examples/ring-device/ring.h"

#include "cases.h"
#include "platform.h"

#define TIMEOUT_US 30000000u
#define LENGTH     1000u

static GUEST_STATE struct page ring_page;
static GUEST_STATE struct page source;
static GUEST_STATE struct page target;

static volatile struct ring *ring(void)
{
    return ring_page.va;
}

static void produce(uint64_t from, uint64_t to, uint32_t length)
{
    volatile struct ring_entry *e = &ring()->entry[ring()->produced % RING_ENTRIES];

    e->source = from;
    e->target = to;
    e->length = length;
    e->status = RING_PENDING;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring()->produced++;
}

static bool all_consumed(void)
{
    uint64_t start = now_us();

    while (ring()->consumed != ring()->produced) {
        if (now_us() - start > TIMEOUT_US) {
            return false;
        }
        relax();
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return true;
}

static int32_t status_of(uint32_t n)
{
    return ring()->entry[n % RING_ENTRIES].status;
}

static void fill(uint8_t salt)
{
    uint8_t *from = source.va, *to = target.va;

    for (uint32_t i = 0; i < PAGE_SIZE; i++) {
        from[i] = (uint8_t)(i * 7 + salt);
        to[i] = 0xee;
    }
}

/* LENGTH bytes have come, and not one more. */
static bool is_copied(void)
{
    const uint8_t *from = source.va, *to = target.va;

    for (uint32_t i = 0; i < PAGE_SIZE; i++) {
        if (to[i] != (i < LENGTH ? from[i] : 0xee)) {
            return false;
        }
    }
    return true;
}

static const char *begin(void)
{
    if (page_alloc(&ring_page) || page_alloc(&source) || page_alloc(&target)) {
        return "out of memory";
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    ring()->magic = RING_MAGIC;
    say("the ring is at 0x%llx", (unsigned long long)ring_page.gfn);
    return NULL;
}

/* Copies, and entries that a device must refuse. */
const char *case_ring(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    fill(1);
    produce(source.gfn, target.gfn, LENGTH);
    produce(ram_pages() + 1, target.gfn, LENGTH);
    produce(source.gfn, ~0ull, LENGTH);
    produce(source.gfn, target.gfn, RING_LENGTH_MAX + 1);
    if (!all_consumed()) {
        return "the device does not answer";
    }
    if (status_of(0) != RING_DONE || !is_copied()) {
        return "the copy is wrong";
    }
    if (status_of(1) != RING_BAD_FRAME || status_of(2) != RING_BAD_FRAME ||
        status_of(3) != RING_BAD_LENGTH) {
        return "what is no frame or no length was not refused";
    }
    fill(2);
    produce(source.gfn, target.gfn, LENGTH);
    if (!all_consumed() || status_of(4) != RING_DONE || !is_copied()) {
        return "the second copy is wrong";
    }
    return NULL;
}

/* Keeps the device busy until it is destroyed in the middle of it. */
const char *case_ringbusy(void)
{
    const char *error = begin();

    if (error) {
        return error;
    }
    fill(3);
    for (bool said = false;;) {
        if (ring()->produced - ring()->consumed < RING_ENTRIES) {
            produce(source.gfn, target.gfn, LENGTH);
        }
        if (ring()->consumed > 1 && !said) {
            say("the device is busy");
            said = true;
        }
        relax();
    }
}
