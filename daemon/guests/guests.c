/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching and detaching: the order of things, which is what makes them safe. */
#include "guests/guests.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <xengt/target.h>
#include <xengt/xengt.h>

#include "guests/guest.h"

int guests_create(const struct guests_config *config, struct guests **out)
{
    struct guests *guests = calloc(1, sizeof(*guests));
    struct windows place;
    int ret;

    *out = NULL;
    if (!guests) {
        return -ENOMEM;
    }
    guests->config = *config;
    guests->gpu = windows_of_gpu(config->gpu->gtt_entries);
    types_init(&guests->types, config->mappable_pages, config->unmappable_pages);
    guests->preset = types_find(&guests->types, config->type ? config->type : VGPU_TYPE_CUSTOM);
    if (!guests->preset) {
        ret = -ENOENT;
        goto fail;
    }
    ret = windows_place(&guests->gpu, NULL, 0, guests->preset, &place);
    if (ret) {
        goto fail;
    }
    ret = guests_turns_init(guests);
    if (ret) {
        goto fail;
    }
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
    while (guests->attached_n) {
        guest_remove(guests->attached[guests->attached_n - 1]);
    }
    guests_turns_fini(guests);
    free(guests);
}

/* --- attach and detach ------------------------------------------------------------------- */

static void log_vgpu_line(void *arg, int level, const char *line)
{
    struct guest *guest = arg;

    guests_log(guest->guests, level, "domain '%s' (%u): %s", guest->name, guest->domid, line);
}

static int create_vgpu(struct guest *guest)
{
    const struct guests_config *config = &guest->guests->config;
    struct gtt_config gtt = {
        .xengt = config->xengt,
        .space = guest->space,
        .gpu = config->gpu,
        .mappable = guest->windows.mappable,
        .unmappable = guest->windows.unmappable,
        .weight = guest->type->weight,
        .tracker = {.track = guest_track, .arg = guest},
        .track_after = config->track_after,
        .track_all = config->gtt_mode != GUESTS_GTT_SYNC,
        .commit_each = config->gtt_mode == GUESTS_GTT_TRAP_EACH,
    };
    struct vgpu_config vgpu = {
        .id = guest->slot + 1,
        .mappable = guest->windows.mappable,
        .unmappable = guest->windows.unmappable,
        .fences = guest->windows.fences,
        .log = log_vgpu_line,
        .log_arg = guest,
        .interrupt = guest_interrupt,
        .interrupt_arg = guest,
    };
    int ret;

    if (config->lazy_ggtt) {
        ret = guest_add_gtt_ram(guest);
        if (ret) {
            return ret;
        }
        gtt.lazy = guest->gtt_ram;
    }
    ret = gtt_create(&gtt, &vgpu.gtt);
    if (ret) {
        return ret;
    }
    return vgpu_create(&vgpu, &guest->vgpu); /* the GTT is the vGPU's now, also on failure */
}

/*
 * The steps of an attach. What was done when one fails stays recorded in the guest, and
 * guest_remove() undoes exactly that.
 */
static int build_guest(struct guest *guest, char *error, size_t error_size)
{
    const struct guests_config *config = &guest->guests->config;
    struct xengt_space_options space = config->space;
    const struct host_guest_config host = {
        .domid = guest->domid,
        .devfn = VGPU_PCI_DEVFN,
        .pci_root = true,
        .ops = &guest_ops,
        .arg = guest,
    };
    char reason[160] = "";
    int ret;

    space.no_defer |= config->gtt_mode == GUESTS_GTT_TRAP_EACH;
    ret = xengt_space_open(config->xengt, guest->domid, &space, &guest->space);
    if (ret) {
        return guests_error(error, error_size, ret, "domain '%s' (%u): %s", guest->name,
                            guest->domid, xengt_last_error(config->xengt));
    }
    ret = config->host->ops->attach(config->host, &host, &guest->host, reason, sizeof(reason));
    if (ret) {
        return guests_error(error, error_size, ret, "domain '%s' (%u): %s", guest->name,
                            guest->domid, reason[0] ? reason : strerror(-ret));
    }
    guest_init_pci(guest);
    ret = create_vgpu(guest);
    if (ret) {
        return guests_error(error, error_size, ret, "domain '%s' (%u): no vGPU could be made: %s",
                            guest->name, guest->domid, strerror(-ret));
    }
    ret = guest_claim_bars(guest);
    if (ret) {
        return guests_error(error, error_size, ret,
                            "domain '%s' (%u): its vGPU cannot be put at 0x%" PRIx64 ": %s",
                            guest->name, guest->domid, config->mmio_base,
                            ret == -EBUSY ? "its RAM is there" : strerror(-ret));
    }
    return 0;
}

static void forget_guest(struct guest *guest)
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
}

/*
 * In the reverse order of the attach: the GPU loses the pages (entries to scratch, TLB), then no
 * access comes in any more, then Xen's references go, then the permission. Accesses are served by
 * the event loop only, so that none can come in between.
 */
void guest_remove(struct guest *guest)
{
    struct guests *guests = guest->guests;
    int ret;

    vgpu_destroy(guest->vgpu);
    if (guest->host) {
        guests->config.host->ops->detach(guest->host);
    }
    xengt_space_close(guest->space);
    ret = xengt_target_remove(guests->config.xengt, guest->domid);
    if (ret) {
        guests_log(guests, LOG_ERR, "domain '%s' (%u): stays on the target list: %s", guest->name,
                   guest->domid, xengt_last_error(guests->config.xengt));
    }
    forget_guest(guest);
    free(guest);
}

/* The domain to attach, and that nothing speaks against it here. */
static int check_attach(struct guests *guests, const char *domain, struct guest *guest, char *error,
                        size_t error_size)
{
    struct host *host = guests->config.host;
    int ret = host->ops->find(host, domain, &guest->domid, guest->name, sizeof(guest->name));

    if (ret == -ENOENT) {
        return guests_error(error, error_size, ret, "domain '%s': no such domain", domain);
    }
    if (ret) {
        return guests_error(error, error_size, ret, "domain '%s': %s", domain, strerror(-ret));
    }
    for (unsigned i = 0; i < guests->attached_n; i++) {
        if (guests->attached[i]->domid == guest->domid) {
            return guests_error(error, error_size, -EEXIST, "domain '%s' (%u): has a vGPU already",
                                guest->name, guest->domid);
        }
    }
    return 0;
}

int guests_attach(struct guests *guests, const char *domain, const char *type,
                  struct guest_info *info, char *error, size_t error_size)
{
    struct xengt *xg = guests->config.xengt;
    struct guest *guest = calloc(1, sizeof(*guest));
    int ret;

    if (!guest) {
        return guests_error(error, error_size, -ENOMEM, "domain '%s': out of memory", domain);
    }
    guest->guests = guests;
    ret = check_attach(guests, domain, guest, error, error_size);
    if (!ret) {
        ret = guests_place(guest, type, error, error_size);
    }
    if (ret) {
        goto out_free;
    }
    ret = xengt_target_add(xg, guest->domid);
    if (ret) {
        guests_error(error, error_size, ret, "domain '%s' (%u): %s", guest->name, guest->domid,
                     xengt_last_error(xg));
        goto out_free;
    }

    guests->attached[guests->attached_n++] = guest;
    ret = build_guest(guest, error, error_size);
    if (ret) {
        guest_remove(guest);
        return ret;
    }
    guests_log(guests, LOG_INFO, "domain '%s' (%u): vGPU %u attached, %s", guest->name,
               guest->domid, guest->slot + 1, guest->type->name);
    if (info) {
        guest_fill_info(guest, info);
    }
    return 0;

out_free:
    free(guest);
    return ret;
}

int guests_detach(struct guests *guests, const char *domain, char *error, size_t error_size)
{
    struct guest *guest = guests_need(guests, domain, error, error_size);

    if (!guest) {
        return -ENOENT;
    }
    guests_log(guests, LOG_INFO, "domain '%s' (%u): vGPU %u detached", guest->name, guest->domid,
               guest->slot + 1);
    guest_remove(guest);
    return 0;
}
