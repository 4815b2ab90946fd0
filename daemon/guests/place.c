/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Places of vGPUs: a new one's windows and number, or why there is no room. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xengt/xengt.h>

#include "guests/guest.h"
#include "text.h"

#define MIB(entries) ((entries) / GTT_ENTRIES_PER_MIB)

static unsigned taken_windows(const struct guests *guests, struct windows *taken)
{
    for (unsigned i = 0; i < guests->attached_n; i++) {
        taken[i] = guests->attached[i]->windows;
    }
    return guests->attached_n;
}

static unsigned available(const struct guests *guests, const struct vgpu_type *type)
{
    struct windows taken[GUESTS_VGPUS_MAX];
    unsigned n = taken_windows(guests, taken);

    return windows_available(&guests->gpu, taken, n, type, GUESTS_VGPUS_MAX);
}

bool guests_type(struct guests *guests, unsigned i, struct guests_type_info *info)
{
    if (i >= guests->types.n) {
        return false;
    }
    info->type = &guests->types.type[i];
    info->available = available(guests, info->type);
    info->preset = info->type == guests->preset;
    return true;
}

/* --- refusals ---------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *format,
                                                      ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, size - len, format, args);
    va_end(args);
}

static void say_what_is_short(const struct guests *guests, const struct vgpu_type *type, char *text,
                              size_t size)
{
    struct windows taken[GUESTS_VGPUS_MAX], left;
    unsigned n = taken_windows(guests, taken);

    windows_free(&guests->gpu, taken, n, &left);
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

static void say_what_fits(const struct guests *guests, char *text, size_t size)
{
    for (unsigned i = 0; i < guests->types.n; i++) {
        const struct vgpu_type *type = &guests->types.type[i];

        if (available(guests, type)) {
            add(text, size, "%s%s", *text ? ", " : "there is room for ", type->name);
        }
    }
    if (!*text) {
        add(text, size, "detach a guest first");
    }
}

static int refuse(const struct guest *guest, const struct vgpu_type *type, char *error,
                  size_t error_size)
{
    char missing[160] = "", remedy[96] = "";

    say_what_is_short(guest->guests, type, missing, sizeof(missing));
    say_what_fits(guest->guests, remedy, sizeof(remedy));
    return text_error(error, error_size, -ENOSPC,
                      "domain '%s' (%u): no room for %s, which wants%s; %s", guest->name,
                      guest->domid, type->name, missing + 1, remedy);
}

/* --- the place of a guest ---------------------------------------------------------------- */

/* The numbers that guests have, as bits. */
static uint32_t taken_slots(const struct guests *guests)
{
    uint32_t taken = 0;

    for (unsigned i = 0; i < guests->attached_n; i++) {
        taken |= 1u << guests->attached[i]->slot;
    }
    return taken;
}

/* The lowest number no guest has. There is one while there are not as many guests as can be. */
static unsigned free_slot(const struct guests *guests)
{
    uint32_t taken = taken_slots(guests);
    unsigned slot = 0;

    while (taken & 1u << slot) {
        slot++;
    }
    return slot;
}

static bool is_slot_free(const struct guests *guests, uint32_t slot)
{
    return slot < GUESTS_VGPUS_MAX && !(taken_slots(guests) & 1u << slot);
}

/* What it may use up, by its type and by the rules for it. */
static void take_type(struct guest *guest, const struct vgpu_type *type)
{
    const struct guests *guests = guest->guests;
    const struct rules_domain *rule = rules_find(guests->config.rules, guest->name);
    struct windows taken[GUESTS_VGPUS_MAX];
    const struct xengt_caps *caps = xengt_get_caps(guests->config.xengt);
    unsigned vgpus = windows_available(&guests->gpu, taken, 0, type, GUESTS_VGPUS_MAX);

    guest->type = type;
    guest->weight = rule && rule->weight ? rule->weight : type->weight;
    guest->share = share_of(caps->window_pages, vgpus,
                            rule && rule->quota ? rule->quota : guests->config.space.quota);
}

/* The type it is to have where nobody says which. */
static const char *preset_of(const struct guest *guest)
{
    const struct rules_domain *rule = rules_find(guest->guests->config.rules, guest->name);

    return rule && rule->type[0] ? rule->type : guest->guests->preset->name;
}

int guests_place(struct guest *guest, const char *name, char *error, size_t error_size)
{
    const struct guests *guests = guest->guests;
    const char *wanted = name ? name : preset_of(guest);
    const struct vgpu_type *type = types_find(&guests->types, wanted);
    struct windows taken[GUESTS_VGPUS_MAX];
    unsigned n = taken_windows(guests, taken);

    if (!type) {
        char names[96];

        types_names(&guests->types, names, sizeof(names));
        return text_error(error, error_size, -EINVAL,
                          "domain '%s' (%u): there is no type '%.32s', only %s", guest->name,
                          guest->domid, wanted, names);
    }
    if (n == GUESTS_VGPUS_MAX) {
        return text_error(error, error_size, -ENOSPC,
                          "domain '%s' (%u): all %u vGPUs are in use; detach a guest first",
                          guest->name, guest->domid, GUESTS_VGPUS_MAX);
    }
    if (windows_place(&guests->gpu, taken, n, type, &guest->windows)) {
        return refuse(guest, type, error, error_size);
    }
    take_type(guest, type);
    guest->slot = free_slot(guests);
    return 0;
}

int guests_place_again(struct guest *guest, const char *name, const struct windows *windows,
                       uint32_t slot, char *error, size_t error_size)
{
    const struct guests *guests = guest->guests;
    const struct vgpu_type *type = types_find(&guests->types, name);
    struct windows taken[GUESTS_VGPUS_MAX];
    unsigned n = taken_windows(guests, taken);

    if (!type) {
        return text_error(error, error_size, -EINVAL, "there is no type '%s' any more", name);
    }
    if (!is_slot_free(guests, slot) || !windows_are_free(&guests->gpu, taken, n, windows)) {
        return text_error(error, error_size, -EBUSY, "its part of the GPU is not to be had");
    }
    take_type(guest, type);
    guest->slot = slot;
    guest->windows = *windows;
    return 0;
}
