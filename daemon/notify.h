/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notices to systemd about the daemon's own state. */
#ifndef XENGT_NOTIFY_H
#define XENGT_NOTIFY_H

/* Tells systemd, if it started us and wants to know: "READY=1", "STOPPING=1", … */
void notify_systemd(const char *state);

#endif
