/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vGPU's PCI function, asked as Linux asks, and as nobody should. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#include "vgpu/pci.h"

#define MMIO_BASE     UINT64_C(0xe0000000)
#define MMIO_SIZE     UINT64_C(0x1000000)
#define APERTURE_BASE UINT64_C(0xd0000000)
#define APERTURE_SIZE UINT64_C(0x10000000)

#define COMMAND    0x04u
#define MEMORY     0x02u
#define MASTER     0x04u
#define NO_INTX    0x400u
#define STATUS     0x06u
#define PIN        0x3du
#define BAR0       0x10u
#define BAR2       0x18u
#define GMCH       0x50u
#define MSI        0x90u
#define AF_CONTROL 0xa8u
#define PM_STATUS  0xd4u

static int setup(void **state)
{
    static const struct vgpu_pci_config config = {
        .id = 0x16168086,
        .class_revision = 0x03800009,
        .base = {MMIO_BASE, APERTURE_BASE},
        .aperture_size = APERTURE_SIZE,
        .gtt_entries = 1u << 20,
    };
    struct vgpu_pci *pci = calloc(1, sizeof(*pci));

    vgpu_pci_init(pci, &config);
    *state = pci;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static uint64_t bar_base(const struct vgpu_pci *pci, enum vgpu_bar bar)
{
    uint64_t base, size;

    if (!vgpu_pci_bar(pci, bar, &base, &size)) {
        return 0;
    }
    assert_int_equal(base % size, 0);
    return base;
}

#define TEST(name) TEST_WITH(name, setup, teardown)

TEST(identity)
{
    struct vgpu_pci *pci = *state;

    assert_int_equal(vgpu_pci_read(pci, 0, 4), 0x16168086);
    assert_int_equal(vgpu_pci_read(pci, 2, 2), 0x1616);
    assert_int_equal(vgpu_pci_read(pci, 8, 4), 0x03800009);
    assert_int_equal(vgpu_pci_read(pci, 0xe, 1), 0);        /* one function */
    assert_int_equal(vgpu_pci_read(pci, GMCH, 2), 3 << 6);  /* 8 MiB of entries */
    assert_int_equal(vgpu_pci_read(pci, 0x5c, 4), 0);       /* no stolen memory */
    assert_int_equal(vgpu_pci_read(pci, 0xfc, 4), 0);       /* no OpRegion */
    assert_int_equal(vgpu_pci_read(pci, 0x20, 4), 0);       /* no I/O ports */
    assert_int_equal(vgpu_pci_write(pci, 0, 0xdead, 4), 0); /* is what it is */
    assert_int_equal(vgpu_pci_read(pci, 0, 4), 0x16168086);
}

TEST(gtt_sizes)
{
    static const struct {
        uint32_t entries, ggms;
    } sizes[] = {{1u << 20, 3}, {1u << 19, 2}, {1u << 18, 1}, {1u << 16, 1}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct vgpu_pci_config config = {
            .base = {MMIO_BASE, APERTURE_BASE},
            .aperture_size = APERTURE_SIZE,
            .gtt_entries = sizes[i].entries,
        };

        vgpu_pci_init(*state, &config);
        assert_int_equal(vgpu_pci_read(*state, GMCH, 2), sizes[i].ggms << 6);
    }
}

TEST(capabilities)
{
    static const uint8_t ids[] = {0x05, 0x01, 0x13};
    struct vgpu_pci *pci = *state;
    unsigned at = vgpu_pci_read(pci, 0x34, 1);

    assert_true(vgpu_pci_read(pci, 0x06, 2) & 0x10);
    for (size_t i = 0; i < sizeof(ids); i++) {
        assert_int_equal(vgpu_pci_read(pci, at, 1), ids[i]);
        at = vgpu_pci_read(pci, at + 1, 1);
    }
    assert_int_equal(at, 0);
}

/* As Linux does it: decoding off, all ones, read, the old value back, decoding on. */
TEST(sizing)
{
    struct vgpu_pci *pci = *state;
    uint32_t low = vgpu_pci_read(pci, BAR0, 4), command = vgpu_pci_read(pci, COMMAND, 2);

    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), MMIO_BASE);
    assert_int_equal(vgpu_pci_write(pci, COMMAND, 0, 2), VGPU_PCI_MOVED);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), 0);
    assert_int_equal(vgpu_pci_write(pci, BAR0, 0xffffffff, 4), 0);
    assert_int_equal(vgpu_pci_read(pci, BAR0, 4), 0xff000004);
    vgpu_pci_write(pci, BAR0, low, 4);
    vgpu_pci_write(pci, BAR0 + 4, 0xffffffff, 4);
    assert_int_equal(vgpu_pci_read(pci, BAR0 + 4, 4), 0xffffffff);
    vgpu_pci_write(pci, BAR0 + 4, 0, 4);
    vgpu_pci_write(pci, BAR2, 0xffffffff, 4);
    assert_int_equal(vgpu_pci_read(pci, BAR2, 4), 0xf000000c);
    vgpu_pci_write(pci, BAR2, APERTURE_BASE, 4);
    assert_int_equal(vgpu_pci_write(pci, COMMAND, command, 2), VGPU_PCI_MOVED | VGPU_PCI_ON);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), MMIO_BASE);
    assert_int_equal(bar_base(pci, VGPU_BAR_APERTURE), APERTURE_BASE);
}

/* Firmware is to place it: it has the addresses of power-on, and does not answer. */
TEST(without_addresses_nothing_is_decoded)
{
    static const struct vgpu_pci_config config = {
        .id = 0x16168086,
        .aperture_size = APERTURE_SIZE,
        .gtt_entries = 1u << 20,
    };
    struct vgpu_pci *pci = *state;

    vgpu_pci_init(pci, &config);
    assert_int_equal(vgpu_pci_read(pci, 0, 4), 0x16168086);
    assert_int_equal(vgpu_pci_read(pci, COMMAND, 2), 0);
    assert_int_equal(vgpu_pci_read(pci, BAR0, 4), 4);
    assert_int_equal(vgpu_pci_read(pci, BAR2, 4), 0xc);
    assert_int_equal(vgpu_pci_write(pci, COMMAND, MEMORY, 2), VGPU_PCI_ON); /* 0 is no address */
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), 0);
    assert_int_equal(vgpu_pci_write(pci, BAR0, 0xf3000000, 4), VGPU_PCI_MOVED);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), 0xf3000000);
}

TEST(moving)
{
    struct vgpu_pci *pci = *state;

    assert_int_equal(vgpu_pci_write(pci, BAR0 + 4, 2, 4), VGPU_PCI_MOVED);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), MMIO_BASE + (UINT64_C(2) << 32));
    assert_int_equal(vgpu_pci_write(pci, BAR0 + 4, 2, 4), 0); /* it is there */
    assert_int_equal(vgpu_pci_write(pci, BAR0 + 3, 0xc1, 1), VGPU_PCI_MOVED);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), UINT64_C(0x2c1000000));
    assert_int_equal(bar_base(pci, VGPU_BAR_APERTURE), APERTURE_BASE);

    /* All-ones is what sizing leaves for a while, and 0 is what a reset leaves: no addresses. */
    vgpu_pci_write(pci, BAR2, UINT32_MAX, 4);
    assert_int_equal(vgpu_pci_write(pci, BAR2 + 4, UINT32_MAX, 4), VGPU_PCI_MOVED);
    assert_int_equal(bar_base(pci, VGPU_BAR_APERTURE), 0);
    vgpu_pci_write(pci, BAR0, 0, 4);
    vgpu_pci_write(pci, BAR0 + 4, 0, 4);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), 0);
}

TEST(msi)
{
    struct vgpu_pci *pci = *state;
    uint64_t address;
    uint32_t data;

    assert_false(vgpu_pci_msi(pci, &address, &data));
    assert_int_equal(vgpu_pci_read(pci, MSI + 2, 2), 0); /* 32-bit, one vector, no masks */
    vgpu_pci_write(pci, MSI + 4, 0xfee00003, 4);
    vgpu_pci_write(pci, MSI + 8, 0x4021, 2);
    vgpu_pci_write(pci, MSI + 2, 0xffff, 2);
    assert_int_equal(vgpu_pci_read(pci, MSI + 2, 2), 1);
    assert_false(vgpu_pci_msi(pci, &address, &data)); /* it is no bus master */
    vgpu_pci_write(pci, COMMAND, MEMORY | MASTER, 2);
    assert_true(vgpu_pci_msi(pci, &address, &data));
    assert_int_equal(address, 0xfee00000);
    assert_int_equal(data, 0x4021);
    vgpu_pci_write(pci, MSI + 2, 0, 2);
    assert_false(vgpu_pci_msi(pci, &address, &data));
}

/* A pin is where somebody routes it; its level is the guest's to switch off, and not MSI's too. */
TEST(intx)
{
    struct vgpu_pci *pci = *state;
    const struct vgpu_pci_config config = {.id = 0x16168086, .aperture_size = 1, .intx = true};

    assert_int_equal(vgpu_pci_read(pci, PIN, 1), 0);
    assert_false(vgpu_pci_intx(pci, true));
    assert_int_equal(vgpu_pci_read(pci, STATUS, 2), 0x10);
    vgpu_pci_init(pci, &config);
    assert_int_equal(vgpu_pci_read(pci, PIN, 1), 1);
    assert_true(vgpu_pci_intx(pci, true));
    assert_int_equal(vgpu_pci_read(pci, STATUS, 2), 0x18);
    vgpu_pci_write(pci, COMMAND, NO_INTX, 2);
    assert_false(vgpu_pci_intx(pci, true));
    assert_int_equal(vgpu_pci_read(pci, STATUS, 2), 0x18); /* it is pending all the same */
    vgpu_pci_write(pci, COMMAND, 0, 2);
    assert_true(vgpu_pci_intx(pci, true));
    vgpu_pci_write(pci, MSI + 2, 1, 2);
    assert_false(vgpu_pci_intx(pci, true));
    assert_false(vgpu_pci_intx(pci, false));
    assert_int_equal(vgpu_pci_read(pci, STATUS, 2), 0x10);
}

TEST(power)
{
    struct vgpu_pci *pci = *state;

    assert_int_equal(vgpu_pci_write(pci, PM_STATUS, 3, 2), VGPU_PCI_MOVED);
    assert_int_equal(vgpu_pci_read(pci, PM_STATUS, 2), 0xb); /* and nothing is reset by it */
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), 0);
    assert_int_equal(vgpu_pci_write(pci, PM_STATUS, 0, 2), VGPU_PCI_MOVED);
    assert_int_equal(bar_base(pci, VGPU_BAR_MMIO), MMIO_BASE);
    assert_int_equal(vgpu_pci_write(pci, PM_STATUS, 1, 2), 0); /* there is no D1 */
    assert_int_equal(vgpu_pci_read(pci, PM_STATUS, 2), 8);
}

TEST(reset)
{
    struct vgpu_pci *pci = *state;

    vgpu_pci_write(pci, COMMAND, MEMORY | MASTER, 2);
    vgpu_pci_write(pci, MSI + 2, 1, 2);
    assert_int_equal(vgpu_pci_write(pci, AF_CONTROL, 0, 1), 0);
    assert_int_equal(vgpu_pci_write(pci, AF_CONTROL - 4, 0xffffffff, 4), 0);
    assert_int_equal(vgpu_pci_write(pci, AF_CONTROL, 1, 1), VGPU_PCI_RESET | VGPU_PCI_MOVED);
    assert_int_equal(vgpu_pci_read(pci, AF_CONTROL, 2), 0); /* it is over at once */
    assert_int_equal(vgpu_pci_read(pci, COMMAND, 2), 0);
    assert_int_equal(vgpu_pci_read(pci, MSI + 2, 2), 0);
    assert_int_equal(vgpu_pci_read(pci, BAR0, 4), 4);
    assert_int_equal(vgpu_pci_read(pci, 0, 4), 0x16168086);
    assert_int_equal(vgpu_pci_write(pci, AF_CONTROL, 0xffff, 2), VGPU_PCI_RESET);
}

TEST(bridge)
{
    (void)state;
    assert_int_equal(vgpu_pci_bridge_read(0, 4), 0x12378086);
    assert_int_equal(vgpu_pci_bridge_read(0x0a, 2), 0x0600);
    assert_int_equal(vgpu_pci_bridge_read(0x48, 4), 0);
    assert_int_equal(vgpu_pci_bridge_read(0xff, 1), 0);
    assert_int_equal(vgpu_pci_bridge_read(0xfe, 4), UINT32_MAX);
    assert_int_equal(vgpu_pci_bridge_read(256, 1), UINT32_MAX);
}

TEST(odd_accesses)
{
    static const struct {
        unsigned reg, size;
    } odd[] = {{0, 0}, {0, 3},   {0, 5},    {0, 8},         {2, 4},
               {3, 2}, {256, 1}, {4096, 4}, {UINT32_MAX, 1}};
    struct vgpu_pci *pci = *state, before = *pci;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(vgpu_pci_read(pci, odd[i].reg, odd[i].size), UINT32_MAX);
        assert_int_equal(vgpu_pci_write(pci, odd[i].reg, 0x5a5a5a5a, odd[i].size), 0);
    }
    assert_memory_equal(pci, &before, sizeof(before));
}

/* Whatever is written where: what it is does not change, and what changed is said. */
TEST(torture)
{
    struct vgpu_pci *pci = *state;
    unsigned resets = 0, moves = 0;

    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t before[VGPU_BARS] = {bar_base(pci, 0), bar_base(pci, 1)};
        unsigned size = 1u << rand() % 3;
        unsigned reg = (unsigned)rand() % 260;
        uint32_t value = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        unsigned result = vgpu_pci_write(pci, reg, value, size);
        bool moved = before[0] != bar_base(pci, 0) || before[1] != bar_base(pci, 1);

        assert_int_equal(!!(result & VGPU_PCI_MOVED), moved);
        resets += !!(result & VGPU_PCI_RESET);
        moves += moved;
        assert_int_equal(vgpu_pci_read(pci, 0, 4), 0x16168086);
        assert_int_equal(vgpu_pci_read(pci, 8, 4), 0x03800009);
        assert_int_equal(vgpu_pci_read(pci, BAR0, 4) & 0xffffff, 4);
        assert_int_equal(vgpu_pci_read(pci, BAR2, 4) & 0xfffffff, 0xc);
        assert_int_equal(vgpu_pci_read(pci, AF_CONTROL, 2), 0);
    }
    assert_true(resets > 100 && moves > 100);
}
