/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of what outlives xengtd: made, found again, looked at. */
#include "guests/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpu/kept.h"

#define PREFIX "vgpu."

/* "xengtvgp". Written last: without it the file does not count. */
#define MAGIC UINT64_C(0x70677674676e6578)

/* With every change of what is kept. */
#define VERSION 1u

struct header {
    _Atomic uint64_t magic;
    uint32_t version;
    uint32_t layout; /* how large what is kept is: another build may have it otherwise */
    uint64_t size;   /* of the file */
    struct keep_note note;
    uint8_t at_work;
    uint8_t ends; /* at its work, one after the other */
};

#define HEADER_SIZE 4096u
_Static_assert(sizeof(struct header) <= HEADER_SIZE, "the note has a page");

static void path_of(const char *dir, uint32_t domid, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" PREFIX "%" PRIu32, dir, domid);
}

/* --- making ------------------------------------------------------------------------------ */

/* Where there is no room a store would end the process: so there is some, or no vGPU. */
static int make_file(struct keep *keep)
{
    char path[PATH_MAX];

    path_of(keep->dir, keep->domid, path);
    unlink(path);
    keep->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (keep->fd < 0) {
        return -errno;
    }
    return -posix_fallocate(keep->fd, 0, (off_t)keep->size);
}

static int map_it(struct keep *keep)
{
    int flags = keep->fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *file = mmap(NULL, keep->size, PROT_READ | PROT_WRITE, flags, keep->fd, 0);

    if (file == MAP_FAILED) {
        return -errno;
    }
    keep->file = file;
    return 0;
}

int keep_make(struct keep *keep, const char *dir, const struct keep_note *note, size_t kept)
{
    struct header *header;
    int ret;

    *keep = (struct keep){
        .size = HEADER_SIZE + kept,
        .fd = -1,
        .dir = dir,
        .domid = note->domid,
    };
    ret = dir ? make_file(keep) : 0;
    ret = ret ? ret : map_it(keep);
    if (ret) {
        keep_forget(dir, note->domid);
        keep_close(keep);
        return ret;
    }
    header = keep->file;
    header->version = VERSION;
    header->layout = sizeof(struct vgpu_kept);
    header->size = keep->size;
    header->note = *note;
    return 0;
}

void keep_begin(struct keep *keep)
{
    struct header *header = keep->file;

    atomic_store(&header->magic, MAGIC);
}

void keep_mark(struct keep *keep, bool at_work)
{
    struct header *header = keep->file;

    header->at_work = at_work;
}

void keep_trust(struct keep *keep)
{
    struct header *header = keep->file;

    header->ends = 0;
}

/* --- finding ----------------------------------------------------------------------------- */

static int check_file(const struct keep *keep, off_t *size)
{
    struct stat st;

    if (fstat(keep->fd, &st)) {
        return -errno;
    }
    *size = st.st_size;
    return !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)
               ? -EPERM
               : 0;
}

static int check_header(const struct keep *keep, off_t size, struct header *header)
{
    if (pread(keep->fd, header, sizeof(*header), 0) != (ssize_t)sizeof(*header) ||
        header->magic != MAGIC) {
        return -ENOENT;
    }
    if (header->version != VERSION || header->layout != sizeof(struct vgpu_kept)) {
        return -EPROTO;
    }
    if (header->size != (uint64_t)size || header->size < HEADER_SIZE ||
        header->note.domid != keep->domid ||
        !memchr(header->note.type, '\0', sizeof(header->note.type))) {
        return -EBADMSG;
    }
    return 0;
}

/* Has the guest been at fault? */
static int check_ends(struct header *header)
{
    header->ends += header->at_work && header->ends < UINT8_MAX;
    header->at_work = false;
    return header->ends >= KEEP_ENDS_MAX ? -ECANCELED : 0;
}

int keep_open(struct keep *keep, const char *dir, uint32_t domid, struct keep_note *note)
{
    char path[PATH_MAX];
    struct header header = {0};
    off_t size = 0;
    int ret;

    *keep = (struct keep){.dir = dir, .domid = domid};
    path_of(dir, domid, path);
    keep->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (keep->fd < 0) {
        return -errno;
    }
    ret = check_file(keep, &size);
    if (!ret) {
        ret = check_header(keep, size, &header);
        *note = header.note;
    }
    if (!ret) {
        keep->size = (size_t)size;
        ret = map_it(keep);
    }
    if (!ret) {
        ret = check_ends(keep->file);
    }
    if (ret) {
        keep_close(keep);
    }
    return ret;
}

void *keep_data(const struct keep *keep, size_t size)
{
    return keep->file && keep->size == HEADER_SIZE + size ? (char *)keep->file + HEADER_SIZE : NULL;
}

/* The same pages at the same place, but what is stored is the process' own. */
int keep_freeze(struct keep *keep)
{
    if (keep->fd < 0) {
        return 0;
    }
    return mmap(keep->file, keep->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, keep->fd,
                0) == MAP_FAILED
               ? -errno
               : 0;
}

void keep_forget(const char *dir, uint32_t domid)
{
    char path[PATH_MAX];

    if (dir) {
        path_of(dir, domid, path);
        unlink(path);
    }
}

void keep_close(struct keep *keep)
{
    if (keep->file) {
        munmap(keep->file, keep->size);
    }
    if (keep->fd >= 0) {
        close(keep->fd);
    }
    *keep = (struct keep){.fd = -1};
}

void keep_each(const char *dir, void (*fn)(void *arg, uint32_t domid), void *arg)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;

    while (stream && (entry = readdir(stream))) {
        uint32_t domid;
        int end = 0;

        if (sscanf(entry->d_name, PREFIX "%" SCNu32 "%n", &domid, &end) == 1 &&
            !entry->d_name[end]) {
            fn(arg, domid);
        }
    }
    if (stream) {
        closedir(stream);
    }
}
