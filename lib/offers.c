/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Offers: a count for each domain, at the beginning and the end of a handle. */
#include "offers.h"

#include <errno.h>
#include <stdlib.h>

#define DOMIDS (1u << RECORD_DOMID_BITS) /* as many as a record can name */

int offers_init(struct xengt *xg, uint32_t quota)
{
    xg->offer_quota = quota ? quota : XENGT_OFFER_QUOTA_DEFAULT;
    xg->offered = calloc(DOMIDS, sizeof(*xg->offered)); /* no memory until it is touched */
    if (!xg->offered) {
        return -ENOMEM;
    }
    const struct slots *slots = &xg->slots;
    for (uint32_t s = 0; xg->stats.adopted && (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        if (slots_state(slots, s) == SLOT_MAPPED && slots_offered(slots, s)) {
            offers_count(xg, slots_domid(slots, s), 1);
        }
    }
    return 0;
}

void offers_free(struct xengt *xg)
{
    free(xg->offered);
}
