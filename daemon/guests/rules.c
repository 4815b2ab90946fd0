/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator's rules, looked up. */
#include "guests/rules.h"

#include <string.h>

const struct rules_domain *rules_find(const struct rules *rules, const char *domain)
{
    for (unsigned i = 0; rules && i < rules->domains_n; i++) {
        if (!strcmp(rules->domains[i].name, domain)) {
            return &rules->domains[i];
        }
    }
    return NULL;
}
