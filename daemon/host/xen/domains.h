/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains of this machine: their names, and word of when one goes. */
#ifndef XENGT_HOST_XEN_DOMAINS_H
#define XENGT_HOST_XEN_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

struct domains;
struct host_order_ops;
struct event_base;

/* Tells a domain from a later one of the same domid. */
struct domain_uuid {
    uint8_t bytes[16];
};

struct domain_info {
    uint32_t domid;
    struct domain_uuid uuid;
    unsigned vcpus; /* as many as it can have, not as many as are online */
    bool dying;
    bool device_model; /* of the kind that QEMU serves, with firmware and a PCI root of its own */
};

struct domains_config {
    struct event_base *base;
    bool vdispl; /* see store_config */
    /* Some domain may have shut down or gone; from the event loop, each second and when one does.
     */
    void (*changed)(void *arg);
    void *arg;
    text_log_fn *log;
    void *log_arg;
};

int domains_open(const struct domains_config *config, struct domains **out, char *error,
                 size_t error_size);
void domains_close(struct domains *domains); /* NULL is allowed */

/* For other questions and orders about domains; stays theirs. */
struct xc_interface_core *domains_xc(struct domains *domains);

/* -ESRCH: no such domain. */
int domains_info(struct domains *domains, uint32_t domid, struct domain_info *info);

/* Whether the domain of that uuid is there and not being destroyed. */
bool domains_alive(struct domains *domains, uint32_t domid, const struct domain_uuid *uuid);

/* By name or decimal domid; name gets its name, "" when it has none. As store_find(). */
int domains_find(struct domains *domains, const char *domain, uint32_t *domid, char *name,
                 size_t size);

/* As store_listen(). */
void domains_listen(struct domains *domains, const struct host_order_ops *ops, void *arg);

#endif
