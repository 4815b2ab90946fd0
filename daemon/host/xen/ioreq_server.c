/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ioreq server of one guest: opened step by step, its requests taken and answered. */
#include "host/xen/ioreq_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xen/hvm/hvm_op.h>
#include <xen/memory.h>

/* --- serving ----------------------------------------------------------------------------- */

/* A port is a vCPU's own; others do not exist on this handle. */
static bool find_vcpu(const struct ioreq_server *server, evtchn_port_t port, unsigned *vcpu)
{
    for (*vcpu = 0; *vcpu < server->bound; (*vcpu)++) {
        if (server->ports[*vcpu] == port) {
            return true;
        }
    }
    return false;
}

/* A guest that writes into the shared page itself may have a vCPU ask twice. */
static bool is_queued(const struct ioreq_server *server, unsigned vcpu)
{
    for (unsigned i = 0; i < server->queued; i++) {
        if (server->queue[i] == vcpu) {
            return true;
        }
    }
    return false;
}

static void answer(struct ioreq_server *server, unsigned vcpu)
{
    server->config.stats->ioreqs++;
    ioreq_answer(&server->slots[vcpu], server->work[vcpu].data);
    xenevtchn_notify(server->evtchn, server->ports[vcpu]);
    histogram_add_since(&server->config.stats->time, server->work[vcpu].taken_ns);
}

/* As far as the guest is ready. True: there are requests that wait. */
static bool serve_queue(struct ioreq_server *server)
{
    while (server->queued) {
        unsigned vcpu = server->queue[0];

        if (!ioreq_go_on(&server->device, &server->work[vcpu])) {
            return true;
        }
        answer(server, vcpu);
        server->queued--;
        memmove(server->queue, server->queue + 1, server->queued * sizeof(server->queue[0]));
        if (!server->queued) {
            server->device.ops->answered(server->device.arg);
        }
    }
    return false;
}

static bool serve_port(struct ioreq_server *server, evtchn_port_t port)
{
    struct ioreq req;
    unsigned vcpu;

    if (!find_vcpu(server, port, &vcpu) || !ioreq_take(&server->slots[vcpu], &req)) {
        return false;
    }
    ioreq_track_request(server, vcpu, &req);
    ioreq_begin(&server->work[vcpu], &req);
    if (!is_queued(server, vcpu)) {
        server->queue[server->queued++] = vcpu;
    }
    serve_queue(server);
    return true;
}

bool ioreq_server_resume(struct ioreq_server *server)
{
    return serve_queue(server);
}

/*
 * A vCPU waits for its one request, so there is one from each at most; what comes meanwhile keeps
 * the descriptor readable, and other guests get their chance before.
 */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct ioreq_server *server = arg;
    bool found = false;

    (void)fd;
    (void)what;
    for (unsigned i = 0; i < server->bound; i++) {
        xenevtchn_port_or_error_t port = xenevtchn_pending(server->evtchn);

        if (port < 0) {
            break;
        }
        xenevtchn_unmask(server->evtchn, (evtchn_port_t)port);
        found |= serve_port(server, (evtchn_port_t)port);
    }
    if (found) {
        server->config.stats->turns++;
        server->device.ops->end_of_turn(server->device.arg);
    }
}

/* --- opening, step by step --------------------------------------------------------------- */

static int create(struct ioreq_server *server)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_create_ioreq_server(config->dmod, (domid_t)config->domain.domid,
                                           HVM_IOREQSRV_BUFIOREQ_OFF, &server->id)) {
        return -errno;
    }
    server->stage = STAGE_CREATED;
    server->record.id = server->id;
    return ioreq_record_save(config->state_dir, &server->record);
}

static int map_page(struct ioreq_server *server)
{
    const struct ioreq_server_config *config = &server->config;
    void *page = NULL;

    server->resource = xenforeignmemory_map_resource(
        config->fmem, (domid_t)config->domain.domid, XENMEM_resource_ioreq_server, server->id,
        XENMEM_resource_ioreq_server_frame_ioreq(0), 1, &page, PROT_READ | PROT_WRITE, 0);
    if (!server->resource) {
        return -errno;
    }
    server->slots = page;
    return 0;
}

/* Xen makes the event channels now; before this the slots do not hold them. */
static int enable(struct ioreq_server *server)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_set_ioreq_server_state(config->dmod, (domid_t)config->domain.domid,
                                              server->id, 1)) {
        return -errno;
    }
    server->stage = STAGE_ENABLED;
    return 0;
}

/* A request that came before its port was bound is not lost: binding makes the port pending. */
static int bind_ports(struct ioreq_server *server)
{
    uint32_t domid = server->config.domain.domid;

    server->evtchn = xenevtchn_open(NULL, 0);
    if (!server->evtchn) {
        return -errno;
    }
    if (fcntl(xenevtchn_fd(server->evtchn), F_SETFL, O_NONBLOCK)) {
        return -errno;
    }
    for (unsigned vcpu = 0; vcpu < server->config.domain.vcpus; vcpu++) {
        evtchn_port_t theirs = __atomic_load_n(&server->slots[vcpu].vp_eport, __ATOMIC_RELAXED);
        xenevtchn_port_or_error_t port;

        port = xenevtchn_bind_interdomain(server->evtchn, domid, theirs);
        if (port < 0) {
            return -errno;
        }
        server->ports[server->bound++] = (evtchn_port_t)port;
    }
    return 0;
}

static int listen_events(struct ioreq_server *server)
{
    struct event_base *base = server->config.base;

    server->wake =
        event_new(base, xenevtchn_fd(server->evtchn), EV_READ | EV_PERSIST, on_wake, server);
    server->later = evtimer_new(base, ioreq_track_later, server);
    if (!server->wake || !server->later || event_add(server->wake, NULL)) {
        return -ENOMEM;
    }
    return 0;
}

/* What an earlier server of the domain has left: the places, or all of it. */
static struct ioreq_record note_of(const struct ioreq_server_config *config)
{
    struct ioreq_record record = {.domid = config->domain.domid, .uuid = config->domain.uuid};

    if (!ioreq_record_load(config->state_dir, &record) || !config->guest.take_over) {
        ioreq_record_forget_server(&record);
    }
    return record;
}

static struct ioreq_server *new_server(const struct ioreq_server_config *config)
{
    struct ioreq_server *server = calloc(1, sizeof(*server));

    if (server) {
        server->work = calloc(config->domain.vcpus + 1, sizeof(*server->work));
    }
    if (!server || !server->work) {
        free(server);
        return NULL;
    }
    server->config = *config;
    server->record = note_of(config);
    server->memory = (struct guest_memory){.fmem = config->fmem, .domid = config->domain.domid};
    server->device = (struct ioreq_device){
        .pci =
            {
                .function = config->guest.devfn,
                .devfn = config->guest.devfn,
                .root = !config->domain.device_model,
            },
        .ops = config->guest.ops,
        .arg = config->guest.arg,
        .copy_guest = guest_memory_copy,
        .copy_arg = &server->memory,
        .stats = config->stats,
    };
    return server;
}

struct step {
    int (*run)(struct ioreq_server *server);
    const char *failed;
    const char *forbidden; /* what it means that Xen says so; NULL: no more than that */
};

/* The server that a predecessor left. */
static int adopt(struct ioreq_server *server)
{
    server->id = (ioservid_t)server->record.id;
    server->stage = STAGE_CREATED;
    server->tracking = true; /* for all we know */
    memcpy(server->device.range, server->record.range, sizeof(server->device.range));
    return 0;
}

/* Nobody knows what is tracked, nor what was being stored there. */
static int end_tracking(struct ioreq_server *server)
{
    ioreq_track_end(server, true);
    ioreq_answer_requests(server, true);
    return 0;
}

/* Only the domain that made a server may be told what it has claimed. */
#define STUB_DOMAIN                                                       \
    "its device model runs in another domain, which cannot be asked for " \
    "those it has; remove device_model_stubdomain_override"

static int run_steps(struct ioreq_server *server, const struct step *steps, size_t n, char *error,
                     size_t error_size)
{
    for (size_t i = 0; i < n; i++) {
        int ret = steps[i].run(server);

        if (ret) {
            const char *known = ret == -EPERM ? steps[i].forbidden : NULL;

            snprintf(error, error_size, "%s: %s", steps[i].failed, known ? known : strerror(-ret));
            return ret;
        }
    }
    return 0;
}

int ioreq_server_open(const struct ioreq_server_config *config, struct ioreq_server **out,
                      char *error, size_t error_size)
{
    static const struct step steps[] = {
        {create, "Xen gives it no ioreq server"},
        {map_page, "its ioreq page cannot be mapped"},
        {enable, "its ioreq server cannot be enabled"},
        {bind_ports, "the event channels of its vCPUs cannot be bound"},
        {listen_events, "its event channels cannot be listened to"},
        {ioreq_claim_pci, "no PCI function of it can be claimed", STUB_DOMAIN},
    };
    static const struct step adoption[] = {
        {adopt, "the ioreq server it had is not known"},
        {map_page, "the page of the ioreq server it had cannot be mapped"},
        {enable, "the ioreq server it had cannot be enabled"},
        {bind_ports, "the event channels of its vCPUs cannot be bound"},
        {end_tracking, "its page tables cannot be let go of"},
        {listen_events, "its event channels cannot be listened to"},
        {ioreq_claim_again, "what the ioreq server it had claimed cannot be claimed"},
    };
    int ret;

    *out = NULL;
    if (config->domain.vcpus == 0 || config->domain.vcpus > IOREQ_VCPUS_MAX) {
        snprintf(error, error_size, "has %u virtual CPUs; 1 to %u are supported",
                 config->domain.vcpus, IOREQ_VCPUS_MAX);
        return -EOPNOTSUPP;
    }
    struct ioreq_server *server = new_server(config);
    if (!server) {
        return -ENOMEM;
    }
    if (server->record.id == IOREQ_RECORD_NO_SERVER) {
        ret = run_steps(server, steps, sizeof(steps) / sizeof(steps[0]), error, error_size);
    } else {
        ret =
            run_steps(server, adoption, sizeof(adoption) / sizeof(adoption[0]), error, error_size);
    }
    if (ret) {
        ioreq_server_close(server);
        return ret;
    }
    *out = server;
    return 0;
}

/* --- closing ----------------------------------------------------------------------------- */

void ioreq_server_silence(struct ioreq_server *server)
{
    server->silent = true;
    event_del(server->wake);
    event_del(server->later);
}

static void store_in_memory(void *arg, uint64_t gpa, uint64_t value, unsigned size)
{
    guest_memory_copy(arg, gpa, &value, size, true); /* of a register: it is no memory, and fails */
}

/* From where a request that waits was left. */
static uint64_t finish(struct ioreq_server *server, struct ioreq_device *device, unsigned vcpu,
                       const struct ioreq *req)
{
    struct ioreq_work *work = &server->work[vcpu];

    if (!is_queued(server, vcpu)) {
        ioreq_begin(work, req);
    }
    ioreq_go_on(device, work);
    return work->data;
}

static bool is_store(const struct ioreq_server *server, const struct ioreq *req)
{
    uint64_t first, last;

    return ioreq_is_tracked_store(&server->device, req, &first, &last);
}

bool ioreq_answer_requests(struct ioreq_server *server, bool stores_only)
{
    static const struct host_guest_ops ops = {.tracked_write = store_in_memory};
    struct host_guest_stats stats = {0};
    struct ioreq_device nothing = {
        .ops = &ops,
        .arg = &server->memory,
        .copy_guest = guest_memory_copy,
        .copy_arg = &server->memory,
        .stats = &stats,
    };
    struct ioreq req;
    bool found = false;

    for (unsigned vcpu = 0; vcpu < server->bound; vcpu++) {
        if (!ioreq_adopt(&server->slots[vcpu], &req)) {
            continue;
        }
        if (stores_only && !is_store(server, &req)) {
            ioreq_put_back(&server->slots[vcpu]);
            continue;
        }
        ioreq_answer(&server->slots[vcpu], finish(server, &nothing, vcpu, &req));
        xenevtchn_notify(server->evtchn, server->ports[vcpu]);
        found = true;
    }
    server->queued = 0;
    return found;
}

/* Where firmware put the ranges is remembered, unless the domain is gone. */
static void forget_server(struct ioreq_server *server)
{
    const char *dir = server->config.state_dir;
    bool places = server->config.domain.device_model && !server->silent;

    ioreq_record_forget_server(&server->record);
    if (!places || ioreq_record_save(dir, &server->record)) {
        ioreq_record_remove(dir, server->record.domid);
    }
}

/* Of the process' own. */
static void free_server(struct ioreq_server *server)
{
    if (server->wake) {
        event_free(server->wake);
    }
    if (server->later) {
        event_free(server->later);
    }
    if (server->evtchn) {
        xenevtchn_close(server->evtchn); /* unbinds the ports */
    }
    if (server->resource) {
        xenforeignmemory_unmap_resource(server->config.fmem, server->resource);
    }
    free(server->work);
    free(server);
}

/*
 * Destroying a server wakes no vCPU that waits for it. So first no request comes any more, then
 * those that are there are answered, and only then the way to answer is given up. Tracked pages
 * come before all: Xen would send their stores to a server that is disabled, too. The calls to Xen
 * fail when the domain is gone already, and nothing needs them then.
 */
void ioreq_server_close(struct ioreq_server *server)
{
    if (!server) {
        return;
    }
    const struct ioreq_server_config *config = &server->config;
    domid_t domid = (domid_t)config->domain.domid;

    if (server->tracking) {
        ioreq_track_end(server, false);
    }
    if (server->stage >= STAGE_ENABLED) {
        xendevicemodel_set_ioreq_server_state(config->dmod, domid, server->id, 0);
    }
    ioreq_answer_requests(server, false);
    if (server->stage >= STAGE_CREATED) {
        /* Disabled, it does no harm: a note that outlives it could name another's server. */
        forget_server(server);
        xendevicemodel_destroy_ioreq_server(config->dmod, domid, server->id);
    }
    free_server(server);
}

/*
 * What Xen knows of the server stays: it is enabled, with all that it claims, so that a vCPU that
 * asks waits. Requests that are taken are put back; stores into tracked pages do not wait, because
 * the pages become plain RAM.
 */
void ioreq_server_leave(struct ioreq_server *server)
{
    if (server->tracking) {
        ioreq_track_end(server, true);
    }
    ioreq_answer_requests(server, true);
    free_server(server);
}

/* Takes over as far as it needs to answer, then closes as its maker would have. */
int ioreq_server_release(const struct ioreq_server_config *config,
                         const struct ioreq_record *record)
{
    if (config->domain.vcpus > IOREQ_VCPUS_MAX) {
        return -EOPNOTSUPP;
    }
    struct ioreq_server *server = new_server(config);
    if (!server) {
        return -ENOMEM;
    }
    server->record = *record;
    int ret = adopt(server);
    ret = ret ? ret : map_page(server);
    ret = ret ? ret : enable(server);
    ret = ret ? ret : bind_ports(server);
    ioreq_server_close(server);
    return ret;
}
