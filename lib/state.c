/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a state directory: opened from within it, and looked at before they are used. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The refusal of what does not belong to this user alone; or 0. */
static int check(int fd, const char *what, const char *dir, mode_t type, struct hv_error *error)
{
    struct stat st;
    if (fstat(fd, &st)) {
        int err = -errno;
        hv_error(error, "%s '%s': %s", what, dir, strerror(-err));
        return err;
    }
    if ((st.st_mode & S_IFMT) != type || st.st_uid != geteuid() ||
        (st.st_mode & (S_IWGRP | S_IWOTH))) {
        hv_error(
            error,
            "%s '%s' is not this user's alone: it must belong to uid %u, be writable by nobody "
            "else, and be no link or special file",
            what, dir, (unsigned)geteuid());
        return -EPERM;
    }
    return 0;
}

static int open_in(int folder, const char *dir, const char *name, struct hv_error *error)
{
    int fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) {
        int err = -errno;
        hv_error(error, "%s in '%s': %s", name, dir, strerror(-err));
        return err;
    }
    char what[32];
    snprintf(what, sizeof(what), "%s in", name);
    int ret = check(fd, what, dir, S_IFREG, error);
    if (ret) {
        close(fd);
        return ret;
    }
    return fd;
}

int state_file(const char *dir, const char *name, struct hv_error *error)
{
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        int err = -errno;
        hv_error(error, "state directory '%s': %s", dir, strerror(-err));
        return err;
    }
    int ret = check(folder, "state directory", dir, S_IFDIR, error);
    ret = ret ? ret : open_in(folder, dir, name, error);
    close(folder);
    return ret;
}
