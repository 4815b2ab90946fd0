/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

struct json_object *member(struct json_object *object, const char *path)
{
    while (object && *path) {
        size_t len = strcspn(path, ".");
        char key[64];

        snprintf(key, sizeof(key), "%.*s", (int)len, path);
        if (!json_object_object_get_ex(object, key, &object)) {
            return NULL;
        }
        path += len + (path[len] == '.');
    }
    return object;
}

uint64_t member_number(struct json_object *object, const char *path)
{
    return json_object_get_uint64(member(object, path));
}

const char *member_text(struct json_object *object, const char *path)
{
    const char *text = json_object_get_string(member(object, path));

    return text ? text : "-";
}
