/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains of this machine, by libxenctrl, and by xenstore what it alone knows. */
#include "host/xen/domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <xenctrl.h>

#include "host/domain_arg.h"
#include "host/xen/store.h"

struct domains {
    struct domains_config config;
    xc_interface *xc;
    struct store *store;
    struct event *look;
};

/* --- what Xen knows ---------------------------------------------------------------------- */

struct xc_interface_core *domains_xc(struct domains *domains)
{
    return domains->xc;
}

int domains_info(struct domains *domains, uint32_t domid, struct domain_info *info)
{
    xc_domaininfo_t xen;
    int n = xc_domain_getinfolist(domains->xc, domid, 1, &xen);

    memset(info, 0, sizeof(*info));
    if (n < 0) {
        return -errno;
    }
    /* Asked for a domid nobody has, Xen answers with the next one. */
    if (n == 0 || xen.domain != domid) {
        return -ESRCH;
    }
    info->domid = domid;
    memcpy(info->uuid.bytes, xen.handle, sizeof(info->uuid.bytes));
    info->vcpus = xen.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : xen.max_vcpu_id + 1;
    info->dying = xen.flags & XEN_DOMINF_dying;
    info->device_model = xen.arch_config.emulation_flags & XEN_X86_EMU_PM;
    return 0;
}

/*
 * A domain that shut down is not gone: its memory is there until it is destroyed. And only Xen's
 * own word counts: that it could not be asked says nothing about the domain.
 */
bool domains_alive(struct domains *domains, uint32_t domid, const struct domain_uuid *uuid)
{
    struct domain_info info;
    int ret = domains_info(domains, domid, &info);

    if (ret) {
        return ret != -ESRCH;
    }
    return !info.dying && !memcmp(&info.uuid, uuid, sizeof(*uuid));
}

/* --- names ------------------------------------------------------------------------------- */

/* The first domain from one on that has the name. xenstore may tell of one that is no more. */
static int find_from(struct domains *domains, const char *wanted, uint32_t from, uint32_t *domid)
{
    struct domain_info info;
    int ret = store_find(domains->store, wanted, from, domid);

    while (!ret && domains_info(domains, *domid, &info) == -ESRCH) {
        ret = store_find(domains->store, wanted, *domid + 1, domid);
    }
    return ret;
}

static int find_by_name(struct domains *domains, const char *wanted, uint32_t *domid, char *domids,
                        size_t size)
{
    uint32_t other;
    int ret = find_from(domains, wanted, 0, domid);

    if (!ret && !find_from(domains, wanted, *domid + 1, &other)) {
        return domain_arg_twins(*domid, other, domids, size);
    }
    return ret;
}

int domains_find(struct domains *domains, const char *domain, uint32_t *domid, char *name,
                 size_t size)
{
    struct domain_info info;
    int ret = 0;

    if (!domain_arg_is_domid(domain, domid)) {
        ret = find_by_name(domains, domain, domid, name, size);
    }
    if (!ret) {
        ret = domains_info(domains, *domid, &info);
    }
    if (ret) {
        return ret == -ESRCH ? -ENOENT : ret;
    }
    store_name(domains->store, *domid, name, size);
    return 0;
}

void domains_listen(struct domains *domains, const struct host_order_ops *ops, void *arg)
{
    store_listen(domains->store, ops, arg);
}

/* --- when one goes ----------------------------------------------------------------------- */

/*
 * xenstored tells at once, if it is there and answers. Xen has no second one to tell: so it is
 * asked, a hypercall for each guest with a vGPU.
 */
static const struct timeval look_after = {.tv_sec = 1};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct domains *domains = arg;

    (void)fd;
    (void)what;
    store_check(domains->store);
    domains->config.changed(domains->config.arg);
}

int domains_open(const struct domains_config *config, struct domains **out, char *error,
                 size_t error_size)
{
    struct domains *domains = calloc(1, sizeof(*domains));
    const struct store_config store = {
        .base = config->base,
        .vdispl = config->vdispl,
        .released = config->changed,
        .arg = config->arg,
        .log = config->log,
        .log_arg = config->log_arg,
    };
    int ret = -ENOMEM;

    *out = NULL;
    if (!domains) {
        goto fail;
    }
    domains->config = *config;
    domains->xc = xc_interface_open(NULL, NULL, 0);
    if (!domains->xc) {
        ret = -errno;
        snprintf(error, error_size, "libxenctrl cannot reach Xen: %s", strerror(-ret));
        domains_close(domains);
        return ret;
    }
    domains->look = event_new(config->base, -1, EV_PERSIST, on_look, domains);
    if (!domains->look || event_add(domains->look, &look_after)) {
        goto fail;
    }
    ret = store_open(&store, &domains->store);
    if (ret) {
        goto fail;
    }
    *out = domains;
    return 0;

fail:
    snprintf(error, error_size, "domains cannot be watched: %s", strerror(-ret));
    domains_close(domains);
    return ret;
}

void domains_close(struct domains *domains)
{
    if (!domains) {
        return;
    }
    if (domains->look) {
        event_free(domains->look);
    }
    store_close(domains->store);
    if (domains->xc) {
        xc_interface_close(domains->xc);
    }
    free(domains);
}
