/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Own memory: pages of this domain that the kernel does not move, and the frames by which devices
 * reach them.
 *
 * The pages are those of /dev/xen/gntalloc, from the kernel's page allocator, which nothing
 * migrates; from 2 MiB on huge ones, if there are any. In a translated domain /proc/self/pagemap
 * tells their frames, which are the bus's. A PV domain's kernel has numbers of its own: there Xen
 * tells the frame when the grant that comes with a page is mapped for a device. That mapping ends
 * at once: the page is the kernel's, and stays.
 *
 * Only for that is the grant to this domain. In a translated one it is to nobody: if it was ever
 * mapped there, Xen would take the page away from where the kernel has it.
 */
#ifndef XENGT_LIB_HV_XEN_OWN_H
#define XENGT_LIB_HV_XEN_OWN_H

#include "hv/xen/xen.h"

struct own {
    struct hv_calls calls;
    bool translated; /* this domain has a p2m */

    /* Pages of gntalloc, or a test's. NULL: none, and errno says why. */
    void *arg;
    void *(*share)(void *arg, uint32_t domid, uint32_t n, uint32_t *ref);
    void (*unshare)(void *arg, void *cpu, uint32_t n);
};

/* As of struct hv_ops. */
int own_alloc(const struct own *own, struct hv_own *mem);
int own_where(const struct own *own, const struct hv_own *mem, struct xengt_bfn *bfn);
void own_free(const struct own *own, struct hv_own *mem);

/* On the real Xen. */
struct own own_of(struct xen *xen, bool translated);

#endif
