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

#include "host/domain_arg.h"
#include "host/host.h"

#define GUESTS_MAX 64u

struct range {
    uint64_t base;
    uint64_t size; /* 0: none */
};

enum request_kind {
    REQUEST_MMIO,
    REQUEST_PCI,
    REQUEST_TRACKED,
    REQUEST_LAYOUT,
};

/* What the guest's one processor waits for, if it waits: a read is never left unanswered. */
struct request {
    enum request_kind kind;
    unsigned where; /* the MMIO range, or the function */
    uint64_t at;    /* in it, or in guest memory */
    uint64_t value;
    unsigned size;
    uint64_t taken_ns;
};

struct host_guest {
    struct host_sim *host;
    struct host_guest_config config;
    struct host_guest_stats stats;
    bool firmware; /* and a device model */
    bool left;     /* nobody is attached to it: who takes it over finds it so */
    bool dead;
    bool waits; /* for request */
    bool made;  /* it is, and not answered */
    struct request request;
    struct range mmio[HOST_RANGES];

    struct xengt_gfn *tracked; /* in no order */
    size_t tracked_n;

    struct range ram; /* besides the domain's own */
    uint8_t *ram_view;

    bool interrupted; /* since somebody asked */
    uint64_t msi_address;
    uint32_t msi_data;
};

/* Where firmware has put the ranges of a domain. */
struct place {
    uint32_t domid;
    uint64_t base[HOST_RANGES];
};

struct host_sim {
    struct host base;
    struct place places[GUESTS_MAX]; /* by domid, as far as there is room */
    struct xengt_sim *sim;
    struct host_guest *guests[GUESTS_MAX]; /* NULL: free */
    bool firmware;                         /* of domains that are attached */
    void (*wait)(void *arg);               /* see host_sim_on_wait() */
    void *wait_arg;
    const struct host_order_ops *orders;
    void *orders_arg;
};

static struct host_sim *to_sim(struct host *host)
{
    return (struct host_sim *)host;
}

/* The living guest of a domid. */
static struct host_guest *find_guest(struct host_sim *host, uint32_t domid, bool left)
{
    for (unsigned i = 0; i < GUESTS_MAX; i++) {
        struct host_guest *guest = host->guests[i];

        if (guest && !guest->dead && guest->left == left && guest->config.domid == domid) {
            return guest;
        }
    }
    return NULL;
}

static struct host_guest *guest_of(struct host_sim *host, uint32_t domid)
{
    return find_guest(host, domid, false);
}

static bool alive(const struct host_sim *host, uint32_t domid)
{
    return xengt_sim_domain_exists(host->sim, domid) &&
           !xengt_sim_domain_is_zombie(host->sim, domid);
}

static int find_by_name(struct host_sim *host, const char *wanted, uint32_t *domid, char *domids,
                        size_t size)
{
    int ret = xengt_sim_domain_find(host->sim, wanted, domid);

    for (uint32_t other = *domid + 1; !ret && other < DOMAIN_ARG_RESERVED; other++) {
        const char *name = xengt_sim_domain_name(host->sim, other);

        if (name && alive(host, other) && !strcmp(name, wanted)) {
            ret = domain_arg_twins(*domid, other, domids, size);
        }
    }
    return ret;
}

static int sim_find(struct host *base, const char *domain, uint32_t *domid, char *name, size_t size)
{
    struct host_sim *host = to_sim(base);

    if (!domain_arg_is_domid(domain, domid)) {
        int ret = find_by_name(host, domain, domid, name, size);

        if (ret) {
            return ret;
        }
    }
    if (!xengt_sim_domain_exists(host->sim, *domid)) {
        return -ENOENT;
    }
    const char *known = xengt_sim_domain_name(host->sim, *domid);
    snprintf(name, size, "%s", known ? known : "");
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
    free(guest->tracked);
    free(guest->ram_view);
    free(guest);
}

/* A store that waits is made by whoever takes the guest over. */
static void sim_leave(struct host_guest *guest)
{
    guest->left = true;
    guest->made = false;
    guest->tracked_n = 0;
}

static void sim_listen(struct host *base, const struct host_order_ops *ops, void *arg)
{
    struct host_sim *host = to_sim(base);

    host->orders = ops;
    host->orders_arg = arg;
}

static void sim_release_leftovers(struct host *base)
{
    struct host_sim *host = to_sim(base);

    for (unsigned i = 0; i < GUESTS_MAX; i++) {
        if (host->guests[i] && host->guests[i]->left) {
            sim_detach(host->guests[i]);
        }
    }
}

static int sim_attach(struct host *base, const struct host_guest_config *config,
                      struct host_guest **out, char *error, size_t error_size)
{
    struct host_sim *host = to_sim(base);
    unsigned i;

    if (!alive(host, config->domid)) {
        snprintf(error, error_size, "is being destroyed");
        return -ESRCH;
    }
    struct host_guest *left = find_guest(host, config->domid, true);
    if (left && config->take_over) {
        left->config = *config;
        left->left = false;
        *out = left;
        return 0;
    }
    if (left) {
        sim_detach(left);
    }
    for (i = 0; i < GUESTS_MAX && host->guests[i]; i++) {
        ;
    }
    if (i == GUESTS_MAX) {
        return -ENOSPC;
    }
    struct host_guest *guest = calloc(1, sizeof(*guest));
    if (!guest) {
        return -ENOMEM;
    }
    guest->host = host;
    guest->config = *config;
    guest->firmware = host->firmware;
    host->guests[i] = guest;
    *out = guest;
    return 0;
}

static bool sim_has_firmware(const struct host_guest *guest)
{
    return guest->firmware;
}

/* What lies at an address is known to the simulator for RAM of the domain only. */
static bool is_domain_ram(const struct host_guest *guest, uint64_t gpa)
{
    const struct xengt_gfn gfn = {gpa >> XENGT_PAGE_SHIFT};

    return xengt_sim_guest_page(guest->host->sim, guest->config.domid, gfn) != NULL;
}

static bool any_domain_ram(const struct host_guest *guest, uint64_t first, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        if (is_domain_ram(guest, (first + i) << XENGT_PAGE_SHIFT)) {
            return true;
        }
    }
    return false;
}

static bool is_claimed(const struct host_guest *guest, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < HOST_RANGES; i++) {
        const struct range *other = &guest->mmio[i];

        if (size && other->size && base <= other->base + (other->size - 1) &&
            other->base <= base + (size - 1)) {
            return true;
        }
    }
    return false;
}

static struct place *place_of(const struct host_guest *guest)
{
    uint32_t domid = guest->config.domid;
    struct place *place = &guest->host->places[domid % GUESTS_MAX];

    if (place->domid != domid) {
        *place = (struct place){.domid = domid};
    }
    return place;
}

static int sim_claim(struct host_guest *guest, unsigned range, uint64_t base, uint64_t size)
{
    guest->mmio[range].size = 0;
    if (size && is_domain_ram(guest, base)) {
        return -EBUSY;
    }
    if (is_claimed(guest, base, size)) {
        return -EEXIST;
    }
    guest->mmio[range] = (struct range){base, size};
    if (size && guest->firmware) {
        place_of(guest)->base[range] = base;
    }
    return 0;
}

static uint64_t sim_placed(const struct host_guest *guest, unsigned range)
{
    return place_of(guest)->base[range];
}

static int sim_inject_msi(struct host_guest *guest, uint64_t address, uint32_t data)
{
    guest->stats.interrupts++;
    guest->interrupted = true;
    guest->msi_address = address;
    guest->msi_data = data;
    return 0;
}

static int sim_set_intx(struct host_guest *guest, bool asserted)
{
    guest->stats.interrupts += asserted;
    return 0;
}

/* Its index, or tracked_n. */
static size_t find_tracked(const struct host_guest *guest, uint64_t gfn)
{
    size_t i;

    for (i = 0; i < guest->tracked_n && guest->tracked[i].v != gfn; i++) {
        ;
    }
    return i;
}

static int track_one(struct host_guest *guest, struct xengt_gfn gfn)
{
    if (!is_domain_ram(guest, gfn.v << XENGT_PAGE_SHIFT)) {
        return -EINVAL;
    }
    if (find_tracked(guest, gfn.v) < guest->tracked_n) {
        return 0;
    }
    struct xengt_gfn *more = realloc(guest->tracked, (guest->tracked_n + 1) * sizeof(*more));
    if (!more) {
        return -ENOMEM;
    }
    guest->tracked = more;
    guest->tracked[guest->tracked_n++] = gfn;
    return 0;
}

static int sim_track(struct host_guest *guest, const struct xengt_gfn *gfn, size_t n, bool on)
{
    int ret = 0;

    for (size_t i = 0; i < n; i++) {
        size_t at = find_tracked(guest, gfn[i].v);

        if (!on && at < guest->tracked_n) {
            guest->tracked[at] = guest->tracked[--guest->tracked_n];
        } else if (on && track_one(guest, gfn[i])) {
            ret = -EINVAL;
        }
    }
    return ret;
}

/* Beyond what any domain of the simulator has. */
#define APART (UINT64_C(1) << 24)

static int sim_add_ram(struct host_guest *guest, uint64_t first, uint32_t pages, void **view)
{
    if (guest->ram_view && guest->config.take_over) {
        *view = guest->ram_view;
        return guest->ram.size >> XENGT_PAGE_SHIFT == pages ? 0 : -EINVAL;
    }
    if (guest->ram_view || any_domain_ram(guest, first, pages)) {
        return -EBUSY;
    }
    guest->ram_view = calloc(pages, XENGT_PAGE_SIZE);
    if (!guest->ram_view) {
        return -ENOMEM;
    }
    guest->ram.base = first << XENGT_PAGE_SHIFT;
    guest->ram.size = (uint64_t)pages << XENGT_PAGE_SHIFT;
    *view = guest->ram_view;
    return 0;
}

static int sim_move_ram(struct host_guest *guest, uint64_t first)
{
    if (any_domain_ram(guest, first, (uint32_t)(guest->ram.size >> XENGT_PAGE_SHIFT))) {
        return -EBUSY;
    }
    guest->ram.base = first << XENGT_PAGE_SHIFT;
    return 0;
}

static void sim_remove_ram(struct host_guest *guest)
{
    free(guest->ram_view);
    guest->ram_view = NULL;
    guest->ram.size = 0;
}

static uint64_t sim_beyond_ram(const struct host_guest *guest)
{
    (void)guest;
    return APART << XENGT_PAGE_SHIFT;
}

static void sim_guest_stats(const struct host_guest *guest, struct host_guest_stats *stats)
{
    *stats = guest->stats;
}

/* --- requests ---------------------------------------------------------------------------- */

static bool is_ready(const struct host_guest *guest)
{
    const struct host_guest_ops *ops = guest->config.ops;

    return !ops->ready || ops->ready(guest->config.arg);
}

static void make(const struct host_guest *guest, const struct request *r)
{
    const struct host_guest_ops *ops = guest->config.ops;
    void *arg = guest->config.arg;

    switch (r->kind) {
    case REQUEST_MMIO:
        ops->mmio_write(arg, r->where, r->at, r->value, r->size);
        break;
    case REQUEST_PCI:
        ops->pci_write(arg, r->where, (unsigned)r->at, (uint32_t)r->value, r->size);
        break;
    case REQUEST_TRACKED:
        ops->tracked_write(arg, r->at, r->value, r->size);
        break;
    case REQUEST_LAYOUT:
        ops->layout_changed(arg);
        break;
    }
}

static bool sim_resume(struct host_guest *guest)
{
    if (guest->waits && !guest->made && is_ready(guest)) {
        guest->made = true;
        make(guest, &guest->request);
    }
    if (guest->waits && guest->made && is_ready(guest)) {
        guest->waits = false;
        histogram_add_since(&guest->stats.time, guest->request.taken_ns);
        if (guest->config.ops->answered) {
            guest->config.ops->answered(guest->config.arg);
        }
    }
    return guest->waits;
}

/* The guest's processor runs again: false, the guest is no more. */
static bool let_run(struct host_guest *guest)
{
    struct host_sim *host = guest->host;
    uint32_t domid = guest->config.domid;

    while (guest->waits || !is_ready(guest)) {
        if (!host->wait) {
            guest->waits = false;
            break;
        }
        host->wait(host->wait_arg);
        if (guest_of(host, domid) != guest) {
            return false;
        }
        sim_resume(guest);
    }
    return true;
}

static void request(struct host_guest *guest, const struct request *r)
{
    struct host_sim *host = guest->host;
    uint32_t domid = guest->config.domid;

    while (guest->waits && host->wait) {
        host->wait(host->wait_arg);
        if (guest_of(host, domid) != guest) {
            return;
        }
        sim_resume(guest);
    }
    guest->request = *r;
    guest->request.taken_ns = histogram_now_ns();
    guest->waits = true;
    guest->made = false;
    sim_resume(guest);
    if (!host->wait && guest->waits) {
        if (!guest->made) {
            make(guest, r);
        }
        guest->waits = false;
        histogram_add_since(&guest->stats.time, guest->request.taken_ns);
    }
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
    request(guest, &(struct request){.kind = REQUEST_LAYOUT});
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
    .leave = sim_leave,
    .listen = sim_listen,
    .release_leftovers = sim_release_leftovers,
    .has_firmware = sim_has_firmware,
    .placed = sim_placed,
    .claim = sim_claim,
    .inject_msi = sim_inject_msi,
    .set_intx = sim_set_intx,
    .track = sim_track,
    .resume = sim_resume,
    .add_ram = sim_add_ram,
    .move_ram = sim_move_ram,
    .remove_ram = sim_remove_ram,
    .beyond_ram = sim_beyond_ram,
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

void host_sim_on_wait(struct host *base, void (*wait)(void *arg), void *arg)
{
    struct host_sim *host = to_sim(base);

    host->wait = wait;
    host->wait_arg = arg;
}

int host_sim_give(struct host *base, const struct host_order *order, char *error, size_t error_size)
{
    struct host_sim *host = to_sim(base);

    return host->orders ? host->orders->give(host->orders_arg, order, error, error_size)
                        : -ENOTCONN;
}

void host_sim_take(struct host *base, const struct host_order *order)
{
    struct host_sim *host = to_sim(base);

    if (host->orders) {
        host->orders->take(host->orders_arg, order);
    }
}

void host_sim_with_firmware(struct host *base, bool firmware)
{
    to_sim(base)->firmware = firmware;
}

/* --- the guests' side -------------------------------------------------------------------- */

static bool within(const struct range *range, uint64_t addr, unsigned size)
{
    return size <= range->size && addr >= range->base && addr - range->base <= range->size - size;
}

/* The MMIO range that holds the access; HOST_RANGES: none. It counts as a request then. */
static unsigned claimed_range(struct host_guest *guest, uint64_t addr, unsigned size)
{
    unsigned range;

    for (range = 0; range < HOST_RANGES && !within(&guest->mmio[range], addr, size); range++) {
        ;
    }
    guest->stats.ioreqs += range < HOST_RANGES;
    return range;
}

/* An access nobody claims reads all-ones. */
uint64_t host_sim_mmio_read(struct host *base, uint32_t domid, uint64_t addr, unsigned size)
{
    struct host_guest *guest = guest_of(to_sim(base), domid);
    uint64_t value = 0;

    if (!guest) {
        return ~UINT64_C(0);
    }
    if (within(&guest->ram, addr, size)) {
        memcpy(&value, guest->ram_view + (addr - guest->ram.base), size);
        return value;
    }
    uint64_t taken_ns = histogram_now_ns();
    unsigned range = claimed_range(guest, addr, size);
    if (range == HOST_RANGES || !let_run(guest)) {
        return ~UINT64_C(0);
    }
    value = guest->config.ops->mmio_read(guest->config.arg, range, addr - guest->mmio[range].base,
                                         size);
    histogram_add_since(&guest->stats.time, taken_ns);
    return value;
}

void host_sim_mmio_write(struct host *base, uint32_t domid, uint64_t addr, uint64_t value,
                         unsigned size)
{
    struct host_guest *guest = guest_of(to_sim(base), domid);

    if (!guest) {
        return;
    }
    if (within(&guest->ram, addr, size)) {
        memcpy(guest->ram_view + (addr - guest->ram.base), &value, size);
        return;
    }
    unsigned range = claimed_range(guest, addr, size);
    if (range < HOST_RANGES) {
        request(guest, &(struct request){.kind = REQUEST_MMIO,
                                         .where = range,
                                         .at = addr - guest->mmio[range].base,
                                         .value = value,
                                         .size = size});
    }
}

/* Within a page. */
static void store_part(struct host_sim *host, uint32_t domid, uint64_t gpa, uint64_t value,
                       unsigned size)
{
    struct host_guest *guest = guest_of(host, domid);
    const struct xengt_gfn gfn = {gpa >> XENGT_PAGE_SHIFT};
    uint8_t *page = xengt_sim_guest_page(host->sim, domid, gfn);

    if (!page) {
        return;
    }
    if (!guest || find_tracked(guest, gfn.v) == guest->tracked_n) {
        memcpy(page + gpa % XENGT_PAGE_SIZE, &value, size);
        return;
    }
    guest->stats.ioreqs++;
    request(guest,
            &(struct request){.kind = REQUEST_TRACKED, .at = gpa, .value = value, .size = size});
}

/* Xen makes requests of 8, 4, 2 or 1 bytes of it, none of which is in two pages. */
void host_sim_guest_store(struct host *base, uint32_t domid, uint64_t gpa, uint64_t value,
                          unsigned size)
{
    while (size) {
        uint64_t here = XENGT_PAGE_SIZE - gpa % XENGT_PAGE_SIZE;
        unsigned part = 8;

        while (part > size || part > here) {
            part /= 2;
        }
        store_part(to_sim(base), domid, gpa, value, part);
        gpa += part;
        size -= part;
        value = size ? value >> part * 8 : 0;
    }
}

/* The guest, if the function is the vGPU's business. */
static struct host_guest *asked_for(struct host *base, uint32_t domid, unsigned devfn)
{
    struct host_guest *guest = guest_of(to_sim(base), domid);

    if (!guest || (devfn != guest->config.devfn && (devfn || guest->firmware))) {
        return NULL;
    }
    guest->stats.ioreqs++;
    return guest;
}

uint32_t host_sim_pci_read(struct host *base, uint32_t domid, unsigned devfn, unsigned reg,
                           unsigned size)
{
    uint64_t taken_ns = histogram_now_ns();
    struct host_guest *guest = asked_for(base, domid, devfn);

    if (!guest || !let_run(guest)) {
        return UINT32_MAX;
    }
    uint32_t value = guest->config.ops->pci_read(guest->config.arg, devfn, reg, size);
    histogram_add_since(&guest->stats.time, taken_ns);
    return value;
}

void host_sim_pci_write(struct host *base, uint32_t domid, unsigned devfn, unsigned reg,
                        uint32_t value, unsigned size)
{
    struct host_guest *guest = asked_for(base, domid, devfn);

    if (guest) {
        request(guest,
                &(struct request){
                    .kind = REQUEST_PCI, .where = devfn, .at = reg, .value = value, .size = size});
    }
}

bool host_sim_interrupt(struct host *base, uint32_t domid, uint64_t *address, uint32_t *data)
{
    struct host_guest *guest = guest_of(to_sim(base), domid);

    if (!guest || !guest->interrupted) {
        return false;
    }
    guest->interrupted = false;
    *address = guest->msi_address;
    *data = guest->msi_data;
    return true;
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

        if (!guest || guest->dead || guest->left || alive(host, guest->config.domid)) {
            continue;
        }
        guest->dead = true;
        guest->config.ops->died(guest->config.arg);
    }
}
