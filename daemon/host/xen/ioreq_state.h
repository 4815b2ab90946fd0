/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Private to the parts of an ioreq server: its life and its requests (ioreq_server.c), what it has
 * claimed (ioreq_claims.c), and the pages whose stores are requests (ioreq_track.c).
 */
#ifndef XENGT_HOST_XEN_IOREQ_STATE_H
#define XENGT_HOST_XEN_IOREQ_STATE_H

/* First: it makes Xen's public headers show what is for tools only. */
#include <xenctrl.h>

#include <event2/event.h>
#include <xenevtchn.h>

#include <xengt/types.h>

#include "host/xen/guest_memory.h"
#include "host/xen/held_pages.h"
#include "host/xen/ioreq_decode.h"
#include "host/xen/ioreq_server.h"

/* What Xen knows of the server; closing undoes from there on. */
enum stage {
    STAGE_NONE,
    STAGE_CREATED,
    STAGE_ENABLED,
};

struct ioreq_server {
    struct ioreq_server_config config;
    enum stage stage;
    ioservid_t id;
    struct ioreq_record record;
    bool silent;   /* the domain is gone */
    bool tracking; /* there may be pages whose stores come here */
    struct held_pages held;
    struct event *later; /* pages are held that are to be let go */

    xenforeignmemory_resource_handle *resource;
    struct ioreq *slots; /* the shared page: one slot per vCPU */

    xenevtchn_handle *evtchn;
    evtchn_port_t ports[IOREQ_VCPUS_MAX]; /* of the vCPUs; the first `bound` are */
    unsigned bound;

    /*
     * Requests that are taken and not answered, in their order. Only the first one is at work: a
     * guest's accesses are made one after the other.
     */
    unsigned queue[IOREQ_VCPUS_MAX]; /* vCPUs, each once; the first `queued` are */
    unsigned queued;
    struct ioreq_work *work; /* by vCPU */

    struct event *wake;
    struct guest_memory memory;
    struct ioreq_device device;
};

/* --- ioreq_server.c ---------------------------------------------------------------------- */

/*
 * Answers what is in the slots; false: nothing was. The registers are gone, but a store into a
 * tracked page is the guest's own business and must not be lost. stores_only: the other requests
 * are put back, for whoever takes the guest over.
 */
bool ioreq_answer_requests(struct ioreq_server *server, bool stores_only);

/* --- ioreq_claims.c ---------------------------------------------------------------------- */

/* Its PCI functions, and with the root of them the ports. */
int ioreq_claim_pci(struct ioreq_server *server);

/* All that the note says it had. */
int ioreq_claim_again(struct ioreq_server *server);

/* --- ioreq_track.c ----------------------------------------------------------------------- */

/* A vCPU has made a request: Xen is done with the one before. */
void ioreq_track_request(struct ioreq_server *server, unsigned vcpu, const struct ioreq *req);

/* The server's `later`: lets go of pages whose vCPU makes no more requests. */
void ioreq_track_later(evutil_socket_t fd, short what, void *arg);

/* All tracked pages become plain RAM. stores_only: other requests go on waiting. */
void ioreq_track_end(struct ioreq_server *server, bool stores_only);

#endif
