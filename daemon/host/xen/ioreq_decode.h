/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The meaning of ioreqs, without Xen's libraries: the slot protocol of the shared page, and a
 * request carried out against a guest's handlers. Nothing a request holds is trusted; whatever
 * it holds, it has an answer.
 */
#ifndef XENGT_HOST_XEN_IOREQ_DECODE_H
#define XENGT_HOST_XEN_IOREQ_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/hvm/ioreq.h>

#include "host/host.h"

/* --- the slot ---------------------------------------------------------------------------- */

/*
 * Takes the request out of a slot of the shared page, if one is ready: a private copy, made
 * once; the slot is then in process. False: nothing to do.
 */
bool ioreq_take(struct ioreq *slot, struct ioreq *copy);

/* Puts the answer into the slot. The vCPU runs on once it is notified. */
void ioreq_answer(struct ioreq *slot, uint64_t data);

/* Has Xen taken the answer? */
bool ioreq_is_taken(const struct ioreq *slot);

/* Does a request wait to be taken? */
bool ioreq_is_ready(const struct ioreq *slot);

/*
 * As ioreq_take(), but also for a request that was taken and never answered: what there is to do
 * when nobody else will.
 */
bool ioreq_adopt(struct ioreq *slot, struct ioreq *copy);

/* What was taken is to be taken again, by another process. */
void ioreq_put_back(struct ioreq *slot);

/* --- the request ------------------------------------------------------------------------- */

/* Moves len bytes between guest physical memory and buf; 0 or a negative errno value. */
typedef int ioreq_copy_fn(void *arg, uint64_t gpa, void *buf, size_t len, bool write);

/* Bytes one request can move: Xen ends a repetition at the page. */
#define IOREQ_BYTES_MAX 4096u

/* Guest physical; size 0: none. */
struct ioreq_range {
    uint64_t base;
    uint64_t size;
};

/* Functions of bus 0 whose configuration space comes here. */
struct ioreq_pci {
    uint8_t function; /* the attacher's, as the guest sees it */
    uint8_t devfn;    /* as the handlers hear of it */
    bool root;        /* function 0, too */
};

struct ioreq_device {
    struct ioreq_range range[HOST_RANGES];
    struct ioreq_pci pci;
    uint32_t pci_address;             /* what the port of that name, 0xcf8, holds */
    const struct host_guest_ops *ops; /* of requests without a handler nothing comes */
    void *arg;
    ioreq_copy_fn *copy_guest;
    void *copy_arg;
    struct host_guest_stats *stats;
};

/* Is it a store into guest memory, which only tracked pages send here? First and last address. */
bool ioreq_is_tracked_store(const struct ioreq_device *device, const struct ioreq *req,
                            uint64_t *first, uint64_t *last);

/* A request that is carried out, access by access. */
struct ioreq_work {
    struct ioreq req;
    uint64_t taken_ns; /* by the clock of histograms */
    bool begun;
    uint32_t at;   /* accesses made, of a copy request */
    uint64_t data; /* to answer with */
    uint8_t buf[IOREQ_BYTES_MAX];
};

void ioreq_begin(struct ioreq_work *work, const struct ioreq *req);

/*
 * Carries it out as far as the guest is ready for the next access, or for the answer. False: it is
 * not through, to be called again.
 */
bool ioreq_go_on(struct ioreq_device *device, struct ioreq_work *work);

/* All of it, ready or not. Returns the data to answer with. */
uint64_t ioreq_perform(struct ioreq_device *device, const struct ioreq *req);

#endif
