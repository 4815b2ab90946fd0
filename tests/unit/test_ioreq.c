/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every ioreq has an answer, whatever it holds, and only what makes sense reaches the device. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

#include "host/xen/ioreq_decode.h"
#include "host/xen/ioreq_record.h"

#define BASE     UINT64_C(0xe0000000)
#define SIZE     UINT64_C(0x10000)
#define APERTURE UINT64_C(0xd0000000)
#define DEVFN    0x10u
#define ALL_ONES (~UINT64_C(0))

/* A device of bytes, and a guest's memory of bytes. */
struct fixture {
    uint8_t regs[SIZE];
    uint8_t memory[8192];
    struct host_guest_stats stats;
    unsigned accesses;
    uint64_t offsets[8]; /* of the first accesses, in order */
    unsigned aperture_accesses;
    unsigned layout_changes;
    bool memory_gone;
    uint8_t config[256];
    unsigned config_accesses;
    uint64_t stored_at[8]; /* tracked stores, in order */
    unsigned stores;
    struct ioreq_device device;
};

static void note(struct fixture *f, uint64_t offset)
{
    if (f->accesses < 8) {
        f->offsets[f->accesses] = offset;
    }
    f->accesses++;
}

static uint64_t fake_read(void *arg, unsigned range, uint64_t offset, unsigned size)
{
    struct fixture *f = arg;
    uint64_t value = ALL_ONES; /* what is above the size must not get through */

    f->aperture_accesses += range;
    assert_true(offset + size <= SIZE);
    note(f, offset);
    memcpy(&value, f->regs + offset, size);
    return value;
}

static void fake_write(void *arg, unsigned range, uint64_t offset, uint64_t value, unsigned size)
{
    struct fixture *f = arg;

    f->aperture_accesses += range;
    assert_true(offset + size <= SIZE);
    if (size < 8) {
        assert_int_equal(value >> size * 8, 0);
    }
    note(f, offset);
    memcpy(f->regs + offset, &value, size);
}

static void fake_layout_changed(void *arg)
{
    ((struct fixture *)arg)->layout_changes++;
}

static int fake_copy(void *arg, uint64_t gpa, void *buf, size_t len, bool write)
{
    struct fixture *f = arg;

    if (f->memory_gone || len > sizeof(f->memory) || gpa > sizeof(f->memory) - len) {
        return -EFAULT;
    }
    if (write) {
        memcpy(f->memory + gpa, buf, len);
    } else {
        memcpy(buf, f->memory + gpa, len);
    }
    return 0;
}

static uint32_t fake_pci_read(void *arg, unsigned devfn, unsigned reg, unsigned size)
{
    struct fixture *f = arg;
    uint32_t value = UINT32_MAX;

    assert_int_equal(devfn, DEVFN);
    assert_true(reg + size <= sizeof(f->config));
    f->config_accesses++;
    memcpy(&value, f->config + reg, size);
    return value;
}

static void fake_pci_write(void *arg, unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
    struct fixture *f = arg;

    assert_int_equal(devfn, DEVFN);
    assert_true(reg + size <= sizeof(f->config));
    f->config_accesses++;
    memcpy(f->config + reg, &value, size);
}

static void fake_tracked_write(void *arg, uint64_t gpa, uint64_t value, unsigned size)
{
    struct fixture *f = arg;

    if (f->stores < 8) {
        f->stored_at[f->stores] = gpa;
    }
    f->stores++;
    assert_int_equal(fake_copy(f, gpa, &value, size, true), 0);
}

static const struct host_guest_ops fake_ops = {
    .mmio_read = fake_read,
    .mmio_write = fake_write,
    .pci_read = fake_pci_read,
    .pci_write = fake_pci_write,
    .tracked_write = fake_tracked_write,
    .layout_changed = fake_layout_changed,
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->device = (struct ioreq_device){
        .range = {{BASE, SIZE}, {APERTURE, SIZE}},
        .pci = {.function = DEVFN, .devfn = DEVFN, .root = true},
        .ops = &fake_ops,
        .arg = f,
        .copy_guest = fake_copy,
        .copy_arg = f,
        .stats = &f->stats,
    };
    for (size_t i = 0; i < sizeof(f->regs); i++) {
        f->regs[i] = (uint8_t)(i * 7 + 1);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct ioreq copy_req(uint64_t addr, uint32_t size, int dir)
{
    return (struct ioreq){
        .addr = addr,
        .size = size,
        .count = 1,
        .dir = (uint8_t)(dir & 1),
        .type = IOREQ_TYPE_COPY,
        .state = STATE_IOREQ_READY,
    };
}

#define TEST(name) TEST_WITH(name, setup, teardown)

/* --- the slot ---------------------------------------------------------------------------- */

TEST(slot_take_and_answer)
{
    struct ioreq slot = copy_req(BASE, 4, IOREQ_READ), copy;

    (void)state;
    slot.vp_eport = 17;
    slot.df = 1;
    assert_true(ioreq_take(&slot, &copy));
    assert_int_equal(slot.state, STATE_IOREQ_INPROCESS);
    assert_int_equal(copy.addr, BASE);
    assert_int_equal(copy.size, 4);
    assert_int_equal(copy.dir, IOREQ_READ);
    assert_int_equal(copy.df, 1);
    assert_false(ioreq_take(&slot, &copy)); /* not twice */

    ioreq_answer(&slot, 0x1234);
    assert_int_equal(slot.state, STATE_IORESP_READY);
    assert_int_equal(slot.data, 0x1234);
    /* Everything else is Xen's and stays as it was. */
    assert_int_equal(slot.addr, BASE);
    assert_int_equal(slot.vp_eport, 17);
    assert_int_equal(slot.df, 1);
    assert_int_equal(slot.dir, IOREQ_READ);
}

TEST(slot_nothing_ready)
{
    static const uint8_t states[] = {STATE_IOREQ_NONE, STATE_IOREQ_INPROCESS, STATE_IORESP_READY, 7,
                                     15};

    (void)state;
    for (size_t i = 0; i < sizeof(states); i++) {
        struct ioreq slot = copy_req(BASE, 4, IOREQ_READ), copy;

        slot.state = states[i] & 0xf;
        assert_false(ioreq_take(&slot, &copy));
        assert_int_equal(slot.state, states[i]);
    }
}

TEST(slot_adopt)
{
    struct ioreq slot = copy_req(BASE, 4, IOREQ_READ), copy;

    (void)state;
    assert_true(ioreq_adopt(&slot, &copy));
    assert_int_equal(slot.state, STATE_IOREQ_INPROCESS);
    assert_int_equal(copy.addr, BASE);
    assert_true(ioreq_adopt(&slot, &copy)); /* as if taken by a process that died */
    ioreq_answer(&slot, 1);
    assert_false(ioreq_adopt(&slot, &copy));

    slot.state = STATE_IOREQ_NONE;
    assert_false(ioreq_adopt(&slot, &copy));
    assert_int_equal(slot.state, STATE_IOREQ_NONE);
}

/* --- single accesses --------------------------------------------------------------------- */

TEST(read_each_size)
{
    struct fixture *f = *state;

    for (uint32_t size = 1; size <= 8; size *= 2) {
        struct ioreq req = copy_req(BASE + 0x100, size, IOREQ_READ);
        uint64_t expected = 0;

        memcpy(&expected, f->regs + 0x100, size);
        assert_true(ioreq_perform(&f->device, &req) == expected);
    }
    assert_int_equal(f->stats.ioreqs, 4);
    assert_int_equal(f->stats.odd, 0);
    uint64_t timed = 0;
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        timed += f->stats.time.count[i];
    }
    assert_int_equal(timed, 4);
}

TEST(write_each_size)
{
    struct fixture *f = *state;

    for (uint32_t size = 1; size <= 8; size *= 2) {
        struct ioreq req = copy_req(BASE + 0x200, size, IOREQ_WRITE);
        uint8_t after = f->regs[0x200 + size];

        req.data = UINT64_C(0x8877665544332211);
        ioreq_perform(&f->device, &req);
        assert_memory_equal(f->regs + 0x200, &req.data, size);
        assert_int_equal(f->regs[0x200 + size], after);
    }
}

static void assert_odd(struct fixture *f, const struct ioreq *req)
{
    uint64_t odd = f->stats.odd;
    unsigned accesses = f->accesses;

    assert_true(ioreq_perform(&f->device, req) == ALL_ONES);
    assert_int_equal(f->stats.odd, odd + 1);
    assert_int_equal(f->accesses, accesses);
}

TEST(odd_sizes)
{
    static const uint32_t sizes[] = {0, 3, 5, 6, 7, 9, 16, 4096, UINT32_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int dir = IOREQ_WRITE; dir <= IOREQ_READ; dir++) {
            struct ioreq req = copy_req(BASE, sizes[i], dir);

            assert_odd(f, &req);
        }
    }
}

TEST(odd_counts)
{
    static const uint32_t counts[] = {0, 1025, 65536, 0x40000001, UINT32_MAX};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        for (int ptr = 0; ptr <= 1; ptr++) {
            for (int df = 0; df <= 1; df++) {
                struct ioreq req = copy_req(BASE + 0x8000, 4, IOREQ_WRITE);

                req.count = counts[i];
                req.data_is_ptr = ptr & 1;
                req.df = df & 1;
                assert_odd(f, &req);
            }
        }
    }
}

TEST(out_of_range)
{
    static const uint64_t addrs[] = {
        0,           BASE - 1,   BASE - 4,       BASE + SIZE - 3,
        BASE + SIZE, UINT64_MAX, UINT64_MAX - 3, BASE + (UINT64_C(1) << 32),
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
        struct ioreq req = copy_req(addrs[i], 4, IOREQ_READ);

        assert_odd(f, &req);
    }
}

TEST(other_types)
{
    struct fixture *f = *state;

    for (unsigned type = 0; type < 256; type++) {
        struct ioreq req = copy_req(BASE, 4, IOREQ_READ);

        if (type <= IOREQ_TYPE_PCI_CONFIG || type == IOREQ_TYPE_INVALIDATE) {
            continue;
        }
        req.type = (uint8_t)type;
        assert_odd(f, &req);
    }
}

TEST(invalidate)
{
    struct fixture *f = *state;
    struct ioreq req = {.type = IOREQ_TYPE_INVALIDATE, .data = ALL_ONES, .dir = IOREQ_WRITE};

    ioreq_perform(&f->device, &req);
    assert_int_equal(f->layout_changes, 1);
    assert_int_equal(f->stats.invalidates, 1);
    assert_int_equal(f->stats.ioreqs, 1);
    assert_int_equal(f->stats.odd, 0);
}

/* --- ranges and RAM ---------------------------------------------------------------------- */

TEST(two_ranges)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(APERTURE + 0x40, 4, IOREQ_READ);

    ioreq_perform(&f->device, &req);
    assert_int_equal(f->aperture_accesses, 1);
    assert_int_equal(f->offsets[0], 0x40);
    req.addr = BASE + 0x40;
    ioreq_perform(&f->device, &req);
    assert_int_equal(f->aperture_accesses, 1);

    f->device.range[1].size = 0; /* what it claims no more does not come to it */
    req.addr = APERTURE + 0x40;
    assert_odd(f, &req);
}

/* A store outside the ranges is one into a tracked page; there is nothing else it could be. */
TEST(test_tracked_write)
{
    struct fixture *f = *state;

    for (uint32_t size = 1; size <= 8; size *= 2) {
        struct ioreq req = copy_req(0x100 * size, size, IOREQ_WRITE);

        req.data = UINT64_C(0x1122334455667788);
        ioreq_perform(&f->device, &req);
        assert_memory_equal(f->memory + 0x100 * size, &req.data, size);
        assert_int_equal(f->memory[0x100 * size + size], 0);
    }
    assert_int_equal(f->stores, 4);
    assert_int_equal(f->stats.odd, 0);
    assert_int_equal(f->accesses, 0);
}

TEST(tracked_strings)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(0x1000, 8, IOREQ_WRITE);

    req.count = 3;
    req.data = 7;
    ioreq_perform(&f->device, &req); /* rep stos */
    assert_int_equal(f->stores, 3);
    assert_int_equal(f->stored_at[2], 0x1010);

    for (unsigned i = 0; i < 16; i++) {
        f->memory[i] = (uint8_t)(i + 1);
    }
    req = copy_req(0x1108, 4, IOREQ_WRITE);
    req.count = 4;
    req.df = 1;
    req.data_is_ptr = 1;
    req.data = 12;
    f->stores = 0;
    ioreq_perform(&f->device, &req); /* rep movs, downwards */
    assert_int_equal(f->stores, 4);
    assert_int_equal(f->stored_at[0], 0x1108);
    assert_int_equal(f->stored_at[3], 0x10fc);
    assert_memory_equal(f->memory + 0x10fc, f->memory, 16);
}

/* Into a range and beyond: neither. And nobody may be there for it. */
TEST(tracked_write_odd)
{
    static const struct host_guest_ops none = {0};
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE - 4, 4, IOREQ_WRITE);

    req.count = 2;
    assert_odd(f, &req);
    req = copy_req(0x100, 4, IOREQ_READ);
    assert_odd(f, &req);
    f->device.ops = &none;
    req.dir = IOREQ_WRITE;
    assert_odd(f, &req);
    req.type = IOREQ_TYPE_PCI_CONFIG;
    assert_odd(f, &req);
    req.type = IOREQ_TYPE_INVALIDATE;
    ioreq_perform(&f->device, &req);
}

/* --- PCI --------------------------------------------------------------------------------- */

static struct ioreq port_req(uint64_t port, uint32_t size, int dir, uint64_t data)
{
    struct ioreq req = copy_req(port, size, dir);

    req.type = IOREQ_TYPE_PIO;
    req.data = data;
    return req;
}

/* How Linux finds out whether there is PCI. */
TEST(address_port)
{
    struct fixture *f = *state;
    struct ioreq req = port_req(0xcfb, 1, IOREQ_WRITE, 1);

    ioreq_perform(&f->device, &req); /* of a byte there is nothing to keep */
    req = port_req(0xcf8, 4, IOREQ_READ, 0);
    assert_int_equal(ioreq_perform(&f->device, &req), 0);
    req = port_req(0xcf8, 4, IOREQ_WRITE, 0x80001234);
    ioreq_perform(&f->device, &req);
    req = port_req(0xcf8, 4, IOREQ_READ, 0);
    assert_int_equal(ioreq_perform(&f->device, &req), 0x80001234);
    req = port_req(0xcf9, 1, IOREQ_READ, 0);
    assert_int_equal(ioreq_perform(&f->device, &req), 0x12);
    req = port_req(0xcfc, 4, IOREQ_READ, 0);
    assert_int_equal(ioreq_perform(&f->device, &req), 0xffffffff);
    req = port_req(0xcfe, 2, IOREQ_READ, 0);
    assert_int_equal(ioreq_perform(&f->device, &req), 0xffff);
    req = port_req(0xcfc, 4, IOREQ_WRITE, 5);
    ioreq_perform(&f->device, &req);
    assert_int_equal(f->stats.odd, 0);
    assert_int_equal(f->device.pci_address, 0x80001234);
}

TEST(test_config)
{
    struct fixture *f = *state;
    struct ioreq req = port_req((uint64_t)DEVFN << 32 | 0x52, 2, IOREQ_WRITE, 0xffff1234);

    req.type = IOREQ_TYPE_PCI_CONFIG;
    ioreq_perform(&f->device, &req);
    assert_int_equal(f->config[0x52], 0x34);
    assert_int_equal(f->config[0x53], 0x12);
    assert_int_equal(f->config[0x54], 0);
    req.dir = IOREQ_READ;
    assert_int_equal(ioreq_perform(&f->device, &req), 0x1234);
    assert_int_equal(f->config_accesses, 2);
    assert_int_equal(f->stats.odd, 0);
}

/* Where a device model has the function that was wanted, it is another one. */
TEST(a_function_elsewhere_is_the_same_to_its_handlers)
{
    struct fixture *f = *state;
    static const uint8_t others[] = {0x00, DEVFN, 0x08, 0xf9, 0xf0, 0xff};

    f->device.pci = (struct ioreq_pci){.function = 0xf8, .devfn = DEVFN};
    for (unsigned size = 1; size <= 4; size *= 2) {
        struct ioreq req =
            port_req(UINT64_C(0xf8) << 32 | (0x14 + 4 - size), size, IOREQ_WRITE, 0x01020304);

        req.type = IOREQ_TYPE_PCI_CONFIG;
        ioreq_perform(&f->device, &req);
        req.dir = IOREQ_READ;
        assert_int_equal(ioreq_perform(&f->device, &req), size == 4   ? 0x01020304
                                                          : size == 2 ? 0x0304
                                                                      : 0x04);
    }
    assert_int_equal(f->config_accesses, 6);
    for (size_t i = 0; i < sizeof(others); i++) {
        struct ioreq req = port_req((uint64_t)others[i] << 32, 4, IOREQ_READ, 0);

        req.type = IOREQ_TYPE_PCI_CONFIG;
        assert_odd(f, &req);
    }
    assert_int_equal(f->config_accesses, 6);
}

TEST(config_odd)
{
    struct fixture *f = *state;
    const struct ioreq good = port_req((uint64_t)DEVFN << 32 | 0x10, 4, IOREQ_READ, 0);

    for (unsigned type = IOREQ_TYPE_PIO; type <= IOREQ_TYPE_PCI_CONFIG; type += 2) {
        struct ioreq req = good;

        req.type = (uint8_t)type;
        req.addr += 2; /* across a dword */
        assert_odd(f, &req);
        req = good;
        req.type = (uint8_t)type;
        req.size = 8;
        assert_odd(f, &req);
        req.size = 3;
        assert_odd(f, &req);
        req.size = 4;
        req.count = 2;
        assert_odd(f, &req);
        req.count = 0;
        assert_odd(f, &req);
        req.count = 1;
        req.data_is_ptr = 1;
        assert_odd(f, &req);
    }
    struct ioreq req = good;
    req.type = IOREQ_TYPE_PCI_CONFIG;
    req.addr |= UINT64_C(1) << 40; /* another bus */
    assert_odd(f, &req);
    assert_int_equal(f->config_accesses, 0);
}

/* --- repetitions ------------------------------------------------------------------------- */

TEST(rep_stos)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE + 0x1000, 4, IOREQ_WRITE);

    req.count = 1024;
    req.data = 0xabcd1234;
    ioreq_perform(&f->device, &req);
    assert_int_equal(f->accesses, 1024);
    for (unsigned i = 0; i < 1024; i++) {
        assert_memory_equal(f->regs + 0x1000 + 4 * i, &req.data, 4);
    }
}

TEST(rep_stos_down)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE + 0x1008, 4, IOREQ_WRITE);

    req.count = 3;
    req.df = 1;
    ioreq_perform(&f->device, &req);
    assert_int_equal(f->accesses, 3);
    assert_int_equal(f->offsets[0], 0x1008);
    assert_int_equal(f->offsets[1], 0x1004);
    assert_int_equal(f->offsets[2], 0x1000);
}

TEST(rep_read_keeps_last)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE + 0x10, 2, IOREQ_READ);
    uint64_t last = 0;

    req.count = 4;
    memcpy(&last, f->regs + 0x16, 2);
    assert_true(ioreq_perform(&f->device, &req) == last);
}

TEST(string_out)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE + 0x2000, 8, IOREQ_WRITE);

    for (size_t i = 0; i < sizeof(f->memory); i++) {
        f->memory[i] = (uint8_t)(i * 3);
    }
    req.count = 512;
    req.data_is_ptr = 1;
    req.data = 0xf04; /* not aligned, across a page */
    ioreq_perform(&f->device, &req);
    assert_memory_equal(f->regs + 0x2000, f->memory + 0xf04, 4096);
}

TEST(string_in_down)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE + 0x300c, 4, IOREQ_READ);

    req.count = 4;
    req.data_is_ptr = 1;
    req.df = 1;
    req.data = 0x10c;
    ioreq_perform(&f->device, &req);
    /* Both sides go down together, so what lies where is as going up. */
    assert_memory_equal(f->memory + 0x100, f->regs + 0x3000, 16);
    assert_int_equal(f->offsets[0], 0x300c);
    assert_int_equal(f->offsets[3], 0x3000);
    assert_int_equal(f->memory[0xff], 0);
    assert_int_equal(f->memory[0x110], 0);
}

TEST(string_memory_gone)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE, 4, IOREQ_WRITE);

    f->memory_gone = true;
    req.count = 4;
    req.data_is_ptr = 1;
    assert_odd(f, &req);

    req.dir = IOREQ_READ;
    assert_true(ioreq_perform(&f->device, &req) == ALL_ONES);
    assert_int_equal(f->stats.odd, 2);
}

TEST(wraps)
{
    struct fixture *f = *state;
    struct ioreq req = copy_req(BASE, 8, IOREQ_WRITE);

    req.count = 4;
    req.df = 1; /* leaves the range at the lower end */
    assert_odd(f, &req);

    req.df = 0;
    req.addr = BASE + SIZE - 24; /* at the upper end */
    assert_odd(f, &req);

    req.addr = 8; /* below zero */
    req.df = 1;
    assert_odd(f, &req);

    req.addr = BASE; /* memory above the top */
    req.df = 0;
    req.data_is_ptr = 1;
    req.data = UINT64_MAX - 8;
    assert_odd(f, &req);

    req.addr = BASE + 0x100; /* memory below zero */
    req.df = 1;
    req.data = 8;
    assert_odd(f, &req);
}

/* --- the notes --------------------------------------------------------------------------- */

struct seen {
    unsigned n;
    struct ioreq_record last;
};

static void see(void *arg, const struct ioreq_record *record)
{
    struct seen *seen = arg;

    seen->n++;
    seen->last = *record;
}

TEST(records)
{
    char dir[] = "/tmp/xengt-test-XXXXXX", path[64];
    struct ioreq_record record = {
        .domid = 7,
        .id = 3,
        .uuid = {{0xde, 0xad, 0, 1, 0xff}},
        .ram_first = 0xe0800,
        .ram_pages = 2048,
        .function = 0xf8,
        .range = {{0xf1000000, 0x800000}, {UINT64_C(0x120000000), UINT64_C(1) << 33}},
    };
    struct seen seen = {0};
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(ioreq_record_each(dir, see, &seen), 0);
    assert_int_equal(seen.n, 0);

    assert_int_equal(ioreq_record_save(dir, &record), 0);
    assert_int_equal(ioreq_record_each(dir, see, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.domid, 7);
    assert_int_equal(seen.last.id, 3);
    assert_memory_equal(&seen.last.uuid, &record.uuid, sizeof(record.uuid));
    assert_int_equal(seen.last.ram_first, 0xe0800);
    assert_int_equal(seen.last.ram_pages, 2048);
    assert_int_equal(seen.last.function, 0xf8);
    assert_memory_equal(seen.last.range, record.range, sizeof(record.range));

    /* Another domain of the same number has nothing to do with it. */
    struct ioreq_record found = {.domid = 7, .uuid = record.uuid};
    assert_true(ioreq_record_load(dir, &found));
    assert_int_equal(found.range[0].base, 0xf1000000);
    ioreq_record_forget_server(&found);
    assert_int_equal(found.id, IOREQ_RECORD_NO_SERVER);
    assert_int_equal(found.ram_pages, 0);
    assert_int_equal(found.range[0].base, 0xf1000000);
    assert_int_equal(found.range[0].size, 0);
    found = (struct ioreq_record){.domid = 7};
    assert_false(ioreq_record_load(dir, &found));
    assert_int_equal(found.range[0].base, 0);

    /* A note that makes no sense is not followed, and does not stay. */
    snprintf(path, sizeof(path), "%s/ioreq.9", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("3 beef 0 0\n", file);
    fclose(file);
    seen.n = 0;
    assert_int_equal(ioreq_record_each(dir, see, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(access(path, F_OK), -1);

    ioreq_record_remove(dir, 7);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(ioreq_record_each(dir, see, &seen), 0); /* no folder, no notes */
}
