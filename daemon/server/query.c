/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator asks about the attached guests. */
#include <errno.h>
#include <string.h>

#include "server/domain_arg.h"
#include "server/internal.h"

static struct server_guest *guest_by_domid(struct server *server, uint32_t domid)
{
    for (unsigned i = 0; i < server->guests_n; i++) {
        if (server->guests[i]->domid == domid) {
            return server->guests[i];
        }
    }
    return NULL;
}

/*
 * Looks among the attached guests first: the name of one that died is known nowhere else. The
 * host is asked for names that changed since.
 */
struct server_guest *server_find_guest(struct server *server, const char *domain)
{
    struct host *host = server->config.host;
    char name[64];
    uint32_t domid;

    if (domain_arg_is_domid(domain, &domid)) {
        return guest_by_domid(server, domid);
    }
    for (unsigned i = 0; i < server->guests_n; i++) {
        if (!strcmp(server->guests[i]->name, domain)) {
            return server->guests[i];
        }
    }
    if (host->ops->find(host, domain, &domid, name, sizeof(name))) {
        return NULL;
    }
    return guest_by_domid(server, domid);
}

struct server_guest *server_need_guest(struct server *server, const char *domain, char *error,
                                       size_t error_size)
{
    struct server_guest *guest = server_find_guest(server, domain);

    if (!guest) {
        server_error(error, error_size, -ENOENT, "domain '%s': has no vGPU", domain);
    }
    return guest;
}

void server_fill_info(struct server_guest *guest, struct server_vgpu_info *info)
{
    const struct host_ops *host = guest->server->config.host->ops;
    const struct gtt *gtt = vgpu_gtt(guest->vgpu);

    memset(info, 0, sizeof(*info));
    info->domid = guest->domid;
    info->id = guest->slot + 1;
    memcpy(info->name, guest->name, sizeof(info->name));
    info->paused = vgpu_paused(guest->vgpu);
    info->failsafe = vgpu_failsafe(guest->vgpu);
    info->type = guest->type;
    info->mappable = guest->windows.mappable;
    info->unmappable = guest->windows.unmappable;
    host->guest_stats(guest->host, &info->host);
    vgpu_get_stats(guest->vgpu, &info->vgpu);
    gtt_get_stats(gtt, &info->gtt);
    gtt_get_gpu_stats(gtt, &info->gpu);
    xengt_space_get_stats(guest->space, &info->space);
}

int server_info(struct server *server, const char *domain, struct server_vgpu_info *info,
                char *error, size_t error_size)
{
    struct server_guest *guest = server_need_guest(server, domain, error, error_size);

    if (!guest) {
        return -ENOENT;
    }
    server_fill_info(guest, info);
    return 0;
}

bool server_list(struct server *server, unsigned i, struct server_vgpu_info *info)
{
    if (i >= server->guests_n) {
        return false;
    }
    server_fill_info(server->guests[i], info);
    return true;
}

int server_pause(struct server *server, const char *domain, bool paused, char *error,
                 size_t error_size)
{
    struct server_guest *guest = server_need_guest(server, domain, error, error_size);

    if (!guest) {
        return -ENOENT;
    }
    vgpu_pause(guest->vgpu, paused);
    server_kick(server); /* a resumed vGPU may have work waiting */
    return 0;
}

int server_verify(struct server *server, const char *domain, char *error, size_t error_size)
{
    struct server_guest *guest = server_need_guest(server, domain, error, error_size);

    if (!guest) {
        return -ENOENT;
    }
    if (error_size) {
        error[0] = '\0';
    }
    return (int)gtt_verify(vgpu_gtt(guest->vgpu), error, error_size);
}

int server_mappings(struct server *server, const char *domain,
                    void (*fn)(void *arg, const struct server_mapping *m), void *arg, char *error,
                    size_t error_size)
{
    struct server_guest *guest = server_need_guest(server, domain, error, error_size);
    struct server_mapping m = {0};
    uint32_t index = 0;

    if (!guest) {
        return -ENOENT;
    }
    while (gtt_next_mapping(vgpu_gtt(guest->vgpu), &index, &m.gfn, &m.bfn)) {
        m.index = index++;
        fn(arg, &m);
    }
    return 0;
}
