/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One transfer by QEMU's edu device to or from a bus frame, with nobody asked: what a device
 * does that still believes in an address it was once given.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/dma/dma.h"

#define PAGE 4096u

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
    if (dma_edu_open(NULL, &port, error, sizeof(error))) {
        fprintf(stderr, "edu-dma: %s\n", error);
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
    if (ret) {
        fprintf(stderr, "edu-dma: %s\n", strerror(-ret));
    }
    return ret ? 1 : 0;
}
