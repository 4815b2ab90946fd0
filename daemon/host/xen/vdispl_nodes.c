/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdispl devices' nodes in xenstore, read and written. The backend's are this domain's; the
 * frontend's folder is the guest's, which can remove in it what xl has put there and put something
 * else there, but not as xl's: of it only what the guest may not write is read.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/domain_arg.h"
#include "host/xen/vdispl.h"
#include "host/xen/xenstore.h"
#include "text.h"

/* Somebody else may change in between what a transaction is about: as often as this. */
#define TRIES 10u

struct device {
    struct xenstore *xenstore;
    uint32_t domid;
    uint32_t number;
};

/* --- single nodes ------------------------------------------------------------------------ */

static const char *back(const struct device *device, const char *node, char path[XENSTORE_PATH])
{
    snprintf(path, XENSTORE_PATH, VDISPL_BACKENDS "/%" PRIu32 "/%" PRIu32 "/%s", device->domid,
             device->number, node);
    return path;
}

static const char *front(const struct device *device, const char *node, char path[XENSTORE_PATH])
{
    snprintf(path, XENSTORE_PATH, "/local/domain/%" PRIu32 "/device/vdispl/%" PRIu32 "%s%s",
             device->domid, device->number, *node ? "/" : "", node);
    return path;
}

static int write_back(const struct device *device, const char *node, const char *value)
{
    char path[XENSTORE_PATH];

    return xenstore_write(device->xenstore, back(device, node, path), value);
}

static int read_state(const struct device *device, unsigned *state)
{
    char path[XENSTORE_PATH], value[16];
    int ret = xenstore_read(device->xenstore, back(device, "state", path), value, sizeof(value));

    *state = VDISPL_NONE;
    if (!ret) {
        *state = (unsigned)strtoul(value, NULL, 10);
    }
    return ret == -ENOENT || ret == -E2BIG ? 0 : ret;
}

/* A node of the frontend that the guest cannot have written. -EPERM: it can. */
static int read_front(const struct device *device, const char *node, char *value, size_t size)
{
    char path[XENSTORE_PATH];
    bool writable;
    int ret = xenstore_is_writable_by(device->xenstore, front(device, node, path), device->domid,
                                      &writable);

    if (ret || writable) {
        return ret ? ret : -EPERM;
    }
    return xenstore_read(device->xenstore, path, value, size);
}

/* --- all of them ------------------------------------------------------------------------- */

static bool is_word(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!isgraph((unsigned char)*p)) {
            return false;
        }
    }
    return *text;
}

/* The nodes of the backend say of whom it is. */
static int check_frontend(const struct device *device, struct vdispl_nodes *nodes)
{
    char path[XENSTORE_PATH], value[XENSTORE_PATH], domid[16];
    int ret =
        xenstore_read(device->xenstore, back(device, "frontend-id", path), value, sizeof(value));

    snprintf(domid, sizeof(domid), "%" PRIu32, device->domid);
    bool same = !strcmp(value, domid);
    if (!ret || ret == -ENOENT || ret == -E2BIG) {
        ret = xenstore_read(device->xenstore, back(device, "frontend", path), value, sizeof(value));
        same &= !strcmp(value, front(device, "", path));
    }
    if (!same) {
        text_line(nodes->wrong, sizeof(nodes->wrong), "its nodes are not of domain %" PRIu32,
                  device->domid);
    }
    return ret == -ENOENT || ret == -E2BIG ? 0 : ret;
}

static int read_connector(const struct device *device, struct vdispl_nodes *nodes)
{
    char other[2];
    int ret = read_front(device, "0/unique-id", nodes->type, sizeof(nodes->type));

    if (ret == -ENOENT) {
        text_line(nodes->wrong, sizeof(nodes->wrong),
                  "it has no connector; say \"connectors=TYPE:1920x1080\"");
        return 0;
    }
    if (ret == -EPERM) {
        text_line(nodes->wrong, sizeof(nodes->wrong), "its connector is the guest's own doing");
        return 0;
    }
    if (ret == -E2BIG || (!ret && !is_word(nodes->type))) {
        text_line(nodes->wrong, sizeof(nodes->wrong), "its connector is no name of a type");
        return 0;
    }
    if (ret) {
        return ret;
    }
    ret = read_front(device, "1/unique-id", other, sizeof(other));
    if (!ret || ret == -E2BIG) {
        text_line(nodes->wrong, sizeof(nodes->wrong),
                  "it has more than one connector; each stands for a vGPU, and a domain has one");
        return 0;
    }
    if (ret != -ENOENT && ret != -EPERM) {
        return ret;
    }
    ret = read_front(device, "0/resolution", nodes->resolution, sizeof(nodes->resolution));
    return ret == -ENOENT || ret == -EPERM || ret == -E2BIG ? 0 : ret;
}

static int read_nodes(const struct device *device, struct vdispl_nodes *nodes)
{
    char path[XENSTORE_PATH];

    memset(nodes, 0, sizeof(*nodes));
    int ret = read_state(device, &nodes->state);
    if (ret || nodes->state == VDISPL_NONE) {
        return ret;
    }
    ret = xenstore_read(device->xenstore, back(device, "xengt/type", path), nodes->type,
                        sizeof(nodes->type));
    nodes->known = !ret;
    if (!ret || (ret != -ENOENT && ret != -E2BIG)) {
        return ret;
    }
    ret = check_frontend(device, nodes);
    return ret || nodes->wrong[0] ? ret : read_connector(device, nodes);
}

int vdispl_read(struct xenstore *xenstore, uint32_t domid, uint32_t number,
                struct vdispl_nodes *nodes)
{
    const struct device device = {xenstore, domid, number};
    int ret = -EAGAIN;

    for (unsigned i = 0; i < TRIES && ret == -EAGAIN; i++) {
        ret = xenstore_begin(xenstore);
        if (ret) {
            return ret;
        }
        ret = read_nodes(&device, nodes);
        int end = xenstore_end(xenstore, !ret);
        ret = ret ? ret : end;
    }
    if (ret == -EAGAIN) {
        /* The backend's nodes are as they were read: it is the frontend's that keep changing. */
        text_line(nodes->wrong, sizeof(nodes->wrong), "its nodes do not keep still");
        ret = 0;
    }
    return ret;
}

/* --- what became of it ------------------------------------------------------------------- */

/* In one transaction: fn writes what follows from the state that there is. 1: nothing does. */
static int write_nodes(const struct device *device,
                       int (*fn)(const struct device *device, unsigned state, const char *text),
                       const char *text)
{
    int ret = -EAGAIN;

    for (unsigned i = 0; i < TRIES && ret == -EAGAIN; i++) {
        unsigned state;

        ret = xenstore_begin(device->xenstore);
        if (ret) {
            return ret;
        }
        ret = read_state(device, &state);
        ret = ret ? ret : fn(device, state, text);
        int end = xenstore_end(device->xenstore, !ret);
        ret = ret ? ret : end;
    }
    return ret;
}

static int write_accepted(const struct device *device, unsigned state, const char *type)
{
    if (state < VDISPL_INITIALISING || state > VDISPL_CONNECTED) {
        return 1;
    }
    int ret = write_back(device, "xengt/type", type);
    if (!ret && state == VDISPL_INITIALISING) {
        ret = write_back(device, "state", "2");
    }
    return ret;
}

/*
 * The guest is to see a PCI device, no display: a frontend that is closed already when its kernel
 * looks is left alone by it. The guest runs already when the device is attached later; then its
 * driver may be faster, and waits for a backend that never connects.
 */
static int close_front(const struct device *device)
{
    char path[XENSTORE_PATH], state[2];
    int ret = xenstore_read(device->xenstore, front(device, "state", path), state, sizeof(state));

    if (ret || strcmp(state, "1") != 0) {
        return ret == -ENOENT || ret == -E2BIG ? 0 : ret;
    }
    return xenstore_write(device->xenstore, path, "6");
}

int vdispl_accept(struct xenstore *xenstore, uint32_t domid, uint32_t number, const char *type)
{
    const struct device device = {xenstore, domid, number};
    int ret = close_front(&device);

    return ret ? ret : write_nodes(&device, write_accepted, type);
}

/* Without the node xl need not wait until its patience is at an end. */
static int write_denied(const struct device *device, unsigned state, const char *reason)
{
    char path[XENSTORE_PATH];

    if (state < VDISPL_INITIALISING || state > VDISPL_CONNECTED) {
        return 1;
    }
    int ret = write_back(device, "xengt/error", reason);
    if (!ret && state == VDISPL_INITIALISING) {
        ret = xenstore_remove(device->xenstore, back(device, "state", path));
    }
    return ret;
}

int vdispl_deny(struct xenstore *xenstore, uint32_t domid, uint32_t number, const char *reason)
{
    const struct device device = {xenstore, domid, number};

    return write_nodes(&device, write_denied, reason);
}

static int write_closed(const struct device *device, unsigned state, const char *text)
{
    char path[XENSTORE_PATH];

    (void)text;
    if (state != VDISPL_CLOSING) {
        return 1;
    }
    int ret = xenstore_remove(device->xenstore, back(device, "xengt", path));
    if (ret == -ENOENT || !ret) {
        ret = write_back(device, "state", "6");
    }
    return ret;
}

/* xl leaves what was denied where it is. */
void vdispl_tidy(struct xenstore *xenstore, uint32_t domid)
{
    struct device device = {xenstore, domid, 0};
    char path[XENSTORE_PATH];
    char **entries;
    unsigned n, state = VDISPL_NONE;

    snprintf(path, sizeof(path), VDISPL_BACKENDS "/%" PRIu32, domid);
    int ret = xenstore_list(xenstore, path, &entries, &n);
    for (unsigned i = 0; i < n && !ret && state == VDISPL_NONE; i++) {
        if (domain_arg_is_domid(entries[i], &device.number)) {
            ret = read_state(&device, &state);
        }
    }
    free(entries);
    if (!ret && state == VDISPL_NONE) {
        xenstore_remove(xenstore, path);
    }
}

int vdispl_close(struct xenstore *xenstore, uint32_t domid, uint32_t number)
{
    const struct device device = {xenstore, domid, number};

    return write_nodes(&device, write_closed, NULL);
}
