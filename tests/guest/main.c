/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the cases that the command line names and says how it went. */

#include "platform.h"

int main(void)
{
    const char *reason = run_cases(case_name());

    if (reason) {
        say("FAIL %s: %s", case_name(), reason);
    } else {
        say("PASS %s", case_name());
    }
    return reason ? 1 : 0;
}
