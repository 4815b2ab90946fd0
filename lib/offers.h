/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Offers: how many pages of each domain are mapped by a grant that it offered. A domain need not be
 * a target for that, so that no space's quota bounds it.
 */
#ifndef XENGT_LIB_OFFERS_H
#define XENGT_LIB_OFFERS_H

#include "handle.h"

/* How many of n pages more the domain may have. */
static inline size_t offers_room(const struct xengt *xg, uint32_t domid, size_t n)
{
    uint32_t has = xg->offered[domid];
    size_t room = has < xg->offer_quota ? xg->offer_quota - has : 0;
    return n < room ? n : room;
}

static inline void offers_count(struct xengt *xg, uint32_t domid, uint32_t n)
{
    xg->offered[domid] += n;
}

static inline void offers_discount(struct xengt *xg, uint32_t domid, uint32_t n)
{
    xg->offered[domid] -= n;
}

/* Room for the counts; counts what was adopted. -ENOMEM. */
int offers_init(struct xengt *xg, uint32_t quota);
void offers_free(struct xengt *xg);

#endif
