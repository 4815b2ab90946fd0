/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl attach, detach, pause, resume: one line that says what was done. */
#include <inttypes.h>
#include <stdio.h>

#include "verb.h"

static int say(struct json_object *guest, const char *what)
{
    printf("domain '%s' (%" PRIu64 "): vGPU %" PRIu64 " %s\n", member_text(guest, "name"),
           member_number(guest, "domid"), member_number(guest, "vgpu"), what);
    return 0;
}

int show_attach(struct json_object *result, const char *domain)
{
    char what[64];

    (void)domain;
    snprintf(what, sizeof(what), "attached, %s", member_text(result, "type"));
    return say(result, what);
}

int show_pause(struct json_object *result, const char *domain)
{
    (void)domain;
    return say(result, "paused");
}

int show_resume(struct json_object *result, const char *domain)
{
    (void)domain;
    return say(result, "resumed");
}

int show_detach(struct json_object *result, const char *domain)
{
    (void)domain;
    return say(result, "detached");
}
