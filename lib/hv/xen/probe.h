/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking Xen what is at a frame of this domain, before something is mapped there: a map over RAM
 * frees that RAM, a map over a device's registers makes Xen crash the domain, and with dom0 the
 * host.
 */
#ifndef XENGT_LIB_HV_XEN_PROBE_H
#define XENGT_LIB_HV_XEN_PROBE_H

#include "hv/xen/xen.h"

struct probe;

int probe_open(struct xen *xen, struct probe **out); /* -ENOMEM */
void probe_close(struct probe *probe);               /* NULL is allowed */

/*
 * Two questions: RAM or not; and if not, whether a page of our own can be put there and taken away
 * again, a frame of this domain's grant table that nobody uses. Where there is a device Xen refuses
 * that, and nothing happens.
 *   0            nothing, or a page of another domain
 *   -EADDRINUSE  RAM, or a device
 *   -ENOMEM      Xen has no memory for the page table
 */
int probe_frame(struct probe *probe, uint64_t frame);

#endif
