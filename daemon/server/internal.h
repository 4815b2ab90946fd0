/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the server share; for nobody else. */
#ifndef XENGT_SERVER_INTERNAL_H
#define XENGT_SERVER_INTERNAL_H

#include "server/server.h"
#include "server/windows.h"
#include "vgpu/pci.h"

/* One attached guest: everything its vGPU consists of. */
struct server_guest {
    struct server *server;
    uint32_t domid;
    unsigned slot; /* the vGPU's number, from 0 on */
    const struct vgpu_type *type;
    struct windows windows;
    char name[64];
    bool dead; /* the domain is gone; detached in the next turn */

    struct xengt_space *space;
    struct host_guest *host;
    struct vgpu *vgpu; /* owns the GTT */
    struct vgpu_pci pci;
    uint64_t mmio_base; /* where the registers are, or were when they were decoded last */
    void *gtt_ram;      /* the guest's GTT, when it is RAM instead of being trapped */
};

/* When the server has something to do, and whether it has. */
struct server_turns {
    struct event *timer;   /* NULL without an event base */
    unsigned budget;       /* for one call of the GPU's run() */
    uint64_t settle_at_ms; /* 0: no guest has recorded anything lately */
    uint64_t expire_at_ms; /* 0: nothing is kept for later */
};

struct server {
    struct server_config config;
    struct windows_gpu gpu; /* what there is to share */
    struct vgpu_types types;
    const struct vgpu_type *preset;

    /* In the order they came; the first `guests_n` are valid. */
    struct server_guest *guests[SERVER_VGPUS_MAX];
    unsigned guests_n;

    struct server_turns turns;
};

/* By name or decimal domid; NULL: not attached. */
struct server_guest *server_find_guest(struct server *server, const char *domain);

/* As server_find_guest(), but describes in error that there is none. */
struct server_guest *server_need_guest(struct server *server, const char *domain, char *error,
                                       size_t error_size);

/* What the guest does; arg is its struct server_guest. */
extern const struct host_guest_ops server_guest_ops;

/* The PCI function as firmware would leave it. */
void server_init_pci(struct server_guest *guest);

/* Tells the host where the BARs are. */
int server_claim_bars(struct server_guest *guest);

/* RAM where the guest's GTT is, before the BARs are claimed. */
int server_add_gtt_ram(struct server_guest *guest);

/* What the vGPU calls; arg is a struct server_guest. */
int server_track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on);
void server_interrupt(void *arg);

/*
 * Chooses a guest's windows and number; it is not among the guests yet. type NULL: the default.
 * -EINVAL: unknown; -ENOSPC: no room, and error says what for.
 */
int server_place(struct server_guest *guest, const char *type, char *error, size_t error_size);

void server_fill_info(struct server_guest *guest, struct server_vgpu_info *info);
void server_remove_guest(struct server_guest *guest);

__attribute__((format(printf, 3, 4))) void server_log(struct server *server, int level,
                                                      const char *format, ...);

/* Writes one line for people: what would break the line is replaced. Returns err. */
__attribute__((format(printf, 4, 5))) int server_error(char *error, size_t size, int err,
                                                       const char *format, ...);

int server_turns_init(struct server *server);
void server_turns_fini(struct server *server);

/*
 * A turn, now: a guest's requests are answered, and it may have recorded something that nothing
 * makes due. Guests that died are gone when this returns.
 */
void server_after_requests(struct server *server);

/* There is something to do: a turn follows soon. */
void server_kick(struct server *server);

#endif
