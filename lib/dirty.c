/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dirty pages: what devices have written to, for whoever has Xen collect them. */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "mapper.h"
#include "space.h"

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

static int add(struct report *r, uint32_t s)
{
    const struct slots *slots = &r->xg->slots;
    if (s == SLOT_NONE) {
        return handle_fail(r->xg, -ENOENT, "dirty pages: not a mapping");
    }
    if (slots_offered(slots, s)) {
        return handle_fail(r->xg, -EOPNOTSUPP,
                           "dirty pages: the frame of an offered grant is the "
                           "guest's secret");
    }
    uint32_t domid = slots_domid(slots, s);
    int ret = r->n == HV_DIRTY_MAX || (r->n && r->domid != domid) ? send(r) : 0;
    r->domid = domid;
    r->gfn[r->n++] = slots_gfn(slots, s);
    return ret;
}

static int refuse(struct xengt *xg, const void *array, size_t n)
{
    if (n && !array) {
        return handle_fail(xg, -EINVAL, "no array");
    }
    return xg->logging ? handle_fail(xg, -EDEADLK, "from within the log") : 0;
}

/* What was found before the one that was not is reported all the same. */
static int finish(struct report *r, int ret)
{
    int sent = send(r);
    return ret ? ret : sent;
}

int xengt_report_dirty(struct xengt *xg, const struct xengt_cookie *cookie, size_t n)
{
    struct report r = {.xg = xg};
    int ret = refuse(xg, cookie, n);
    for (size_t i = 0; i < n && !ret; i++) {
        ret = add(&r, mapper_find(xg, cookie[i]));
    }
    return finish(&r, ret);
}

/* The space's mapping of a BFN, in use or not. */
static uint32_t find_own(const struct xengt_space *space, struct xengt_bfn bfn)
{
    const struct slots *slots = &space->xg->slots;
    uint32_t s = mapper_slot(space->xg, bfn);
    while (s != SLOT_NONE &&
           !(slots->slot[s].use & USE_SPACE && slots_domid(slots, s) == space->target->domid)) {
        s = mapper_next(space->xg, s);
    }
    return s;
}

int xengt_space_report_dirty(struct xengt_space *space, const struct xengt_bfn *bfn, size_t n)
{
    struct report r = {.xg = space->xg};
    int ret = refuse(space->xg, bfn, n);
    for (size_t i = 0; i < n && !ret; i++) {
        ret = add(&r, find_own(space, bfn[i]));
    }
    return finish(&r, ret);
}
