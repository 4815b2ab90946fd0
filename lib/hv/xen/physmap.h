/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The physmap back end without the real Xen: what hv_physmap_open() and the tests share. */
#ifndef XENGT_LIB_HV_XEN_PHYSMAP_H
#define XENGT_LIB_HV_XEN_PHYSMAP_H

#include "hv/xen/window.h"
#include "hv/xen/xen.h"

/* What the back end asks of the rest of Xen and of the host, so that a test can stand in for it. */
struct physmap_env {
    struct hv_calls calls;
    void *arg;
    int (*domain_info)(void *arg, uint32_t domid, struct xengt_target_info *info);
    int (*get_pool)(void *arg, uint64_t *bytes); /* of memory for page tables of this domain */
    int (*set_pool)(void *arg, uint64_t bytes);
    int (*claim)(void *arg, uint64_t first, uint32_t n); /* frames of a window: -EBUSY */
};

int physmap_new(const struct physmap_env *env, const struct window *window, bool may_grow,
                struct hv **out, struct hv_error *error);

#endif
