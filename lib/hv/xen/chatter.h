/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chatter: what Xen's own libraries say, which else goes to standard error. It is handed to the
 * program's log as information and no more: of what they call an error much is an answer that was
 * to be expected, and the rest this library says itself.
 */
#ifndef XENGT_LIB_HV_XEN_CHATTER_H
#define XENGT_LIB_HV_XEN_CHATTER_H

#include <xentoollog.h>

#include <xengt/xengt.h>

/* NULL: no memory. log NULL: silent. */
struct xentoollog_logger *chatter_new(xengt_log_fn *log, void *arg);
void chatter_free(struct xentoollog_logger *logger); /* NULL is allowed */

#endif
