/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The seam to the hypervisor: a table of operations. A back end translates to hypercalls and keeps
 * no bookkeeping of its own beyond what its interface forces on it: which slots are in use, for
 * whom and how often is the business of the code above.
 *
 * A slot is a number that stands for one mapping. Where mappings live in a window
 * (hv->windowed), the BFN of slot s is window_base + s. Elsewhere Xen chooses the BFN, and the
 * back end puts it, with the handle that the unmap will need, into the record of the slot: it has
 * them in hv->journal, which is the predecessor's while that is being recovered from. Slots that it
 * is to map or unmap are in flight, and their array is a part of that flight.
 */
#ifndef XENGT_LIB_HV_HV_H
#define XENGT_LIB_HV_HV_H

#include <errno.h>

#include <xengt/map.h>
#include <xengt/target.h>

#include "report.h"
#include "slots.h"

struct hv;

/* Nobody knows whether Xen holds a reference now: the slot must not be used again. */
#define HV_DOUBT (-ENOTRECOVERABLE)

/* Something is in the slot that this handle did not put there: it is left alone, for good. */
#define HV_TAKEN (-ENOTUNIQ)

/* Memory for DMA: all of it but n is the back end's to fill in. */
struct hv_own {
    void *cpu; /* zeroed */
    size_t n;
    uint32_t *ref;  /* of each page the grant to oneself; NULL: there are none */
    uint64_t first; /* sim: the frame of the first page */
    int pagemap;    /* where there is no grant: the kernel's word on frames; else negative */
};

#define HV_DIRTY_MAX 128u

struct hv_ops {
    /*
     * Makes this handle the one owner of a range of frames, its window or a predecessor's, and of
     * what else can have one only, until it is closed. Nothing has been touched before that; -EBUSY
     * leaves it so. Or NULL.
     */
    int (*claim)(struct hv *hv, uint64_t first, uint32_t n, struct hv_error *error);

    /* Once the window is claimed: can it be used? Or NULL. */
    int (*inspect)(struct hv *hv, struct hv_error *error);

    int (*domain_info)(struct hv *hv, uint32_t domid, struct xengt_target_info *info);

    /*
     * What makes a domain's memory unsafe to map beyond what domain_info says: one phrase for
     * people, or NULL. Itself NULL where nothing can.
     */
    const char *(*unsafe)(struct hv *hv, uint32_t domid);

    /*
     * Takes up to n slots that are free, for mappings of a domain or of what it offers. 0, or why
     * there is none. NULL: they are all alike.
     */
    int (*take)(struct hv *hv, uint32_t domid, bool offered, uint32_t *slot, uint32_t n,
                uint32_t *got);

    /*
     * Maps into slots, n <= hv->batch, what their records name: frames of the domain, in one
     * hypercall if that is possible. Every err[i] is set: 0, and Xen holds a reference; or
     * negative, and it does not; or HV_DOUBT or HV_TAKEN. Returns how many are not 0.
     */
    size_t (*map)(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                  unsigned prot);

    /*
     * The slots are of one kind (RECORD_KIND_MASK). Every err[i] is set: 0 or -ENOENT, and the slot
     * is empty; or other, and nobody knows. Returns
     * how many are not 0.
     */
    size_t (*unmap)(struct hv *hv, const uint32_t *slot, int *err, size_t n);

    /* The same two for grants that the domain offers by reference. NULL: not possible. */
    size_t (*map_offered)(struct hv *hv, uint32_t domid, const uint32_t *slot, int *err, size_t n,
                          unsigned prot);
    size_t (*unmap_offered)(struct hv *hv, const uint32_t *slot, int *err, size_t n);

    /* Makes a domain the one target of another, for good. NULL: not possible. */
    int (*assign)(struct hv *hv, uint32_t backend, uint32_t domid);

    /*
     * begin: what is unmapped from now on is a predecessor's. hv->journal is his, too, if it can be
     * read; its records are completed with what he did not come to before he was killed.
     * Otherwise: all of it has been unmapped. Or NULL.
     */
    void (*recover)(struct hv *hv, bool begin);

    /* A target has been taken off the list: nothing of it may be kept. Or NULL. */
    void (*forget)(struct hv *hv, uint32_t domid);

    /* Frames of a domain are dirty, n of them and HV_DIRTY_MAX at most. NULL: not possible. */
    int (*dirty)(struct hv *hv, uint32_t domid, const struct xengt_gfn *gfn, size_t n);

    /*
     * Memory of this domain's own, own->n pages that stay where they are; where devices reach it,
     * which is asked for anew at each call; and its end. All three NULL: not possible.
     */
    int (*own_alloc)(struct hv *hv, struct hv_own *own);
    int (*own_where)(struct hv *hv, const struct hv_own *own, struct xengt_bfn *bfn);
    void (*own_free)(struct hv *hv, struct hv_own *own);

    /* A CPU pointer to the page in a slot, and its end. */
    int (*view)(struct hv *hv, uint32_t domid, struct xengt_gfn gfn, uint32_t slot, void **view);
    void (*unview)(struct hv *hv, void *view);

    /* The same two of a grant that is offered, as long as it is mapped in a slot; for the CPU. */
    int (*view_offered)(struct hv *hv, uint32_t domid, uint32_t gref, uint32_t slot, unsigned prot,
                        void **view);
    void (*unview_offered)(struct hv *hv, void *view);

    void (*close)(struct hv *hv);
};

/* Back ends embed this as their first member. */
struct hv {
    const struct hv_ops *ops;
    const char *name;
    enum xengt_backend backend;
    char explanation[200]; /* why this one, where its window lies */
    char advice[300];      /* how an -ENOMEM is cured; "" again once it has been told */
    uint32_t refused;      /* first of the slots that can never be used; and how many: 0 again */
    uint32_t refused_n;    /* once they are taken out of use */
    uint32_t self;         /* the number of this domain; not that of any, if it is not known */
    uint64_t window_base;
    uint32_t slots;     /* in use at a time; and how many there are, unless they are in pools */
    uint64_t gfn_max;   /* 0: XENGT_GFN_MAX */
    uint32_t pools;     /* 0: one */
    uint32_t stride;    /* slots in each of them, a power of two */
    unsigned batch;     /* set before use by the code above */
    unsigned batch_max; /* 0: XENGT_BATCH_MAX */
    bool read_only;
    bool windowed;
    bool keeps_past;    /* set by an unmap: what slots were used for is kept while they are free */
    bool one_pin;       /* Xen keeps one bit for each page: the last mapping of it undoes it */
    bool held_is_proof; /* Xen checks handle and BFN against its own: a wrong one does no harm */
    size_t area_size;   /* bytes of the journal this back end wants for itself */
    struct slots *journal; /* set before use by the code above */
};

/* The back end that options.backend names, or the one that fits the running Xen. */
int hv_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);

/* What XENGT_BACKEND_AUTO would use here, found out without an order or a question to Xen. */
int hv_check(char *text, size_t size, struct hv_error *error);

int hv_physmap_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);
int hv_grant_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);
int hv_pviommu_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);
int hv_sim_open(const struct xengt_options *options, struct hv **out, struct hv_error *error);

static inline size_t hv_count_failures(const int *err, size_t n)
{
    size_t failures = 0;
    for (size_t i = 0; i < n; i++) {
        failures += err[i] != 0;
    }
    return failures;
}

#endif
