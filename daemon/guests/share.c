/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The share of the window. */
#include "guests/share.h"

struct share share_of(uint32_t window_pages, unsigned vgpus, uint32_t quota)
{
    uint32_t promised = window_pages / 2;
    struct share share = {.reserve = promised / (vgpus ? vgpus : 1)};

    share.quota = quota ? quota : window_pages - promised + share.reserve;
    if (share.reserve > share.quota) {
        share.reserve = share.quota;
    }
    return share;
}
