/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store: what its thread and the event loop have in common. For store.c and store_thread.c. */
#ifndef XENGT_HOST_XEN_STORE_STATE_H
#define XENGT_HOST_XEN_STORE_STATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "host/xen/names.h"
#include "host/xen/store.h"
#include "host/xen/vdispl.h"
#include "host/xen/xenstore.h"

/* A vGPU goes to a domain, and there are not that many; more devices wait until others are gone. */
#define STORE_DEVICES 1024u

/*
 * A vdispl device. Only the thread adds and removes them. While the phase is ASKED or TAKING it is
 * the event loop's, else the thread's.
 */
struct store_device {
    TAILQ_ENTRY(store_device) link;
    uint32_t domid;
    uint32_t number;
    uint32_t serial; /* no other device ever has it */
    enum vdispl_phase phase;
    bool known;
    char type[VDISPL_TYPE];
    char resolution[16];
    char reason[VDISPL_REASON]; /* why it gets none; "": none is known yet */
    bool due;                   /* the thread's: its nodes have changed */
    unsigned tries;             /* the loop's */
    uint64_t not_before_ms;
};

#define STORE_CONNECTING 1 /* of status: for the first time */

struct store {
    struct store_config config;

    /* the event loop's */
    const struct host_order_ops *orders;
    void *orders_arg;
    struct event *told;
    struct event *again; /* an order waits */
    bool lost;           /* and that was said */
    bool started;

    /* the thread's */
    pthread_t thread;
    struct xenstore xenstore;
    bool domains_due; /* domains have come or gone */
    bool devices_due;

    int to_loop; /* eventfds */
    int to_thread;

    pthread_mutex_t lock; /* of all below; nobody waits for anything who has it */
    pthread_cond_t changed;
    int status; /* 0: connected, and all is known; STORE_CONNECTING; negative: not connected */
    struct names names;
    TAILQ_HEAD(, store_device) devices;
    unsigned devices_n;
    uint32_t serial;
    bool released; /* a domain, since the loop has looked */
    bool stop;
    bool ended;
    bool left; /* to the thread: nobody else has it any more */
};

/* The thread, from its beginning until stop. */
void *store_thread(void *store);

void store_free(struct store *store);

/* Wakes whoever is on the other side of the eventfd. */
void store_wake(int eventfd);
void store_woken(int eventfd);

#endif
