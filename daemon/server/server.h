/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The server: which guests have a vGPU, and the one GPU they share. Attaching puts a domain on
 * the target list, opens its space, makes GTT and vGPU, and takes the guest's accesses;
 * detaching undoes it in the reverse order, which is the order that is safe.
 */
#ifndef XENGT_SERVER_SERVER_H
#define XENGT_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/space.h>

#include "gpu/gpu.h"
#include "server/host.h"
#include "server/types.h"
#include "vgpu/vgpu.h"

struct server;
struct event_base;

#define SERVER_VGPUS_MAX 16u

typedef void server_log_fn(void *arg, int level, const char *line);

/* How guests' stores into their page tables are noticed. All but the first are for comparison. */
enum server_gtt_mode {
    SERVER_GTT_SYNC,      /* compared at a submission, trapped while they are rare */
    SERVER_GTT_TRAP,      /* always trapped */
    SERVER_GTT_TRAP_EACH, /* and each entry is mapped, and its page unmapped, by itself */
};

/* All pointers stay the caller's and outlive the server. */
struct server_config {
    struct event_base *base; /* NULL: no event loop; the caller drives server_turn() */
    struct xengt *xengt;
    struct gpu *gpu;
    struct host *host;
    uint64_t mmio_base; /* where guests find GTTMMADR, guest physical; the aperture is below */
    bool lazy_ggtt;     /* the guest's GTT is RAM, compared at each commit, not trapped */
    enum server_gtt_mode gtt_mode;
    uint32_t track_after;    /* as gtt_config's */
    const char *type;        /* of vGPUs that are attached without one; NULL: custom */
    uint32_t mappable_pages; /* of a custom one: the size of its windows */
    uint32_t unmappable_pages;
    struct xengt_space_options space;
    server_log_fn *log;
    void *log_arg;
};

/* Everything there is to say about one attached guest. */
struct server_vgpu_info {
    uint32_t domid;
    uint32_t id; /* of the vGPU */
    char name[64];
    const struct vgpu_type *type; /* the server's */
    bool paused;
    const char *failsafe; /* NULL, or why; valid until the next call */
    struct gpu_range mappable;
    struct gpu_range unmappable;
    struct host_guest_stats host;
    struct vgpu_stats vgpu;
    struct gtt_stats gtt;
    struct gpu_stats gpu;
    struct xengt_space_stats space;
};

/*
 * -ENOENT: there is no such type to attach by default; -ENOSPC: not even one of it fits; -ENOMEM.
 */
int server_create(const struct server_config *config, struct server **out);
void server_destroy(struct server *server); /* detaches every guest */

/*
 * domain is a name or a decimal domid in each of these. On failure error gets one line that
 * names the domain and what is wrong with it.
 */
/* type: its name; NULL: the default. */
int server_attach(struct server *server, const char *domain, const char *type,
                  struct server_vgpu_info *info, char *error, size_t error_size);
int server_detach(struct server *server, const char *domain, char *error, size_t error_size);
int server_pause(struct server *server, const char *domain, bool paused, char *error,
                 size_t error_size);
int server_info(struct server *server, const char *domain, struct server_vgpu_info *info,
                char *error, size_t error_size);

/* 0 or more violations of the GTT's rules; negative: no such guest. */
int server_verify(struct server *server, const char *domain, char *error, size_t error_size);

/* The attached guests in the order they came; false when there is no i-th. */
bool server_list(struct server *server, unsigned i, struct server_vgpu_info *info);

/* A type, and how many more of it there is room for now. */
struct server_type_info {
    const struct vgpu_type *type; /* the server's */
    unsigned available;
    bool preset; /* it is the one to attach by default */
};
bool server_type(struct server *server, unsigned i, struct server_type_info *info);

struct server_mapping {
    uint32_t index; /* GTT entry */
    uint64_t gfn;
    uint64_t bfn;
};
/* Calls fn for each mapped entry of a guest's GTT. */
int server_mappings(struct server *server, const char *domain,
                    void (*fn)(void *arg, const struct server_mapping *m), void *arg, char *error,
                    size_t error_size);

/*
 * One turn: the GPU works for its budget, expired mappings are released, dead guests are
 * detached. True: there is more to do. With an event base the server calls this by itself.
 */
bool server_turn(struct server *server);

struct xengt *server_xengt(struct server *server);
struct gpu *server_gpu(struct server *server);

#endif
