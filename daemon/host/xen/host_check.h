/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The check of the machine: what ioreq servers need of it. */
#ifndef XENGT_HOST_XEN_HOST_CHECK_H
#define XENGT_HOST_XEN_HOST_CHECK_H

#include <stddef.h>

/*
 * Is this a machine that ioreq servers can be had on? 0, or a negative errno value and one line
 * that names what is missing and the remedy.
 */
int host_check(char *error, size_t error_size);

#endif
