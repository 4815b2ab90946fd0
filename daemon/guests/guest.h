/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the guests share; for nobody else. */
#ifndef XENGT_GUESTS_GUEST_H
#define XENGT_GUESTS_GUEST_H

#include "guests/guests.h"
#include "guests/windows.h"
#include "vgpu/pci.h"

/* One attached guest: everything its vGPU consists of. */
struct guest {
    struct guests *guests;
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

/* When the guests has something to do, and whether it has. */
struct guests_turns {
    struct event *timer;   /* NULL without an event base */
    unsigned budget;       /* for one call of the GPU's run() */
    uint64_t settle_at_ms; /* 0: no guest has recorded anything lately */
    uint64_t expire_at_ms; /* 0: nothing is kept for later */
};

struct guests {
    struct guests_config config;
    struct windows_gpu gpu; /* what there is to share */
    struct vgpu_types types;
    const struct vgpu_type *preset;

    /* In the order they came; the first `attached_n` are valid. */
    struct guest *attached[GUESTS_VGPUS_MAX];
    unsigned attached_n;

    struct guests_turns turns;
};

/* By name or decimal domid; NULL: not attached. */
struct guest *guests_find(struct guests *guests, const char *domain);

/* As guests_find(), but describes in error that there is none. */
struct guest *guests_need(struct guests *guests, const char *domain, char *error,
                          size_t error_size);

/* What the guest does; arg is its struct guest. */
extern const struct host_guest_ops guest_ops;

/* The PCI function as firmware would leave it. */
void guest_init_pci(struct guest *guest);

/* Tells the host where the BARs are. */
int guest_claim_bars(struct guest *guest);

/* RAM where the guest's GTT is, before the BARs are claimed. */
int guest_add_gtt_ram(struct guest *guest);

/* What the vGPU calls; arg is a struct guest. */
int guest_track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on);
void guest_interrupt(void *arg);

/*
 * Chooses a guest's windows and number; it is not among the guests yet. type NULL: the default.
 * -EINVAL: unknown; -ENOSPC: no room, and error says what for.
 */
int guests_place(struct guest *guest, const char *type, char *error, size_t error_size);

void guest_fill_info(struct guest *guest, struct guest_info *info);
void guest_remove(struct guest *guest);

__attribute__((format(printf, 3, 4))) void guests_log(struct guests *guests, int level,
                                                      const char *format, ...);

/* Writes one line for people: what would break the line is replaced. Returns err. */
__attribute__((format(printf, 4, 5))) int guests_error(char *error, size_t size, int err,
                                                       const char *format, ...);

int guests_turns_init(struct guests *guests);
void guests_turns_fini(struct guests *guests);

/*
 * A turn, now: a guest's requests are answered, and it may have recorded something that nothing
 * makes due. Guests that died are gone when this returns.
 */
void guests_after_requests(struct guests *guests);

/* There is something to do: a turn follows soon. */
void guests_kick(struct guests *guests);

#endif
