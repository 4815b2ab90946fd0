/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain as people name it: by name or by decimal domid. */
#ifndef XENGT_HOST_DOMAIN_ARG_H
#define XENGT_HOST_DOMAIN_ARG_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Domids from here on are Xen's own words (DOMID_SELF and the like), not domains. */
#define DOMAIN_ARG_RESERVED 0x7ff0u

/* Only digits, as xl reads it: a domain with a name of digits is found by domid only. */
static inline bool domain_arg_is_domid(const char *text, uint32_t *domid)
{
    uint32_t value = 0;

    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(*text - '0');
        if (value > DOMAIN_ARG_RESERVED) {
            value = DOMAIN_ARG_RESERVED; /* no domain, whatever follows */
        }
    }
    *domid = value;
    return true;
}

/* The answer to a name that two domains have: -ENOTUNIQ, and their domids for people. */
static inline int domain_arg_twins(uint32_t one, uint32_t other, char *domids, size_t size)
{
    snprintf(domids, size, "%u and %u", one < other ? one : other, one < other ? other : one);
    return -ENOTUNIQ;
}

#endif
