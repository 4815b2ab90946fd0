/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaching and detaching: the order of things, which is what makes them safe. */
#include "server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <xengt/target.h>
#include <xengt/xengt.h>

#include "server/internal.h"

int server_create(const struct server_config *config, struct server **out)
{
    struct server *server = calloc(1, sizeof(*server));
    struct windows place;
    int rc;

    *out = NULL;
    if (!server) {
        return -ENOMEM;
    }
    server->config = *config;
    server->gpu = windows_of_gpu(config->gpu->gtt_entries);
    types_init(&server->types, config->mappable_pages, config->unmappable_pages);
    server->preset = types_find(&server->types, config->type ? config->type : VGPU_TYPE_CUSTOM);
    if (!server->preset) {
        rc = -ENOENT;
        goto fail;
    }
    rc = windows_place(&server->gpu, NULL, 0, server->preset, &place);
    if (rc) {
        goto fail;
    }
    rc = server_turns_init(server);
    if (rc) {
        goto fail;
    }
    *out = server;
    return 0;

fail:
    free(server);
    return rc;
}

void server_destroy(struct server *server)
{
    if (!server) {
        return;
    }
    while (server->guests_n) {
        server_remove_guest(server->guests[server->guests_n - 1]);
    }
    server_turns_fini(server);
    free(server);
}

struct xengt *server_xengt(struct server *server)
{
    return server->config.xengt;
}

struct gpu *server_gpu(struct server *server)
{
    return server->config.gpu;
}

/* --- attach and detach -------------------------------------------------------------------- */

static void log_vgpu_line(void *arg, int level, const char *line)
{
    struct server_guest *guest = arg;

    server_log(guest->server, level, "domain '%s' (%u): %s", guest->name, guest->domid, line);
}

static int create_vgpu(struct server_guest *guest)
{
    const struct server_config *config = &guest->server->config;
    struct gtt_config gtt = {
        .xengt = config->xengt,
        .space = guest->space,
        .gpu = config->gpu,
        .mappable = guest->windows.mappable,
        .unmappable = guest->windows.unmappable,
        .weight = guest->type->weight,
        .tracker = {.track = server_track, .arg = guest},
        .track_after = config->track_after,
        .track_all = config->gtt_mode != SERVER_GTT_SYNC,
        .commit_each = config->gtt_mode == SERVER_GTT_TRAP_EACH,
    };
    struct vgpu_config vgpu = {
        .id = guest->slot + 1,
        .mappable = guest->windows.mappable,
        .unmappable = guest->windows.unmappable,
        .fences = guest->windows.fences,
        .log = log_vgpu_line,
        .log_arg = guest,
        .interrupt = server_interrupt,
        .interrupt_arg = guest,
    };
    int rc;

    if (config->lazy_ggtt) {
        rc = server_add_gtt_ram(guest);
        if (rc) {
            return rc;
        }
        gtt.lazy = guest->gtt_ram;
    }
    rc = gtt_create(&gtt, &vgpu.gtt);
    if (rc) {
        return rc;
    }
    return vgpu_create(&vgpu, &guest->vgpu); /* the GTT is the vGPU's now, also on failure */
}

/*
 * The steps of an attach. What was done when one fails stays recorded in the guest, and
 * server_remove_guest() undoes exactly that.
 */
static int build_guest(struct server_guest *guest, char *error, size_t error_size)
{
    const struct server_config *config = &guest->server->config;
    struct xengt_space_options space = config->space;
    const struct host_guest_config host = {
        .domid = guest->domid,
        .devfn = VGPU_PCI_DEVFN,
        .pci_root = true,
        .ops = &server_guest_ops,
        .arg = guest,
    };
    char reason[160] = "";
    int rc;

    space.no_defer |= config->gtt_mode == SERVER_GTT_TRAP_EACH;
    rc = xengt_space_open(config->xengt, guest->domid, &space, &guest->space);
    if (rc) {
        return server_error(error, error_size, rc, "domain '%s' (%u): %s", guest->name,
                            guest->domid, xengt_last_error(config->xengt));
    }
    rc = config->host->ops->attach(config->host, &host, &guest->host, reason, sizeof(reason));
    if (rc) {
        return server_error(error, error_size, rc, "domain '%s' (%u): %s", guest->name,
                            guest->domid, reason[0] ? reason : strerror(-rc));
    }
    server_init_pci(guest);
    rc = create_vgpu(guest);
    if (rc) {
        return server_error(error, error_size, rc, "domain '%s' (%u): no vGPU could be made: %s",
                            guest->name, guest->domid, strerror(-rc));
    }
    rc = server_claim_bars(guest);
    if (rc) {
        return server_error(error, error_size, rc,
                            "domain '%s' (%u): its vGPU cannot be put at 0x%" PRIx64 ": %s",
                            guest->name, guest->domid, config->mmio_base,
                            rc == -EBUSY ? "its RAM is there" : strerror(-rc));
    }
    return 0;
}

static void forget_guest(struct server_guest *guest)
{
    struct server *server = guest->server;
    unsigned i;

    for (i = 0; i < server->guests_n && server->guests[i] != guest; i++) {
        ;
    }
    if (i == server->guests_n) {
        return;
    }
    server->guests_n--;
    for (; i < server->guests_n; i++) {
        server->guests[i] = server->guests[i + 1];
    }
}

/*
 * In the reverse order of the attach: the GPU loses the pages (entries to scratch, TLB), then no
 * access comes in any more, then Xen's references go, then the permission. Accesses are served by
 * the event loop only, so that none can come in between.
 */
void server_remove_guest(struct server_guest *guest)
{
    struct server *server = guest->server;
    int rc;

    vgpu_destroy(guest->vgpu);
    if (guest->host) {
        server->config.host->ops->detach(guest->host);
    }
    xengt_space_close(guest->space);
    rc = xengt_target_remove(server->config.xengt, guest->domid);
    if (rc) {
        server_log(server, LOG_ERR, "domain '%s' (%u): stays on the target list: %s", guest->name,
                   guest->domid, xengt_last_error(server->config.xengt));
    }
    forget_guest(guest);
    free(guest);
}

/* The domain to attach, and that nothing speaks against it here. */
static int check_attach(struct server *server, const char *domain, struct server_guest *guest,
                        char *error, size_t error_size)
{
    struct host *host = server->config.host;
    int rc = host->ops->find(host, domain, &guest->domid, guest->name, sizeof(guest->name));

    if (rc == -ENOENT) {
        return server_error(error, error_size, rc, "domain '%s': no such domain", domain);
    }
    if (rc) {
        return server_error(error, error_size, rc, "domain '%s': %s", domain, strerror(-rc));
    }
    for (unsigned i = 0; i < server->guests_n; i++) {
        if (server->guests[i]->domid == guest->domid) {
            return server_error(error, error_size, -EEXIST, "domain '%s' (%u): has a vGPU already",
                                guest->name, guest->domid);
        }
    }
    return 0;
}

int server_attach(struct server *server, const char *domain, const char *type,
                  struct server_vgpu_info *info, char *error, size_t error_size)
{
    struct xengt *xg = server->config.xengt;
    struct server_guest *guest = calloc(1, sizeof(*guest));
    int rc;

    if (!guest) {
        return server_error(error, error_size, -ENOMEM, "domain '%s': out of memory", domain);
    }
    guest->server = server;
    rc = check_attach(server, domain, guest, error, error_size);
    if (!rc) {
        rc = server_place(guest, type, error, error_size);
    }
    if (rc) {
        goto out_free;
    }
    rc = xengt_target_add(xg, guest->domid);
    if (rc) {
        server_error(error, error_size, rc, "domain '%s' (%u): %s", guest->name, guest->domid,
                     xengt_last_error(xg));
        goto out_free;
    }

    server->guests[server->guests_n++] = guest;
    rc = build_guest(guest, error, error_size);
    if (rc) {
        server_remove_guest(guest);
        return rc;
    }
    server_log(server, LOG_INFO, "domain '%s' (%u): vGPU %u attached, %s", guest->name,
               guest->domid, guest->slot + 1, guest->type->name);
    if (info) {
        server_fill_info(guest, info);
    }
    return 0;

out_free:
    free(guest);
    return rc;
}

int server_detach(struct server *server, const char *domain, char *error, size_t error_size)
{
    struct server_guest *guest = server_need_guest(server, domain, error, error_size);

    if (!guest) {
        return -ENOENT;
    }
    server_log(server, LOG_INFO, "domain '%s' (%u): vGPU %u detached", guest->name, guest->domid,
               guest->slot + 1);
    server_remove_guest(guest);
    return 0;
}
