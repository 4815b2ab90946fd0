/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ring: one page of the guest's memory by which it has the device copy bytes between two of its
 * other pages. The guest fills entries and counts them in produced; the device does them in order,
 * writes each status by DMA, and counts them in consumed. Entry n is at n % RING_ENTRIES.
 */
#ifndef RING_H
#define RING_H

#include <stdint.h>

#define RING_MAGIC   0x31676e72u /* written last by a guest that makes a ring */
#define RING_ENTRIES 64u

#define RING_LENGTH_MAX 2048u

#define RING_PENDING     1    /* what the guest sets a status to */
#define RING_DONE        0    /* what the device does */
#define RING_BAD_FRAME   (-1) /* a frame that is none of the guest's */
#define RING_BAD_LENGTH  (-2)
#define RING_DEVICE_LOST (-3)

struct ring_entry {
    uint64_t source; /* guest frame numbers */
    uint64_t target;
    uint32_t length; /* from the beginning of each */
    int32_t status;
};

struct ring {
    uint32_t magic;
    uint32_t produced; /* wrap around */
    uint32_t consumed;
    uint32_t zero;
    struct ring_entry entry[RING_ENTRIES];
};

#endif
