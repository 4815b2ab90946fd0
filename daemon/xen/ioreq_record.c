/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/ioreq_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "ioreq."

static void path_of(const char *dir, uint32_t domid, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" PREFIX "%" PRIu32, dir, domid);
}

/* One write: a process killed at any moment leaves a whole note or none. */
int ioreq_record_save(const char *dir, const struct ioreq_record *record)
{
    char path[PATH_MAX], line[64];
    int len = snprintf(line, sizeof(line), "%u ", record->id);
    int fd, rc = 0;

    for (size_t i = 0; i < sizeof(record->uuid.bytes); i++) {
        len += snprintf(line + len, sizeof(line) - (size_t)len, "%02x", record->uuid.bytes[i]);
    }
    line[len++] = '\n';

    path_of(dir, record->domid, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    if (write(fd, line, (size_t)len) != len) {
        rc = errno ? -errno : -EIO;
    }
    close(fd);
    return rc;
}

void ioreq_record_remove(const char *dir, uint32_t domid)
{
    char path[PATH_MAX];

    path_of(dir, domid, path);
    unlink(path);
}

static bool load(const char *dir, struct ioreq_record *record)
{
    char path[PATH_MAX], uuid[33];
    FILE *file;
    bool ok;

    path_of(dir, record->domid, path);
    file = fopen(path, "re");
    if (!file) {
        return false;
    }
    ok = fscanf(file, "%u %32[0-9a-f]", &record->id, uuid) == 2 && strlen(uuid) == 32;
    fclose(file);
    for (size_t i = 0; ok && i < sizeof(record->uuid.bytes); i++) {
        ok = sscanf(uuid + 2 * i, "%2hhx", &record->uuid.bytes[i]) == 1;
    }
    return ok;
}

int ioreq_record_each(const char *dir, void (*fn)(void *arg, const struct ioreq_record *record),
                      void *arg)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;

    if (!stream) {
        return errno == ENOENT ? 0 : -errno;
    }
    while ((entry = readdir(stream))) {
        struct ioreq_record record = {0};

        if (sscanf(entry->d_name, PREFIX "%" SCNu32, &record.domid) != 1) {
            continue;
        }
        if (load(dir, &record)) {
            fn(arg, &record);
        } else {
            ioreq_record_remove(dir, record.domid);
        }
    }
    closedir(stream);
    return 0;
}
