/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The round trip of a request: how long a guest waits for a register of QEMU's, and for one of the
 * vGPU's, by turns. QEMU's is the identification of its device edu, of which nothing is computed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"
#define ROUNDS  9u

struct device {
    const char *name;
    uint32_t id; /* device << 16 | vendor */
    uint32_t reg;
    volatile uint32_t *at;
};

static uint32_t number(const char *device, const char *file)
{
    char path[512], text[32] = "";

    snprintf(path, sizeof(path), DEVICES "/%s/%s", device, file);
    FILE *f = fopen(path, "re");
    if (f) {
        if (!fgets(text, sizeof(text), f)) {
            text[0] = '\0';
        }
        fclose(f);
    }
    return (uint32_t)strtoul(text, NULL, 16);
}

/* A driver need not be there: decoding is switched on by hand. */
static bool open_device(struct device *device, const char *name)
{
    const uint8_t memory[2] = {2, 0};
    char path[512];

    snprintf(path, sizeof(path), DEVICES "/%s/config", name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool on = fd >= 0 && pwrite(fd, memory, sizeof(memory), 4) == sizeof(memory);
    if (fd >= 0) {
        close(fd);
    }
    snprintf(path, sizeof(path), DEVICES "/%s/resource0", name);
    fd = on ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) {
        return false;
    }
    uint8_t *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(device->reg & ~4095u));
    close(fd);
    if (page == MAP_FAILED) {
        return false;
    }
    device->at = (volatile uint32_t *)(void *)(page + device->reg % 4096);
    return true;
}

static bool find_device(struct device *device)
{
    DIR *stream = opendir(DEVICES);
    struct dirent *entry;
    bool found = false;

    while (stream && !found && (entry = readdir(stream))) {
        uint32_t id = number(entry->d_name, "device") << 16 | number(entry->d_name, "vendor");

        found = id == device->id && open_device(device, entry->d_name);
    }
    if (stream) {
        closedir(stream);
    }
    return found;
}

static double read_often(const struct device *device, unsigned n)
{
    struct timespec begin, end;
    uint32_t sum = 0;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned i = 0; i < n; i++) {
        sum += *device->at;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    (void)sum;
    return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / n;
}

int main(int argc, char **argv)
{
    struct device devices[] = {
        {.name = "qemu", .id = 0x11e81234, .reg = 0},
        {.name = "xengt", .id = 0x16168086, .reg = 0x78000}, /* PVINFO's magic number */
    };
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 2000;

    for (unsigned i = 0; i < 2; i++) {
        if (!find_device(&devices[i])) {
            printf("Bail out! no device of %s\n", devices[i].name);
            return 1;
        }
        printf("# %s answers 0x%08x\n", devices[i].name, *devices[i].at);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < 2; i++) {
            printf("# round trip %s %.0f ns\n", devices[i].name, read_often(&devices[i], n));
        }
    }
    return 0;
}
