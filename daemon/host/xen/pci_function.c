/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The choice of a PCI function that nobody has. */
#include "host/xen/pci_function.h"

#include <errno.h>

#define DEVICES 32u

/* Device 0 is the host bridge's, whoever the PCI root is. */
int pci_function_choose(uint8_t wanted, pci_taken_fn *taken, void *arg, uint8_t *devfn)
{
    *devfn = wanted;
    int ret = taken(arg, *devfn);
    for (unsigned device = DEVICES - 1; ret == 1 && device > 0; device--) {
        *devfn = (uint8_t)(device << 3);
        ret = taken(arg, *devfn);
    }
    return ret == 1 ? -ENOSPC : ret;
}
