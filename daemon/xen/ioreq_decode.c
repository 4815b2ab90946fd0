/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/ioreq_decode.h"

#include <string.h>

#define ALL_ONES (~UINT64_C(0))

/* --- the slot ----------------------------------------------------------------------------- */

/*
 * The byte that holds state, data_is_ptr, dir and df. As bit fields the compiler would read it
 * once for each of them, and write it back from what it read before.
 */
#define FLAGS_OFFSET 30u
#define STATE_MASK   0x0fu
_Static_assert(offsetof(struct ioreq, type) == FLAGS_OFFSET + 1, "layout of struct ioreq");
_Static_assert(sizeof(struct ioreq) == 32, "layout of struct ioreq");

static uint8_t *flags_of(struct ioreq *slot)
{
    return (uint8_t *)slot + FLAGS_OFFSET;
}

/* What was written before is visible to Xen when the state is. */
static void set_state(struct ioreq *slot, uint8_t flags, uint8_t state)
{
    __atomic_store_n(flags_of(slot), (uint8_t)((flags & ~STATE_MASK) | state), __ATOMIC_RELEASE);
}

bool ioreq_take(struct ioreq *slot, struct ioreq *copy)
{
    const volatile struct ioreq *shared = slot;
    uint8_t flags = __atomic_load_n(flags_of(slot), __ATOMIC_ACQUIRE);

    if ((flags & STATE_MASK) != STATE_IOREQ_READY) {
        return false;
    }
    memset(copy, 0, sizeof(*copy));
    copy->addr = shared->addr;
    copy->data = shared->data;
    copy->count = shared->count;
    copy->size = shared->size;
    copy->vp_eport = shared->vp_eport;
    copy->type = shared->type;
    *flags_of(copy) = flags;
    set_state(slot, flags, STATE_IOREQ_INPROCESS);
    return true;
}

void ioreq_answer(struct ioreq *slot, uint64_t data)
{
    uint8_t flags = __atomic_load_n(flags_of(slot), __ATOMIC_RELAXED);

    __atomic_store_n(&slot->data, data, __ATOMIC_RELAXED);
    set_state(slot, flags, STATE_IORESP_READY);
}

bool ioreq_abandon(struct ioreq *slot)
{
    uint8_t state = __atomic_load_n(flags_of(slot), __ATOMIC_ACQUIRE) & STATE_MASK;

    if (state != STATE_IOREQ_READY && state != STATE_IOREQ_INPROCESS) {
        return false;
    }
    ioreq_answer(slot, ALL_ONES);
    return true;
}

/* --- the request -------------------------------------------------------------------------- */

/* The bytes a request covers, on the device's side or in memory: lowest address and length. */
struct span {
    uint64_t first;
    uint64_t len;
};

/* With df the addresses go down from the one given. False: wraps around. */
static bool span_of(const struct ioreq *req, uint64_t addr, struct span *span)
{
    uint64_t before = req->df ? (uint64_t)(req->count - 1) * req->size : 0;

    span->len = (uint64_t)req->count * req->size;
    if (addr < before) {
        return false;
    }
    span->first = addr - before;
    return span->first <= ALL_ONES - (span->len - 1);
}

static bool in_range(const struct ioreq_device *device, const struct span *span)
{
    if (span->first < device->base || span->len > device->size) {
        return false;
    }
    return span->first - device->base <= device->size - span->len;
}

/* Checks a copy request and finds the registers it is for. */
static bool decode(const struct ioreq_device *device, const struct ioreq *req, struct span *mmio)
{
    if (req->size != 1 && req->size != 2 && req->size != 4 && req->size != 8) {
        return false;
    }
    if (!req->count || req->count > IOREQ_BYTES_MAX / req->size) {
        return false;
    }
    return span_of(req, req->addr, mmio) && in_range(device, mmio);
}

/* The i-th step of a repetition, as an offset from the lowest address. */
static uint64_t step(const struct ioreq *req, uint32_t i)
{
    return (uint64_t)(req->df ? req->count - 1 - i : i) * req->size;
}

static uint64_t read_reg(const struct ioreq_device *device, uint64_t addr, unsigned size)
{
    uint64_t value = device->ops->mmio_read(device->arg, addr - device->base, size);

    return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static void write_reg(const struct ioreq_device *device, uint64_t addr, uint64_t value,
                      unsigned size)
{
    if (size < 8) {
        value &= (UINT64_C(1) << size * 8) - 1;
    }
    device->ops->mmio_write(device->arg, addr - device->base, value, size);
}

/* The data is in the request; a repetition writes it again, or reads and keeps the last. */
static uint64_t perform_direct(const struct ioreq_device *device, const struct ioreq *req,
                               const struct span *mmio)
{
    uint64_t data = req->data;

    for (uint32_t i = 0; i < req->count; i++) {
        uint64_t addr = mmio->first + step(req, i);

        if (req->dir == IOREQ_READ) {
            data = read_reg(device, addr, req->size);
        } else {
            write_reg(device, addr, req->data, req->size);
        }
    }
    return data;
}

/* The data is in the guest's memory: one transfer for all steps. */
static bool perform_string(const struct ioreq_device *device, const struct ioreq *req,
                           const struct span *mmio)
{
    uint8_t buf[IOREQ_BYTES_MAX] = {0};
    struct span memory;

    if (!span_of(req, req->data, &memory)) {
        return false;
    }
    if (req->dir == IOREQ_WRITE &&
        device->copy_guest(device->copy_arg, memory.first, buf, memory.len, false)) {
        return false;
    }

    for (uint32_t i = 0; i < req->count; i++) {
        uint64_t offset = step(req, i);
        uint64_t value = 0;

        if (req->dir == IOREQ_READ) {
            value = read_reg(device, mmio->first + offset, req->size);
            memcpy(buf + offset, &value, req->size);
        } else {
            memcpy(&value, buf + offset, req->size);
            write_reg(device, mmio->first + offset, value, req->size);
        }
    }
    return req->dir == IOREQ_WRITE ||
           !device->copy_guest(device->copy_arg, memory.first, buf, memory.len, true);
}

static uint64_t odd(const struct ioreq_device *device)
{
    device->stats->odd++;
    return ALL_ONES;
}

static uint64_t perform_copy(const struct ioreq_device *device, const struct ioreq *req)
{
    struct span mmio;

    if (!decode(device, req, &mmio)) {
        return odd(device);
    }
    if (!req->data_is_ptr) {
        return perform_direct(device, req, &mmio);
    }
    return perform_string(device, req, &mmio) ? req->data : odd(device);
}

uint64_t ioreq_perform(const struct ioreq_device *device, const struct ioreq *req)
{
    device->stats->ioreqs++;
    switch (req->type) {
    case IOREQ_TYPE_COPY:
        return perform_copy(device, req);
    case IOREQ_TYPE_INVALIDATE:
        device->stats->invalidates++;
        device->ops->layout_changed(device->arg);
        return req->data;
    default:
        return odd(device);
    }
}
