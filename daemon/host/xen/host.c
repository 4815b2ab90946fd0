/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Xen's domains as guests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <syslog.h>

#include <xendevicemodel.h>
#include <xenforeignmemory.h>

#include <xengt/types.h>

#include "host/host.h"
#include "host/xen/domains.h"
#include "host/xen/guest_ram.h"
#include "host/xen/host_check.h"
#include "host/xen/ioreq_record.h"
#include "host/xen/ioreq_server.h"
#include "text.h"

struct host_guest {
    LIST_ENTRY(host_guest) link;
    struct host_xen *host;
    struct host_guest_config config;
    struct domain_info domain;
    struct ioreq_server *ioreq;
    struct guest_ram ram;
    struct host_guest_stats stats;
    bool dead; /* died() was called */
};

struct host_xen {
    struct host base;
    struct host_xen_config config;
    struct domains *domains;
    xendevicemodel_handle *dmod;
    xenforeignmemory_handle *fmem;
    LIST_HEAD(, host_guest) guests;
};

static struct host_xen *to_xen(struct host *host)
{
    return (struct host_xen *)host;
}

static struct ioreq_server_config ioreq_config(struct host_xen *host)
{
    return (struct ioreq_server_config){
        .base = host->config.base,
        .xc = domains_xc(host->domains),
        .dmod = host->dmod,
        .fmem = host->fmem,
        .state_dir = host->config.state_dir,
    };
}

static struct guest_ram no_ram(struct host_xen *host, uint32_t domid)
{
    return (struct guest_ram){
        .xc = domains_xc(host->domains),
        .dmod = host->dmod,
        .fmem = host->fmem,
        .domid = domid,
    };
}

/* --- what predecessors left ---------------------------------------------------------------- */

static bool is_attached(const struct host_xen *host, uint32_t domid)
{
    const struct host_guest *guest;

    LIST_FOREACH(guest, &host->guests, link)
    {
        if (guest->domain.domid == domid) {
            return true;
        }
    }
    return false;
}

/* A predecessor was killed; its guest may have a vCPU that waits for an answer. */
static void release_leftover(void *arg, const struct ioreq_record *record)
{
    struct host_xen *host = arg;
    struct ioreq_server_config server = ioreq_config(host);
    struct guest_ram ram = no_ram(host, record->domid);

    if (!domains_alive(host->domains, record->domid, &record->uuid)) {
        ioreq_record_remove(host->config.state_dir, record->domid);
        return;
    }
    if (record->id == IOREQ_RECORD_NO_SERVER || is_attached(host, record->domid)) {
        return;
    }
    int ret = domains_info(host->domains, record->domid, &server.domain);
    if (!ret) {
        ram.first = record->ram_first;
        ram.pages = record->ram_pages;
        guest_ram_remove(&ram);
        ret = ioreq_server_release(&server, record);
    }
    if (ret) {
        text_log(host->config.log, host->config.log_arg, LOG_ERR,
                 "domain %u: the ioreq server %u of a killed xengtd stays: %s", record->domid,
                 record->id, strerror(-ret));
    } else {
        text_log(host->config.log, host->config.log_arg, LOG_NOTICE,
                 "domain %u: the ioreq server %u of a killed xengtd is released", record->domid,
                 record->id);
    }
}

/* --- guests ------------------------------------------------------------------------------ */

static int xen_find(struct host *base, const char *domain, uint32_t *domid, char *name, size_t size)
{
    return domains_find(to_xen(base)->domains, domain, domid, name, size);
}

static void xen_listen(struct host *base, const struct host_order_ops *ops, void *arg)
{
    domains_listen(to_xen(base)->domains, ops, arg);
}

static int xen_attach(struct host *base, const struct host_guest_config *config,
                      struct host_guest **out, char *error, size_t error_size)
{
    struct host_xen *host = to_xen(base);
    struct ioreq_server_config server = ioreq_config(host);
    struct host_guest *guest = calloc(1, sizeof(*guest));

    if (!guest) {
        return -ENOMEM;
    }
    guest->host = host;
    guest->config = *config;
    guest->ram = no_ram(host, config->domid);
    int ret = domains_info(host->domains, config->domid, &guest->domain);
    if (!ret && guest->domain.dying) {
        snprintf(error, error_size, "is being destroyed");
        ret = -ESRCH;
    }
    if (ret) {
        goto out_free;
    }

    struct ioreq_record left = {.domid = config->domid, .uuid = guest->domain.uuid};
    if (!config->take_over && ioreq_record_load(host->config.state_dir, &left)) {
        release_leftover(host, &left);
    }
    server.domain = guest->domain;
    server.guest = guest->config;
    server.stats = &guest->stats;
    ret = ioreq_server_open(&server, &guest->ioreq, error, error_size);
    if (ret) {
        goto out_free;
    }
    LIST_INSERT_HEAD(&host->guests, guest, link);
    *out = guest;
    return 0;

out_free:
    free(guest);
    return ret;
}

static void xen_detach(struct host_guest *guest)
{
    LIST_REMOVE(guest, link);
    guest_ram_remove(&guest->ram);
    ioreq_server_close(guest->ioreq);
    free(guest);
}

static void xen_leave(struct host_guest *guest)
{
    LIST_REMOVE(guest, link);
    guest_ram_leave(&guest->ram);
    ioreq_server_leave(guest->ioreq);
    free(guest);
}

static bool xen_has_firmware(const struct host_guest *guest)
{
    return guest->domain.device_model;
}

static uint64_t xen_placed(const struct host_guest *guest, unsigned range)
{
    return ioreq_server_placed(guest->ioreq, range);
}

static int xen_claim(struct host_guest *guest, unsigned range, uint64_t base, uint64_t size)
{
    return ioreq_server_claim(guest->ioreq, range, base, size);
}

static int xen_inject_msi(struct host_guest *guest, uint64_t address, uint32_t data)
{
    guest->stats.interrupts++;
    if (xendevicemodel_inject_msi(guest->host->dmod, (domid_t)guest->domain.domid, address, data)) {
        return -errno;
    }
    return 0;
}

static int xen_set_intx(struct host_guest *guest, bool asserted)
{
    uint8_t device = ioreq_server_note(guest->ioreq)->function >> 3;

    guest->stats.interrupts += asserted;
    return xendevicemodel_set_pci_intx_level(guest->host->dmod, (domid_t)guest->domain.domid, 0, 0,
                                             device, 0, asserted)
               ? -errno
               : 0;
}

static int xen_track(struct host_guest *guest, const struct xengt_gfn *gfn, size_t n, bool on)
{
    return ioreq_server_track(guest->ioreq, gfn, n, on);
}

static bool xen_resume(struct host_guest *guest)
{
    return ioreq_server_resume(guest->ioreq);
}

/* What the guest was taken over with. */
static int find_ram(struct host_guest *guest, uint32_t pages, void **view)
{
    const struct ioreq_record *note = ioreq_server_note(guest->ioreq);

    guest->ram.first = note->ram_first;
    guest->ram.pages = note->ram_pages;
    int ret = note->ram_pages == pages ? guest_ram_find(&guest->ram) : -EINVAL;
    if (!ret) {
        *view = guest->ram.view;
    }
    return ret;
}

/* Noted before it is there: whoever finds the note takes away what is there of it. */
static int xen_add_ram(struct host_guest *guest, uint64_t first, uint32_t pages, void **view)
{
    if (guest->ram.pages) {
        return -EBUSY;
    }
    if (ioreq_server_note(guest->ioreq)->ram_pages) {
        return find_ram(guest, pages, view);
    }
    int ret = ioreq_server_note_ram(guest->ioreq, first, pages);
    if (ret) {
        return ret;
    }
    guest->ram.first = first;
    guest->ram.pages = pages;
    ret = guest_ram_add(&guest->ram);
    if (ret) {
        ioreq_server_note_ram(guest->ioreq, 0, 0);
        return ret;
    }
    *view = guest->ram.view;
    return 0;
}

static int xen_move_ram(struct host_guest *guest, uint64_t first)
{
    int ret = guest_ram_move(&guest->ram, first);

    if (!ret) {
        ret = ioreq_server_note_ram(guest->ioreq, guest->ram.first, guest->ram.pages);
    }
    return ret;
}

static void xen_remove_ram(struct host_guest *guest)
{
    guest_ram_remove(&guest->ram);
    ioreq_server_note_ram(guest->ioreq, 0, 0);
}

static uint64_t xen_beyond_ram(const struct host_guest *guest)
{
    return guest_ram_apart(&guest->ram) << XENGT_PAGE_SHIFT;
}

static void xen_guest_stats(const struct host_guest *guest, struct host_guest_stats *stats)
{
    *stats = guest->stats;
}

/* Some domain may have gone. died() may detach its guest at once, so the next one is known before.
 */
static void domains_changed(void *arg)
{
    struct host_xen *host = arg;
    struct host_guest *guest, *next;

    for (guest = LIST_FIRST(&host->guests); guest; guest = next) {
        next = LIST_NEXT(guest, link);
        if (guest->dead || domains_alive(host->domains, guest->domain.domid, &guest->domain.uuid)) {
            continue;
        }
        guest->dead = true;
        ioreq_server_silence(guest->ioreq);
        guest->config.ops->died(guest->config.arg);
    }
}

/* --- opening and closing ----------------------------------------------------------------- */

static void xen_release_leftovers(struct host *base)
{
    struct host_xen *host = to_xen(base);
    int ret = ioreq_record_each(host->config.state_dir, release_leftover, host);

    if (ret) {
        text_log(host->config.log, host->config.log_arg, LOG_WARNING, "%s cannot be read: %s",
                 host->config.state_dir, strerror(-ret));
    }
}

static void xen_close(struct host *base)
{
    struct host_xen *host = to_xen(base);

    domains_close(host->domains);
    if (host->dmod) {
        xendevicemodel_close(host->dmod);
    }
    if (host->fmem) {
        xenforeignmemory_close(host->fmem);
    }
    free(host);
}

static const struct host_ops host_xen_ops = {
    .find = xen_find,
    .attach = xen_attach,
    .detach = xen_detach,
    .leave = xen_leave,
    .listen = xen_listen,
    .release_leftovers = xen_release_leftovers,
    .has_firmware = xen_has_firmware,
    .placed = xen_placed,
    .claim = xen_claim,
    .inject_msi = xen_inject_msi,
    .set_intx = xen_set_intx,
    .track = xen_track,
    .resume = xen_resume,
    .add_ram = xen_add_ram,
    .move_ram = xen_move_ram,
    .remove_ram = xen_remove_ram,
    .beyond_ram = xen_beyond_ram,
    .guest_stats = xen_guest_stats,
    .close = xen_close,
};

static int open_libraries(struct host_xen *host, char *error, size_t error_size)
{
    const struct domains_config domains = {
        .base = host->config.base,
        .vdispl = host->config.vdispl,
        .changed = domains_changed,
        .arg = host,
        .log = host->config.log,
        .log_arg = host->config.log_arg,
    };
    int ret;

    host->dmod = xendevicemodel_open(NULL, 0);
    if (host->dmod) {
        host->fmem = xenforeignmemory_open(NULL, 0);
    }
    if (!host->fmem) {
        ret = -errno;
        snprintf(error, error_size, "Xen's device model interface cannot be opened: %s",
                 strerror(-ret));
        return ret;
    }
    return domains_open(&domains, &host->domains, error, error_size);
}

int host_xen_open(const struct host_xen_config *config, struct host **out, char *error,
                  size_t error_size)
{
    *out = NULL;
    int ret = host_check(error, error_size);
    if (ret) {
        return ret;
    }
    struct host_xen *host = calloc(1, sizeof(*host));
    if (!host) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    host->base.ops = &host_xen_ops;
    host->config = *config;
    LIST_INIT(&host->guests);
    ret = open_libraries(host, error, error_size);
    if (ret) {
        xen_close(&host->base);
        return ret;
    }
    *out = &host->base;
    return 0;
}
