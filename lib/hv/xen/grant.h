/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The grant back end without the real Xen: what hv_grant_open() and the tests share. */
#ifndef XENGT_LIB_HV_XEN_GRANT_H
#define XENGT_LIB_HV_XEN_GRANT_H

#include "hv/xen/xen.h"

/* What the back end asks of the rest of Xen and of the host, so that a test can stand in for it. */
struct grant_env {
    struct hv_calls calls;
    void *arg;
    int (*domain_info)(void *arg, uint32_t domid, struct xengt_target_info *info);
    int (*table_map)(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie);
    void (*table_unmap)(void *arg, void *cookie);
    int (*claim)(void *arg, uint32_t domid); /* the domain's grant table: -EBUSY */
    void (*unclaim)(void *arg, uint32_t domid);
};

struct hv *grant_new(const struct grant_env *env, uint32_t slots, uint32_t frames); /* or NULL */

#endif
