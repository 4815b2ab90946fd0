/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator's rules, looked up. */
#include "guests/rules.h"

#include <string.h>

const struct vgpu_type *rules_add_types(const struct rules *rules, struct vgpu_types *types)
{
    for (unsigned i = 0; rules && i < rules->types_n; i++) {
        if (types_add(types, &rules->types[i])) {
            return &rules->types[i];
        }
    }
    return NULL;
}

const struct rules_domain *rules_find(const struct rules *rules, const char *domain)
{
    for (unsigned i = 0; rules && i < rules->domains_n; i++) {
        if (!strcmp(rules->domains[i].name, domain)) {
            return &rules->domains[i];
        }
    }
    return NULL;
}
