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

#include "host/xen/pci_function.h"

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

/* As many as Xen gives a domain. */
#define SERVERS_MAX 8u

static int claim_for(const struct ioreq_server *server, ioservid_t id, uint8_t devfn)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_map_pcidev_to_ioreq_server(config->dmod, (domid_t)config->domain.domid, id,
                                                  0, 0, devfn >> 3, devfn & 7)) {
        return -errno;
    }
    return 0;
}

static int claim_function(const struct ioreq_server *server, uint8_t devfn)
{
    return claim_for(server, server->id, devfn);
}

/*
 * Xen does not say what a server has claimed, but refuses to let it claim that again. What is free
 * is given back at once: for a moment the other server is asked about a function it does not know.
 */
static int is_taken(void *arg, uint8_t devfn)
{
    const struct ioreq_server *server = arg;
    const struct ioreq_server_config *config = &server->config;

    for (ioservid_t id = 0; id < SERVERS_MAX; id++) {
        int ret = id == server->id ? -ENOENT : claim_for(server, id, devfn);

        if (ret == -EEXIST) {
            return 1;
        }
        if (!ret) {
            xendevicemodel_unmap_pcidev_from_ioreq_server(
                config->dmod, (domid_t)config->domain.domid, id, 0, 0, devfn >> 3, devfn & 7);
        } else if (ret != -ENOENT) { /* there is no such server */
            return ret;
        }
    }
    return 0;
}

/*
 * Xen itself turns the ports into requests for a function. What it does not do is to read the
 * address port, by which a guest finds out whether there is PCI at all.
 */
static int claim_root(struct ioreq_server *server)
{
    const struct ioreq_server_config *config = &server->config;

    if (xendevicemodel_map_io_range_to_ioreq_server(config->dmod, (domid_t)config->domain.domid,
                                                    server->id, 0, 0xcf8, 0xcff)) {
        return -errno;
    }
    return claim_function(server, 0);
}

static int claim_pci(struct ioreq_server *server)
{
    struct ioreq_pci *pci = &server->device.pci;
    int ret = pci->root ? claim_root(server)
                        : pci_function_choose(pci->devfn, is_taken, server, &pci->function);

    return ret ? ret : claim_function(server, pci->function);
}

/* Of what an earlier server of the domain has left, the places. */
static struct ioreq_record note_of(const struct ioreq_server_config *config)
{
    struct ioreq_record record = {.domid = config->domain.domid, .uuid = config->domain.uuid};

    ioreq_record_load(config->state_dir, &record);
    record.id = IOREQ_RECORD_NO_SERVER;
    record.ram_first = 0;
    record.ram_pages = 0;
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

int ioreq_server_open(const struct ioreq_server_config *config, struct ioreq_server **out,
                      char *error, size_t error_size)
{
    static const struct {
        int (*run)(struct ioreq_server *server);
        const char *failed;
    } steps[] = {
        {create, "Xen gives it no ioreq server"},
        {map_page, "its ioreq page cannot be mapped"},
        {enable, "its ioreq server cannot be enabled"},
        {bind_ports, "the event channels of its vCPUs cannot be bound"},
        {listen_events, "its event channels cannot be listened to"},
        {claim_pci, "no PCI function of it can be claimed"},
    };

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
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int ret = steps[i].run(server);

        if (!ret) {
            continue;
        }
        snprintf(error, error_size, "%s: %s", steps[i].failed, strerror(-ret));
        ioreq_server_close(server);
        return ret;
    }
    *out = server;
    return 0;
}

/* --- what comes to it -------------------------------------------------------------------- */

/* Only what firmware chose is to be remembered. Not being able to is no reason not to answer. */
static void note_place(struct ioreq_server *server, unsigned range, uint64_t base)
{
    if (server->config.domain.device_model && server->record.placed[range] != base) {
        server->record.placed[range] = base;
        ioreq_record_save(server->config.state_dir, &server->record);
    }
}

int ioreq_server_claim(struct ioreq_server *server, unsigned range, uint64_t base, uint64_t size)
{
    const struct ioreq_server_config *config = &server->config;
    struct ioreq_range *held = &server->device.range[range];
    domid_t domid = (domid_t)config->domain.domid;

    if (held->size) {
        xendevicemodel_unmap_io_range_from_ioreq_server(config->dmod, domid, server->id, 1,
                                                        held->base, held->base + held->size - 1);
        held->size = 0;
    }
    if (!size) {
        return 0;
    }
    if (guest_memory_is_ram(&server->memory, base)) {
        return -EBUSY;
    }
    if (xendevicemodel_map_io_range_to_ioreq_server(config->dmod, domid, server->id, 1, base,
                                                    base + size - 1)) {
        return -errno;
    }
    *held = (struct ioreq_range){.base = base, .size = size};
    note_place(server, range, base);
    return 0;
}

uint64_t ioreq_server_placed(const struct ioreq_server *server, unsigned range)
{
    return server->record.placed[range];
}

int ioreq_server_note_ram(struct ioreq_server *server, uint64_t first, uint32_t pages)
{
    server->record.ram_first = first;
    server->record.ram_pages = pages;
    return ioreq_record_save(server->config.state_dir, &server->record);
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

/*
 * Answers what is in the slots; false: nothing was. The registers are gone, but a store into a
 * tracked page is the guest's own business and must not be lost.
 */
bool ioreq_abandon_requests(struct ioreq_server *server)
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
        ioreq_answer(&server->slots[vcpu], finish(server, &nothing, vcpu, &req));
        xenevtchn_notify(server->evtchn, server->ports[vcpu]);
        found = true;
    }
    server->queued = 0;
    return found;
}

/* A domain that is gone has no place to be remembered. */
static void forget_server(struct ioreq_server *server)
{
    const char *dir = server->config.state_dir;

    server->record.id = IOREQ_RECORD_NO_SERVER;
    server->record.ram_first = 0;
    server->record.ram_pages = 0;
    if (server->silent || !server->record.placed[0] || ioreq_record_save(dir, &server->record)) {
        ioreq_record_remove(dir, server->record.domid);
    }
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
        ioreq_track_end(server);
    }
    if (server->stage >= STAGE_ENABLED) {
        xendevicemodel_set_ioreq_server_state(config->dmod, domid, server->id, 0);
    }
    if (server->wake) {
        event_free(server->wake);
    }
    if (server->later) {
        event_free(server->later);
    }
    ioreq_abandon_requests(server);
    if (server->evtchn) {
        xenevtchn_close(server->evtchn); /* unbinds the ports */
    }
    if (server->resource) {
        xenforeignmemory_unmap_resource(config->fmem, server->resource);
    }
    if (server->stage >= STAGE_CREATED) {
        /* Disabled, it does no harm: a note that outlives it could name another's server. */
        forget_server(server);
        xendevicemodel_destroy_ioreq_server(config->dmod, domid, server->id);
    }
    free(server->work);
    free(server);
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
    server->id = (ioservid_t)record->id;
    server->stage = STAGE_CREATED;
    server->tracking = true; /* for all we know */
    int ret = map_page(server);
    if (!ret) {
        ret = enable(server);
    }
    if (!ret) {
        ret = bind_ports(server);
    }
    ioreq_server_close(server);
    return ret;
}
