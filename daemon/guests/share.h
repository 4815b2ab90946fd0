/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The share: how much of the window a guest is promised, and how much it may have. Half of the
 * window is promised, in equal parts, to as many vGPUs of the guest's type as the GPU holds; the
 * other half is for whoever needs it first. So a guest that takes all it can get leaves to every
 * other one, also to those that are not there yet, what these are promised.
 */
#ifndef XENGT_GUESTS_SHARE_H
#define XENGT_GUESTS_SHARE_H

#include <stdint.h>

struct share {
    uint32_t reserve; /* mappings that are always to be had */
    uint32_t quota;   /* mappings at a time */
};

/* quota: what the administrator says; 0: nothing. vgpus: of the type, on a GPU that is empty. */
struct share share_of(uint32_t window_pages, unsigned vgpus, uint32_t quota);

#endif
