/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "private.h"

struct target *target_find(struct xengt *xg, uint32_t domid)
{
    for (size_t i = 0; i < xg->targets_count; i++) {
        if (xg->targets[i].domid == domid) {
            return &xg->targets[i];
        }
    }
    return NULL;
}

int xengt_domain_info(struct xengt *xg, uint32_t domid, struct xengt_target_info *info)
{
    int ret = xg->hv->ops->domain_info(xg->hv, domid, info);
    if (ret) {
        handle_fail(xg, ret,
                    ret == -ESRCH ? "no domain has this number"
                                  : "Xen gives no information on it: %s",
                    strerror(-ret));
    }
    return ret;
}

int xengt_target_add(struct xengt *xg, uint32_t domid)
{
    struct xengt_target_info info;
    if (domid == 0) {
        return handle_fail(xg, -EINVAL, "dom0 is no guest");
    }
    int ret = xengt_domain_info(xg, domid, &info);
    if (ret) {
        return ret;
    }
    if (target_find(xg, domid)) {
        return handle_fail(xg, -EEXIST, "it is a target already");
    }
    if (info.dying) {
        return handle_fail(xg, -ESRCH, "it is being destroyed");
    }
    if (!info.hvm) {
        return handle_fail(xg, -EOPNOTSUPP,
                           "it is a PV domain, which has no frame numbers of its own to map by; "
                           "use type=\"pvh\" or type=\"hvm\"");
    }
    if (!info.hap) {
        return handle_fail(xg, -EOPNOTSUPP,
                           "it runs without hardware assisted paging, so writes to its page "
                           "tables cannot be followed; remove hap=0 from its configuration");
    }
    if (xg->targets_count == XENGT_TARGETS_MAX) {
        return handle_fail(xg, -ENOSPC, "there are %u targets already", XENGT_TARGETS_MAX);
    }
    struct target *t = &xg->targets[xg->targets_count++];
    *t = (struct target){.domid = domid};
    memcpy(t->handle, info.handle, sizeof(t->handle));
    handle_log(xg, LOG_INFO, "domain %u is a target", domid);
    return 0;
}

int xengt_target_remove(struct xengt *xg, uint32_t domid)
{
    struct target *t = target_find(xg, domid);
    if (!t) {
        return handle_fail(xg, -ENOENT, "domain %u is not a target", domid);
    }
    if (t->space) {
        return handle_fail(xg, -EBUSY, "domain %u: its space is open", domid);
    }
    if (t->raw) {
        return handle_fail(xg, -EBUSY, "domain %u: %u of its pages are mapped", domid, t->raw);
    }
    if (xg->hv->ops->forget) {
        xg->hv->ops->forget(xg->hv, domid);
    }
    size_t i = t - xg->targets;
    xg->targets_count--;
    memmove(t, t + 1, (xg->targets_count - i) * sizeof(*t));
    handle_log(xg, LOG_INFO, "domain %u is no target any more", domid);
    return 0;
}

size_t xengt_target_list(const struct xengt *xg, uint32_t *domids, size_t n)
{
    for (size_t i = 0; i < n && i < xg->targets_count; i++) {
        domids[i] = xg->targets[i].domid;
    }
    return xg->targets_count;
}
