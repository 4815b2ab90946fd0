/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's memory, read and written for requests whose data is there. */
#include "host/xen/guest_memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <xengt/types.h>

static int copy_in_page(struct guest_memory *memory, uint64_t gpa, void *buf, size_t len,
                        bool write)
{
    xen_pfn_t gfn = gpa >> XENGT_PAGE_SHIFT;
    size_t offset = gpa % XENGT_PAGE_SIZE;
    int prot = write ? PROT_READ | PROT_WRITE : PROT_READ;
    uint8_t *page = xenforeignmemory_map(memory->fmem, memory->domid, prot, 1, &gfn, NULL);

    if (!page) {
        return -EFAULT;
    }
    if (write) {
        memcpy(page + offset, buf, len);
    } else {
        memcpy(buf, page + offset, len);
    }
    xenforeignmemory_unmap(memory->fmem, page, 1);
    return 0;
}

/*
 * One page at a time and mapped anew each time: string instructions on device registers are
 * rare, and a mapping kept is one that can be stale.
 */
int guest_memory_copy(void *arg, uint64_t gpa, void *buf, size_t len, bool write)
{
    struct guest_memory *memory = arg;
    uint8_t *bytes = buf;
    int ret = 0;

    while (len && !ret) {
        size_t part = XENGT_PAGE_SIZE - gpa % XENGT_PAGE_SIZE;

        if (part > len) {
            part = len;
        }
        ret = copy_in_page(memory, gpa, bytes, part, write);
        gpa += part;
        bytes += part;
        len -= part;
    }
    return ret;
}

bool guest_memory_is_ram(struct guest_memory *memory, uint64_t gpa)
{
    uint8_t byte;

    return !copy_in_page(memory, gpa, &byte, sizeof(byte), false);
}
