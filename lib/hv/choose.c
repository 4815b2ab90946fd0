/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing the back end by what the running Xen offers. */
#include "hv/xen/xen.h"

int hv_auto_open(const struct xengt_options *options, struct hv **out, struct hv_error *error)
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
