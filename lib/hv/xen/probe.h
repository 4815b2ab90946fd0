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

int probe_open(const struct hv_calls *calls, struct probe **out); /* -ENOMEM */
void probe_close(struct probe *probe);                            /* NULL is allowed */

/* RAM of this domain, or a grant that is mapped: nothing that may be removed as a foreign page. */
bool probe_is_ram(struct probe *probe, uint64_t frame);

/*
 * A process that is killed within probe_frame() may leave that page of its own behind. Takes it
 * away if it is in this range of frames, which is the caller's: else nobody could use the range
 * again.
 */
void probe_tidy(struct probe *probe, uint64_t first, uint64_t n);

/*
 * Two questions: RAM or not; and if not, whether a page of our own can be put there and taken away
 * again: the last frame of this domain's grant table, if that is nowhere in use. Where there is a
 * device Xen refuses that, and nothing happens.
 *   0            nothing
 *   -EEXIST      a page of another domain
 *   -EADDRINUSE  RAM, a grant, or a device
 *   -ENODATA     not RAM; more cannot be asked, because the last frame of the grant table is in use
 *   -ENOMEM      Xen has no memory for the page table
 *   other        Xen did not say
 */
int probe_frame(struct probe *probe, uint64_t frame);

#endif
