/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vdispl devices: what follows from their nodes. No Xen, no xenstore. */
#include "host/xen/vdispl.h"

#include <string.h>

#include "host/domain_arg.h"

/*
 * A device whose nodes have gone was taken out of its domain, or the domain is gone. One that
 * begins again is another one of the same number: what there was of the last is taken away before.
 */
static enum vdispl_step when_gone(enum vdispl_phase phase)
{
    return phase == VDISPL_GIVEN || phase == VDISPL_HELD ? VDISPL_STEP_TAKE : VDISPL_STEP_FORGET;
}

static enum vdispl_step when_asking(enum vdispl_phase phase)
{
    switch (phase) {
    case VDISPL_GIVEN:
        return VDISPL_STEP_ACCEPT;
    case VDISPL_DENIED:
        return VDISPL_STEP_DENY;
    case VDISPL_HELD:
        return VDISPL_STEP_TAKE;
    default:
        return VDISPL_STEP_GIVE;
    }
}

/* Somebody has written that xl may go on: this process or one before, which may have lost it. */
static enum vdispl_step when_there(enum vdispl_phase phase)
{
    switch (phase) {
    case VDISPL_NEW:
        return VDISPL_STEP_GIVE;
    case VDISPL_GIVEN:
        return VDISPL_STEP_ACCEPT;
    case VDISPL_DENIED:
        return VDISPL_STEP_DENY;
    default:
        return VDISPL_STEP_WAIT;
    }
}

static enum vdispl_step when_closing(enum vdispl_phase phase, const struct vdispl_nodes *nodes)
{
    bool taken = phase == VDISPL_TAKEN || phase == VDISPL_DONE || phase == VDISPL_DENIED;

    if (taken || (phase == VDISPL_NEW && !nodes->known)) {
        return nodes->state == VDISPL_CLOSING ? VDISPL_STEP_CLOSE : VDISPL_STEP_WAIT;
    }
    return VDISPL_STEP_TAKE;
}

enum vdispl_step vdispl_next(enum vdispl_phase phase, const struct vdispl_nodes *nodes)
{
    if (phase == VDISPL_ASKED || phase == VDISPL_TAKING) {
        return VDISPL_STEP_WAIT;
    }
    if (nodes->state == VDISPL_NONE) {
        return when_gone(phase);
    }
    if (nodes->state == VDISPL_INITIALISING) {
        return when_asking(phase);
    }
    if (nodes->state >= VDISPL_INIT_WAIT && nodes->state <= VDISPL_CONNECTED) {
        return when_there(phase);
    }
    return when_closing(phase, nodes);
}

/* A number that ends at a slash or at the end; the path goes on behind it. */
static bool number_at(const char **path, uint32_t max, uint32_t *number)
{
    const char *p = *path;
    uint64_t value = 0;

    if (*p < '0' || *p > '9') {
        return false;
    }
    for (; *p >= '0' && *p <= '9' && value <= max; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
    }
    if (value > max || (*p && *p != '/')) {
        return false;
    }
    *path = *p ? p + 1 : p;
    *number = (uint32_t)value;
    return true;
}

bool vdispl_of_path(const char *path, uint32_t *domid, uint32_t *number)
{
    size_t len = strlen(VDISPL_BACKENDS);

    if (strncmp(path, VDISPL_BACKENDS, len) != 0 || path[len] != '/') {
        return false;
    }
    path += len + 1;
    return number_at(&path, DOMAIN_ARG_RESERVED - 1, domid) && number_at(&path, INT32_MAX, number);
}
