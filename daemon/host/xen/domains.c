/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains of this machine, by libxenctrl and xenstore's watches. */
#include "host/xen/domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <xenctrl.h>
#include <xenstore.h>

#include "host/domain_arg.h"

struct domains {
    xc_interface *xc;
    struct xs_handle *xs;
    struct event *watch;
    domains_changed_fn *changed;
    void *arg;
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

/* --- what xenstore knows ----------------------------------------------------------------- */

static char *read_name(struct domains *domains, uint32_t domid)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    return xs_read(domains->xs, XBT_NULL, path, NULL);
}

/* xenstore may tell of one that is no more. */
static bool has_name(struct domains *domains, uint32_t domid, const char *wanted)
{
    struct domain_info info;
    char *name = read_name(domains, domid);
    bool same = name && !strcmp(name, wanted) && domains_info(domains, domid, &info) != -ESRCH;

    free(name);
    return same;
}

static int find_by_name(struct domains *domains, const char *wanted, uint32_t *domid, char *domids,
                        size_t size)
{
    unsigned n = 0;
    char **entries = xs_directory(domains->xs, XBT_NULL, "/local/domain", &n);
    int ret = -ENOENT;

    if (!entries) {
        return errno ? -errno : -ENOENT;
    }
    for (unsigned i = 0; i < n && ret != -ENOTUNIQ; i++) {
        uint32_t id;

        if (domain_arg_is_domid(entries[i], &id) && has_name(domains, id, wanted)) {
            ret = ret ? 0 : domain_arg_twins(*domid, id, domids, size);
            *domid = id;
        }
    }
    free(entries);
    return ret;
}

int domains_find(struct domains *domains, const char *domain, uint32_t *domid, char *name,
                 size_t size)
{
    struct domain_info info;
    int ret;

    if (!domain_arg_is_domid(domain, domid)) {
        ret = find_by_name(domains, domain, domid, name, size);
        if (ret) {
            return ret;
        }
    }
    ret = domains_info(domains, *domid, &info);
    if (ret) {
        return ret == -ESRCH ? -ENOENT : ret;
    }
    char *known = read_name(domains, *domid);
    snprintf(name, size, "%s", known ? known : "");
    free(known);
    return 0;
}

/* --- when one goes ----------------------------------------------------------------------- */

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct domains *domains = arg;
    char **event;

    (void)fd;
    (void)what;
    while ((event = xs_check_watch(domains->xs))) {
        free(event);
    }
    domains->changed(domains->arg);
}

static int watch_releases(struct domains *domains, struct event_base *base)
{
    if (!xs_watch(domains->xs, "@releaseDomain", "xengt")) {
        return -errno;
    }
    domains->watch =
        event_new(base, xs_fileno(domains->xs), EV_READ | EV_PERSIST, on_watch, domains);
    if (!domains->watch || event_add(domains->watch, NULL)) {
        return -ENOMEM;
    }
    return 0;
}

int domains_open(struct event_base *base, domains_changed_fn *changed, void *arg,
                 struct domains **out, char *error, size_t error_size)
{
    struct domains *domains = calloc(1, sizeof(*domains));
    int ret;

    *out = NULL;
    if (!domains) {
        return -ENOMEM;
    }
    domains->changed = changed;
    domains->arg = arg;
    domains->xc = xc_interface_open(NULL, NULL, 0);
    if (!domains->xc) {
        ret = -errno;
        snprintf(error, error_size, "libxenctrl cannot reach Xen: %s", strerror(-ret));
        goto out;
    }
    domains->xs = xs_open(0);
    if (!domains->xs) {
        ret = -errno;
        snprintf(error, error_size,
                 "xenstore is not reachable (%s): start it (systemctl start xenstored)",
                 strerror(-ret));
        goto out;
    }
    ret = watch_releases(domains, base);
    if (ret) {
        snprintf(error, error_size, "domains cannot be watched in xenstore: %s", strerror(-ret));
        goto out;
    }
    *out = domains;
    return 0;

out:
    domains_close(domains);
    return ret;
}

void domains_close(struct domains *domains)
{
    if (!domains) {
        return;
    }
    if (domains->watch) {
        event_free(domains->watch);
    }
    if (domains->xs) {
        xs_close(domains->xs);
    }
    if (domains->xc) {
        xc_interface_close(domains->xc);
    }
    free(domains);
}
