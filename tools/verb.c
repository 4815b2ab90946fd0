/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts that several verbs show their results with. */
#include "verb.h"

#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    json_object_object_get_ex(object, key, &value);
    return value;
}

uint64_t member_number(struct json_object *object, const char *key)
{
    return json_object_get_uint64(member(object, key));
}

const char *member_text(struct json_object *object, const char *key)
{
    const char *text = json_object_get_string(member(object, key));

    return text ? text : "-";
}

int show_done(struct json_object *guest, const char *what)
{
    printf("domain '%s' (%" PRIu64 "): vGPU %" PRIu64 " %s\n", member_text(guest, "name"),
           member_number(guest, "domid"), member_number(guest, "vgpu"), what);
    return EXIT_OK;
}
