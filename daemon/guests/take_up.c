/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests over the end of xengtd: left to the next one, and taken up by it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <xengt/target.h>
#include <xengt/xengt.h>

#include "guests/guest.h"

/* --- taken up ---------------------------------------------------------------------------- */

/* The domain that the note is of is there. */
static bool is_same_domain(struct guests *guests, uint32_t domid, const struct keep_note *note)
{
    struct xengt_target_info info;

    return note->domid == domid && !xengt_domain_info(guests->config.xengt, domid, &info) &&
           !info.dying && memcmp(info.handle, note->identity, sizeof(note->identity)) == 0;
}

static const char *reason_of(int error)
{
    switch (error) {
    case -EPROTO:
        return "it is of another version of xengtd";
    case -EBADMSG:
        return "it is damaged";
    case -EPERM:
        return "its file is not this user's alone";
    case -ECANCELED:
        return "xengtd has ended three times at its work";
    default:
        return strerror(-error);
    }
}

/* As the note says, if that is still to be had. */
static int place(struct guest *guest, const struct keep_note *note, char *error, size_t error_size)
{
    struct guests *guests = guest->guests;
    char domain[16];

    snprintf(domain, sizeof(domain), "%" PRIu32, note->domid);
    guest->domid = note->domid;
    guest->take_up = true;
    guests->config.host->ops->find(guests->config.host, domain, &guest->domid, guest->name,
                                   sizeof(guest->name));
    guest->lazy_ggtt = note->lazy_ggtt;
    return guests_place_again(guest, note->type, &note->windows, note->slot, error, error_size);
}

static int go_on(struct guests *guests, const struct keep *keep, const struct keep_note *note,
                 char *error, size_t error_size)
{
    struct guest *guest = calloc(1, sizeof(*guest));
    int ret;

    if (!guest) {
        return text_error(error, error_size, -ENOMEM, "out of memory");
    }
    guest->guests = guests;
    ret = place(guest, note, error, error_size);
    if (ret) {
        free(guest);
        return ret;
    }
    guest->keep = *keep;
    ret = guests_admit(guests, guest, error, error_size);
    if (!ret) {
        guest_settle_at(guest, wake_now_ms()); /* what it had stored is to become real */
        guests_log(guests, LOG_NOTICE, "domain '%s' (%u): vGPU %u taken up, %s", guest->name,
                   guest->domid, guest->slot + 1, guest->type->name);
        guest_note(guest, GUESTS_EVENT_TAKEN_UP, NULL);
    }
    return ret;
}

/* The guest has a vGPU whose registers it never wrote: it is told nothing by it but all-ones. */
static void give_another(struct guests *guests, uint32_t domid, const char *why)
{
    char domain[16], reason[192], error[256];
    struct guest *guest;
    int ret;

    snprintf(domain, sizeof(domain), "%" PRIu32, domid);
    snprintf(reason, sizeof(reason), "what the last xengtd knew of it is lost: %s", why);
    guests_log(guests, LOG_ERR, "domain %" PRIu32 ": %s", domid, reason);
    ret = guests_attach(guests, domain, NULL, NULL, error, sizeof(error));
    if (!ret) {
        ret = guests_find(guests, domain, &guest, error, sizeof(error));
    }
    if (ret) {
        guests_log(guests, LOG_ERR, "%s", error);
        return;
    }
    vgpu_refuse(guest->vgpu, reason);
}

static void take_up_one(void *arg, uint32_t domid)
{
    struct guests *guests = arg;
    const char *dir = guests->config.state_dir;
    struct keep_note note = {.domid = 0};
    struct keep keep;
    char error[256] = "";
    int ret = keep_open(&keep, dir, domid, &note);
    bool readable = !ret || ret == -EPROTO || ret == -EBADMSG || ret == -ECANCELED;

    if (!readable && ret != -ENOENT) {
        guests_log(guests, LOG_ERR, "%s: the file of domain %" PRIu32 "'s vGPU is not read: %s",
                   dir, domid, reason_of(ret));
        return;
    }
    if (!readable || !is_same_domain(guests, domid, &note)) {
        keep_forget(dir, domid);
        keep_close(&keep);
        return;
    }
    if (ret) {
        text_error(error, sizeof(error), ret, "%s", reason_of(ret));
    } else {
        ret = go_on(guests, &keep, &note, error, sizeof(error));
    }
    if (ret) {
        give_another(guests, domid, error);
    }
}

void guests_take_up(struct guests *guests)
{
    struct host *host = guests->config.host;

    if (guests->config.state_dir) {
        keep_each(guests->config.state_dir, take_up_one, guests);
    }
    host->ops->release_leftovers(host);
    if (guests->attached_n) {
        wake_in(&guests->turns.wake, 0);
    }
}

/* --- left -------------------------------------------------------------------------------- */

bool guests_hold(struct guests *guests)
{
    const struct host_ops *host = guests->config.host->ops;
    bool still = true;

    for (unsigned i = 0; i < guests->attached_n; i++) {
        struct guest *guest = guests->attached[i];

        if (!guest->leaving) {
            guests_serve(guests, guest);
            still &= vgpu_hold(guest->vgpu) && !host->resume(guest->host);
        }
    }
    guests_serve(guests, NULL);
    for (unsigned i = 0; still && i < guests->attached_n; i++) {
        keep_trust(&guests->attached[i]->keep);
    }
    return still;
}

void guests_hand_over(struct guests *guests)
{
    while (guests->attached_n) {
        struct guest *guest = guests->attached[guests->attached_n - 1];

        if (guest->dead || guest->leaving) {
            guest_remove(guest);
        } else {
            guest_hand_over(guest);
        }
    }
    guests_destroy(guests);
}
