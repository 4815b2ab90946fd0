/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A piece of RAM that a guest gets besides its own, where it expects a device's memory. */
#ifndef XENGT_HOST_XEN_GUEST_RAM_H
#define XENGT_HOST_XEN_GUEST_RAM_H

#include <stdint.h>

#include <xendevicemodel.h>
#include <xenforeignmemory.h>

struct xc_interface_core;

/* The handles stay the caller's. pages 0: there is none. */
struct guest_ram {
    struct xc_interface_core *xc;
    xendevicemodel_handle *dmod;
    xenforeignmemory_handle *fmem;
    uint32_t domid;
    uint64_t first; /* frame number */
    uint32_t pages;
    void *view; /* NULL: not this process' */
};

/* A frame number far beyond the last page that the guest has, for RAM that is not to be found. */
uint64_t guest_ram_apart(const struct guest_ram *ram);

/* first and pages are set. -EBUSY: the guest has RAM there; others as Xen gives them. */
int guest_ram_add(struct guest_ram *ram);
int guest_ram_find(struct guest_ram *ram); /* it is there already: a view of it, as it is */
int guest_ram_move(struct guest_ram *ram, uint64_t first);

/* The view goes; the pages stay. */
void guest_ram_leave(struct guest_ram *ram);

/* The view goes, and the pages. Of a domain that is gone, only the view is left to go. */
void guest_ram_remove(struct guest_ram *ram);

#endif
