/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library asks of a hypervisor. A back end translates to hypercalls and keeps no
 * bookkeeping of its own beyond what its interface forces on it: which slots are in use, for
 * whom and how often is the business of the code above.
 *
 * A slot is an index below hv->slots that stands for one mapping. Where mappings live in a
 * window, the BFN of slot s is window_base + s.
 */
#ifndef XENGT_HV_H
#define XENGT_HV_H

#include <xengt/map.h>
#include <xengt/target.h>

struct hv;

struct hv_ops {
    int (*domain_info)(struct hv *hv, uint32_t domid, struct xengt_target_info *info);

    /*
     * Maps gfn[i] of the domain into slot[i], n <= hv->batch, in one hypercall if that is
     * possible. Every err[i] is set: 0, and Xen holds a reference; or negative, and it does not.
     */
    void (*map)(struct hv *hv, uint32_t domid, const uint32_t *slot, const struct xengt_gfn *gfn,
                int *err, size_t n, unsigned prot);

    /* Every err[i] is set: 0 or -ENOENT, and the slot is empty; or other, and nobody knows. */
    void (*unmap)(struct hv *hv, const uint32_t *slot, int *err, size_t n);

    /* A CPU pointer to the page in a slot, and its end. */
    int (*view)(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view);
    void (*unview)(struct hv *hv, void *view);

    void (*close)(struct hv *hv);
};

/* Back ends embed this as their first member. */
struct hv {
    const struct hv_ops *ops;
    const char *name;
    enum xengt_backend backend;
    char explanation[160]; /* why this one, where its window lies */
    uint64_t window_base;
    uint32_t slots;
    unsigned batch; /* set before use by the code above */
    bool read_only;
};

/* Text for the user goes to error, which is never NULL here. */
struct hv_error {
    char *text;
    size_t size;
};
__attribute__((format(printf, 2, 3))) void hv_error(struct hv_error *error, const char *format, ...);

int hv_physmap_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);
int hv_sim_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);

#endif
