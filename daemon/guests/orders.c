/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The toolstack's orders: vGPUs that domains have by their own configuration. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "guests/guest.h"
#include "text.h"

struct domain_text {
    char domid[16];
};

static struct domain_text text_of(uint32_t domid)
{
    struct domain_text text;

    snprintf(text.domid, sizeof(text.domid), "%" PRIu32, domid);
    return text;
}

/* The vGPU that there is already is the one that is asked for: given before, or by hand. */
static int check_same(const struct guest *guest, const struct host_order *order, char *error,
                      size_t error_size)
{
    if (guest->leaving || guest->dead) {
        return text_error(error, error_size, -EBUSY, "its last vGPU is being taken apart");
    }
    if (guest->ordered && guest->device != order->device) {
        return text_error(error, error_size, -EEXIST,
                          "domain '%s' (%" PRIu32 "): has a vGPU already, by its device %" PRIu32,
                          guest->name, guest->domid, guest->device);
    }
    if (!order->known && strcmp(guest->type->name, order->type) != 0) {
        return text_error(error, error_size, -EEXIST,
                          "domain '%s' (%" PRIu32 "): has a vGPU already, a %s; detach it first",
                          guest->name, guest->domid, guest->type->name);
    }
    return 0;
}

static int give(void *arg, const struct host_order *order, char *error, size_t error_size)
{
    struct guests *guests = arg;
    const struct domain_text domain = text_of(order->domid);
    struct guest *guest = guests_of_domain(guests, order->domid);
    int ret;

    if (guest) {
        ret = check_same(guest, order, error, error_size);
    } else {
        ret = guests_attach(guests, domain.domid, order->type, NULL, error, error_size);
        ret = ret == -EBUSY ? -EADDRINUSE : ret; /* that would not change */
        guest = guests_of_domain(guests, order->domid);
    }
    if (!ret && guest) {
        guest->ordered = true;
        guest->device = order->device;
    }
    return ret;
}

/* One that was attached by hand, or is another device's, is left alone. */
static void take(void *arg, const struct host_order *order)
{
    struct guests *guests = arg;
    const struct domain_text domain = text_of(order->domid);
    const struct guest *guest = guests_of_domain(guests, order->domid);
    char error[256];

    if (!guest || guest->leaving || guest->dead ||
        !(guest->ordered ? guest->device == order->device : order->known)) {
        return;
    }
    if (guests_detach(guests, domain.domid, error, sizeof(error))) {
        guests_log(guests, LOG_ERR, "%s", error);
    }
}

const struct host_order_ops guest_orders = {
    .give = give,
    .take = take,
};
