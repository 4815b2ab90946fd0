/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The PCI function that a vGPU is: configuration space, base addresses, interrupts, power
 * management and function level reset; and the host bridge that a PCI root has to have. Values
 * only: who asks, and what becomes of a base address, is the caller's.
 */
#ifndef XENGT_VGPU_PCI_H
#define XENGT_VGPU_PCI_H

#include <stdbool.h>
#include <stdint.h>

/* On bus 0, device in the upper five bits: where drivers look for Intel's GPU and its bridge. */
#define VGPU_PCI_DEVFN  0x10u
#define VGPU_PCI_BRIDGE 0x00u

#define VGPU_PCI_SPACE 256u

/* GTTMMADR: registers in the lower half, the GGTT in the upper. */
#define VGPU_MMIO_SIZE  (16u << 20)
#define VGPU_GTT_OFFSET (8u << 20)

enum vgpu_bar {
    VGPU_BAR_MMIO,     /* BAR 0: GTTMMADR, VGPU_MMIO_SIZE bytes */
    VGPU_BAR_APERTURE, /* BAR 2: GMADR */
    VGPU_BARS,
};

struct vgpu_pci_config {
    uint32_t id; /* device << 16 | vendor; also the subsystem's */
    uint32_t class_revision;
    uint64_t
        base[VGPU_BARS];    /* where firmware has put them; multiples of their sizes. 0: nowhere */
    uint64_t aperture_size; /* a power of two, from 4096 on */
    uint32_t gtt_entries;
    bool intx; /* it has an interrupt pin, INTA#, where somebody routes it */
};

/* For pci.c alone. */
struct vgpu_pci {
    uint8_t space[VGPU_PCI_SPACE];
    uint8_t writable[VGPU_PCI_SPACE]; /* bits that a write sets or clears */
    uint64_t bar_size[VGPU_BARS];
};

/* What a write brought about. */
#define VGPU_PCI_MOVED 1u /* base addresses came, went or changed */
#define VGPU_PCI_RESET 2u /* the function is reset: so must be what is behind it */
#define VGPU_PCI_ON    4u /* its memory was switched on */

/* As firmware leaves it: base addresses set and decoded. Or, where there are none, as at power-on.
 */
void vgpu_pci_init(struct vgpu_pci *pci, const struct vgpu_pci_config *config);

/* What can be written becomes as it is in a configuration space of the same function. */
void vgpu_pci_take_up(struct vgpu_pci *pci, const uint8_t space[VGPU_PCI_SPACE]);

/*
 * 1, 2 or 4 bytes of a register, not across a dword. What makes no sense reads all-ones, and is
 * not written.
 */
uint32_t vgpu_pci_read(const struct vgpu_pci *pci, unsigned reg, unsigned size);
unsigned vgpu_pci_write(struct vgpu_pci *pci, unsigned reg, uint32_t value, unsigned size);

/* False: the function does not answer there, or anywhere, now. */
bool vgpu_pci_bar(const struct vgpu_pci *pci, enum vgpu_bar bar, uint64_t *base, uint64_t *size);

/* Its memory is switched on, and this BAR of it is at no address: nobody had room for it. */
bool vgpu_pci_homeless(const struct vgpu_pci *pci, enum vgpu_bar bar);

/* What to write where for an interrupt; false: the guest wants none. */
bool vgpu_pci_msi(const struct vgpu_pci *pci, uint64_t *address, uint32_t *data);

/*
 * There is something to interrupt for, or not any more: a status bit. True: by the pin, which is to
 * be asserted then. It is not while MSI is on or the guest has switched it off.
 */
bool vgpu_pci_intx(struct vgpu_pci *pci, bool pending);

/* The host bridge; it has nothing to write to. */
uint32_t vgpu_pci_bridge_read(unsigned reg, unsigned size);

#endif
