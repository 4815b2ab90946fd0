/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bare guest's way into Xen. */
#ifndef TESTS_GUEST_PVH_HYPERCALL_H
#define TESTS_GUEST_PVH_HYPERCALL_H

long hypercall3(unsigned int number, unsigned long arg1, void *arg2, void *arg3);

#endif
