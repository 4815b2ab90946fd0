/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Claims: what may have one owner on this host. A window, a guest's grant table and the one pin
 * that some Xens have for each page are nobody's directory, so the lock on them is not in one: it
 * is a range of bytes of /dev/xen/privcmd, which is there for every process alike, cannot be
 * removed, and of which windows that overlap are ranges that overlap. The kernel drops it with
 * the process, however that ends, and with the last of those that it has forked.
 */
#ifndef XENGT_LIB_HV_XEN_CLAIM_H
#define XENGT_LIB_HV_XEN_CLAIM_H

#include <stdint.h>

/* Frames of a window stand for themselves; these lie above all of them. */
#define CLAIM_GRANT_TABLE(domid) ((UINT64_C(1) << 61) + (domid))
#define CLAIM_PINS               ((UINT64_C(1) << 61) + (UINT64_C(1) << 32))

/* Opens the file that the locks are on: a descriptor, or a negative errno value. */
int claim_open(const char *path);
void claim_close(int fd); /* gives up all of them; negative is allowed */

/* -EBUSY: another handle has some of it, in this process or another. */
int claim_take(int fd, uint64_t first, uint64_t n);
void claim_drop(int fd, uint64_t first, uint64_t n);

#endif
