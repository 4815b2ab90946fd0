/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's own prison: what it may still do once everything is open. */
#ifndef XENGT_CONFINE_H
#define XENGT_CONFINE_H

#include <stddef.h>

/*
 * From now on the process cannot start programs, load anything into the kernel, look into other
 * processes, mount, or get back what it gave up; a system call that is not on the list gives
 * -EPERM. Of root's capabilities it keeps that of changing a file's owner, for the control socket.
 * It keeps what it opened, and with that all power over guests that Xen gives dom0: this is no
 * protection of guests from xengtd, but of dom0 from a guest that has got hold of it by mistake of
 * xengtd's. A negative errno value: error gets one line.
 */
int confine(char *error, size_t error_size);

#endif
