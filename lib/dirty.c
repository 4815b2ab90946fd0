/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dirty pages: what devices have written to, for whoever has Xen collect them. */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "mapper.h"

/* Frames of one domain that are to be reported together. */
struct report {
    struct xengt *xg;
    uint32_t domid;
    struct xengt_gfn gfn[HV_DIRTY_MAX];
    size_t n;
};

static int send(struct report *r)
{
    struct xengt *xg = r->xg;
    int ret = r->n ? xg->hv->ops->dirty(xg->hv, r->domid, r->gfn, r->n) : 0;
    r->n = 0;
    switch (ret) {
    case 0:
    case -ESRCH:
    case -EPERM:
    case -EOPNOTSUPP:
        break;
    default:
        handle_log(xg, LOG_ERR, "domain %u: its dirty pages cannot be reported: %s", r->domid,
                   strerror(-ret));
        ret = -EIO;
    }
    return ret ? handle_fail(xg, ret, "domain %u: dirty pages: %s", r->domid, strerror(-ret)) : 0;
}

static int add(struct report *r, struct xengt_bfn bfn)
{
    struct xengt *xg = r->xg;
    uint32_t s = mapper_slot(xg, bfn);
    if (s == SLOT_NONE) {
        return handle_fail(xg, -ENOENT, "BFN 0x%llx is not mapped", (unsigned long long)bfn.v);
    }
    if (slots_offered(&xg->slots, s)) {
        return handle_fail(xg, -EOPNOTSUPP, "BFN 0x%llx is of an offered grant",
                           (unsigned long long)bfn.v);
    }
    uint32_t domid = slots_domid(&xg->slots, s);
    int ret = r->n == HV_DIRTY_MAX || (r->n && r->domid != domid) ? send(r) : 0;
    r->domid = domid;
    r->gfn[r->n++] = slots_gfn(&xg->slots, s);
    return ret;
}

int xengt_report_dirty(struct xengt *xg, const struct xengt_bfn *bfn, size_t n)
{
    struct report report = {.xg = xg};
    if (n && !bfn) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    if (xg->logging) {
        return handle_fail(xg, -EDEADLK, "from within the log");
    }
    for (size_t i = 0; i < n; i++) {
        int ret = add(&report, bfn[i]);
        if (ret) {
            send(&report);
            return ret;
        }
    }
    return send(&report);
}
