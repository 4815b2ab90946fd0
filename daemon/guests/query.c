/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions of an administrator about the attached guests. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "guests/guest.h"
#include "host/domain_arg.h"
#include "text.h"

static struct guest *guest_by_domid(struct guests *guests, uint32_t domid)
{
    for (unsigned i = 0; i < guests->attached_n; i++) {
        if (guests->attached[i]->domid == domid && !guests->attached[i]->leaving) {
            return guests->attached[i];
        }
    }
    return NULL;
}

/* Domains are renamed. One that died keeps the name it had, which is known nowhere else then. */
static void learn_name(struct guest *guest)
{
    struct host *host = guest->guests->config.host;
    char domid[16], name[sizeof(guest->name)];
    uint32_t same;

    snprintf(domid, sizeof(domid), "%u", guest->domid);
    if (!guest->dead && !host->ops->find(host, domid, &same, name, sizeof(name)) && name[0]) {
        memcpy(guest->name, name, sizeof(name));
    }
}

int guests_twins(const char *domain, const char *domids, char *error, size_t error_size)
{
    return text_error(error, error_size, -ENOTUNIQ,
                      "'%s' is the name of domains %s: give the number", domain, domids);
}

/* Of two that have the name, one that is dead does not count. */
static int find_by_name(struct guests *guests, const char *name, struct guest **out, char *error,
                        size_t error_size)
{
    struct guest *found = NULL;

    for (unsigned i = 0; i < guests->attached_n; i++) {
        struct guest *guest = guests->attached[i];

        if (guest->leaving) {
            continue;
        }
        learn_name(guest);
        if (strcmp(guest->name, name) != 0) {
            continue;
        }
        if (found && !found->dead && !guest->dead) {
            char domids[32];

            domain_arg_twins(found->domid, guest->domid, domids, sizeof(domids));
            return guests_twins(name, domids, error, error_size);
        }
        found = found && guest->dead ? found : guest;
    }
    *out = found;
    return 0;
}

int guests_find(struct guests *guests, const char *domain, struct guest **out, char *error,
                size_t error_size)
{
    uint32_t domid;
    int ret = 0;

    *out = NULL;
    if (domain_arg_is_domid(domain, &domid)) {
        *out = guest_by_domid(guests, domid);
    } else {
        ret = find_by_name(guests, domain, out, error, error_size);
    }
    if (ret) {
        return ret;
    }
    if (!*out) {
        text_error(error, error_size, -ENOENT, "domain '%s': has no vGPU", domain);
        return -ENOENT;
    }
    return 0;
}

void guest_fill_info(struct guest *guest, struct guest_info *info)
{
    const struct host_ops *host = guest->guests->config.host->ops;

    memset(info, 0, sizeof(*info));
    info->domid = guest->domid;
    info->id = guest->slot + 1;
    learn_name(guest);
    memcpy(info->name, guest->name, sizeof(info->name));
    info->paused = vgpu_paused(guest->vgpu);
    info->failsafe = vgpu_failsafe(guest->vgpu);
    info->type = guest->type;
    info->weight = guest->weight;
    info->mappable = guest->windows.mappable;
    info->unmappable = guest->windows.unmappable;
    host->guest_stats(guest->host, &info->host);
    vgpu_get_stats(guest->vgpu, &info->vgpu);
    vgpu_get_gtt_stats(guest->vgpu, &info->gtt);
    vgpu_get_gpu_stats(guest->vgpu, &info->gpu);
    xengt_space_get_stats(guest->space, &info->space);
}

int guests_info(struct guests *guests, const char *domain, struct guest_info *info, char *error,
                size_t error_size)
{
    struct guest *guest;
    int ret = guests_find(guests, domain, &guest, error, error_size);

    if (ret) {
        return ret;
    }
    guest_fill_info(guest, info);
    return 0;
}

bool guests_list(struct guests *guests, unsigned i, struct guest_info *info)
{
    for (unsigned k = 0; k < guests->attached_n; k++) {
        if (!guests->attached[k]->leaving && !i--) {
            guest_fill_info(guests->attached[k], info);
            return true;
        }
    }
    return false;
}

int guests_pause(struct guests *guests, const char *domain, bool paused, char *error,
                 size_t error_size)
{
    struct guest *guest;
    int ret = guests_find(guests, domain, &guest, error, error_size);

    if (ret) {
        return ret;
    }
    if (paused != vgpu_paused(guest->vgpu)) {
        guest_note(guest, paused ? GUESTS_EVENT_PAUSED : GUESTS_EVENT_RESUMED, NULL);
    }
    vgpu_pause(guest->vgpu, paused);
    guest_wake(guest);
    wake_in(&guests->turns.wake, 0); /* a resumed vGPU may have work waiting */
    return 0;
}

int guests_verify(struct guests *guests, const char *domain, char *error, size_t error_size)
{
    struct guest *guest;
    int ret = guests_find(guests, domain, &guest, error, error_size);

    if (ret) {
        return ret;
    }
    if (error_size) {
        error[0] = '\0';
    }
    return (int)vgpu_verify(guest->vgpu, error, error_size);
}

/* An entry each, some ten nanoseconds. */
#define VERIFY_UNITS 16384u

int guests_verify_some(struct guests *guests, const char *domain, char *error, size_t error_size)
{
    struct guest *guest;
    int ret = guests_find(guests, domain, &guest, error, error_size);

    if (ret) {
        return ret;
    }
    if (error_size) {
        error[0] = '\0';
    }
    ret = vgpu_verify_some(guest->vgpu, VERIFY_UNITS, error, error_size);
    if (ret == -ENOMEM) {
        return text_error(error, error_size, ret, "domain '%s': no memory", domain);
    }
    return ret;
}

int guests_mappings_some(struct guests *guests, const char *domain, uint32_t *next, unsigned max,
                         guests_mapping_fn *fn, void *arg, char *error, size_t error_size)
{
    struct guest *guest;
    int ret = guests_find(guests, domain, &guest, error, error_size);
    struct guests_mapping m = {0};

    if (ret) {
        return ret;
    }
    while (vgpu_next_mapping(guest->vgpu, next, &m.gfn, &m.bfn)) {
        if (!max--) {
            return 1;
        }
        m.index = (*next)++;
        fn(arg, &m);
    }
    return 0;
}

int guests_mappings(struct guests *guests, const char *domain, guests_mapping_fn *fn, void *arg,
                    char *error, size_t error_size)
{
    uint32_t next = 0;

    return guests_mappings_some(guests, domain, &next, UINT_MAX, fn, arg, error, error_size);
}

void guests_shared(struct guests *guests, struct guests_shared *shared)
{
    struct gpu *gpu = guests->config.gpu;

    shared->backend = xengt_get_caps(guests->config.xengt);
    xengt_get_stats(guests->config.xengt, &shared->library);
    gpu->ops->get_stats(gpu, &shared->gpu);
}
