/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests: the list of them, and what is attached and detached. */
#include "guests/guests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <xengt/target.h>
#include <xengt/xengt.h>

#include "guests/guest.h"
#include "guests/turns.h"
#include "text.h"

/* Types that are there stay where they are: guests point to them. */
static int add_types(struct vgpu_types *types, const struct guests_config *config)
{
    struct vgpu_types preset;

    types_init(&preset, config->mappable_pages, config->unmappable_pages);
    for (unsigned i = 0; i < preset.n; i++) {
        types_add(types, &preset.type[i]); /* they were the first to be there */
    }
    return rules_add_types(config->rules, types) ? -E2BIG : 0;
}

int guests_configure(struct guests *guests, const struct guests_config *config)
{
    struct vgpu_types types = guests->types;
    struct windows place;
    int ret = add_types(&types, config);

    if (ret) {
        return ret;
    }
    const struct vgpu_type *preset =
        types_find(&types, config->type ? config->type : VGPU_TYPE_CUSTOM);
    if (!preset) {
        return -ENOENT;
    }
    ret = windows_place(&guests->gpu, NULL, 0, preset, &place);
    if (ret) {
        return ret;
    }
    guests->preset = &guests->types.type[preset - types.type];
    guests->types = types;
    guests->config.rules = config->rules;
    guests->config.space.quota = config->space.quota;
    return 0;
}

int guests_create(const struct guests_config *config, struct guests **out)
{
    struct guests *guests = calloc(1, sizeof(*guests));
    int ret;

    *out = NULL;
    if (!guests) {
        return -ENOMEM;
    }
    guests->config = *config;
    guests->gpu = windows_of_gpu(config->gpu->gtt_entries);
    ret = guests_configure(guests, config);
    if (ret) {
        goto fail;
    }
    ret = turns_init(guests);
    if (ret) {
        goto fail;
    }
    config->host->ops->listen(config->host, &guest_orders, guests);
    *out = guests;
    return 0;

fail:
    free(guests);
    return ret;
}

void guests_destroy(struct guests *guests)
{
    if (!guests) {
        return;
    }
    guests->config.host->ops->listen(guests->config.host, NULL, NULL);
    while (guests->attached_n) {
        guest_remove(guests->attached[guests->attached_n - 1]);
    }
    turns_fini(guests);
    free(guests);
}

/* --- attach and detach ------------------------------------------------------------------- */

struct guest *guests_of_domain(struct guests *guests, uint32_t domid)
{
    for (unsigned i = 0; i < guests->attached_n; i++) {
        if (guests->attached[i]->domid == domid) {
            return guests->attached[i];
        }
    }
    return NULL;
}

/* The domain to attach, and that nothing speaks against it here. */
static int check_attach(struct guests *guests, const char *domain, struct guest *guest, char *error,
                        size_t error_size)
{
    struct host *host = guests->config.host;
    int ret = host->ops->find(host, domain, &guest->domid, guest->name, sizeof(guest->name));

    if (ret == -ENOENT) {
        return text_error(error, error_size, ret, "domain '%s': no such domain", domain);
    }
    if (ret == -ENOTUNIQ) {
        return guests_twins(domain, guest->name, error, error_size);
    }
    if (ret) {
        return text_error(error, error_size, ret, "domain '%s': %s", domain, strerror(-ret));
    }
    const struct guest *there = guests_of_domain(guests, guest->domid);
    if (there && there->leaving) {
        return text_error(error, error_size, -EBUSY,
                          "domain '%s' (%u): its last vGPU is being taken apart; try again",
                          guest->name, guest->domid);
    }
    if (there) {
        return text_error(error, error_size, -EEXIST,
                          "domain '%s' (%u): has a vGPU already; detach it first", guest->name,
                          guest->domid);
    }
    return 0;
}

int guests_admit(struct guests *guests, struct guest *guest, char *error, size_t error_size)
{
    struct xengt *xg = guests->config.xengt;
    int ret = xengt_target_add(xg, guest->domid);

    if (ret) {
        text_error(error, error_size, ret, "domain '%s' (%u): %s", guest->name, guest->domid,
                   xengt_last_error(xg));
        free(guest);
        return ret;
    }
    guests->attached[guests->attached_n++] = guest;
    guests_wake_all(guests);
    ret = guest_build(guest, error, error_size);
    if (ret) {
        guest_remove(guest);
    }
    return ret;
}

int guests_attach(struct guests *guests, const char *domain, const char *type,
                  struct guest_info *info, char *error, size_t error_size)
{
    struct guest *guest = calloc(1, sizeof(*guest));
    int ret;

    if (!guest) {
        return text_error(error, error_size, -ENOMEM, "domain '%s': out of memory", domain);
    }
    guest->guests = guests;
    guest->lazy_ggtt = guests->config.lazy_ggtt;
    ret = check_attach(guests, domain, guest, error, error_size);
    if (!ret) {
        ret = guests_place(guest, type, error, error_size);
    }
    if (ret) {
        free(guest);
        return ret;
    }
    ret = guests_admit(guests, guest, error, error_size);
    if (ret) {
        return ret;
    }
    guests_log(guests, LOG_INFO, "domain '%s' (%u): vGPU %u attached, %s", guest->name,
               guest->domid, guest->slot + 1, guest->type->name);
    guest_note(guest, GUESTS_EVENT_ATTACHED, NULL);
    if (info) {
        guest_fill_info(guest, info);
    }
    return 0;
}

int guests_detach(struct guests *guests, const char *domain, char *error, size_t error_size)
{
    struct guest *guest;
    int ret = guests_find(guests, domain, &guest, error, error_size);

    if (ret) {
        return ret;
    }
    guests_log(guests, LOG_INFO, "domain '%s' (%u): vGPU %u detached", guest->name, guest->domid,
               guest->slot + 1);
    guest_note(guest, GUESTS_EVENT_DETACHED, NULL);
    guest_leave(guest);
    /* Most have no more than can be done at once; the rest is for the turns. */
    if (!guest_go_on_leaving(guest, GUESTS_ROUND_UNITS)) {
        wake_in(&guests->turns.wake, 0);
    }
    return 0;
}
