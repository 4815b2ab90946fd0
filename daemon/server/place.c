/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which vGPUs there is room for: the place of a new one, or why there is none. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/internal.h"

#define MIB(entries) ((entries) / GTT_ENTRIES_PER_MIB)

static unsigned taken_windows(const struct server *server, struct windows *taken)
{
    for (unsigned i = 0; i < server->guests_n; i++) {
        taken[i] = server->guests[i]->windows;
    }
    return server->guests_n;
}

static unsigned available(const struct server *server, const struct vgpu_type *type)
{
    struct windows taken[SERVER_VGPUS_MAX];
    unsigned n = taken_windows(server, taken);

    return windows_available(&server->gpu, taken, n, type, SERVER_VGPUS_MAX);
}

bool server_type(struct server *server, unsigned i, struct server_type_info *info)
{
    if (i >= VGPU_TYPES) {
        return false;
    }
    info->type = &server->types.type[i];
    info->available = available(server, info->type);
    info->preset = info->type == server->preset;
    return true;
}

/* --- refusals ----------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *format,
                                                      ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, size - len, format, args);
    va_end(args);
}

static void say_what_is_short(const struct server *server, const struct vgpu_type *type, char *text,
                              size_t size)
{
    struct windows taken[SERVER_VGPUS_MAX], left;
    unsigned n = taken_windows(server, taken);

    windows_free(&server->gpu, taken, n, &left);
    if (left.mappable.count < type->mappable) {
        add(text, size, ", %u MiB mappable (%u free in one piece)", MIB(type->mappable),
            MIB(left.mappable.count));
    }
    if (left.unmappable.count < type->unmappable) {
        add(text, size, ", %u MiB unmappable (%u free in one piece)", MIB(type->unmappable),
            MIB(left.unmappable.count));
    }
    if (left.fences < type->fences) {
        add(text, size, ", %u fences (%u free)", type->fences, left.fences);
    }
}

static void say_what_fits(const struct server *server, char *text, size_t size)
{
    for (unsigned i = 0; i < VGPU_TYPES; i++) {
        const struct vgpu_type *type = &server->types.type[i];

        if (available(server, type)) {
            add(text, size, "%s%s", *text ? ", " : "there is room for ", type->name);
        }
    }
    if (!*text) {
        add(text, size, "detach a guest first");
    }
}

static int refuse(const struct server_guest *guest, const struct vgpu_type *type, char *error,
                  size_t error_size)
{
    char missing[160] = "", remedy[96] = "";

    say_what_is_short(guest->server, type, missing, sizeof(missing));
    say_what_fits(guest->server, remedy, sizeof(remedy));
    return server_error(error, error_size, -ENOSPC,
                        "domain '%s' (%u): no room for %s, which wants%s; %s", guest->name,
                        guest->domid, type->name, missing + 1, remedy);
}

/* --- the place of a guest ----------------------------------------------------------------- */

/* The lowest number no guest has. There is one while there are not as many guests as can be. */
static unsigned free_slot(const struct server *server)
{
    uint32_t taken = 0;
    unsigned slot = 0;

    for (unsigned i = 0; i < server->guests_n; i++) {
        taken |= 1u << server->guests[i]->slot;
    }
    while (taken & 1u << slot) {
        slot++;
    }
    return slot;
}

int server_place(struct server_guest *guest, const char *name, char *error, size_t error_size)
{
    const struct server *server = guest->server;
    const struct vgpu_type *type = name ? types_find(&server->types, name) : server->preset;
    struct windows taken[SERVER_VGPUS_MAX];
    unsigned n = taken_windows(server, taken);

    if (!type) {
        char names[96];

        types_names(&server->types, names, sizeof(names));
        return server_error(error, error_size, -EINVAL,
                            "domain '%s' (%u): there is no type '%.32s', only %s", guest->name,
                            guest->domid, name, names);
    }
    if (n == SERVER_VGPUS_MAX) {
        return server_error(error, error_size, -ENOSPC,
                            "domain '%s' (%u): all %u vGPUs are in use; detach a guest first",
                            guest->name, guest->domid, SERVER_VGPUS_MAX);
    }
    if (windows_place(&server->gpu, taken, n, type, &guest->windows)) {
        return refuse(guest, type, error, error_size);
    }
    guest->type = type;
    guest->slot = free_slot(server);
    return 0;
}
