/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest: the steps of an attach, whose order is what makes it safe, and how they are undone. */
#include "guests/guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <xengt/target.h>
#include <xengt/xengt.h>

#include "text.h"

static struct vgpu_config vgpu_config(struct guest *guest)
{
    const struct guests_config *config = &guest->guests->config;
    const struct host_ops *host = config->host->ops;
    bool firmware = host->has_firmware(guest->host);

    return (struct vgpu_config){
        .model = guest->type->model,
        .id = guest->slot + 1,
        .fences = guest->windows.fences,
        .gtt =
            {
                .xengt = config->xengt,
                .space = guest->space,
                .gpu = config->gpu,
                .mappable = guest->windows.mappable,
                .unmappable = guest->windows.unmappable,
                .weight = guest->weight,
                .track_after = config->track_after,
                .track_all = config->gtt_mode != GUESTS_GTT_SYNC,
                .commit_each = config->gtt_mode == GUESTS_GTT_TRAP_EACH,
            },
        .lazy_ggtt = guest->lazy_ggtt,
        .firmware = firmware,
        .mmio_base = guest->mmio_base,
        .aperture_base = firmware ? host->placed(guest->host, VGPU_BAR_APERTURE) : 0,
        /* Guests want the windows below its end to be the mappable ones, and only these. */
        .aperture_size = (uint64_t)guest->guests->gpu.aperture * XENGT_PAGE_SIZE,
        .take_up = guest->take_up,
        .machine = &guest_machine,
        .machine_arg = guest,
    };
}

static int make_keep(struct guest *guest, size_t size)
{
    const struct guests_config *config = &guest->guests->config;
    struct xengt_target_info info;
    struct keep_note note = {
        .domid = guest->domid,
        .slot = guest->slot,
        .windows = guest->windows,
        .lazy_ggtt = guest->lazy_ggtt,
    };
    int ret = xengt_domain_info(config->xengt, guest->domid, &info);

    if (ret) {
        return ret;
    }
    memcpy(note.identity, info.handle, sizeof(note.identity));
    snprintf(note.type, sizeof(note.type), "%s", guest->type->name);
    return keep_make(&guest->keep, config->state_dir, &note, size);
}

static int create_vgpu(struct guest *guest)
{
    struct vgpu_config vgpu = vgpu_config(guest);
    size_t size = vgpu_kept_size(&vgpu);
    int ret = guest->take_up ? 0 : make_keep(guest, size);

    if (ret) {
        return ret;
    }
    guests_serve(guest->guests, guest);
    vgpu.kept = keep_data(&guest->keep, size);
    ret = vgpu.kept ? vgpu_create(&vgpu, &guest->vgpu) : -EBADMSG;
    if (!ret) {
        vgpu_work(guest->vgpu, GUESTS_ROUND_UNITS / GUESTS_VGPUS_MAX); /* until its first round */
    }
    return ret;
}

/* What the library keeps of the window for this guest, and gives it at most. */
static struct xengt_space_options space_options(const struct guest *guest)
{
    const struct guests_config *config = &guest->guests->config;
    struct xengt_space_options space = config->space;

    space.no_defer |= config->gtt_mode == GUESTS_GTT_TRAP_EACH;
    space.reserve = guest->share.reserve;
    space.quota = guest->share.quota;
    return space;
}

static int open_space(struct guest *guest, char *error, size_t error_size)
{
    const struct xengt_space_options space = space_options(guest);
    struct xengt *xg = guest->guests->config.xengt;
    int ret = xengt_space_open(xg, guest->domid, &space, &guest->space);

    if (ret == -ENOSPC) {
        return text_error(error, error_size, ret,
                          "domain '%s' (%u): the %u mappings that it is promised are not to be "
                          "had: others use them; detach a guest, or start xengtd with a larger "
                          "--window-pages or a smaller --quota",
                          guest->name, guest->domid, space.reserve);
    }
    if (ret) {
        text_error(error, error_size, ret, "domain '%s' (%u): %s", guest->name, guest->domid,
                   xengt_last_error(xg));
    }
    return ret;
}

/* Had it been the end of xengtd to serve this guest, it had come by now. */
#define SERVED_WELL 1000u

void guests_serve(struct guests *guests, struct guest *guest)
{
    if (guests->served != guest) {
        if (guests->served) {
            keep_mark(&guests->served->keep, false);
        }
        if (guest) {
            keep_mark(&guest->keep, true);
        }
        guests->served = guest;
    }
    if (guest && guest->served < SERVED_WELL && ++guest->served == SERVED_WELL) {
        keep_trust(&guest->keep);
    }
}

static int put_vgpu_at(struct guest *guest, uint64_t mmio_base)
{
    guest->mmio_base = mmio_base;
    int ret = create_vgpu(guest);
    return ret ? ret : vgpu_plug_in(guest->vgpu);
}

static void take_vgpu_away(struct guest *guest)
{
    const struct host_ops *host = guest->guests->config.host->ops;

    vgpu_destroy(guest->vgpu);
    guest->vgpu = NULL;
    host->remove_ram(guest->host);
    keep_close(&guest->keep);
}

/*
 * Where firmware has put the registers, of the guest's own; or, as that is what we are then, where
 * they usually are, and beyond its RAM if it has some there.
 */
static int put_vgpu(struct guest *guest)
{
    const struct guests_config *config = &guest->guests->config;
    const struct host_ops *host = config->host->ops;

    if (host->has_firmware(guest->host)) {
        return put_vgpu_at(guest, host->placed(guest->host, VGPU_BAR_MMIO));
    }
    int ret = put_vgpu_at(guest, config->mmio_base);
    if (ret != -EBUSY || guest->take_up) {
        return ret;
    }
    take_vgpu_away(guest);
    return put_vgpu_at(guest, host->beyond_ram(guest->host));
}

int guest_build(struct guest *guest, char *error, size_t error_size)
{
    const struct guests_config *config = &guest->guests->config;
    const struct host_guest_config host = {
        .domid = guest->domid,
        .devfn = VGPU_PCI_DEVFN,
        .take_over = guest->take_up,
        .ops = &guest_ops,
        .arg = guest,
    };
    char reason[160] = "";
    int ret;

    ret = open_space(guest, error, error_size);
    if (ret) {
        return ret;
    }
    ret = config->host->ops->attach(config->host, &host, &guest->host, reason, sizeof(reason));
    if (ret) {
        return text_error(error, error_size, ret, "domain '%s' (%u): %s", guest->name, guest->domid,
                          reason[0] ? reason : strerror(-ret));
    }
    ret = put_vgpu(guest);
    if (ret) {
        return text_error(error, error_size, ret,
                          "domain '%s' (%u): no vGPU could be made at 0x%" PRIx64 ": %s",
                          guest->name, guest->domid, guest->mmio_base,
                          ret == -EBUSY ? "its RAM is there" : strerror(-ret));
    }
    guests_serve(guest->guests, NULL);
    keep_begin(&guest->keep);
    return 0;
}

/* --- at work ----------------------------------------------------------------------------- */

/*
 * A guest with one vCPU makes one request a turn, so the end of a turn says nothing: committing
 * there would mean a hypercall for each entry it writes. What no access makes due is committed
 * when the guest has made no request for this long. A guest that never pauses is committed by its
 * own accesses, or when its batch is full.
 */
#define SETTLE_MS 50u

void guest_settle_at(struct guest *guest, uint64_t ms)
{
    struct turns *turns = &guest->guests->turns;

    guest->settle_at_ms = ms;
    if (!turns->settle_at_ms || ms < turns->settle_at_ms) {
        turns->settle_at_ms = ms;
    }
}

void guest_has_asked(struct guest *guest)
{
    struct turns *turns = &guest->guests->turns;

    guest_settle_at(guest, wake_now_ms() + SETTLE_MS);
    turns->more |= !vgpu_ready(guest->vgpu); /* since this round's work was done, perhaps */
    wake_now(&turns->wake);
}

void guest_wake(struct guest *guest)
{
    struct guests *guests = guest->guests;

    if (!guest->awake) {
        guest->awake = true;
        guests->awake[guests->awake_n++] = guest;
    }
}

void guest_sleep(struct guest *guest)
{
    struct guests *guests = guest->guests;
    unsigned i;

    for (i = 0; i < guests->awake_n && guests->awake[i] != guest; i++) {
        ;
    }
    if (i < guests->awake_n) {
        guests->awake[i] = guests->awake[--guests->awake_n];
    }
    guest->awake = false;
}

void guests_wake_all(struct guests *guests)
{
    for (unsigned i = 0; i < guests->attached_n; i++) {
        guest_wake(guests->attached[i]);
    }
}

/* --- the end ----------------------------------------------------------------------------- */

static void forget(struct guest *guest)
{
    struct guests *guests = guest->guests;
    unsigned i;

    for (i = 0; i < guests->attached_n && guests->attached[i] != guest; i++) {
        ;
    }
    if (i == guests->attached_n) {
        return;
    }
    guests->attached_n--;
    for (; i < guests->attached_n; i++) {
        guests->attached[i] = guests->attached[i + 1];
    }
    guest_sleep(guest);
    guests_wake_all(guests);
}

static void let_go(struct guest *guest)
{
    struct guests *guests = guest->guests;
    int ret;

    xengt_space_close(guest->space);
    ret = xengt_target_remove(guests->config.xengt, guest->domid);
    if (ret) {
        guests_log(guests, LOG_ERR, "domain '%s' (%u): stays on the target list: %s", guest->name,
                   guest->domid, xengt_last_error(guests->config.xengt));
    }
    forget(guest);
    if (guests->served == guest) {
        guests->served = NULL;
    }
    keep_close(&guest->keep);
    free(guest);
}

static void leave(struct guest *guest, void (*let_go_of)(struct host_guest *host))
{
    guest->leaving = true;
    guest->settle_at_ms = 0;
    guest_wake(guest);
    if (guest->vgpu) {
        vgpu_end(guest->vgpu);
    }
    if (guest->host) {
        let_go_of(guest->host);
        guest->host = NULL;
    }
}

void guest_leave(struct guest *guest)
{
    keep_forget(guest->guests->config.state_dir, guest->domid);
    leave(guest, guest->guests->config.host->ops->detach);
}

/* What the end of the vGPU stores does not come into the file. */
void guest_hand_over(struct guest *guest)
{
    int ret = keep_freeze(&guest->keep);

    if (ret) {
        guests_log(guest->guests, LOG_ERR,
                   "domain '%s' (%u): its vGPU cannot be left to the next xengtd: %s", guest->name,
                   guest->domid, strerror(-ret));
    } else {
        leave(guest, guest->guests->config.host->ops->leave);
    }
    guest_remove(guest);
}

/* Mappings that are released in a portion: a few hypercalls. */
#define DRAIN_PAGES 256u

bool guest_go_on_leaving(struct guest *guest, uint32_t units)
{
    if (guest->vgpu && vgpu_work(guest->vgpu, units)) {
        return false;
    }
    vgpu_destroy(guest->vgpu);
    guest->vgpu = NULL;
    if (xengt_space_drain(guest->space, DRAIN_PAGES)) {
        return false;
    }
    let_go(guest);
    return true;
}

void guest_remove(struct guest *guest)
{
    if (!guest->leaving) {
        guest_leave(guest);
    }
    vgpu_destroy(guest->vgpu);
    let_go(guest);
}
