/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The turns: what the daemon does between the guests' requests, in portions. */
#ifndef XENGT_GUESTS_TURNS_H
#define XENGT_GUESTS_TURNS_H

struct guests;

/* -ENOMEM */
int turns_init(struct guests *guests);
void turns_fini(struct guests *guests);

#endif
