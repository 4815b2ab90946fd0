/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Grants that a guest offers by reference. */
#include <errno.h>
#include <string.h>

#include <xengt/grant.h>

#include "private.h"

/* One batch. The references that have a slot stand in batch.entry, in the order of their slots. */
static void map_batch(struct xengt *xg, uint32_t domid, const uint32_t *gref, struct xengt_bfn *bfn,
                      int *err, size_t n, unsigned prot)
{
    struct batch *b = &xg->batch;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        bfn[i] = XENGT_BFN_INVALID;
        uint32_t s = slots_reserve_offered(&xg->slots, domid, gref[i]);
        if (s == SLOT_NONE) {
            spaces_flush(xg);
            s = slots_reserve_offered(&xg->slots, domid, gref[i]);
        }
        err[i] = s == SLOT_NONE ? -ENOSPC : 0;
        if (!err[i]) {
            xg->slots.slot[s].raw = 1;
            b->entry[count] = gref[i];
            b->slot[count++] = s;
        }
    }
    engine_map_offered(xg, domid, b->slot, b->entry, b->err, count, prot);
    for (size_t i = 0, k = 0; i < n; i++) {
        if (err[i]) {
            continue;
        }
        err[i] = b->err[k];
        if (err[i]) {
            engine_drop(xg, b->slot[k]);
        } else {
            bfn[i] = engine_bfn(xg, b->slot[k]);
        }
        k++;
    }
}

int xengt_map_offered(struct xengt *xg, uint32_t domid, const uint32_t *gref, struct xengt_bfn *bfn,
                      int *err, size_t n, unsigned prot)
{
    if (!xg->hv->ops->map_offered) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end cannot map by grant reference",
                           xg->hv->name);
    }
    if (prot != XENGT_PROT_READ && prot != XENGT_PROT_RW) {
        return handle_fail(xg, -EINVAL, "prot 0x%x is neither read nor read and write", prot);
    }
    for (size_t done = 0; done < n;) {
        size_t chunk = n - done < xg->hv->batch ? n - done : xg->hv->batch;
        int *chunk_err = err ? err + done : xg->batch.entry_err;
        map_batch(xg, domid, gref + done, bfn + done, chunk_err, chunk, prot);
        done += chunk;
        int ret = err ? 0 : raw_first_error(chunk_err, chunk);
        if (ret) {
            raw_take_back(xg, bfn, done);
            return handle_fail(xg, ret, "domain %u: an offered grant cannot be mapped: %s", domid,
                               strerror(-ret));
        }
    }
    return 0;
}
