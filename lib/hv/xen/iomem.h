/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * This domain's memory map as its kernel tells it: the entries of /proc/iomem, and the ranges that
 * memmap= on the kernel's command line has taken away from it.
 */
#ifndef XENGT_LIB_HV_XEN_IOMEM_H
#define XENGT_LIB_HV_XEN_IOMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define IOMEM_NAME_SIZE 64u

/* Frames first to last, both in it. */
struct iomem_range {
    uint64_t first;
    uint64_t last;
};

struct iomem_entry {
    struct iomem_range range;
    bool nested; /* in the one before that is not */
    bool holds;  /* others are nested in it */
    char name[IOMEM_NAME_SIZE];
};

struct iomem {
    struct iomem_entry *entry;
    size_t n;
};

/*
 * Reads text of the format of /proc/iomem. -ENODATA: there is no entry in it; -EPERM: the addresses
 * are hidden from this process, which takes CAP_SYS_ADMIN; -ENOMEM.
 */
int iomem_read(FILE *file, struct iomem *map);
void iomem_free(struct iomem *map);

/*
 * The ranges that memmap=SIZE$ADDRESS on a kernel's command line names, at most max: how many.
 * What follows "--" is not for the kernel.
 */
size_t iomem_reserved(const char *cmdline, struct iomem_range *range, size_t max);

#endif
