/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Claims, as locks of an open file description: those of a process end with any close of it. */
#include "hv/xen/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int claim_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void claim_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static int lock(int fd, short type, uint64_t first, uint64_t n)
{
    struct flock range = {
        .l_type = type,
        .l_whence = SEEK_SET,
        .l_start = (off_t)first,
        .l_len = (off_t)n,
    };
    if (fcntl(fd, F_OFD_SETLK, &range) == 0) {
        return 0;
    }
    return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

int claim_take(int fd, uint64_t first, uint64_t n)
{
    return lock(fd, F_WRLCK, first, n);
}

void claim_drop(int fd, uint64_t first, uint64_t n)
{
    lock(fd, F_UNLCK, first, n);
}
