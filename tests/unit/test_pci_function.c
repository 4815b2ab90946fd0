/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The choice of a PCI function among those of a device model. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "support/test.h"

#include "host/xen/pci_function.h"

#define WANTED 0x10u

struct others {
    bool has[256];
    int error;
    unsigned asked;
};

static int taken(void *arg, uint8_t devfn)
{
    struct others *others = arg;

    others->asked++;
    return others->error ? others->error : others->has[devfn];
}

PLAIN_TEST(the_wanted_function_is_had_when_it_is_free)
{
    struct others others = {.has = {[0x00] = true, [0x08] = true, [0xf8] = true}};
    uint8_t devfn;

    (void)state;
    assert_int_equal(pci_function_choose(WANTED, taken, &others, &devfn), 0);
    assert_int_equal(devfn, WANTED);
    assert_int_equal(others.asked, 1);
}

PLAIN_TEST(else_it_is_the_highest_device_that_is_free)
{
    struct others others = {.has = {[0x00] = true, [WANTED] = true}};
    uint8_t devfn;

    (void)state;
    assert_int_equal(pci_function_choose(WANTED, taken, &others, &devfn), 0);
    assert_int_equal(devfn, 0xf8);
    others.has[0xf8] = others.has[0xf0] = true;
    assert_int_equal(pci_function_choose(WANTED, taken, &others, &devfn), 0);
    assert_int_equal(devfn, 0xe8);
}

PLAIN_TEST(the_host_bridge_is_never_it)
{
    struct others others = {0};
    uint8_t devfn;

    (void)state;
    for (unsigned i = 8; i < 256; i++) {
        others.has[i] = true;
    }
    assert_int_equal(pci_function_choose(WANTED, taken, &others, &devfn), -ENOSPC);
    others.has[0x08] = false;
    assert_int_equal(pci_function_choose(WANTED, taken, &others, &devfn), 0);
    assert_int_equal(devfn, 0x08);
}

PLAIN_TEST(what_cannot_be_asked_is_not_chosen)
{
    struct others others = {.error = -EPERM}; /* the server of another domain */
    uint8_t devfn;

    (void)state;
    assert_int_equal(pci_function_choose(WANTED, taken, &others, &devfn), -EPERM);
    assert_int_equal(others.asked, 1);
}
