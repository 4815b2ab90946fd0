/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The place of a PCI function on bus 0 among those of other device models. */
#ifndef XENGT_HOST_XEN_PCI_FUNCTION_H
#define XENGT_HOST_XEN_PCI_FUNCTION_H

#include <stdint.h>

/* Has somebody claimed the function? 1, 0, or a negative errno value. */
typedef int pci_taken_fn(void *arg, uint8_t devfn);

/*
 * The wanted function where it is free. Else the highest device that is: a device model puts what
 * is plugged in later into the lowest. -ENOSPC: all are taken; others are taken()'s.
 */
int pci_function_choose(uint8_t wanted, pci_taken_fn *taken, void *arg, uint8_t *devfn);

#endif
