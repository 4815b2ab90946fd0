/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Intel's graphics function as GVT-g shows it to a guest: no stolen memory, no OpRegion, no I/O
 * BAR.
 */
#include "vgpu/pci.h"

#include <stddef.h>
#include <string.h>

#define PCI_ID              0x00u
#define PCI_COMMAND         0x04u
#define PCI_COMMAND_MEMORY  0x02u
#define PCI_COMMAND_MASTER  0x04u
#define PCI_COMMAND_NO_INTX 0x400u
#define PCI_STATUS          0x06u
#define PCI_STATUS_INTX     0x08u
#define PCI_CLASS_REVISION  0x08u
#define PCI_SUBSYSTEM       0x2cu
#define PCI_BAR(n)          (0x10u + 4 * (n))
#define PCI_INTERRUPT_PIN   0x3du
#define PCI_INTA            1u
#define GMCH_CONTROL        0x50u /* bits 7:6, GGMS: 1 << n MiB of GTT entries */
#define GMCH_GGMS_SHIFT     6
#define MSI_CAP             0x90u
#define MSI_CONTROL         (MSI_CAP + 2)
#define MSI_ENABLE          0x01u
#define MSI_ADDRESS         (MSI_CAP + 4)
#define MSI_DATA            (MSI_CAP + 8)
#define AF_CAP              0xa4u
#define AF_CONTROL          (AF_CAP + 4)
#define AF_INITIATE_FLR     0x01u
#define PM_CAP              0xd0u
#define PM_STATUS           (PM_CAP + 4)
#define PM_STATE_MASK       0x03u
#define PM_STATE_D3HOT      0x03u

#define BAR_64BIT        0x04u
#define BAR_PREFETCHABLE 0x08u

#define ALL_ONES UINT32_MAX

struct field {
    uint8_t offset;
    uint8_t size;
    uint32_t value;
    uint32_t writable;
};

/* What is not here reads 0 and cannot be written. Ids and BARs depend on the configuration. */
static const struct field fields[] = {
    {PCI_COMMAND, 2, 0, 0x07ff},
    {PCI_STATUS, 2, 0x0010, 0}, /* status: has capabilities; no error ever to be cleared */
    {0x0c, 1, 0, 0xff},         /* cache line size */
    {0x34, 1, MSI_CAP, 0},
    {0x3c, 1, 0, 0xff}, /* interrupt line */

    {MSI_CAP, 2, PM_CAP << 8 | 0x05, 0},
    {MSI_CONTROL, 2, 0, MSI_ENABLE}, /* one vector, 32-bit address */
    {MSI_ADDRESS, 4, 0, 0xfffffffc},
    {MSI_DATA, 2, 0, 0xffff},

    {PM_CAP, 2, AF_CAP << 8 | 0x01, 0},
    {PM_CAP + 2, 2, 0x0002, 0}, /* D0 and D3 */
    /*
     * Nothing is reset on the way from D3hot to D0: i915 expects its GTT to be there when the
     * function comes back from it.
     */
    {PM_STATUS, 2, 0x0008, PM_STATE_MASK},

    {AF_CAP, 4, 0x03060013, 0}, /* the last one: can be reset by function level reset */
};

static void put(uint8_t *bytes, unsigned offset, unsigned size, uint32_t value)
{
    for (unsigned i = 0; i < size; i++) {
        bytes[offset + i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t get(const uint8_t *bytes, unsigned offset, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++) {
        value |= (uint32_t)bytes[offset + i] << 8 * i;
    }
    return value;
}

static bool well_formed(unsigned reg, unsigned size)
{
    return (size == 1 || size == 2 || size == 4) && reg < VGPU_PCI_SPACE && reg % 4 + size <= 4;
}

/* Both are 64-bit ones, so that each takes two registers. */
static unsigned bar_register(enum vgpu_bar bar)
{
    return bar == VGPU_BAR_MMIO ? PCI_BAR(0) : PCI_BAR(2);
}

/* The address bits below the size cannot be written: that is how a driver learns the size. */
static void init_bar(struct vgpu_pci *pci, enum vgpu_bar bar, uint64_t base, uint64_t size,
                     uint32_t type)
{
    unsigned reg = bar_register(bar);
    uint64_t mask = ~(size - 1);

    pci->bar_size[bar] = size;
    put(pci->space, reg, 4, (uint32_t)(base & mask) | type);
    put(pci->space, reg + 4, 4, (uint32_t)((base & mask) >> 32));
    put(pci->writable, reg, 4, (uint32_t)mask);
    put(pci->writable, reg + 4, 4, (uint32_t)(mask >> 32));
}

static uint32_t ggms(uint32_t gtt_entries)
{
    uint32_t n = 1;

    while (n < 3 && (UINT64_C(1) << n << 20) < gtt_entries * sizeof(uint64_t)) {
        n++;
    }
    return n;
}

void vgpu_pci_init(struct vgpu_pci *pci, const struct vgpu_pci_config *config)
{
    memset(pci, 0, sizeof(*pci));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        put(pci->space, fields[i].offset, fields[i].size, fields[i].value);
        put(pci->writable, fields[i].offset, fields[i].size, fields[i].writable);
    }
    put(pci->space, PCI_ID, 4, config->id);
    put(pci->space, PCI_CLASS_REVISION, 4, config->class_revision);
    put(pci->space, PCI_SUBSYSTEM, 4, config->id);
    put(pci->space, GMCH_CONTROL, 2, ggms(config->gtt_entries) << GMCH_GGMS_SHIFT);
    put(pci->space, PCI_INTERRUPT_PIN, 1, config->intx ? PCI_INTA : 0);
    if (config->base[VGPU_BAR_MMIO]) {
        put(pci->space, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    }
    init_bar(pci, VGPU_BAR_MMIO, config->base[VGPU_BAR_MMIO], VGPU_MMIO_SIZE, BAR_64BIT);
    init_bar(pci, VGPU_BAR_APERTURE, config->base[VGPU_BAR_APERTURE], config->aperture_size,
             BAR_64BIT | BAR_PREFETCHABLE);
}

/* All that can be written is 0 after a reset, the base addresses included. */
static void reset(struct vgpu_pci *pci)
{
    for (unsigned i = 0; i < VGPU_PCI_SPACE; i++) {
        pci->space[i] &= (uint8_t)~pci->writable[i];
    }
}

/* D1 and D2 do not exist: what a write of them says is dropped. */
static bool power_state_exists(uint32_t state)
{
    return state == 0 || state == PM_STATE_D3HOT;
}

static void store(struct vgpu_pci *pci, unsigned reg, uint32_t value, unsigned size)
{
    uint8_t power = pci->space[PM_STATUS];

    for (unsigned i = 0; i < size; i++) {
        uint8_t writable = pci->writable[reg + i];
        uint8_t kept = pci->space[reg + i] & (uint8_t)~writable;

        pci->space[reg + i] = kept | ((uint8_t)(value >> 8 * i) & writable);
    }
    if (!power_state_exists(pci->space[PM_STATUS] & PM_STATE_MASK)) {
        pci->space[PM_STATUS] = power;
    }
}

/* Where the BARs answer, for comparing; all 0 where they do not. */
static void bars(const struct vgpu_pci *pci, uint64_t base[VGPU_BARS])
{
    uint64_t size;

    for (enum vgpu_bar bar = 0; bar < VGPU_BARS; bar++) {
        if (!vgpu_pci_bar(pci, bar, &base[bar], &size)) {
            base[bar] = 0;
        }
    }
}

static bool asks_for_reset(unsigned reg, uint32_t value, unsigned size)
{
    return reg <= AF_CONTROL && AF_CONTROL < reg + size &&
           value >> 8 * (AF_CONTROL - reg) & AF_INITIATE_FLR;
}

void vgpu_pci_take_up(struct vgpu_pci *pci, const uint8_t space[VGPU_PCI_SPACE])
{
    for (unsigned i = 0; i < VGPU_PCI_SPACE; i++) {
        pci->space[i] = (pci->space[i] & ~pci->writable[i]) | (space[i] & pci->writable[i]);
    }
}

uint32_t vgpu_pci_read(const struct vgpu_pci *pci, unsigned reg, unsigned size)
{
    return well_formed(reg, size) ? get(pci->space, reg, size) : ALL_ONES;
}

unsigned vgpu_pci_write(struct vgpu_pci *pci, unsigned reg, uint32_t value, unsigned size)
{
    uint64_t before[VGPU_BARS], after[VGPU_BARS];
    unsigned result = 0;

    if (!well_formed(reg, size)) {
        return 0;
    }
    bool was_on = get(pci->space, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
    bars(pci, before);
    store(pci, reg, value, size);
    if (asks_for_reset(reg, value, size)) {
        reset(pci);
        result |= VGPU_PCI_RESET;
    }
    bars(pci, after);
    if (memcmp(before, after, sizeof(before)) != 0) {
        result |= VGPU_PCI_MOVED;
    }
    if (!was_on && get(pci->space, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) {
        result |= VGPU_PCI_ON;
    }
    return result;
}

/* While a driver finds out the size, the BAR holds all-ones: that is no address. */
bool vgpu_pci_bar(const struct vgpu_pci *pci, enum vgpu_bar bar, uint64_t *base, uint64_t *size)
{
    unsigned reg = bar_register(bar);
    uint64_t low = get(pci->space, reg, 4);
    uint64_t high = get(pci->space, reg + 4, 4);

    *size = pci->bar_size[bar];
    *base = (high << 32 | low) & ~(*size - 1);
    return get(pci->space, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY &&
           !(pci->space[PM_STATUS] & PM_STATE_MASK) && *base && *base != ~(*size - 1);
}

bool vgpu_pci_homeless(const struct vgpu_pci *pci, enum vgpu_bar bar)
{
    uint64_t base, size;

    vgpu_pci_bar(pci, bar, &base, &size);
    return get(pci->space, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY && !base;
}

bool vgpu_pci_msi(const struct vgpu_pci *pci, uint64_t *address, uint32_t *data)
{
    *address = get(pci->space, MSI_ADDRESS, 4);
    *data = get(pci->space, MSI_DATA, 2);
    return get(pci->space, MSI_CONTROL, 2) & MSI_ENABLE &&
           get(pci->space, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

bool vgpu_pci_intx(struct vgpu_pci *pci, bool pending)
{
    uint8_t *status = &pci->space[PCI_STATUS];

    if (!pci->space[PCI_INTERRUPT_PIN]) {
        return false;
    }
    *status = (uint8_t)((*status & ~PCI_STATUS_INTX) | (pending ? PCI_STATUS_INTX : 0));
    return pending && !(get(pci->space, MSI_CONTROL, 2) & MSI_ENABLE) &&
           !(get(pci->space, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX);
}

/* The bridge of QEMU's oldest machine: Linux takes a bus without one for no bus at all. */
uint32_t vgpu_pci_bridge_read(unsigned reg, unsigned size)
{
    static const uint8_t space[] = {
        0x86, 0x80, 0x37, 0x12, /* 8086:1237 */
        0x06, 0x00, 0x00, 0x02, /* command: memory, bus master; status */
        0x02, 0x00, 0x00, 0x06, /* revision 2; host bridge */
    };

    if (!well_formed(reg, size)) {
        return ALL_ONES;
    }
    return reg < sizeof(space) ? get(space, reg, size) : 0;
}
