/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of ioreq servers, a file for each, which outlives a killed daemon. */
#include "host/xen/ioreq_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(HOST_RANGES == 2, "a note has two ranges");

#define PREFIX "ioreq."
#define DRAFT  "ioreq-draft"

void ioreq_record_forget_server(struct ioreq_record *record)
{
    record->id = IOREQ_RECORD_NO_SERVER;
    record->ram_first = 0;
    record->ram_pages = 0;
    for (unsigned i = 0; i < HOST_RANGES; i++) {
        record->range[i].size = 0;
    }
}

static void path_of(const char *dir, uint32_t domid, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" PREFIX "%" PRIu32, dir, domid);
}

static int write_all(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int ret = 0;

    if (fd < 0) {
        return -errno;
    }
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        ret = errno ? -errno : -EIO;
    }
    close(fd);
    return ret;
}

/* A process killed at any moment leaves the note it had, or the new one. */
int ioreq_record_save(const char *dir, const struct ioreq_record *record)
{
    char path[PATH_MAX], draft[PATH_MAX], uuid[33], line[200];

    for (size_t i = 0; i < sizeof(record->uuid.bytes); i++) {
        snprintf(uuid + 2 * i, 3, "%02x", record->uuid.bytes[i]);
    }
    snprintf(line, sizeof(line),
             "%u %s %" PRIu64 " %" PRIu32 " %" PRIu8 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
             "\n",
             record->id, uuid, record->ram_first, record->ram_pages, record->function,
             record->range[0].base, record->range[0].size, record->range[1].base,
             record->range[1].size);
    path_of(dir, record->domid, path);
    snprintf(draft, sizeof(draft), "%s/" DRAFT, dir);
    int ret = write_all(draft, line);
    if (!ret && rename(draft, path)) {
        ret = -errno;
    }
    return ret;
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

    path_of(dir, record->domid, path);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    bool ok = fscanf(file,
                     "%u %32[0-9a-f] %" SCNu64 " %" SCNu32 " %" SCNu8 " %" SCNu64 " %" SCNu64
                     " %" SCNu64 " %" SCNu64,
                     &record->id, uuid, &record->ram_first, &record->ram_pages, &record->function,
                     &record->range[0].base, &record->range[0].size, &record->range[1].base,
                     &record->range[1].size) == 9 &&
              strlen(uuid) == 32;
    fclose(file);
    for (size_t i = 0; ok && i < sizeof(record->uuid.bytes); i++) {
        ok = sscanf(uuid + 2 * i, "%2hhx", &record->uuid.bytes[i]) == 1;
    }
    return ok;
}

bool ioreq_record_load(const char *dir, struct ioreq_record *record)
{
    struct ioreq_record found = {.domid = record->domid};

    if (!load(dir, &found) || memcmp(&found.uuid, &record->uuid, sizeof(found.uuid)) != 0) {
        return false;
    }
    *record = found;
    return true;
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
