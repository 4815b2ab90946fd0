/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages whose stores come to an ioreq server: when they may change their type, and when not. */
#include "host/xen/ioreq_state.h"

#include <errno.h>
#include <unistd.h>

/*
 * When tracking ends, for stores to come to their ends: one instruction stores into a whole table,
 * a request for each of its 512 entries; and for a vCPU to take its answer.
 */
#define END_TRIES      1000u
#define END_TRIES_IDLE 200u
#define END_WAIT_US    100u

/* When to look again for pages that nobody holds any more. */
static const struct timeval hold_time = {.tv_usec = 10000};

static int set_mem_type(struct ioreq_server *server, bool tracked, uint64_t first, size_t count)
{
    const struct ioreq_server_config *config = &server->config;
    unsigned type = tracked ? HVMMEM_ioreq_server : HVMMEM_ram_rw;

    return xendevicemodel_set_mem_type(config->dmod, (domid_t)config->domain.domid, type, first,
                                       (uint32_t)count)
               ? -errno
               : 0;
}

/* Lets go of pages that had to be held. */
static void end_late(struct ioreq_server *server)
{
    uint64_t gfn;

    while (held_pages_next(&server->held, &gfn)) {
        set_mem_type(server, false, gfn, 1);
    }
    if (server->held.late_n && !event_pending(server->later, EV_TIMEOUT, NULL)) {
        event_add(server->later, &hold_time);
    }
}

/* A vCPU that makes no more requests has taken the answer to its last one, or has not run since. */
void ioreq_track_later(evutil_socket_t fd, short what, void *arg)
{
    struct ioreq_server *server = arg;

    (void)fd;
    (void)what;
    for (unsigned vcpu = 0; vcpu < server->bound; vcpu++) {
        if (ioreq_is_taken(&server->slots[vcpu])) {
            held_pages_taken(&server->held, vcpu);
        }
    }
    end_late(server);
}

/* Xen is done with the request that the vCPU made before this one. */
void ioreq_track_request(struct ioreq_server *server, unsigned vcpu, const struct ioreq *req)
{
    uint64_t first, last;

    if (!server->tracking) {
        return; /* no store has come from a tracked page, and none is held */
    }
    if (ioreq_is_tracked_store(&server->device, req, &first, &last)) {
        held_pages_store(&server->held, vcpu, first >> XENGT_PAGE_SHIFT, last >> XENGT_PAGE_SHIFT);
    } else {
        held_pages_other(&server->held, vcpu);
    }
    end_late(server);
}

/* Xen sends the stores into all pages of one type, which only one server may have. */
static int map_mem_type(struct ioreq_server *server, bool on)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_map_mem_type_to_ioreq_server(config->dmod, (domid_t)config->domain.domid,
                                                    server->id, HVMMEM_ioreq_server,
                                                    on ? XEN_DMOP_IOREQ_MEM_ACCESS_WRITE : 0)) {
        return -errno;
    }
    server->tracking = on;
    return 0;
}

/* A bit for each of at most 64 pages that are to be switched: not those that have to wait for it,
 * or are still as they are to be. */
static uint64_t due_of(struct ioreq_server *server, const struct xengt_gfn *gfn, size_t n, bool on)
{
    uint64_t due = 0;

    for (size_t i = 0; i < n; i++) {
        bool now = on ? !held_pages_begin(&server->held, gfn[i].v)
                      : held_pages_may_end(&server->held, gfn[i].v);
        due |= (uint64_t)now << i;
    }
    return due;
}

/* Consecutive frames in one call. A frame that is no RAM any more fails, the others do not. */
static int switch_pages(struct ioreq_server *server, const struct xengt_gfn *gfn, size_t n, bool on)
{
    uint64_t due = due_of(server, gfn, n, on);
    int ret = 0;

    for (size_t i = 0, first = 0; i < n; i = first) {
        while (first < n && due >> first & 1 && gfn[first].v == gfn[i].v + (first - i)) {
            first++;
        }
        if (first == i) {
            first++;
        } else {
            int failed = set_mem_type(server, on, gfn[i].v, first - i);
            ret = failed ? failed : ret;
        }
    }
    return ret;
}

int ioreq_server_track(struct ioreq_server *server, const struct xengt_gfn *gfn, size_t n, bool on)
{
    int ret = server->tracking ? 0 : map_mem_type(server, true);

    if (ret) {
        return ret;
    }
    for (size_t done = 0, part; done < n; done += part) {
        part = n - done < 64 ? n - done : 64;
        int failed = switch_pages(server, gfn + done, part, on);
        ret = failed ? failed : ret;
    }
    end_late(server);
    return ret;
}

/* A vCPU that waits with another request is in the middle of no store. */
static bool all_taken(const struct ioreq_server *server, bool stores_only)
{
    for (unsigned vcpu = 0; vcpu < server->bound; vcpu++) {
        const struct ioreq *slot = &server->slots[vcpu];

        if (!ioreq_is_taken(slot) && !(stores_only && ioreq_is_ready(slot))) {
            return false;
        }
    }
    return true;
}

/*
 * All tracked pages become plain RAM, while no vCPU is in the middle of a store into one: see
 * held_pages.h. Such a store is over when its last answer is taken and the vCPU has come to rest.
 * That is waited for some tenths of a second, while others wait: a guest that somebody keeps paused
 * takes no answer, and one may do nothing but store.
 */
void ioreq_track_end(struct ioreq_server *server, bool stores_only)
{
    struct xc_interface_core *xc = server->config.xc;
    uint32_t domid = server->config.domain.domid;
    bool paused = false;

    for (unsigned i = 0, idle = 0; i < END_TRIES && idle < END_TRIES_IDLE && !paused; i++) {
        if (ioreq_answer_requests(server, stores_only)) {
            idle = 0;
        } else if (xc_domain_pause(xc, domid)) {
            break;
        } else if (all_taken(server, stores_only)) {
            paused = true;
        } else {
            xc_domain_unpause(xc, domid);
            idle++;
        }
        if (!paused) {
            usleep(END_WAIT_US);
        }
    }
    map_mem_type(server, false);
    if (paused) {
        xc_domain_unpause(xc, domid);
    }
}
