/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstore as the event loop has it: known names, and orders of xl's, kept current by a thread of
 * its own. xenstored may be slow, hang or end: nothing here waits for it. No guest can make this
 * long: what is watched only the toolstack writes.
 */
#ifndef XENGT_HOST_XEN_STORE_H
#define XENGT_HOST_XEN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"
#include "text.h"

struct store;
struct event_base;

struct store_config {
    struct event_base *base;
    bool vdispl;                 /* xl's vdispl devices are orders */
    void (*released)(void *arg); /* some domain shut down or went; from the event loop */
    void *arg;
    text_log_fn *log; /* may be NULL */
    void *log_arg;
};

/* Without a xenstored it opens, too, and says so; what there is to know comes when there is one. */
int store_open(const struct store_config *config, struct store **out);
void store_close(struct store *store); /* NULL is allowed */

/* Who hears of orders from now on; NULL: nobody, and they wait. */
void store_listen(struct store *store, const struct host_order_ops *ops, void *arg);

/*
 * The first domain of that name, of those from one on. -ENOENT: none has it. Where that is not
 * certain, as xenstored does not answer or has not answered all at the beginning: -ETIMEDOUT,
 * -EAGAIN.
 */
int store_find(struct store *store, const char *name, uint32_t from, uint32_t *domid);

/* "": it has none that is known. */
void store_name(struct store *store, uint32_t domid, char *name, size_t size);

/* Says so when xenstored does not answer, or does again. To be called about once a second. */
void store_check(struct store *store);

#endif
