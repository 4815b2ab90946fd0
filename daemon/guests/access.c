/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wires between a guest's host and its vGPU: accesses go in, what the vGPU asks comes out. */
#include <xengt/types.h>

#include "guests/guest.h"

/* --- from the host to the vGPU ----------------------------------------------------------- */

_Static_assert((unsigned)VGPU_BARS <= HOST_RANGES, "each BAR is a range of the host's");

static bool guest_ready(void *arg)
{
    struct guest *guest = arg;

    guests_serve(guest->guests, guest);
    guest_wake(guest);
    return vgpu_ready(guest->vgpu);
}

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

static uint32_t guest_pci_read(void *arg, unsigned devfn, unsigned reg, unsigned size)
{
    struct guest *guest = arg;

    return vgpu_config_read(guest->vgpu, devfn, reg, size);
}

static void guest_pci_write(void *arg, unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
    struct guest *guest = arg;

    vgpu_config_write(guest->vgpu, devfn, reg, value, size);
}

static void guest_tracked_write(void *arg, uint64_t gpa, uint64_t value, unsigned size)
{
    struct guest *guest = arg;

    vgpu_tracked_write(guest->vgpu, gpa, value, size);
}

static void guest_layout_changed(void *arg)
{
    struct guest *guest = arg;

    vgpu_guest_layout_changed(guest->vgpu);
}

static void guest_answered(void *arg)
{
    struct guest *guest = arg;

    vgpu_answered(guest->vgpu);
}

static void guest_end_of_turn(void *arg)
{
    guest_has_asked(arg);
}

/* The host is in the middle of its own work now: the guest is detached in the next turn. */
static void guest_died(void *arg)
{
    struct guest *guest = arg;

    guest->dead = true;
    guest_wake(guest);
    wake_in(&guest->guests->turns.wake, 0);
}

const struct host_guest_ops guest_ops = {
    .ready = guest_ready,
    .mmio_read = guest_mmio_read,
    .mmio_write = guest_mmio_write,
    .pci_read = guest_pci_read,
    .pci_write = guest_pci_write,
    .tracked_write = guest_tracked_write,
    .layout_changed = guest_layout_changed,
    .answered = guest_answered,
    .end_of_turn = guest_end_of_turn,
    .died = guest_died,
};

/* --- from the vGPU to the host ----------------------------------------------------------- */

static const struct host_ops *host_of(const struct guest *guest)
{
    return guest->guests->config.host->ops;
}

static int machine_claim(void *arg, enum vgpu_bar bar, uint64_t base, uint64_t size)
{
    const struct guest *guest = arg;

    return host_of(guest)->claim(guest->host, bar, base, size);
}

static int machine_add_ram(void *arg, uint64_t first, uint32_t pages, void **view)
{
    const struct guest *guest = arg;

    if (first == VGPU_RAM_APART) {
        first = host_of(guest)->beyond_ram(guest->host) >> XENGT_PAGE_SHIFT;
    }
    return host_of(guest)->add_ram(guest->host, first, pages, view);
}

static int machine_move_ram(void *arg, uint64_t first)
{
    const struct guest *guest = arg;

    return host_of(guest)->move_ram(guest->host, first);
}

static void machine_inject_msi(void *arg, uint64_t address, uint32_t data)
{
    const struct guest *guest = arg;

    host_of(guest)->inject_msi(guest->host, address, data);
}

static void machine_set_intx(void *arg, bool asserted)
{
    const struct guest *guest = arg;

    host_of(guest)->set_intx(guest->host, asserted);
}

/* Called also while the guest is taken apart. */
static int machine_track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    const struct guest *guest = arg;

    return host_of(guest)->track(guest->host, gfn, n, on);
}

static void machine_log(void *arg, int level, const char *line)
{
    const struct guest *guest = arg;

    guests_log(guest->guests, level, "domain '%s' (%u): %s", guest->name, guest->domid, line);
}

static uint64_t machine_now_ns(void *arg)
{
    (void)arg;
    return wake_now_ns();
}

const struct vgpu_machine guest_machine = {
    .claim = machine_claim,
    .add_ram = machine_add_ram,
    .move_ram = machine_move_ram,
    .inject_msi = machine_inject_msi,
    .set_intx = machine_set_intx,
    .track = machine_track,
    .log = machine_log,
    .now_ns = machine_now_ns,
};
