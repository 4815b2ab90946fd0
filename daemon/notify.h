/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notices to systemd about the daemon's own state. */
#ifndef XENGT_NOTIFY_H
#define XENGT_NOTIFY_H

#include <stdint.h>

/* Tells systemd, if it started us and wants to know: "READY=1", "STOPPING=1", … */
void notify_systemd(const char *state);

/* The options are being read again; READY=1 ends it. */
void notify_reloading(void);

/* How often systemd wants to hear WATCHDOG=1, in microseconds; 0: it does not. */
uint64_t notify_watchdog_us(void);

/* The socket that systemd listens on for us, sd_listen_fds(3): a descriptor; 0: there is none. */
int notify_listening(void);

#endif
