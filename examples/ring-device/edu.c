/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The edu device's registers: a copy is two transfers, by way of the buffer in the device. */
#include "edu.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR_SIZE  0x100000u
#define SOURCE    0x80
#define TARGET    0x88
#define COUNT     0x90
#define COMMAND   0x98
#define START     1u /* stays set until it is done */
#define TO_MEMORY 2u
#define BUFFER    0x40000u

#define PCI_COMMAND        4
#define PCI_COMMAND_MEMORY 2u
#define PCI_COMMAND_MASTER 4u

#define POLL_US 1000
#define POLLS   5000

struct edu {
    int config;
    volatile uint8_t *bar;
};

static volatile uint64_t *reg(struct edu *edu, size_t offset)
{
    return (volatile uint64_t *)(edu->bar + offset);
}

/* Bus mastering is what lets a device do DMA at all. */
static int set_master(struct edu *edu, int on)
{
    uint16_t command;
    if (pread(edu->config, &command, sizeof(command), PCI_COMMAND) != (ssize_t)sizeof(command)) {
        return -EIO;
    }
    command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    if (!on) {
        command &= (uint16_t)~PCI_COMMAND_MASTER;
    }
    return pwrite(edu->config, &command, sizeof(command), PCI_COMMAND) == (ssize_t)sizeof(command)
               ? 0
               : -EIO;
}

static int map_bar(struct edu *edu, const char *folder)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/resource0", folder);
    int fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    void *bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int ret = bar == MAP_FAILED ? -errno : 0;
    close(fd);
    edu->bar = ret ? NULL : bar;
    return ret;
}

int edu_open(const char *folder, struct edu **out)
{
    char path[PATH_MAX];
    struct edu *edu = calloc(1, sizeof(*edu));
    if (!edu) {
        return -ENOMEM;
    }
    snprintf(path, sizeof(path), "%s/config", folder);
    edu->config = open(path, O_RDWR | O_CLOEXEC);
    int ret = edu->config < 0 ? -errno : set_master(edu, 1);
    if (!ret) {
        ret = map_bar(edu, folder);
    }
    if (ret) {
        edu_close(edu);
        return ret;
    }
    *out = edu;
    return 0;
}

void edu_close(struct edu *edu)
{
    if (edu->config >= 0) {
        set_master(edu, 0);
        close(edu->config);
    }
    if (edu->bar) {
        munmap((void *)edu->bar, BAR_SIZE);
    }
    free(edu);
}

static int transfer(struct edu *edu, uint64_t to, uint64_t from, size_t len, uint64_t how)
{
    *reg(edu, SOURCE) = from;
    *reg(edu, TARGET) = to;
    *reg(edu, COUNT) = len;
    *reg(edu, COMMAND) = START | how;
    for (int i = 0; i < POLLS; i++) {
        if (!(*reg(edu, COMMAND) & START)) {
            return 0;
        }
        usleep(POLL_US);
    }
    return -EIO;
}

int edu_copy(struct edu *edu, uint64_t to, uint64_t from, size_t len)
{
    int ret = transfer(edu, BUFFER, from, len, 0);
    return ret ? ret : transfer(edu, to, BUFFER, len, TO_MEMORY);
}
