/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Expiry: when what spaces keep is to be unmapped, by the clock of a program's event loop. */
#include <limits.h>

#include "space.h"

/*
 * A date is set when the loop comes by, not when something is released: that is done too often to
 * look at a clock each time.
 */
static uint64_t date_of(struct xengt_space *space, uint64_t now)
{
    if (!space_deferred(space)) {
        space->date = 0;
    } else if (!space->date) {
        space->date = now + space->defer_ms;
    }
    return space->date;
}

static uint64_t expire(struct xengt_space *space, uint64_t now)
{
    uint64_t date = date_of(space, now);
    if (!date || date > now) {
        return date;
    }
    xengt_space_expire(space);
    space->date = 0;
    return date_of(space, now);
}

static void expire_all(struct xengt *xg, uint64_t now)
{
    xg->expire_at = 0;
    xg->undated = false;
    for (size_t i = 0; i < xg->targets_count; i++) {
        struct xengt_space *space = xg->targets[i]->space;
        uint64_t date = space ? expire(space, now) : 0;
        xg->expire_at = date && (!xg->expire_at || date < xg->expire_at) ? date : xg->expire_at;
    }
}

/* Called far more often than there is something to do: spaces are looked at when there may be. */
int xengt_expire(struct xengt *xg, uint64_t now_ms)
{
    if (xg->logging) {
        return -1;
    }
    if (xg->undated || (xg->expire_at && now_ms >= xg->expire_at)) {
        expire_all(xg, now_ms);
    }
    if (!xg->expire_at) {
        return -1;
    }
    return xg->expire_at - now_ms > INT_MAX ? INT_MAX : (int)(xg->expire_at - now_ms);
}
