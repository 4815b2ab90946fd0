/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simulator's domains as guests. There is no CPU that runs them: whoever drives the
 * simulation makes their accesses by the host_sim_ functions.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xengt/sim.h>

#include "server/domain_arg.h"
#include "server/host.h"

#define GUESTS_MAX 64u

struct host_guest {
    struct host_sim *host;
    struct host_guest_config config;
    struct host_guest_stats stats;
    bool dead;
};

struct host_sim {
    struct host base;
    struct xengt_sim *sim;
    struct host_guest *guests[GUESTS_MAX]; /* NULL: free */
};

static struct host_sim *to_sim(struct host *host)
{
    return (struct host_sim *)host;
}

/* The living guest of a domid. */
static struct host_guest *guest_of(struct host_sim *host, uint32_t domid)
{
    for (unsigned i = 0; i < GUESTS_MAX; i++) {
        struct host_guest *guest = host->guests[i];

        if (guest && !guest->dead && guest->config.domid == domid) {
            return guest;
        }
    }
    return NULL;
}

static bool alive(const struct host_sim *host, uint32_t domid)
{
    return xengt_sim_domain_exists(host->sim, domid) &&
           !xengt_sim_domain_is_zombie(host->sim, domid);
}

static int sim_find(struct host *base, const char *domain, uint32_t *domid, char *name, size_t size)
{
    struct host_sim *host = to_sim(base);
    const char *known;

    if (!domain_arg_is_domid(domain, domid) && xengt_sim_domain_find(host->sim, domain, domid)) {
        return -ENOENT;
    }
    if (!xengt_sim_domain_exists(host->sim, *domid)) {
        return -ENOENT;
    }
    known = xengt_sim_domain_name(host->sim, *domid);
    snprintf(name, size, "%s", known ? known : "");
    return 0;
}

static int sim_attach(struct host *base, const struct host_guest_config *config,
                      struct host_guest **out, char *error, size_t error_size)
{
    struct host_sim *host = to_sim(base);
    struct host_guest *guest;
    unsigned i;

    if (!alive(host, config->domid)) {
        snprintf(error, error_size, "is being destroyed");
        return -ESRCH;
    }
    for (i = 0; i < GUESTS_MAX && host->guests[i]; i++) {
        ;
    }
    if (i == GUESTS_MAX) {
        return -ENOSPC;
    }
    guest = calloc(1, sizeof(*guest));
    if (!guest) {
        return -ENOMEM;
    }
    guest->host = host;
    guest->config = *config;
    host->guests[i] = guest;
    *out = guest;
    return 0;
}

static void sim_detach(struct host_guest *guest)
{
    struct host_sim *host = guest->host;

    for (unsigned i = 0; i < GUESTS_MAX; i++) {
        if (host->guests[i] == guest) {
            host->guests[i] = NULL;
        }
    }
    free(guest);
}

static void sim_guest_stats(const struct host_guest *guest, struct host_guest_stats *stats)
{
    *stats = guest->stats;
}

/* What Xen would say by IOREQ_TYPE_INVALIDATE. */
static void sim_invalidate(void *arg, uint32_t domid)
{
    struct host_guest *guest = guest_of(arg, domid);

    if (!guest) {
        return;
    }
    guest->stats.ioreqs++;
    guest->stats.invalidates++;
    guest->config.ops->layout_changed(guest->config.arg);
}

static void sim_close(struct host *base)
{
    struct host_sim *host = to_sim(base);

    xengt_sim_on_invalidate(host->sim, NULL, NULL);
    free(host);
}

static const struct host_ops host_sim_ops = {
    .find = sim_find,
    .attach = sim_attach,
    .detach = sim_detach,
    .guest_stats = sim_guest_stats,
    .close = sim_close,
};

int host_sim_open(struct xengt_sim *sim, struct host **out)
{
    struct host_sim *host = calloc(1, sizeof(*host));

    *out = NULL;
    if (!host) {
        return -ENOMEM;
    }
    host->base.ops = &host_sim_ops;
    host->sim = sim;
    xengt_sim_on_invalidate(sim, sim_invalidate, host);
    *out = &host->base;
    return 0;
}

/* --- the guests' side --------------------------------------------------------------------- */

/* The guest, if the access is in its MMIO range; an access nobody claims reads all-ones. */
static struct host_guest *claimed_by(struct host *base, uint32_t domid, uint64_t addr,
                                     unsigned size)
{
    struct host_guest *guest = guest_of(to_sim(base), domid);

    if (!guest || addr < guest->config.mmio_base) {
        return NULL;
    }
    addr -= guest->config.mmio_base;
    if (size > guest->config.mmio_size || addr > guest->config.mmio_size - size) {
        return NULL;
    }
    guest->stats.ioreqs++;
    return guest;
}

uint64_t host_sim_mmio_read(struct host *base, uint32_t domid, uint64_t addr, unsigned size)
{
    struct host_guest *guest = claimed_by(base, domid, addr, size);

    if (!guest) {
        return ~UINT64_C(0);
    }
    return guest->config.ops->mmio_read(guest->config.arg, addr - guest->config.mmio_base, size);
}

void host_sim_mmio_write(struct host *base, uint32_t domid, uint64_t addr, uint64_t value,
                         unsigned size)
{
    struct host_guest *guest = claimed_by(base, domid, addr, size);

    if (guest) {
        guest->config.ops->mmio_write(guest->config.arg, addr - guest->config.mmio_base, value,
                                      size);
    }
}

void host_sim_end_of_turn(struct host *base, uint32_t domid)
{
    struct host_guest *guest = guest_of(to_sim(base), domid);

    if (!guest) {
        return;
    }
    guest->stats.turns++;
    guest->config.ops->end_of_turn(guest->config.arg);
}

void host_sim_notice_deaths(struct host *base)
{
    struct host_sim *host = to_sim(base);

    for (unsigned i = 0; i < GUESTS_MAX; i++) {
        struct host_guest *guest = host->guests[i];

        if (!guest || guest->dead || alive(host, guest->config.domid)) {
            continue;
        }
        guest->dead = true;
        guest->config.ops->died(guest->config.arg);
    }
}
