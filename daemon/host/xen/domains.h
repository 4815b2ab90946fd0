/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains of this machine: their names, and word of when one goes. */
#ifndef XENGT_HOST_XEN_DOMAINS_H
#define XENGT_HOST_XEN_DOMAINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct domains;
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

/* Called from the event loop after some domain shut down or went; Xen does not say which. */
typedef void domains_changed_fn(void *arg);

int domains_open(struct event_base *base, domains_changed_fn *changed, void *arg,
                 struct domains **out, char *error, size_t error_size);
void domains_close(struct domains *domains); /* NULL is allowed */

/* For other questions and orders about domains; stays theirs. */
struct xc_interface_core *domains_xc(struct domains *domains);

/* -ESRCH: no such domain. */
int domains_info(struct domains *domains, uint32_t domid, struct domain_info *info);

/* Whether the domain of that uuid is there and not being destroyed. */
bool domains_alive(struct domains *domains, uint32_t domid, const struct domain_uuid *uuid);

/* By name or decimal domid; name gets its name, "" when it has none. -ENOENT. */
int domains_find(struct domains *domains, const char *domain, uint32_t *domid, char *name,
                 size_t size);

#endif
