/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator's rules: types of vGPU of his own, and what certain domains get. */
#ifndef XENGT_GUESTS_RULES_H
#define XENGT_GUESTS_RULES_H

#include <stdint.h>

#include "guests/types.h"

#define RULES_DOMAINS_MAX 64u

/* What a domain of this name gets that nobody says otherwise of; 0 and "": as others do. */
struct rules_domain {
    char name[64];
    char type[VGPU_TYPE_NAME_MAX];
    uint32_t weight;
    uint32_t quota;
};

struct rules {
    struct vgpu_type types[VGPU_TYPES_MAX]; /* besides GVT-g's, or in place of one */
    unsigned types_n;
    struct rules_domain domains[RULES_DOMAINS_MAX];
    unsigned domains_n;
};

/* Adds the rules' types. NULL; or the one that there is no room for. rules may be NULL. */
const struct vgpu_type *rules_add_types(const struct rules *rules, struct vgpu_types *types);

/* NULL: there is none for it. rules may be NULL. */
const struct rules_domain *rules_find(const struct rules *rules, const char *domain);

#endif
