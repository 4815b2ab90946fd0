/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest: everything that its vGPU consists of, and how it is built and undone. For the files of
 * this folder.
 */
#ifndef XENGT_GUESTS_GUEST_H
#define XENGT_GUESTS_GUEST_H

#include "guests/guests.h"
#include "guests/keep.h"
#include "guests/share.h"
#include "guests/wake.h"
#include "guests/windows.h"
#include "vgpu/budget.h"

/* What all guests together may use up in a round of the event loop, in units of vgpu_work(): some
 * 800 us. */
#define GUESTS_ROUND_UNITS 8192u

/* One attached guest: everything its vGPU consists of. */
struct guest {
    struct guests *guests;
    uint32_t domid;
    unsigned slot; /* the vGPU's number, from 0 on */
    const struct vgpu_type *type;
    uint32_t weight;
    struct windows windows;
    struct share share;
    char name[64];
    bool ordered; /* by the domain's configuration: by that device of it */
    uint32_t device;
    bool dead;    /* the domain is gone; it leaves in the next turn */
    bool leaving; /* nobody hears of it or from it any more: it is being taken apart */

    struct xengt_space *space;
    struct host_guest *host;
    struct keep keep; /* outlives the vGPU */
    bool take_up;     /* what is kept is of a vGPU that an xengtd before had */
    bool lazy_ggtt;
    struct vgpu *vgpu;
    uint64_t mmio_base; /* where the registers were put; 0: nowhere yet */
    unsigned served;    /* how often, up to some number */

    bool failed;            /* it was in failsafe when somebody looked last */
    struct budget failures; /* that others hear of */

    uint64_t settle_at_ms; /* 0: it has recorded nothing lately */
    bool asks;             /* the host has a request of it that is not answered yet */
    bool awake;            /* else turns pass it by: there is nothing to do for it */
};

/* When there is something to do for the guests, and how long it may take. */
struct turns {
    struct wake wake;
    uint64_t round;        /* of the event loop */
    uint64_t expire_at_ms; /* 0: nothing is kept for later */
    uint64_t settle_at_ms; /* none of the guests before that; 0: none at all */
    int64_t left_ns;       /* of the GPU's time in it */
    bool more;             /* guests have more to do than fitted into it */
};

struct events {
    struct guests_event kept[GUESTS_EVENTS_KEPT]; /* by number */
    uint64_t count;
    void (*fn)(void *arg);
    void *arg;
};

struct guests {
    struct guests_config config;
    struct events events;
    struct windows_gpu gpu; /* what there is to share */
    struct vgpu_types types;
    const struct vgpu_type *preset;

    /* In the order they came; the first `attached_n` are valid. */
    struct guest *attached[GUESTS_VGPUS_MAX];
    unsigned attached_n;
    struct guest *awake[GUESTS_VGPUS_MAX]; /* of these, in no order */
    unsigned awake_n;

    struct guest *served; /* whose bytes are being looked at; NULL: nobody's */
    struct turns turns;
};

/* Adds a guest that has its place, and builds it. When that fails it is gone, and freed. */
int guests_admit(struct guests *guests, struct guest *guest, char *error, size_t error_size);

/* What is done from now on is done for this guest. NULL: for none of them. */
void guests_serve(struct guests *guests, struct guest *guest);

/*
 * An attached guest by name or decimal domid. -ENOENT, -ENOTUNIQ: more than one has this name; and
 * error describes it.
 */
int guests_find(struct guests *guests, const char *domain, struct guest **out, char *error,
                size_t error_size);

/* Says that a name is more than one domain's. -ENOTUNIQ */
int guests_twins(const char *domain, const char *domids, char *error, size_t error_size);

/* The one that is attached, or was last and is being taken apart. */
struct guest *guests_of_domain(struct guests *guests, uint32_t domid);

/* What the guest does; arg is its struct guest. */
extern const struct host_guest_ops guest_ops;

/* The toolstack's orders; arg is the guests. */
extern const struct host_order_ops guest_orders;

/* What its vGPU asks; arg is its struct guest. */
extern const struct vgpu_machine guest_machine;

/*
 * Chooses a guest's windows and number; it is not among the guests yet. type NULL: the default.
 * -EINVAL: unknown; -ENOSPC: no room, and error says what for.
 */
int guests_place(struct guest *guest, const char *type, char *error, size_t error_size);

/* The place that it had. -EINVAL, -EBUSY: it is not to be had any more, and error says why. */
int guests_place_again(struct guest *guest, const char *type, const struct windows *windows,
                       uint32_t slot, char *error, size_t error_size);

void guest_fill_info(struct guest *guest, struct guest_info *info);

/*
 * The steps of an attach. What was done when one fails stays recorded in the guest, and
 * guest_remove() undoes exactly that.
 */
int guest_build(struct guest *guest, char *error, size_t error_size);

/*
 * The end of a guest, in the reverse order of the attach: its vGPU stops, no access comes in any
 * more, the GPU loses the pages (entries to scratch, TLB), then Xen's references go, then the
 * permission. What it has mapped may be much, so that it is done in portions: guest_leave() begins,
 * guest_go_on_leaving() works for about so many units and returns whether the guest is gone, freed.
 * guest_remove() is all of it, also of one that was built in part only.
 */
void guest_leave(struct guest *guest);
void guest_hand_over(struct guest *guest); /* leaves it to the next xengtd, at once */
bool guest_go_on_leaving(struct guest *guest, uint32_t units);
void guest_remove(struct guest *guest);

__attribute__((format(printf, 3, 4))) void guests_log(struct guests *guests, int level,
                                                      const char *format, ...);

/* An event; reason may be NULL. And the one that its vGPU is in failsafe, if that is news. */
void guest_note(struct guest *guest, enum guests_event_kind kind, const char *reason);
void guest_note_failsafe(struct guest *guest);

/*
 * Something is done to the guest, or it makes a request: turns look at it until there is nothing
 * left to do. All of them: when their parts of a round change.
 */
void guest_wake(struct guest *guest);
void guest_sleep(struct guest *guest);
void guests_wake_all(struct guests *guests);

/* Then what it has recorded is committed, if it has not been before. */
void guest_settle_at(struct guest *guest, uint64_t ms);

/*
 * The guest's requests are answered, and it may have recorded something that nothing makes due.
 * Takes a turn, now: guests that died are gone when this returns.
 */
void guest_has_asked(struct guest *guest);

#endif
