/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guests: which guests have a vGPU, and the one GPU they share. Attaching puts a domain on
 * the target list, opens its space, makes GTT and vGPU, and takes the guest's accesses;
 * detaching undoes it in the reverse order, which is the order that is safe.
 */
#ifndef XENGT_GUESTS_GUESTS_H
#define XENGT_GUESTS_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/space.h>
#include <xengt/xengt.h>

#include "gpu/gpu.h"
#include "guests/rules.h"
#include "guests/types.h"
#include "host/host.h"
#include "text.h"
#include "vgpu/vgpu.h"

struct guests;
struct event_base;

#define GUESTS_VGPUS_MAX 16u

/* How guests' stores into their page tables are noticed. All but the first are for comparison. */
enum guests_gtt_mode {
    GUESTS_GTT_SYNC,      /* compared at a submission, trapped while they are rare */
    GUESTS_GTT_TRAP,      /* always trapped */
    GUESTS_GTT_TRAP_EACH, /* and each entry is mapped, and its page unmapped, by itself */
};

/* All pointers stay the caller's and outlive the guests. */
struct guests_config {
    struct event_base *base; /* NULL: no event loop; the caller drives guests_turn() */
    struct xengt *xengt;
    struct gpu *gpu;
    struct host *host;
    uint64_t mmio_base;    /* where guests find GTTMMADR, guest physical; the aperture is below */
    const char *state_dir; /* where what outlives the process is kept; NULL: nothing does */
    bool lazy_ggtt;        /* the guest's GTT is RAM, compared at each commit, not trapped */
    enum guests_gtt_mode gtt_mode;
    uint64_t gpu_budget;     /* of a turn, by the GPU's clock; 0: a millisecond */
    uint32_t track_after;    /* as gtt_config's */
    const char *type;        /* of vGPUs that are attached without one; NULL: custom */
    uint32_t mappable_pages; /* of a custom one: the size of its windows */
    uint32_t unmappable_pages;
    const struct rules *rules; /* NULL: none */
    struct xengt_space_options space;
    text_log_fn *log;
    void *log_arg;
};

/* Everything there is to say about one attached guest. */
struct guest_info {
    uint32_t domid;
    uint32_t id; /* of the vGPU */
    char name[64];
    const struct vgpu_type *type; /* the guests's */
    uint32_t weight;
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
 * -ENOENT: there is no such type to attach by default; -ENOSPC: not even one of it fits; -E2BIG:
 * there are more types than VGPU_TYPES_MAX; -ENOMEM.
 */
int guests_create(const struct guests_config *config, struct guests **out);

/*
 * From now on the types, the default, the quota and the rules are as config says; the rest of it is
 * not looked at. Guests that have a vGPU keep it as it is, and types that are gone stay while the
 * process does. As guests_create(); nothing has changed when it fails.
 */
int guests_configure(struct guests *guests, const struct guests_config *config);

void guests_destroy(struct guests *guests); /* detaches every guest */

/*
 * The guests that an xengtd before had in this state directory have their vGPUs again, as they left
 * them, and what waits for an answer gets one. One whose vGPU cannot be gone on with gets another,
 * which is in failsafe and says why. To be called before any other is attached.
 */
void guests_take_up(struct guests *guests);

/*
 * The end of an orderly xengtd whose guests the next one will have. guests_hold() is called in
 * turns until it returns true, or for as long as it may take: the GPU gets no new work, and
 * requests are answered. After guests_hand_over() nothing is mapped, what the guests ask waits, and
 * the guests are destroyed.
 */
bool guests_hold(struct guests *guests);
void guests_hand_over(struct guests *guests);

/*
 * domain is a name or a decimal domid in each of these. On failure error gets one line that
 * names the domain and what is wrong with it.
 */
/* type: its name; NULL: the default. */
int guests_attach(struct guests *guests, const char *domain, const char *type,
                  struct guest_info *info, char *error, size_t error_size);
/* From now on the guest has no vGPU; that the last of its pages is let go of may take some turns.
 */
int guests_detach(struct guests *guests, const char *domain, char *error, size_t error_size);
int guests_pause(struct guests *guests, const char *domain, bool paused, char *error,
                 size_t error_size);
int guests_info(struct guests *guests, const char *domain, struct guest_info *info, char *error,
                size_t error_size);

/* 0 or more violations of the GTT's rules; negative: no such guest. */
int guests_verify(struct guests *guests, const char *domain, char *error, size_t error_size);

/* The same a portion at a time. -EAGAIN: to be called again, in a later turn. */
int guests_verify_some(struct guests *guests, const char *domain, char *error, size_t error_size);

/* The attached guests in the order they came; false when there is no i-th. */
bool guests_list(struct guests *guests, unsigned i, struct guest_info *info);

/* A type, and how many more of it there is room for now. */
struct guests_type_info {
    const struct vgpu_type *type; /* the guests's */
    unsigned available;
    bool preset; /* it is the one to attach by default */
};
bool guests_type(struct guests *guests, unsigned i, struct guests_type_info *info);

struct guests_mapping {
    uint32_t index; /* GTT entry */
    uint64_t gfn;
    uint64_t bfn;
};
typedef void guests_mapping_fn(void *arg, const struct guests_mapping *m);

/* Calls fn for each mapped entry of a guest's GTT. */
int guests_mappings(struct guests *guests, const char *domain, guests_mapping_fn *fn, void *arg,
                    char *error, size_t error_size);

/* The same of so many from an entry on. 1: there are more, and *next is the first of them. */
int guests_mappings_some(struct guests *guests, const char *domain, uint32_t *next, unsigned max,
                         guests_mapping_fn *fn, void *arg, char *error, size_t error_size);

/* What became of a guest. */
enum guests_event_kind {
    GUESTS_EVENT_ATTACHED,
    GUESTS_EVENT_DETACHED,
    GUESTS_EVENT_DIED,
    GUESTS_EVENT_FAILSAFE,
    GUESTS_EVENT_PAUSED,
    GUESTS_EVENT_RESUMED,
    GUESTS_EVENT_TAKEN_UP, /* from an xengtd before */
};

struct guests_event {
    uint64_t number; /* from 1 on, in the order they came */
    uint64_t unix_ms;
    enum guests_event_kind kind;
    uint32_t domid;
    uint32_t id; /* of the vGPU */
    char name[64];
    char type[32];
    char reason[160]; /* of a failsafe; else empty */
};

/* The last so many are kept. False: this one is not, or it has not come yet. */
#define GUESTS_EVENTS_KEPT 64u
bool guests_event(const struct guests *guests, uint64_t number, struct guests_event *event);
uint64_t guests_last_event(const struct guests *guests); /* its number; 0: none has come */

/* Called whenever one comes, also in the middle of things: it calls nothing here. fn may be NULL.
 */
void guests_on_event(struct guests *guests, void (*fn)(void *arg), void *arg);

/*
 * One turn: the GPU works for its budget, expired mappings are released, dead guests are
 * detached. True: there is more to do. With an event base the guests calls this by itself.
 */
bool guests_turn(struct guests *guests);

/* What all guests share. */
struct guests_shared {
    const struct xengt_caps *backend;
    struct xengt_stats library;
    struct gpu_stats gpu;
};
void guests_shared(struct guests *guests, struct guests_shared *shared);

#endif
