/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and writing a guest's memory, for requests whose data is there. */
#ifndef XENGT_HOST_XEN_GUEST_MEMORY_H
#define XENGT_HOST_XEN_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xenforeignmemory.h>

struct guest_memory {
    xenforeignmemory_handle *fmem; /* stays the caller's */
    uint32_t domid;
};

/* An ioreq_copy_fn; arg is a struct guest_memory. -EFAULT: not all of it is RAM of the guest. */
int guest_memory_copy(void *arg, uint64_t gpa, void *buf, size_t len, bool write);

bool guest_memory_is_ram(struct guest_memory *memory, uint64_t gpa);

#endif
