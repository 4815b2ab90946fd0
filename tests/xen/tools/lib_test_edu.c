/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's edu device: two transfers by way of the buffer in it make a copy. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib_test.h"

#define BAR_SIZE   0x100000u
#define SOURCE     0x80
#define TARGET     0x88
#define COUNT      0x90
#define COMMAND    0x98
#define BUFFER     0x40000u
#define START      1u
#define TO_MEMORY  2u
#define TIMEOUT_MS 3000

static int transfer(volatile uint8_t *bar, uint64_t from, uint64_t to, uint32_t len, uint64_t how)
{
    *(volatile uint64_t *)(bar + SOURCE) = from;
    *(volatile uint64_t *)(bar + TARGET) = to;
    *(volatile uint64_t *)(bar + COUNT) = len;
    *(volatile uint64_t *)(bar + COMMAND) = START | how;
    for (int ms = 0; ms < TIMEOUT_MS; ms++) {
        if (!(*(volatile uint64_t *)(bar + COMMAND) & START)) {
            return 0;
        }
        usleep(1000);
    }
    return -ETIMEDOUT;
}

int edu_copy(const char *edu, uint64_t from, uint64_t to, uint32_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/resource0", edu);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    void *bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (bar == MAP_FAILED) {
        return -errno;
    }
    int ret = transfer(bar, from, BUFFER, len, 0);
    if (!ret) {
        ret = transfer(bar, BUFFER, to, len, TO_MEMORY);
    }
    munmap(bar, BAR_SIZE);
    return ret;
}
