/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One transfer by QEMU's edu device to or from a bus frame, with nobody asked: what a device
 * does that still believes in an address it was once given.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengt/xengt.h>

#include "gpu/dma/dma.h"

#define PAGE 4096u

/*
 * Memory for the moment, and of this process: another one has the library's window. That locked
 * pages may be moved does not matter for so long. In a PV domain the kernel's frame numbers are not
 * those of the bus: there the library knows them, which has no window.
 */
static int memory_alloc(void *arg, void **cpu, uint64_t *frame, size_t n)
{
    (void)arg;
    void *pages = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (pages == MAP_FAILED || pagemap < 0) {
        return -errno;
    }
    off_t at = (off_t)((uintptr_t)pages / PAGE * sizeof(*frame));
    ssize_t got = pread(pagemap, frame, n * sizeof(*frame), at);
    close(pagemap);
    if (got != (ssize_t)(n * sizeof(*frame))) {
        return -EIO;
    }
    for (size_t i = 0; i < n; i++) {
        frame[i] &= (UINT64_C(1) << 55) - 1;
    }
    *cpu = pages;
    return 0;
}

static int memory_check(void *arg, const void *cpu)
{
    (void)arg;
    (void)cpu;
    return 0;
}

static void memory_free(void *arg, void *cpu)
{
    (void)arg;
    (void)cpu; /* it goes with the process */
}

static int usage(void)
{
    fputs("usage: edu-dma write BFN BYTE   fill the page with BYTE\n"
          "       edu-dma read BFN         print its first 16 bytes\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    bool write = argc == 4 && strcmp(argv[1], "write") == 0;
    if (!write && !(argc == 3 && strcmp(argv[1], "read") == 0)) {
        return usage();
    }
    uint64_t addr = strtoull(argv[2], NULL, 0) * PAGE;
    char error[200] = "";
    struct dma_port *port;
    const struct xengt_options options = {
        .backend = XENGT_BACKEND_GRANT,
        .state_dir = "/run/edu-dma",
    };
    struct xengt *xg = NULL;
    bool pv = xengt_open(&xg, &options, error, sizeof(error)) == 0;
    struct dma_memory memory = {NULL, memory_alloc, memory_check, memory_free};
    if (pv) {
        memory = dma_memory_of(xg);
    }
    if (dma_edu_open(NULL, &memory, &port, error, sizeof(error))) {
        fprintf(stderr, "edu-dma: %s\n", error);
        xengt_close(xg);
        return 1;
    }
    uint8_t page[PAGE];
    int ret;
    if (write) {
        memset(page, (int)strtoul(argv[3], NULL, 0), sizeof(page));
        ret = dma_write(port, addr, page, sizeof(page));
    } else {
        ret = dma_read(port, addr, page, sizeof(page));
        for (unsigned i = 0; !ret && i < 16; i++) {
            printf("%02x%s", page[i], i == 15 ? "\n" : " ");
        }
    }
    dma_close(port);
    xengt_close(xg);
    if (ret) {
        fprintf(stderr, "edu-dma: %s\n", strerror(-ret));
    }
    return ret ? 1 : 0;
}
