/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A note of each ioreq server, kept in the state directory while Xen sends it requests. An ioreq
 * server survives the process that made it, and a vCPU that waits for its answer waits for ever:
 * the next process finds by these notes which servers it has to adopt or to release. Nothing else
 * tells them from the servers of other device models. Where a guest's firmware has put the ranges
 * stays noted when the server is gone.
 */
#ifndef XENGT_HOST_XEN_IOREQ_RECORD_H
#define XENGT_HOST_XEN_IOREQ_RECORD_H

#include "host/host.h"
#include "host/xen/domains.h"
#include "host/xen/ioreq_decode.h"

#define IOREQ_RECORD_NO_SERVER UINT32_MAX

struct ioreq_record {
    uint32_t domid;
    struct domain_uuid uuid;
    unsigned id;        /* of the ioreq server */
    uint64_t ram_first; /* RAM given to the guest, to be taken away again */
    uint32_t ram_pages;
    uint8_t function; /* on PCI bus 0, that is claimed, or about to be */
    /* Likewise; size 0: it is not, and base is where it was last. */
    struct ioreq_range range[HOST_RANGES];
};

/* There is no server any more, but the ranges were somewhere. */
void ioreq_record_forget_server(struct ioreq_record *record);

/* The note of record's domid and uuid, if there is one. */
bool ioreq_record_load(const char *dir, struct ioreq_record *record);

int ioreq_record_save(const char *dir, const struct ioreq_record *record);
void ioreq_record_remove(const char *dir, uint32_t domid);

/* Calls fn for each note, which may remove it. Notes that make no sense are removed. */
int ioreq_record_each(const char *dir, void (*fn)(void *arg, const struct ioreq_record *record),
                      void *arg);

#endif
