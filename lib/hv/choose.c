/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The choice of the back end: the one that is asked for, or by what the running Xen offers. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "hv/xen/window.h"
#include "hv/xen/xen.h"

static int open_auto(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    if (options->sim) {
        return hv_sim_open(options, out, error);
    }
    switch (xen_guest_type()) {
    case XEN_TRANSLATED:
        return hv_physmap_open(options, out, error);
    case XEN_PV:
        /* Where the vendor's Xen has a call for it, that serves more mappings than grants. */
        if (hv_pviommu_open(options, out, error) == 0) {
            return 0;
        }
        return hv_grant_open(options, out, error);
    case XEN_NONE:
        break;
    }
    return xen_absent(error);
}

int hv_check(char *text, size_t size, struct hv_error *error)
{
    const struct xengt_options options = {0};
    struct window window;
    int ret;

    switch (xen_guest_type()) {
    case XEN_TRANSLATED:
        ret = window_find(&options, &window, error);
        if (!ret) {
            snprintf(text, size, "physmap, a window of %u frames at 0x%" PRIx64 " in '%s'",
                     window.pages, window.base, window.where);
        }
        return ret;
    case XEN_PV:
        snprintf(text, size, "grant or pviommu, which need no window");
        return 0;
    case XEN_NONE:
        break;
    }
    return xen_absent(error);
}

int hv_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
{
    switch (options->backend) {
    case XENGT_BACKEND_AUTO:
        return open_auto(options, out, error);
    case XENGT_BACKEND_PHYSMAP:
        return hv_physmap_open(options, out, error);
    case XENGT_BACKEND_GRANT:
        return hv_grant_open(options, out, error);
    case XENGT_BACKEND_PVIOMMU:
        return hv_pviommu_open(options, out, error);
    case XENGT_BACKEND_SIM:
        return hv_sim_open(options, out, error);
    }
    hv_error(error, "unknown back end %d", (int)options->backend);
    return -EINVAL;
}
