/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host: where guests come from. On Xen, domains and their ioreq servers (daemon/xen); in the
 * process, the simulator's domains. The server is the same above both.
 */
#ifndef XENGT_SERVER_HOST_H
#define XENGT_SERVER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host;
struct host_guest;

/* What the guest does, told to whoever attached to it. */
struct host_guest_ops {
    /* offset is relative to the MMIO range asked for */
    uint64_t (*mmio_read)(void *arg, uint64_t offset, unsigned size);
    void (*mmio_write)(void *arg, uint64_t offset, uint64_t value, unsigned size);
    /* A store into a tracked page, at a guest physical address: not done yet, the callee does it */
    void (*tracked_write)(void *arg, uint64_t gpa, uint64_t value, unsigned size);
    void (*layout_changed)(void *arg);
    /* All requests that were waiting are answered: the turn ends. */
    void (*end_of_turn)(void *arg);
    /* The domain is gone or going. Detach, now or later; nothing else is called any more. */
    void (*died)(void *arg);
};

struct host_guest_config {
    uint32_t domid;
    uint64_t mmio_base; /* guest physical */
    uint64_t mmio_size;
    const struct host_guest_ops *ops;
    void *arg;
};

struct host_guest_stats {
    uint64_t ioreqs;      /* requests answered */
    uint64_t invalidates; /* of these: IOREQ_TYPE_INVALIDATE */
    uint64_t odd;         /* of these: made no sense, answered with all-ones */
    uint64_t turns;       /* wake-ups of the event loop that found requests */
};

struct host_ops {
    /*
     * Finds a domain by name or decimal domid. -ENOENT. name gets the domain's name.
     */
    int (*find)(struct host *host, const char *domain, uint32_t *domid, char *name, size_t size);

    /* -ESRCH, -EBUSY, -ENOMEM, ...; error gets one line. */
    int (*attach)(struct host *host, const struct host_guest_config *config,
                  struct host_guest **out, char *error, size_t error_size);

    /* Every request that waits is answered before this returns. */
    void (*detach)(struct host_guest *guest);

    /*
     * Stores into these pages of guest RAM come as tracked_write() from now on, or do not any
     * more. A negative errno value: some of them may be as asked and some as before; a store may
     * still come after it was switched off.
     */
    int (*track)(struct host_guest *guest, const uint64_t *gfn, size_t n, bool on);

    /*
     * Gives the guest pages of RAM where it had none, from first on, zeroed and without a trap,
     * and a view of them that is one piece. remove_ram takes them away again; detach does, too.
     * -EBUSY: something is there; -ENOMEM, ...
     */
    int (*add_ram)(struct host_guest *guest, uint64_t first, uint32_t pages, void **view);
    void (*remove_ram)(struct host_guest *guest, uint64_t first);

    void (*guest_stats)(const struct host_guest *guest, struct host_guest_stats *stats);
    void (*close)(struct host *host);
};

/* Implementations embed this as their first member. */
struct host {
    const struct host_ops *ops;
};

struct event_base;
struct xengt_sim;

typedef void host_log_fn(void *arg, int level, const char *line);

/* All of it stays the caller's and outlives the host. */
struct host_xen_config {
    struct event_base *base;
    const char *state_dir; /* exists, and no other process uses it: the lock is held */
    host_log_fn *log;      /* may be NULL */
    void *log_arg;
};

/*
 * Releases the ioreq servers that a predecessor with the same state directory left behind. On
 * failure error gets one line that names what is missing and the remedy.
 */
int host_xen_open(const struct host_xen_config *config, struct host **out, char *error,
                  size_t error_size);

/* Guests are domains of the simulator; their accesses come in by the functions below. */
int host_sim_open(struct xengt_sim *sim, struct host **out);
uint64_t host_sim_mmio_read(struct host *host, uint32_t domid, uint64_t addr, unsigned size);
void host_sim_mmio_write(struct host *host, uint32_t domid, uint64_t addr, uint64_t value,
                         unsigned size);
void host_sim_end_of_turn(struct host *host, uint32_t domid);
void host_sim_notice_deaths(struct host *host);

#endif
