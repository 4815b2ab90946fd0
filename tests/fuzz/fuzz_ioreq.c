/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests in a shared slot, as a hostile or broken Xen would put them there: each is answered,
 * the registers see only accesses that make sense, and nothing beyond the buffer is copied.
 */
#include <errno.h>

#include "host/xen/ioreq_decode.h"
#include "input.h"

#define BASE         UINT64_C(0xe0000000)
#define SIZE         UINT64_C(0x1000000)
#define APERTURE     UINT64_C(0xd0000000)
#define REQUESTS_MAX 64u

struct recorder {
    unsigned accesses; /* of the request in work */
    unsigned copies;
    bool copy_fails;
    uint8_t sum;
};

static void record(struct recorder *recorder, uint64_t offset, unsigned size)
{
    REQUIRE(size == 1 || size == 2 || size == 4 || size == 8, "an access of %u bytes", size);
    REQUIRE(offset < SIZE && size <= SIZE - offset, "an access at 0x%llx",
            (unsigned long long)offset);
    recorder->accesses++;
    REQUIRE(recorder->accesses <= IOREQ_BYTES_MAX, "one request, more than %u accesses",
            IOREQ_BYTES_MAX);
}

static uint64_t on_read(void *arg, unsigned range, uint64_t offset, unsigned size)
{
    REQUIRE(range < HOST_RANGES, "range %u", range);
    record(arg, offset, size);
    return offset * UINT64_C(0x0101010101010101); /* wider than asked for, now and then */
}

static void on_write(void *arg, unsigned range, uint64_t offset, uint64_t value, unsigned size)
{
    REQUIRE(range < HOST_RANGES, "range %u", range);
    record(arg, offset, size);
    REQUIRE(size == 8 || value >> size * 8 == 0, "a value wider than %u bytes", size);
}

/* RAM is what no range holds. */
static void on_tracked_write(void *arg, uint64_t gpa, uint64_t value, unsigned size)
{
    REQUIRE(gpa + size - 1 < APERTURE || gpa >= APERTURE + SIZE, "RAM in the aperture");
    REQUIRE(gpa + size - 1 < BASE || gpa >= BASE + SIZE, "RAM in the registers");
    record(arg, 0, size);
    REQUIRE(size == 8 || value >> size * 8 == 0, "a value wider than %u bytes", size);
}

static uint32_t on_pci_read(void *arg, unsigned devfn, unsigned reg, unsigned size)
{
    REQUIRE(devfn < 256, "function %u", devfn);
    record(arg, 0, size);
    REQUIRE(size <= 4 && reg % 4 + size <= 4, "a register of %u bytes", size);
    return reg * 0x01010101u;
}

static void on_pci_write(void *arg, unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
    on_pci_read(arg, devfn, reg, size);
    REQUIRE(size == 4 || value >> size * 8 == 0, "a value wider than %u bytes", size);
}

static void on_layout_changed(void *arg)
{
    (void)arg;
}

/* Touches every byte, so that the sanitizer sees whether it may. */
static int copy_guest(void *arg, uint64_t gpa, void *buf, size_t len, bool write)
{
    struct recorder *recorder = arg;
    uint8_t *bytes = buf;
    REQUIRE(len > 0 && len <= IOREQ_BYTES_MAX, "a copy of %zu bytes", len);
    REQUIRE(gpa <= UINT64_MAX - (len - 1), "a copy that wraps around");
    recorder->copies++;
    REQUIRE(recorder->copies == 1, "more than one copy");
    for (size_t i = 0; i < len; i++) {
        if (write) {
            recorder->sum ^= bytes[i];
        } else {
            bytes[i] = (uint8_t)i;
        }
    }
    return recorder->copy_fails ? -EFAULT : 0;
}

static const struct host_guest_ops ops = {
    .mmio_read = on_read,
    .mmio_write = on_write,
    .pci_read = on_pci_read,
    .pci_write = on_pci_write,
    .tracked_write = on_tracked_write,
    .layout_changed = on_layout_changed,
};

/* Mostly what Xen sends, with anything in the places that matter. */
static void read_request(struct input *in, struct ioreq *slot)
{
    input_bytes(in, slot, sizeof(*slot));
    uint8_t shape = input_u8(in);
    if (shape & 1) {
        slot->addr = BASE + slot->addr % (SIZE + 16);
    }
    if (shape & 2) {
        slot->type = IOREQ_TYPE_COPY;
    }
    if (shape & 4) {
        slot->size = 1u << (slot->size & 3);
    }
    if (shape & 8) {
        slot->count %= 1025;
    }
    if (shape & 16) {
        slot->state = STATE_IOREQ_READY;
    }
    if (shape & 32) {
        slot->type = IOREQ_TYPE_PCI_CONFIG;
        slot->addr &= UINT64_C(0x1ff00000fff);
    }
    if (shape & 64) {
        slot->type = IOREQ_TYPE_PIO;
        slot->addr = 0xcf8 + slot->addr % 8;
    }
}

static void serve(struct ioreq *slot, struct ioreq_device *device)
{
    uint64_t answered = device->stats->ioreqs;
    unsigned state = slot->state;
    struct ioreq req;
    if (!ioreq_take(slot, &req)) {
        REQUIRE(state != STATE_IOREQ_READY, "a request that was ready is not taken");
        bool waits = state == STATE_IOREQ_INPROCESS;
        REQUIRE(ioreq_adopt(slot, &req) == waits, "adopted although nobody waits, or not");
        return;
    }
    REQUIRE(state == STATE_IOREQ_READY, "taken in state %u", state);
    REQUIRE(slot->state == STATE_IOREQ_INPROCESS, "taken, and not in process");
    uint64_t data = ioreq_perform(device, &req);
    REQUIRE(device->stats->ioreqs == answered + 1, "the request is not counted");
    ioreq_answer(slot, data);
    REQUIRE(slot->state == STATE_IORESP_READY && slot->data == data, "not answered");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct host_guest_stats stats = {0};
    struct ioreq *slot = calloc(1, sizeof(*slot));
    for (unsigned i = 0; slot && i < REQUESTS_MAX && in.left; i++) {
        struct recorder recorder = {.copy_fails = i & 1};
        struct ioreq_device device = {
            .range = {{BASE, SIZE}, {APERTURE, SIZE}},
            .pci = {.function = (uint8_t)size, .devfn = 0x10, .root = i & 1},
            .ops = &ops,
            .arg = &recorder,
            .copy_guest = copy_guest,
            .copy_arg = &recorder,
            .stats = &stats,
        };
        read_request(&in, slot);
        serve(slot, &device);
    }
    free(slot);
    return 0;
}
