/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ioreqs, taken from the shared page, carried out, and answered. */
#include "host/xen/ioreq_decode.h"

#include <string.h>

#define ALL_ONES (~UINT64_C(0))

/* --- the slot ---------------------------------------------------------------------------- */

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

static void take(struct ioreq *slot, uint8_t flags, struct ioreq *copy)
{
    const volatile struct ioreq *shared = slot;

    memset(copy, 0, sizeof(*copy));
    copy->addr = shared->addr;
    copy->data = shared->data;
    copy->count = shared->count;
    copy->size = shared->size;
    copy->vp_eport = shared->vp_eport;
    copy->type = shared->type;
    *flags_of(copy) = flags;
    set_state(slot, flags, STATE_IOREQ_INPROCESS);
}

bool ioreq_take(struct ioreq *slot, struct ioreq *copy)
{
    uint8_t flags = __atomic_load_n(flags_of(slot), __ATOMIC_ACQUIRE);

    if ((flags & STATE_MASK) != STATE_IOREQ_READY) {
        return false;
    }
    take(slot, flags, copy);
    return true;
}

static uint8_t state_of(const struct ioreq *slot)
{
    return __atomic_load_n(flags_of((struct ioreq *)slot), __ATOMIC_ACQUIRE) & STATE_MASK;
}

bool ioreq_is_taken(const struct ioreq *slot)
{
    return state_of(slot) == STATE_IOREQ_NONE;
}

bool ioreq_is_ready(const struct ioreq *slot)
{
    return state_of(slot) == STATE_IOREQ_READY;
}

void ioreq_put_back(struct ioreq *slot)
{
    set_state(slot, __atomic_load_n(flags_of(slot), __ATOMIC_RELAXED), STATE_IOREQ_READY);
}

bool ioreq_adopt(struct ioreq *slot, struct ioreq *copy)
{
    uint8_t flags = __atomic_load_n(flags_of(slot), __ATOMIC_ACQUIRE);
    uint8_t state = flags & STATE_MASK;

    if (state != STATE_IOREQ_READY && state != STATE_IOREQ_INPROCESS) {
        return false;
    }
    take(slot, flags, copy);
    return true;
}

void ioreq_answer(struct ioreq *slot, uint64_t data)
{
    uint8_t flags = __atomic_load_n(flags_of(slot), __ATOMIC_RELAXED);

    __atomic_store_n(&slot->data, data, __ATOMIC_RELAXED);
    set_state(slot, flags, STATE_IORESP_READY);
}

/* --- the request ------------------------------------------------------------------------- */

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

static bool overlaps(const struct ioreq_range *range, const struct span *span)
{
    return range->size && span->first <= range->base + (range->size - 1) &&
           span->first + (span->len - 1) >= range->base;
}

static bool contains(const struct ioreq_range *range, const struct span *span)
{
    return span->len <= range->size && span->first >= range->base &&
           span->first - range->base <= range->size - span->len;
}

/* What a copy request is for: a range of the device, or RAM whose stores are tracked. */
#define TARGET_RAM HOST_RANGES

struct target {
    struct span span;
    unsigned range;
};

/* The range that holds all of it; RAM, when no range holds any of it. */
static bool find_target(const struct ioreq_device *device, struct target *target)
{
    target->range = TARGET_RAM;
    for (unsigned i = 0; i < HOST_RANGES; i++) {
        if (contains(&device->range[i], &target->span)) {
            target->range = i;
            return true;
        }
        if (overlaps(&device->range[i], &target->span)) {
            return false;
        }
    }
    return true;
}

/* Checks a copy request and finds what it is for. RAM is read without us. */
static bool decode(const struct ioreq_device *device, const struct ioreq *req,
                   struct target *target)
{
    if (req->size != 1 && req->size != 2 && req->size != 4 && req->size != 8) {
        return false;
    }
    if (!req->count || req->count > IOREQ_BYTES_MAX / req->size) {
        return false;
    }
    if (!span_of(req, req->addr, &target->span) || !find_target(device, target)) {
        return false;
    }
    return target->range != TARGET_RAM || (req->dir == IOREQ_WRITE && device->ops->tracked_write);
}

bool ioreq_is_tracked_store(const struct ioreq_device *device, const struct ioreq *req,
                            uint64_t *first, uint64_t *last)
{
    struct target target;

    if (req->type != IOREQ_TYPE_COPY || !decode(device, req, &target) ||
        target.range != TARGET_RAM) {
        return false;
    }
    *first = target.span.first;
    *last = target.span.first + (target.span.len - 1);
    return true;
}

/* The i-th step of a repetition, as an offset from the lowest address. */
static uint64_t step(const struct ioreq *req, uint32_t i)
{
    return (uint64_t)(req->df ? req->count - 1 - i : i) * req->size;
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static uint64_t read_at(const struct ioreq_device *device, const struct target *target,
                        uint64_t offset, unsigned size)
{
    uint64_t base = device->range[target->range].base;

    offset += target->span.first - base;
    return low_bytes(device->ops->mmio_read(device->arg, target->range, offset, size), size);
}

static void write_at(const struct ioreq_device *device, const struct target *target,
                     uint64_t offset, uint64_t value, unsigned size)
{
    uint64_t addr = target->span.first + offset;

    value = low_bytes(value, size);
    if (target->range == TARGET_RAM) {
        device->ops->tracked_write(device->arg, addr, value, size);
    } else {
        addr -= device->range[target->range].base;
        device->ops->mmio_write(device->arg, target->range, addr, value, size);
    }
}

static bool is_ready(const struct ioreq_device *device)
{
    return !device->ops->ready || device->ops->ready(device->arg);
}

/*
 * The next access. The data is in the request: a repetition writes it again, or reads and keeps the
 * last. Or it is in the guest's memory, of which buf is a copy.
 */
static void access_once(const struct ioreq_device *device, struct ioreq_work *work,
                        const struct target *target)
{
    const struct ioreq *req = &work->req;
    uint64_t offset = step(req, work->at++);
    uint64_t value = req->data;

    if (req->dir == IOREQ_READ) {
        value = read_at(device, target, offset, req->size);
        memcpy(work->buf + offset, &value, req->size);
        work->data = req->data_is_ptr ? req->data : value;
        return;
    }
    if (req->data_is_ptr) {
        value = 0;
        memcpy(&value, work->buf + offset, req->size);
    }
    write_at(device, target, offset, value, req->size);
}

/* One transfer for all accesses. False: nothing to transfer from or to */
static bool move_data(const struct ioreq_device *device, struct ioreq_work *work, bool to_guest)
{
    const struct ioreq *req = &work->req;
    struct span memory;

    if (!req->data_is_ptr || (req->dir == IOREQ_READ) != to_guest) {
        return !req->data_is_ptr || span_of(req, req->data, &memory);
    }
    return span_of(req, req->data, &memory) &&
           !device->copy_guest(device->copy_arg, memory.first, work->buf, memory.len, to_guest);
}

static uint64_t odd(const struct ioreq_device *device)
{
    device->stats->odd++;
    return ALL_ONES;
}

/* What it is for is looked up each time: the ranges may have moved while it waited. */
static bool perform_copy(const struct ioreq_device *device, struct ioreq_work *work)
{
    const struct ioreq *req = &work->req;
    struct target target;

    if (!decode(device, req, &target) || (!work->begun && !move_data(device, work, false))) {
        work->data = odd(device);
        return true;
    }
    work->begun = true;
    while (work->at < req->count) {
        if (!is_ready(device)) {
            return false;
        }
        access_once(device, work, &target);
    }
    if (!is_ready(device)) {
        return false;
    }
    if (!move_data(device, work, true)) {
        work->data = odd(device);
    }
    return true;
}

/* --- PCI --------------------------------------------------------------------------------- */

#define PCI_ADDRESS_PORT 0xcf8u

/* A single access of 1, 2 or 4 bytes that stays within its dword. Nobody repeats these. */
static bool single(const struct ioreq *req)
{
    return (req->size == 1 || req->size == 2 || req->size == 4) && req->count == 1 &&
           !req->data_is_ptr && req->addr % 4 + req->size <= 4;
}

/*
 * The address port: Xen keeps what is written to it and makes configuration requests of what
 * follows, but reading it is ours. The data port comes here only with nothing behind it.
 */
static uint64_t perform_port(struct ioreq_device *device, const struct ioreq *req)
{
    bool address = (req->addr & ~UINT64_C(3)) == PCI_ADDRESS_PORT;

    if (!single(req)) {
        return odd(device);
    }
    if (req->dir == IOREQ_WRITE) {
        if (address && req->size == 4) {
            device->pci_address = (uint32_t)req->data;
        }
        return req->data;
    }
    return low_bytes(address ? device->pci_address >> req->addr % 4 * 8 : ALL_ONES, req->size);
}

/* The function as the handlers hear of it; false: it is not theirs to answer for. */
static bool find_function(const struct ioreq_pci *pci, uint64_t sbdf, unsigned *devfn)
{
    *devfn = sbdf == pci->function ? pci->devfn : 0;
    return sbdf == pci->function || (sbdf == 0 && pci->root);
}

/* addr: segment, bus, device and function above, the register below. */
static uint64_t perform_config(const struct ioreq_device *device, const struct ioreq *req)
{
    uint32_t reg = (uint32_t)req->addr;
    unsigned devfn;

    if (!single(req) || !find_function(&device->pci, req->addr >> 32, &devfn) ||
        !device->ops->pci_read) {
        return odd(device);
    }
    if (req->dir == IOREQ_READ) {
        return low_bytes(device->ops->pci_read(device->arg, devfn, reg, req->size), req->size);
    }
    device->ops->pci_write(device->arg, devfn, reg, (uint32_t)low_bytes(req->data, req->size),
                           req->size);
    return req->data;
}

/* --- all --------------------------------------------------------------------------------- */

static uint64_t perform_whole(struct ioreq_device *device, const struct ioreq *req)
{
    switch (req->type) {
    case IOREQ_TYPE_PIO:
        return perform_port(device, req);
    case IOREQ_TYPE_PCI_CONFIG:
        return perform_config(device, req);
    case IOREQ_TYPE_INVALIDATE:
        device->stats->invalidates++;
        if (device->ops->layout_changed) {
            device->ops->layout_changed(device->arg);
        }
        return req->data;
    default:
        return odd(device);
    }
}

void ioreq_begin(struct ioreq_work *work, const struct ioreq *req)
{
    work->req = *req;
    work->taken_ns = histogram_now_ns();
    work->begun = false;
    work->at = 0;
    work->data = req->data;
}

bool ioreq_go_on(struct ioreq_device *device, struct ioreq_work *work)
{
    if (work->req.type == IOREQ_TYPE_COPY) {
        return perform_copy(device, work);
    }
    if (!work->begun && is_ready(device)) {
        work->begun = true;
        work->data = perform_whole(device, &work->req);
    }
    return work->begun && is_ready(device);
}

uint64_t ioreq_perform(struct ioreq_device *device, const struct ioreq *req)
{
    struct host_guest_ops ops = *device->ops;
    struct ioreq_device always = *device;
    struct ioreq_work work;

    ops.ready = NULL;
    always.ops = &ops;
    ioreq_begin(&work, req);
    ioreq_go_on(&always, &work);
    device->pci_address = always.pci_address;
    device->stats->ioreqs++;
    histogram_add_since(&device->stats->time, work.taken_ns);
    return work.data;
}
