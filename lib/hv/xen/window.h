/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Choosing the window on a translated backend domain: a range of its guest frame numbers that
 * holds nothing and that its kernel will never put anything into. A mistake here costs the host
 * (a map over RAM frees that RAM; over a device's BAR Xen crashes the domain), so whatever is
 * not certain is refused, with what the administrator can do about it.
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

/* What of the kernel's memory map can hold a window. */
struct window_rules {
    bool unusable_is_free; /* "Unusable memory": Linux before 6.9 never touches it */
    uint64_t ceiling;      /* first frame number the devices cannot address */
};

/*
 * Finds a window in a memory map of the format of /proc/iomem. base and pages as in struct
 * xengt_options: 0 means the library's choice. -EINVAL with the remedy in error.
 */
int window_choose(FILE *iomem, const struct window_rules *rules, uint64_t base, uint32_t pages,
                  struct window *window, struct hv_error *error);

#define WINDOW_PAGES_DEFAULT (1u << 18) /* 1 GiB of guests' memory */

#endif
