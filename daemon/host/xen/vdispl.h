/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdispl devices: the way in which xl asks for a vGPU, by "vdispl=" in a domain's configuration.
 * What is to be done next about one follows from its nodes and from what was done before.
 */
#ifndef XENGT_HOST_XEN_VDISPL_H
#define XENGT_HOST_XEN_VDISPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xenstore;

#define VDISPL_BACKENDS "backend/vdispl" /* below our own domain's path */

#define VDISPL_TYPE   32u
#define VDISPL_REASON 256u

/* A vdispl device's backend state, as far as it matters: enum xenbus_state of Xen's io/xenbus.h. */
enum vdispl_state {
    VDISPL_NONE = 0, /* there is none */
    VDISPL_INITIALISING = 1,
    VDISPL_INIT_WAIT = 2, /* what xl waits for, and we write */
    VDISPL_CONNECTED = 4,
    VDISPL_CLOSING = 5, /* xl wants it to go, and waits for */
    VDISPL_CLOSED = 6,
};

/* What there is to read of a device: all at one time, and none of it the guest's. */
struct vdispl_nodes {
    unsigned state;
    bool known;                /* a vGPU was given for it, by a predecessor perhaps */
    char type[VDISPL_TYPE];    /* the connector's unique-id, or what was given */
    char resolution[16];       /* as it was asked for; "": unknown */
    char wrong[VDISPL_REASON]; /* why it cannot be given; "": nothing speaks against it here */
};

/* What was done about it. The guests work on those that are ASKED and TAKING. */
enum vdispl_phase {
    VDISPL_NEW,
    VDISPL_ASKED,  /* the guests are asked for a vGPU */
    VDISPL_GIVEN,  /* they have given it; to be written */
    VDISPL_DENIED, /* they have not; to be written */
    VDISPL_HELD,   /* written: xl goes on */
    VDISPL_TAKING, /* the guests are asked to take it away */
    VDISPL_TAKEN,  /* they have; to be written */
    VDISPL_DONE,   /* there is none, and that is written */
};

enum vdispl_step {
    VDISPL_STEP_WAIT, /* nothing */
    VDISPL_STEP_GIVE,
    VDISPL_STEP_ACCEPT,
    VDISPL_STEP_DENY,
    VDISPL_STEP_TAKE,
    VDISPL_STEP_CLOSE,
    VDISPL_STEP_FORGET,
};

enum vdispl_step vdispl_next(enum vdispl_phase phase, const struct vdispl_nodes *nodes);

/* The device that a path is of or below of. False: of none. */
bool vdispl_of_path(const char *path, uint32_t *domid, uint32_t *number);

/*
 * The device's nodes. 0: read; others: nothing is known. The others write what became of it, unless
 * xl has changed its mind meanwhile; they return 1 then.
 */
int vdispl_read(struct xenstore *xenstore, uint32_t domid, uint32_t number,
                struct vdispl_nodes *nodes);
int vdispl_accept(struct xenstore *xenstore, uint32_t domid, uint32_t number, const char *type);
int vdispl_deny(struct xenstore *xenstore, uint32_t domid, uint32_t number, const char *reason);
int vdispl_close(struct xenstore *xenstore, uint32_t domid, uint32_t number);

/* The domain is gone: so are its nodes, unless one has a state yet. */
void vdispl_tidy(struct xenstore *xenstore, uint32_t domid);

#endif
