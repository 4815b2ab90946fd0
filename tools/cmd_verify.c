/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl verify: is every GPU entry of the guest what it may be? Fails when one is not. */
#include <inttypes.h>
#include <stdio.h>

#include "verb.h"

int show_verify(struct json_object *result, const char *domain)
{
    uint64_t violations = member_number(result, "violations");

    if (!violations) {
        printf("domain '%s': every GPU entry is scratch or a mapping of its own\n", domain);
        return 0;
    }
    printf("domain '%s': %" PRIu64 " violations; the first: %s\n", domain, violations,
           member_text(result, "first"));
    return 1;
}
