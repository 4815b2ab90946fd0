/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host: where guests come from. On Xen, domains and their ioreq servers (daemon/xen); in the
 * process, the simulator's domains. The server is the same above both.
 */
#ifndef XENGT_HOST_HOST_H
#define XENGT_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "text.h"

struct host;
struct host_guest;
struct xengt_gfn;

/* MMIO ranges a guest's device can have at a time. */
#define HOST_RANGES 2u

/* What the guest does, told to whoever attached to it. */
struct host_guest_ops {
    /*
     * May a request be made, or one that was made be answered? Asked before and after each. False:
     * not now; other guests' requests go on meanwhile, and it is asked again by host_ops.resume.
     * NULL: always.
     */
    bool (*ready)(void *arg);
    /* In one of the ranges claimed: its number, and the offset in it */
    uint64_t (*mmio_read)(void *arg, unsigned range, uint64_t offset, unsigned size);
    void (*mmio_write)(void *arg, unsigned range, uint64_t offset, uint64_t value, unsigned size);
    /* Configuration space of a function on bus 0, 1, 2 or 4 bytes */
    uint32_t (*pci_read)(void *arg, unsigned devfn, unsigned reg, unsigned size);
    void (*pci_write)(void *arg, unsigned devfn, unsigned reg, uint32_t value, unsigned size);
    /* A store into a tracked page, at a guest physical address: not done yet, the callee does it */
    void (*tracked_write)(void *arg, uint64_t gpa, uint64_t value, unsigned size);
    void (*layout_changed)(void *arg);
    /* No request waits for an answer any more. NULL: nobody wants to know. */
    void (*answered)(void *arg);
    /* Requests are answered. The host's last act in its turn: the guest may be detached by it. */
    void (*end_of_turn)(void *arg);
    /* The domain is gone or going. Detach, now or later; nothing else is called any more. */
    void (*died)(void *arg);
};

struct host_guest_config {
    uint32_t domid;
    /*
     * Of the function on PCI bus 0 whose configuration space is the attacher's. Where a device
     * model has another function there, the host takes the highest that is free; the handlers hear
     * of it as this one all the same.
     */
    uint8_t devfn;
    bool take_over; /* what a predecessor left of the guest, if there is something; see leave */
    const struct host_guest_ops *ops;
    void *arg;
};

struct host_guest_stats {
    uint64_t ioreqs;       /* requests answered */
    uint64_t invalidates;  /* of these: IOREQ_TYPE_INVALIDATE */
    uint64_t odd;          /* of these: made no sense, answered with all-ones */
    uint64_t turns;        /* wake-ups of the event loop that found requests */
    uint64_t interrupts;   /* given to the guest */
    struct histogram time; /* of requests, from when they were taken to their answer */
};

/*
 * Orders of the toolstack, which asks by a domain's own configuration; from the event loop. A
 * domain has devices, by number; one that is given a vGPU keeps it until it is taken, or the domain
 * is gone.
 */
struct host_order {
    uint32_t domid;
    uint32_t device;
    const char *type; /* of the vGPU */
    bool known;       /* it was given before, if not by us, by a process before */
};

struct host_order_ops {
    /*
     * 0: the domain has that vGPU, perhaps had it already; -EBUSY: not yet, it is asked for again
     * soon; others: error gets one line.
     */
    int (*give)(void *arg, const struct host_order *order, char *error, size_t error_size);
    void (*take)(void *arg, const struct host_order *order);
};

struct host_ops {
    /*
     * Finds a domain by name or decimal domid. name gets the domain's name. -ENOENT; -ENOTUNIQ:
     * more than one domain has it, and name gets their domids for people, "5 and 9"; others: names
     * are not to be had now.
     */
    int (*find)(struct host *host, const char *domain, uint32_t *domid, char *name, size_t size);

    /*
     * The handlers are called from the event loop, not before. -ESRCH, -EBUSY, -ENOMEM, ...;
     * error gets one line.
     */
    int (*attach)(struct host *host, const struct host_guest_config *config,
                  struct host_guest **out, char *error, size_t error_size);

    /*
     * Whether the guest has a device model and firmware besides (Xen's type hvm, with QEMU): PCI is
     * theirs, the attacher has one function among others, and the firmware places its BARs.
     * Otherwise there is no PCI but what the attacher presents: function 0 of bus 0 is its own,
     * too, and so are the ports that configuration space is reached by.
     */
    bool (*has_firmware)(const struct host_guest *guest);

    /*
     * Where a range of a guest with firmware was claimed last, also by a predecessor: firmware
     * places it once in the guest's life, and who attaches later finds it there. 0: nowhere yet.
     */
    uint64_t (*placed)(const struct host_guest *guest, unsigned range);

    /*
     * Goes on with the requests that wait because the guest was not ready, as far as it is now. To
     * be called in turns. True: some still wait.
     */
    bool (*resume)(struct host_guest *guest);

    /* Every request that waits is answered before this returns. */
    void (*detach)(struct host_guest *guest);

    /*
     * Leaves the guest to another process: what it asks waits from now on, ranges and RAM stay
     * where they are, no page is tracked. A process that is killed leaves the same behind, but for
     * pages that are tracked; and stores that were made and not answered are made again.
     */
    void (*leave)(struct host_guest *guest);

    /* Orders go there from now on, those that wait, too. ops NULL: they wait. */
    void (*listen)(struct host *host, const struct host_order_ops *ops, void *arg);

    /* What predecessors left and nobody took over is undone as by detach. */
    void (*release_leftovers)(struct host *host);

    /*
     * Accesses to these guest physical addresses come as MMIO from now on, and to those the range
     * had before do not. size 0: to none. -EBUSY: the guest has RAM there; -EEXIST: another range
     * is there; others. The range is none then.
     */
    int (*claim)(struct host_guest *guest, unsigned range, uint64_t base, uint64_t size);

    /* A message signalled interrupt: what the device would write where. */
    int (*inject_msi)(struct host_guest *guest, uint64_t address, uint32_t data);

    /* The level of the function's pin INTA#, in a guest with firmware. */
    int (*set_intx)(struct host_guest *guest, bool asserted);

    /*
     * Stores into these pages of guest RAM come as tracked_write() from now on, or do not any
     * more. A negative errno value: some of them may be as asked and some as before; a store may
     * still come after it was switched off. A detach switches off what is on.
     */
    int (*track)(struct host_guest *guest, const struct xengt_gfn *gfn, size_t n, bool on);

    /*
     * Gives the guest pages of RAM where it had none, from first on, zeroed and without a trap,
     * and a view of them that is one piece. remove_ram takes them away again; detach does, too.
     * move_ram puts them elsewhere, and the view stays.
     * One piece at a time. -EBUSY: the guest has RAM at one of these pages, and nothing was
     * changed, or it has a piece; -ENOMEM, ... Of a guest that was taken over: the piece that it
     * has, as it is. -EINVAL: it is another.
     */
    int (*add_ram)(struct host_guest *guest, uint64_t first, uint32_t pages, void **view);
    int (*move_ram)(struct host_guest *guest, uint64_t first);
    void (*remove_ram)(struct host_guest *guest);

    /* An address beyond all that the guest has, far enough for BARs on both sides of it. */
    uint64_t (*beyond_ram)(const struct host_guest *guest);

    void (*guest_stats)(const struct host_guest *guest, struct host_guest_stats *stats);
    void (*close)(struct host *host);
};

/* Implementations embed this as their first member. */
struct host {
    const struct host_ops *ops;
};

struct event_base;
struct xengt_sim;

/* All of it stays the caller's and outlives the host. */
struct host_xen_config {
    struct event_base *base;
    const char *state_dir; /* exists, and no other process uses it: the lock is held */
    bool vdispl;           /* vdispl devices of xl's are orders */
    text_log_fn *log;      /* may be NULL */
    void *log_arg;
};

/* On failure error gets one line that names what is missing and the remedy. */
int host_xen_open(const struct host_xen_config *config, struct host **out, char *error,
                  size_t error_size);

/* Guests are domains of the simulator; their accesses come in by the functions below. */
int host_sim_open(struct xengt_sim *sim, struct host **out);

/*
 * A guest that is not ready keeps its processor waiting: a store returns and waits, and what is to
 * be done before the guest's next access is that turns are made. wait is called for each until it
 * is answered; without it, accesses do not wait.
 */
void host_sim_on_wait(struct host *host, void (*wait)(void *arg), void *arg);
uint64_t host_sim_mmio_read(struct host *host, uint32_t domid, uint64_t addr, unsigned size);
void host_sim_mmio_write(struct host *host, uint32_t domid, uint64_t addr, uint64_t value,
                         unsigned size);

/* A store into RAM by the guest's CPU: of a tracked page it comes to the vGPU, else it is done. */
void host_sim_guest_store(struct host *host, uint32_t domid, uint64_t gpa, uint64_t value,
                          unsigned size);
/* Domains that are attached from now on have a device model and firmware, or have none. */
void host_sim_with_firmware(struct host *host, bool firmware);

uint32_t host_sim_pci_read(struct host *host, uint32_t domid, unsigned devfn, unsigned reg,
                           unsigned size);
void host_sim_pci_write(struct host *host, uint32_t domid, unsigned devfn, unsigned reg,
                        uint32_t value, unsigned size);
/* The last interrupt a guest got; false: none since the last call. */
bool host_sim_interrupt(struct host *host, uint32_t domid, uint64_t *address, uint32_t *data);
void host_sim_end_of_turn(struct host *host, uint32_t domid);
void host_sim_notice_deaths(struct host *host);

/* The toolstack's orders, as host_order_ops. -ENOTCONN: nobody listens. */
int host_sim_give(struct host *host, const struct host_order *order, char *error,
                  size_t error_size);
void host_sim_take(struct host *host, const struct host_order *order);

#endif
