/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DMA port of QEMU's edu device: DMA through the IOMMU that the hypervisor programs, without
 * a GPU in the machine.
 *
 * The device moves data between the bus and a buffer of its own, which the CPU cannot see. What
 * is for this process goes through a bounce page, of memory that the device reaches.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gpu/dma/dma.h"
#include "text.h"

#define PCI_DEVICES  "/sys/bus/pci/devices"
#define EDU_PCI_ID   UINT32_C(0x11e81234) /* device, vendor: config space offset 0 */
#define EDU_BAR_SIZE (1u << 20)

/* Registers from 0x80 on are 64 bits wide. */
#define EDU_IDENT   0x00 /* 32 bits */
#define EDU_SRC     0x80
#define EDU_DST     0x88
#define EDU_COUNT   0x90
#define EDU_COMMAND 0x98
#define EDU_BUFFER  0x40000 /* as a DMA address of the device */

/* QEMU 7.2 ends itself at a transfer that touches the last byte of the 4096-byte buffer. */
#define EDU_TRANSFER_MAX (DMA_PAGE_SIZE / 2)

#define EDU_IDENT_VALUE    UINT32_C(0x010000ed)
#define EDU_COMMAND_START  UINT64_C(1) /* stays set until the transfer is done */
#define EDU_COMMAND_TO_BUS UINT64_C(2)

#define PCI_COMMAND        4
#define PCI_COMMAND_MEMORY UINT16_C(2)
#define PCI_COMMAND_MASTER UINT16_C(4)

#define PAGES 2 /* bounce page, scratch page */

#define POLL_US  500
#define LIMIT_MS 5000

struct edu_port {
    struct dma_port base;
    struct dma_memory memory;
    int config; /* the device's configuration space */
    volatile uint8_t *bar;
    uint8_t *pages; /* bounce page, scratch page */
    uint64_t bounce_addr;
    bool dead; /* a transfer did not end: what it will still touch is unknown */
};

struct edu_error {
    char *text;
    size_t size;
};

/* Returns -code, so that a failing step reads: return fail(...). */
__attribute__((format(printf, 3, 4))) static int fail(const struct edu_error *error, int code,
                                                      const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_vline(error->text, error->text ? error->size : 0, format, args);
    va_end(args);
    return -code;
}

static int fail_path(const struct edu_error *error, const char *path)
{
    int code = errno;

    if (code == EACCES || code == EPERM) {
        return fail(error, EACCES, "%s: not permitted; run as root", path);
    }
    return fail(error, code, "%s: %s", path, strerror(code));
}

/* --- transfers --------------------------------------------------------------------------- */

static volatile uint64_t *edu_register(const struct edu_port *edu, size_t offset)
{
    return (volatile uint64_t *)(edu->bar + offset);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_done(struct edu_port *edu)
{
    int64_t deadline = now_ms() + LIMIT_MS;

    while (*edu_register(edu, EDU_COMMAND) & EDU_COMMAND_START) {
        if (now_ms() > deadline) {
            edu->dead = true;
            return -EIO;
        }
        usleep(POLL_US);
    }
    return 0;
}

/* A device must not write where its pages were: then the port is of no more use. */
static int pages_still_there(struct edu_port *edu)
{
    if (edu->memory.check(edu->memory.arg, edu->pages)) {
        edu->dead = true;
    }
    return edu->dead ? -EIO : 0;
}

static int transfer(struct edu_port *edu, uint64_t dst, uint64_t src, size_t len, uint64_t command)
{
    *edu_register(edu, EDU_SRC) = src;
    *edu_register(edu, EDU_DST) = dst;
    *edu_register(edu, EDU_COUNT) = len;
    *edu_register(edu, EDU_COMMAND) = command | EDU_COMMAND_START;
    return wait_done(edu);
}

static int edu_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len)
{
    struct edu_port *edu = (struct edu_port *)port;
    int ret = edu->dead ? -EIO : pages_still_there(edu);

    for (size_t done = 0; ret == 0 && done < len;) {
        size_t n = len - done < EDU_TRANSFER_MAX ? len - done : EDU_TRANSFER_MAX;

        ret = transfer(edu, EDU_BUFFER, src + done, n, 0);
        if (ret == 0) {
            ret = transfer(edu, dst + done, EDU_BUFFER, n, EDU_COMMAND_TO_BUS);
        }
        done += n;
    }
    return ret;
}

static int edu_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    struct edu_port *edu = (struct edu_port *)port;
    int ret = edu_copy(port, edu->bounce_addr, addr, len);

    if (ret) {
        return ret;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    memcpy(buf, edu->pages, len);
    return 0;
}

static int edu_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    struct edu_port *edu = (struct edu_port *)port;

    if (edu->dead) {
        return -EIO;
    }
    memcpy(edu->pages, buf, len);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return edu_copy(port, addr, edu->bounce_addr, len);
}

/* --- opening ----------------------------------------------------------------------------- */

static int set_command(const struct edu_port *edu, uint16_t set, uint16_t clear)
{
    uint16_t value;

    if (pread(edu->config, &value, sizeof(value), PCI_COMMAND) != (ssize_t)sizeof(value)) {
        return -EIO;
    }
    value = (uint16_t)((value | set) & ~clear);
    if (pwrite(edu->config, &value, sizeof(value), PCI_COMMAND) != (ssize_t)sizeof(value)) {
        return -EIO;
    }
    return 0;
}

static void edu_close(struct dma_port *port)
{
    struct edu_port *edu = (struct edu_port *)port;

    /* First the device, then the memory that it might still write to. */
    if (edu->config >= 0) {
        set_command(edu, 0, PCI_COMMAND_MASTER);
        close(edu->config);
    }
    if (edu->bar) {
        munmap((void *)edu->bar, EDU_BAR_SIZE);
    }
    if (edu->pages) {
        edu->memory.free(edu->memory.arg, edu->pages);
    }
    free(edu);
}

static const struct dma_ops edu_ops = {
    .name = "edu",
    .read = edu_read,
    .write = edu_write,
    .copy = edu_copy,
    .close = edu_close,
};

static bool is_edu(const char *folder)
{
    char path[PATH_MAX];
    uint32_t id = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/config", folder);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (pread(fd, &id, sizeof(id), 0) != (ssize_t)sizeof(id)) {
        id = 0;
    }
    close(fd);
    return id == EDU_PCI_ID;
}

static int find_device(char *folder, size_t size, const struct edu_error *error)
{
    struct dirent **entries = NULL;
    bool found = false;
    int n = scandir(PCI_DEVICES, &entries, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        if (!found && entries[i]->d_name[0] != '.') {
            snprintf(folder, size, "%s/%s", PCI_DEVICES, entries[i]->d_name);
            found = is_edu(folder);
        }
        free(entries[i]);
    }
    free(entries);
    if (!found) {
        return fail(error, ENODEV, "no edu device (1234:11e8); start QEMU with -device edu");
    }
    return 0;
}

static int map_registers(struct edu_port *edu, const char *folder, const struct edu_error *error)
{
    char path[PATH_MAX];
    void *bar;
    int fd;

    snprintf(path, sizeof(path), "%s/config", folder);
    edu->config = open(path, O_RDWR | O_CLOEXEC);
    if (edu->config < 0) {
        return fail_path(error, path);
    }
    if (set_command(edu, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0)) {
        return fail(error, EIO, "%s: cannot enable the device", path);
    }

    snprintf(path, sizeof(path), "%s/resource0", folder);
    fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
    if (fd < 0) {
        return fail_path(error, path);
    }
    bar = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bar == MAP_FAILED) {
        int ret = fail_path(error, path);

        close(fd);
        return ret;
    }
    close(fd);
    edu->bar = bar;
    if (*(volatile uint32_t *)(edu->bar + EDU_IDENT) != EDU_IDENT_VALUE) {
        return fail(error, ENODEV, "%s: does not identify as an edu device", folder);
    }
    return 0;
}

static int make_pages(struct edu_port *edu, const struct edu_error *error)
{
    uint64_t frame[PAGES];
    void *pages;
    int ret = edu->memory.alloc(edu->memory.arg, &pages, frame, PAGES);

    if (ret) {
        return fail(error, -ret, "no memory that the device reaches: %s", strerror(-ret));
    }
    edu->pages = pages;
    edu->bounce_addr = frame[0] * DMA_PAGE_SIZE;
    edu->base.scratch = frame[1] * DMA_PAGE_SIZE;
    return 0;
}

int dma_edu_open(const char *sysfs, const struct dma_memory *memory, struct dma_port **out,
                 /* NOLINTNEXTLINE(readability-non-const-parameter): written through edu_error */
                 char *error, size_t error_size)
{
    const struct edu_error err = {.text = error, .size = error_size};
    char folder[PATH_MAX - 16]; /* leaves room for a file's name */
    struct edu_port *edu;
    int ret;

    if (!sysfs) {
        ret = find_device(folder, sizeof(folder), &err);
        if (ret) {
            return ret;
        }
        sysfs = folder;
    } else if (!is_edu(sysfs)) {
        return fail(&err, ENODEV, "%s: no edu device (1234:11e8)", sysfs);
    }

    edu = calloc(1, sizeof(*edu));
    if (!edu) {
        return fail(&err, ENOMEM, "no memory");
    }
    edu->base.ops = &edu_ops;
    edu->config = -1;
    edu->memory = *memory;
    ret = make_pages(edu, &err);
    if (ret == 0) {
        ret = map_registers(edu, sysfs, &err);
    }
    /* A process killed in the middle of a transfer leaves it to its successor to wait. */
    if (ret == 0 && wait_done(edu)) {
        ret = fail(&err, EBUSY, "%s: a transfer is under way and does not end", sysfs);
    }
    if (ret) {
        edu_close(&edu->base);
        return ret;
    }
    *out = &edu->base;
    return 0;
}
