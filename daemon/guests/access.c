/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a guest does to its vGPU and what comes back: accesses to memory and to configuration
 * space, stores into its page tables, interrupts. The function's base addresses live here, too:
 * the guest moves them, and the host has to be told.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include <xengt/types.h>

#include "guests/guest.h"

/* --- memory ------------------------------------------------------------------------------ */

_Static_assert((unsigned)VGPU_BARS <= HOST_RANGES, "each BAR is a range of the host's");

static uint64_t guest_mmio_read(void *arg, unsigned range, uint64_t offset, unsigned size)
{
    struct guest *guest = arg;

    return range == VGPU_BAR_MMIO ? vgpu_mmio_read(guest->vgpu, offset, size)
                                  : vgpu_aperture_read(guest->vgpu, offset, size);
}

static void guest_mmio_write(void *arg, unsigned range, uint64_t offset, uint64_t value,
                             unsigned size)
{
    struct guest *guest = arg;

    if (range == VGPU_BAR_MMIO) {
        vgpu_mmio_write(guest->vgpu, offset, value, size);
    } else {
        vgpu_aperture_write(guest->vgpu, offset, value, size);
    }
}

static void guest_tracked_write(void *arg, uint64_t gpa, uint64_t value, unsigned size)
{
    struct guest *guest = arg;

    gtt_table_write(vgpu_gtt(guest->vgpu), gpa, value, size);
}

/* Called by the GTT, also while the guest is taken apart. */
int guest_track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    struct guest *guest = arg;

    return guest->guests->config.host->ops->track(guest->host, gfn, n, on);
}

/* --- base addresses ---------------------------------------------------------------------- */

#define APERTURE_LOW_MAX (UINT64_C(1) << 30)
#define APERTURE_HIGH    (UINT64_C(1) << 35)

static uint64_t gtt_bytes(const struct guests *guests)
{
    return guests->config.gpu->gtt_entries * sizeof(uint64_t);
}

/* With its GTT in RAM, half of the registers' range is the guest's own. */
static uint64_t trapped_size(const struct guest *guest, enum vgpu_bar bar, uint64_t size)
{
    return bar == VGPU_BAR_MMIO && guest->gtt_ram ? VGPU_GTT_OFFSET : size;
}

static uint64_t gtt_ram_frame(uint64_t mmio_base)
{
    return (mmio_base + VGPU_GTT_OFFSET) >> XENGT_PAGE_SHIFT;
}

int guest_add_gtt_ram(struct guest *guest)
{
    struct guests *guests = guest->guests;
    uint32_t pages = (uint32_t)(gtt_bytes(guests) >> XENGT_PAGE_SHIFT);
    uint64_t base, size;

    vgpu_pci_bar(&guest->pci, VGPU_BAR_MMIO, &base, &size);
    return guests->config.host->ops->add_ram(guest->host, gtt_ram_frame(base), pages,
                                             &guest->gtt_ram);
}

static int claim_bar(struct guest *guest, enum vgpu_bar bar)
{
    const struct host_ops *host = guest->guests->config.host->ops;
    uint64_t base, size;
    int ret = 0;

    if (!vgpu_pci_bar(&guest->pci, bar, &base, &size)) {
        return host->claim(guest->host, bar, 0, 0);
    }
    if (bar == VGPU_BAR_MMIO && guest->gtt_ram && base != guest->mmio_base) {
        ret = host->move_ram(guest->host, gtt_ram_frame(base));
    }
    if (!ret) {
        ret = host->claim(guest->host, bar, base, trapped_size(guest, bar, size));
    }
    if (!ret && bar == VGPU_BAR_MMIO) {
        guest->mmio_base = base;
    }
    return ret;
}

int guest_claim_bars(struct guest *guest)
{
    int ret = 0;

    for (enum vgpu_bar bar = 0; bar < VGPU_BARS && !ret; bar++) {
        ret = claim_bar(guest, bar);
    }
    return ret;
}

/* Below the registers while that leaves most of the guest's low memory, else beyond its RAM. */
static uint64_t aperture_base(uint64_t mmio_base, uint64_t size)
{
    if (size > APERTURE_LOW_MAX || size > mmio_base) {
        return APERTURE_HIGH;
    }
    return (mmio_base - size) & ~(size - 1); /* it is a BAR */
}

void guest_init_pci(struct guest *guest)
{
    const struct guests_config *config = &guest->guests->config;
    /* Guests want the windows below the aperture's end to be the mappable ones, and only these. */
    struct vgpu_pci_config pci = {
        .aperture_size = (uint64_t)guest->guests->gpu.aperture * XENGT_PAGE_SIZE,
        .gtt_entries = config->gpu->gtt_entries,
    };

    pci.base[VGPU_BAR_MMIO] = config->mmio_base;
    pci.base[VGPU_BAR_APERTURE] = aperture_base(config->mmio_base, pci.aperture_size);
    vgpu_pci_init(&guest->pci, &pci);
    guest->mmio_base = config->mmio_base;
}

/* --- configuration space ----------------------------------------------------------------- */

static uint32_t guest_pci_read(void *arg, unsigned devfn, unsigned reg, unsigned size)
{
    const struct guest *guest = arg;

    return devfn == VGPU_PCI_DEVFN ? vgpu_pci_read(&guest->pci, reg, size)
                                   : vgpu_pci_bridge_read(reg, size);
}

static void guest_pci_write(void *arg, unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
    struct guest *guest = arg;
    unsigned result;
    int ret = 0;

    if (devfn != VGPU_PCI_DEVFN) {
        return;
    }
    result = vgpu_pci_write(&guest->pci, reg, value, size);
    if (result & VGPU_PCI_RESET) {
        vgpu_reset(guest->vgpu);
    }
    if (result & VGPU_PCI_MOVED) {
        ret = guest_claim_bars(guest);
    }
    if (ret) {
        guests_log(guest->guests, LOG_WARNING,
                   "domain '%s' (%u): its vGPU does not answer where it was put: %s", guest->name,
                   guest->domid, strerror(-ret));
    }
}

/* An interrupt nobody wants is not kept: the registers still say why there was one. */
void guest_interrupt(void *arg)
{
    struct guest *guest = arg;
    uint64_t address;
    uint32_t data;

    if (vgpu_pci_msi(&guest->pci, &address, &data)) {
        guest->guests->config.host->ops->inject_msi(guest->host, address, data);
    }
}

/* --- the rest ---------------------------------------------------------------------------- */

static void guest_layout_changed(void *arg)
{
    struct guest *guest = arg;

    vgpu_guest_layout_changed(guest->vgpu);
}

static void guest_end_of_turn(void *arg)
{
    struct guest *guest = arg;

    guest_has_asked(guest);
}

/* The host is in the middle of its own work now: the guest is detached in the next turn. */
static void guest_died(void *arg)
{
    struct guest *guest = arg;

    guest->dead = true;
    wake_in(&guest->guests->turns.wake, 0);
}

static bool guest_ready(void *arg)
{
    struct guest *guest = arg;

    return vgpu_ready(guest->vgpu);
}

const struct host_guest_ops guest_ops = {
    .ready = guest_ready,
    .mmio_read = guest_mmio_read,
    .mmio_write = guest_mmio_write,
    .pci_read = guest_pci_read,
    .pci_write = guest_pci_write,
    .tracked_write = guest_tracked_write,
    .layout_changed = guest_layout_changed,
    .end_of_turn = guest_end_of_turn,
    .died = guest_died,
};
