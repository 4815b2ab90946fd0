/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One ioreq server: Xen's side of the accesses of one guest. Between open and close every access
 * of a vCPU to what is claimed arrives at the handlers, and every one is answered.
 */
#ifndef XENGT_HOST_XEN_IOREQ_SERVER_H
#define XENGT_HOST_XEN_IOREQ_SERVER_H

#include <xendevicemodel.h>
#include <xenforeignmemory.h>

#include "host/host.h"
#include "host/xen/domains.h"
#include "host/xen/ioreq_record.h"

struct event_base;
struct ioreq_server;
struct xc_interface_core;

/* Handles and strings stay the caller's and outlive the server. */
struct ioreq_server_config {
    struct event_base *base;
    struct xc_interface_core *xc;
    xendevicemodel_handle *dmod;
    xenforeignmemory_handle *fmem;
    const char *state_dir;
    struct domain_info domain;
    struct host_guest_config guest; /* the PCI functions and the handlers */
    struct host_guest_stats *stats;
};

/*
 * To take over (host_guest_config) is to adopt the server that the note in state_dir names.
 * -ENOSPC: Xen has no more ioreq servers for this domain; -EOPNOTSUPP: too many vCPUs; others as
 * Xen gives them. error gets one line.
 */
int ioreq_server_open(const struct ioreq_server_config *config, struct ioreq_server **out,
                      char *error, size_t error_size);

/* As host_ops.claim() and host_ops.track(). */
int ioreq_server_claim(struct ioreq_server *server, unsigned range, uint64_t base, uint64_t size);
int ioreq_server_track(struct ioreq_server *server, const struct xengt_gfn *gfn, size_t n, bool on);

/* As host_ops.resume(). */
bool ioreq_server_resume(struct ioreq_server *server);

/* As host_ops.placed(). */
uint64_t ioreq_server_placed(const struct ioreq_server *server, unsigned range);

/* Notes RAM that the guest is about to get, for whoever releases the server; 0 pages: none. */
int ioreq_server_note_ram(struct ioreq_server *server, uint64_t first, uint32_t pages);

/* What is noted of the guest: its RAM, its PCI function. */
const struct ioreq_record *ioreq_server_note(const struct ioreq_server *server);

/* As host_ops.leave(). */
void ioreq_server_leave(struct ioreq_server *server);

/* Every request that waits is answered, then Xen forgets the server. NULL is allowed. */
void ioreq_server_close(struct ioreq_server *server);

/* Calls the handlers no more. The server is still to be closed. */
void ioreq_server_silence(struct ioreq_server *server);

/*
 * Closes the server of a process that died, so that the vCPUs that wait for it run on. Of config,
 * the handles, state_dir and domain are used.
 */
int ioreq_server_release(const struct ioreq_server_config *config,
                         const struct ioreq_record *record);

#endif
