/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Choosing the window on a translated backend domain: a range of its guest frame numbers that
 * holds nothing, that its kernel will never put anything into, and that its CPUs never touch (Xen
 * may then put a device there). A mistake here costs the host (a map over RAM frees that RAM; over
 * a device's BAR Xen crashes the domain), so whatever is not certain is refused, with what the
 * administrator can do about it. Two kinds of range are certain:
 *
 *   "Unusable memory"  RAM of the host that is not this domain's. A kernel that wants it for itself
 *                      (Linux from 6.9 on, up to ten times its own RAM) has taken it by the time
 *                      there is a process, and calls it "System RAM".
 *   "Reserved"         if memmap= on the kernel's command line named it: firmware has ranges of
 *                      that name, too, and Xen maps those for the domain. It must lie above all
 *                      "System RAM" and apart from it: what lies within the host's RAM the kernel
 *                      may have taken before it read memmap=.
 */
#ifndef XENGT_LIB_HV_XEN_WINDOW_H
#define XENGT_LIB_HV_XEN_WINDOW_H

#include <stdio.h>

#include "hv/hv.h"

struct window {
    uint64_t base; /* frame number */
    uint32_t pages;
    char where[64]; /* the entry of /proc/iomem it lies in */
};

/* What there is beside the memory map. */
struct window_rules {
    const char *cmdline; /* of the kernel, one line */
    uint64_t ceiling;    /* first frame number that cannot be used */
};

/*
 * Finds a window in a memory map of the format of /proc/iomem. base and pages as in struct
 * xengt_options: 0 means the library's choice. -EINVAL with the remedy in error; -EPERM the map
 * shows no addresses; -ENOMEM.
 */
int window_choose(FILE *iomem, const struct window_rules *rules, uint64_t base, uint32_t pages,
                  struct window *window, struct hv_error *error);

/* The same on this machine. Also what the opening of a file of /proc gives. */
int window_find(const struct xengt_options *options, struct window *window, struct hv_error *error);

#define WINDOW_PAGES_DEFAULT (1u << 18) /* 1 GiB of guests' memory */

#endif
