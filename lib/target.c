/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The target list: who is on it, and whether it is still who it was. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "mapper.h"
#include "sized.h"

struct target *target_find(struct xengt *xg, uint32_t domid)
{
    for (size_t i = 0; i < xg->targets_count; i++) {
        if (xg->targets[i]->domid == domid) {
            return xg->targets[i];
        }
    }
    return NULL;
}

/* What Xen says of a domain, which need not be a target. */
static int ask_any(struct xengt *xg, uint32_t domid, struct xengt_target_info *info)
{
    int ret = is_domid(domid) ? xg->hv->ops->domain_info(xg->hv, domid, info) : -ESRCH;
    if (ret) {
        handle_fail(xg, ret,
                    ret == -ESRCH ? "no domain has this number"
                                  : "Xen gives no information on it: %s",
                    strerror(-ret));
    }
    return ret;
}

int xengt_domain_info_sized(struct xengt *xg, uint32_t domid, struct xengt_target_info *info,
                            size_t size)
{
    struct xengt_target_info all;
    int ret = ask_any(xg, domid, &all);
    if (!ret) {
        sized_write(info, size, &all, sizeof(all));
    }
    return ret;
}

/* Is the domain the one that the target was when it was added? */
static int ask(struct xengt *xg, const struct target *t)
{
    struct xengt_target_info info;
    int ret = xg->hv->ops->domain_info(xg->hv, t->domid, &info);
    if (ret) {
        return ret == -ESRCH || ret == -EPERM ? ret : -EIO;
    }
    return info.dying || memcmp(info.handle, t->handle, sizeof(t->handle)) != 0 ? -ESRCH : 0;
}

int target_check(struct xengt *xg, const struct target *t)
{
    return target_is_held(xg, t) ? 0 : ask(xg, t);
}

int target_confirm(struct xengt *xg, const struct target *t)
{
    return ask(xg, t);
}

size_t xengt_target_dead(struct xengt *xg, uint32_t *domids, size_t n)
{
    size_t count = 0;
    n = domids ? n : 0;
    for (size_t i = 0; i < xg->targets_count; i++) {
        if (ask(xg, xg->targets[i]) == -ESRCH) {
            if (count < n) {
                domids[count] = xg->targets[i]->domid;
            }
            count++;
        }
    }
    return count;
}

/* Why a domain cannot be a target, or 0. */
static int refuse(struct xengt *xg, const struct xengt_target_info *info)
{
    if (info->dying) {
        return handle_fail(xg, -ESRCH, "it is being destroyed");
    }
    if (!info->hvm) {
        return handle_fail(xg, -EOPNOTSUPP,
                           "it is a PV domain, which has no frame numbers of its own to map by; "
                           "use type=\"pvh\" or type=\"hvm\"");
    }
    if (!info->hap) {
        return handle_fail(xg, -EOPNOTSUPP,
                           "it runs without hardware assisted paging, so writes to its page "
                           "tables cannot be followed; remove hap=0 from its configuration");
    }
    const char *why = xg->hv->ops->unsafe ? xg->hv->ops->unsafe(xg->hv, info->domid) : NULL;
    return why ? handle_fail(xg, -EOPNOTSUPP, "%s", why) : 0;
}

/* Mappings that a predecessor of this process made. */
static uint32_t count_adopted(const struct xengt *xg, uint32_t domid)
{
    const struct slots *slots = &xg->slots;
    uint32_t count = 0;
    if (!xg->stats.adopted) {
        return 0;
    }
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        count += slots_kind_of(slots, s) == record_kind(domid, SLOT_MAPPED, false, false) &&
                 !(slots->slot[s].use & USE_SPACE);
    }
    return count;
}

int xengt_target_add(struct xengt *xg, uint32_t domid)
{
    struct xengt_target_info info;
    if (domid == 0) {
        return handle_fail(xg, -EINVAL, "dom0 is no guest; xl list shows those there are");
    }
    int ret = ask_any(xg, domid, &info);
    if (ret) {
        return ret;
    }
    if (target_find(xg, domid)) {
        return handle_fail(xg, -EEXIST, "it is a target already");
    }
    ret = refuse(xg, &info);
    if (ret) {
        return ret;
    }
    if (xg->targets_count == XENGT_TARGETS_MAX) {
        return handle_fail(xg, -ENOSPC, "there are %u targets already", XENGT_TARGETS_MAX);
    }
    struct target *t = calloc(1, sizeof(*t));
    if (!t) {
        return handle_fail(xg, -ENOMEM, "out of memory");
    }
    t->domid = domid;
    t->raw = count_adopted(xg, domid);
    memcpy(t->handle, info.handle, sizeof(t->handle));
    xg->targets[xg->targets_count++] = t;
    handle_log(xg, LOG_INFO, "domain %u is a target", domid);
    return 0;
}

int xengt_backend_assign(struct xengt *xg, uint32_t backend, uint32_t domid)
{
    if (!xg->hv->ops->assign) {
        return handle_fail(xg, -EOPNOTSUPP, "the %s back end knows no other domains' rights",
                           xg->hv->name);
    }
    if (!is_domid(backend) || !is_domid(domid)) {
        return handle_fail(xg, -ESRCH, "no domain has this number");
    }
    struct xengt_target_info info;
    int ret = xg->hv->ops->domain_info(xg->hv, domid, &info);
    if (ret) {
        return handle_fail(xg, ret, "domain %u: %s", domid, strerror(-ret));
    }
    /* The driver domain itself may not be allowed to ask. */
    const char *why = xg->hv->ops->unsafe ? xg->hv->ops->unsafe(xg->hv, domid) : NULL;
    if (why) {
        return handle_fail(xg, -EOPNOTSUPP, "domain %u: %s", domid, why);
    }
    ret = xg->hv->ops->assign(xg->hv, backend, domid);
    return ret ? handle_fail(xg, ret, "domain %u cannot be given rights over domain %u: %s",
                             backend, domid, strerror(-ret))
               : 0;
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
    size_t i = 0;
    while (xg->targets[i] != t) {
        i++;
    }
    xg->targets_count--;
    for (; i < xg->targets_count; i++) {
        xg->targets[i] = xg->targets[i + 1];
    }
    free(t);
    handle_log(xg, LOG_INFO, "domain %u is no target any more", domid);
    return 0;
}

size_t xengt_target_list(const struct xengt *xg, uint32_t *domids, size_t n)
{
    for (size_t i = 0; domids && i < n && i < xg->targets_count; i++) {
        domids[i] = xg->targets[i]->domid;
    }
    return xg->targets_count;
}
