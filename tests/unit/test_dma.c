/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DMA ports. QEMU's edu device is played by a thread behind files like those of sysfs. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengt/sim.h>

#include "support/test.h"

#include "gpu/dma/dma.h"

#define PAGE               4096u
#define FRAMES             6u
#define FRAME_BASE         UINT64_C(0x200000000) /* beyond the RAM of any machine that runs tests */
#define BUS(frame, offset) ((FRAME_BASE + (frame)) * PAGE + (offset))

/* --- dispatch ---------------------------------------------------------------------------- */

struct recorder {
    struct dma_port base;
    unsigned reads, writes, copies, closes;
    int result;
    uint8_t bytes[PAGE];
};

static int recorder_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    struct recorder *r = (struct recorder *)port;

    memcpy(buf, r->bytes + addr % PAGE, len);
    r->reads++;
    return r->result;
}

static int recorder_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    struct recorder *r = (struct recorder *)port;

    memcpy(r->bytes + addr % PAGE, buf, len);
    r->writes++;
    return r->result;
}

static int recorder_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len)
{
    struct recorder *r = (struct recorder *)port;

    (void)dst;
    (void)src;
    (void)len;
    r->copies++;
    return r->result;
}

static void recorder_close(struct dma_port *port)
{
    ((struct recorder *)port)->closes++;
}

static const struct dma_ops with_copy = {"with copy", recorder_read, recorder_write, recorder_copy,
                                         recorder_close};
static const struct dma_ops without_copy = {"without copy", recorder_read, recorder_write, NULL,
                                            recorder_close};

PLAIN_TEST(bounds)
{
    struct recorder r = {.base.ops = &with_copy};
    uint8_t buf[2 * PAGE] = {0};

    (void)state;
    assert_int_equal(dma_read(&r.base, 0x1000, buf, PAGE), 0);
    assert_int_equal(dma_read(&r.base, 0x1fff, buf, 1), 0);
    assert_int_equal(dma_read(&r.base, 0x1fff, buf, 2), -EINVAL);
    assert_int_equal(dma_read(&r.base, 0x1000, buf, PAGE + 1), -EINVAL);
    assert_int_equal(dma_read(&r.base, 0x1001, buf, SIZE_MAX), -EINVAL);
    assert_int_equal(dma_read(&r.base, 0x1fff, buf, 0), 0);
    assert_int_equal(r.reads, 2);

    assert_int_equal(dma_write(&r.base, 0x1ffc, buf, 4), 0);
    assert_int_equal(dma_write(&r.base, 0x1ffd, buf, 4), -EINVAL);
    assert_int_equal(dma_write(&r.base, UINT64_MAX, buf, 2), -EINVAL);
    assert_int_equal(r.writes, 1);

    assert_int_equal(dma_copy(&r.base, 0x1000, 0x5000, PAGE), 0);
    assert_int_equal(dma_copy(&r.base, 0x1001, 0x5000, PAGE), -EINVAL);
    assert_int_equal(dma_copy(&r.base, 0x1000, 0x5001, PAGE), -EINVAL);
    assert_int_equal(dma_copy(&r.base, 0x1000, 0x5001, 0), 0);
    assert_int_equal(r.copies, 1);

    dma_close(&r.base);
    dma_close(NULL);
    assert_int_equal(r.closes, 1);
}

PLAIN_TEST(copy_through_memory)
{
    struct recorder r = {.base.ops = &without_copy};

    (void)state;
    memcpy(r.bytes, "abcdefgh", 8);
    /* Overlapping: as if all were read first. */
    assert_int_equal(dma_copy(&r.base, 2, 0, 6), 0);
    assert_memory_equal(r.bytes, "ababcdef", 8);
    r.result = -EFAULT;
    assert_int_equal(dma_copy(&r.base, 0, 2, 6), -EFAULT);
    assert_int_equal(r.reads, 2);
    assert_int_equal(r.writes, 1);
}

/* --- cpu --------------------------------------------------------------------------------- */

static int view(void *arg, uint64_t frame, void **page)
{
    uint8_t *pages = arg;

    if (frame < FRAME_BASE || frame >= FRAME_BASE + FRAMES) {
        return -EFAULT;
    }
    *page = pages + (frame - FRAME_BASE) * PAGE;
    return 0;
}

PLAIN_TEST(cpu)
{
    static uint8_t pages[FRAMES * PAGE];
    struct dma_port *port;
    uint8_t buf[8];

    (void)state;
    assert_int_equal(dma_cpu_open(view, pages, &port), 0);
    assert_int_equal(dma_write(port, BUS(1, 0xffc), "data", 4), 0);
    assert_memory_equal(pages + PAGE + 0xffc, "data", 4);
    assert_int_equal(dma_copy(port, BUS(2, 7), BUS(1, 0xffc), 4), 0);
    assert_int_equal(dma_read(port, BUS(2, 7), buf, 4), 0);
    assert_memory_equal(buf, "data", 4);
    assert_int_equal(dma_read(port, BUS(FRAMES, 0), buf, 4), -EFAULT);
    assert_int_equal(dma_write(port, 0, buf, 4), -EFAULT);
    assert_int_equal(dma_copy(port, BUS(0, 0), 0, 4), -EFAULT);

    /* The view is not asked for scratch, which is the last page that a PTE can name. */
    assert_int_equal(port->scratch, 0x3ffffffff000);
    assert_int_equal(dma_write(port, port->scratch + 8, "harmless", 8), 0);
    assert_int_equal(dma_read(port, port->scratch + 8, buf, 8), 0);
    assert_memory_equal(buf, "harmless", 8);
    dma_close(port);
}

/* --- sim --------------------------------------------------------------------------------- */

PLAIN_TEST(test_sim)
{
    struct xengt_sim *sim = xengt_sim_new();
    struct xengt_sim_stats stats;
    struct dma_port *port;
    uint8_t buf[8];

    (void)state;
    assert_non_null(sim);
    assert_int_equal(dma_sim_open(sim, &port), 0);
    assert_int_equal(dma_write(port, port->scratch, "harmless", 8), 0);
    assert_int_equal(dma_copy(port, port->scratch + 100, port->scratch, 8), 0);
    assert_int_equal(dma_read(port, port->scratch + 100, buf, 8), 0);
    assert_memory_equal(buf, "harmless", 8);
    assert_int_equal(dma_read(port, UINT64_C(0x3ffffffff000), buf, 8), -EFAULT);
    xengt_sim_get_stats(sim, &stats);
    assert_int_equal(stats.iommu_faults, 1);
    dma_close(port);
    xengt_sim_free(sim);
}

/* --- edu --------------------------------------------------------------------------------- */

/* The device: a thread that watches the registers, and some frames that it reaches. */
struct edu {
    char folder[64];
    volatile uint8_t *bar;
    int config;
    uint8_t buffer[PAGE];
    uint8_t pages[FRAMES * PAGE];
    pthread_t thread;
    bool stop; /* atomic */
    unsigned transfers, mistakes;
    unsigned allocated; /* pages at the end that are the port's */
    bool moved;
};

#define BAR_SIZE   (1u << 20)
#define EDU_BUFFER 0x40000u

static uint8_t *edu_memory(struct edu *edu, uint64_t addr)
{
    uint64_t frame = addr / PAGE;

    return frame >= FRAME_BASE && frame < FRAME_BASE + FRAMES
               ? edu->pages + (frame - FRAME_BASE) * PAGE + addr % PAGE
               : NULL;
}

/* The port's own memory: the last pages of those. */
static int memory_alloc(void *arg, void **cpu, uint64_t *frame, size_t n)
{
    struct edu *edu = arg;

    edu->allocated = (unsigned)n;
    *cpu = edu->pages + (FRAMES - n) * PAGE;
    for (size_t i = 0; i < n; i++) {
        frame[i] = FRAME_BASE + FRAMES - n + i;
    }
    return 0;
}

static int memory_check(void *arg, const void *cpu)
{
    const struct edu *edu = arg;

    (void)cpu;
    return edu->moved ? -ESTALE : 0;
}

static void memory_free(void *arg, void *cpu)
{
    struct edu *edu = arg;

    assert_ptr_equal(cpu, edu->pages + (FRAMES - edu->allocated) * (size_t)PAGE);
    edu->allocated = 0;
}

static int edu_open(struct edu *edu, const char *folder, struct dma_port **port, char *error,
                    size_t size)
{
    const struct dma_memory memory = {edu, memory_alloc, memory_check, memory_free};

    return dma_edu_open(folder, &memory, port, error, size);
}

static uint64_t edu_register(struct edu *edu, size_t offset)
{
    return *(volatile uint64_t *)(edu->bar + offset);
}

static void edu_transfer(struct edu *edu, uint64_t command)
{
    uint64_t src = edu_register(edu, 0x80), dst = edu_register(edu, 0x88);
    uint64_t count = edu_register(edu, 0x90);
    uint64_t inside = command & 2 ? src : dst;
    uint8_t *memory = edu_memory(edu, command & 2 ? dst : src);
    uint16_t enabled = 0;

    if (pread(edu->config, &enabled, 2, 4) != 2 || (enabled & 6) != 6 || !memory ||
        inside < EDU_BUFFER || inside + count > EDU_BUFFER + PAGE || command & 4) {
        edu->mistakes++;
        return;
    }
    if (command & 2) {
        memcpy(memory, edu->buffer + (inside - EDU_BUFFER), count);
    } else {
        memcpy(edu->buffer + (inside - EDU_BUFFER), memory, count);
    }
    edu->transfers++;
}

static void *edu_thread(void *arg)
{
    struct edu *edu = arg;
    volatile uint64_t *command = (volatile uint64_t *)(edu->bar + 0x98);

    while (!__atomic_load_n(&edu->stop, __ATOMIC_ACQUIRE)) {
        uint64_t value = __atomic_load_n(command, __ATOMIC_ACQUIRE);

        if (value & 1) {
            edu_transfer(edu, value);
            __atomic_store_n(command, value & ~UINT64_C(1), __ATOMIC_RELEASE);
        }
        usleep(200);
    }
    return NULL;
}

static int edu_file(const struct edu *edu, const char *name, off_t size)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", edu->folder, name);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    return fd;
}

static int edu_set_up(void **state)
{
    static const uint32_t id = 0x11e81234, ident = 0x010000ed;
    struct edu *edu = calloc(1, sizeof(*edu));
    int fd;

    assert_non_null(edu);
    strcpy(edu->folder, "/tmp/test_dma.XXXXXX");
    assert_non_null(mkdtemp(edu->folder));
    edu->config = edu_file(edu, "config", 256);
    assert_int_equal(pwrite(edu->config, &id, 4, 0), 4);
    fd = edu_file(edu, "resource0", BAR_SIZE);
    assert_int_equal(pwrite(fd, &ident, 4, 0), 4);
    edu->bar = mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(edu->bar, MAP_FAILED);
    close(fd);
    assert_int_equal(pthread_create(&edu->thread, NULL, edu_thread, edu), 0);
    *state = edu;
    return 0;
}

static int edu_tear_down(void **state)
{
    struct edu *edu = *state;
    char path[128];

    __atomic_store_n(&edu->stop, true, __ATOMIC_RELEASE);
    pthread_join(edu->thread, NULL);
    munmap((void *)edu->bar, BAR_SIZE);
    close(edu->config);
    snprintf(path, sizeof(path), "%s/config", edu->folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/resource0", edu->folder);
    unlink(path);
    rmdir(edu->folder);
    free(edu);
    return 0;
}

TEST_WITH(test_edu, edu_set_up, edu_tear_down)
{
    struct edu *edu = *state;
    struct dma_port *port;
    uint16_t command;
    char error[128] = "";
    uint8_t buf[16];
    int ret = edu_open(edu, edu->folder, &port, error, sizeof(error));

    assert_string_equal(error, "");
    assert_int_equal(ret, 0);

    assert_int_equal(dma_write(port, BUS(1, 0xff0), "sixteen letters.", 16), 0);
    assert_memory_equal(edu->pages + PAGE + 0xff0, "sixteen letters.", 16);
    assert_int_equal(edu->transfers, 2);
    assert_int_equal(dma_copy(port, BUS(2, 3), BUS(1, 0xff0), 16), 0);
    assert_memory_equal(edu->pages + (size_t)2 * PAGE + 3, "sixteen letters.", 16);
    assert_int_equal(edu->transfers, 4);
    assert_int_equal(dma_read(port, BUS(2, 3), buf, 16), 0);
    assert_memory_equal(buf, "sixteen letters.", 16);
    assert_int_equal(edu->transfers, 6);

    assert_int_equal(dma_write(port, port->scratch, "harmless", 8), 0);
    assert_int_equal(dma_copy(port, port->scratch + 8, port->scratch, 8), 0);
    assert_int_equal(dma_read(port, port->scratch + 8, buf, 8), 0);
    assert_memory_equal(buf, "harmless", 8);
    assert_int_equal(edu->mistakes, 0);

    assert_int_equal(edu->allocated, 2);
    dma_close(port);
    assert_int_equal(edu->allocated, 0);
    assert_int_equal(pread(edu->config, &command, 2, 4), 2);
    assert_int_equal(command & 4, 0); /* no bus master any more */
}

TEST_WITH(edu_is_not_used_when_its_memory_has_moved, edu_set_up, edu_tear_down)
{
    struct edu *edu = *state;
    struct dma_port *port;
    char error[128] = "";

    assert_int_equal(edu_open(edu, edu->folder, &port, error, sizeof(error)), 0);
    edu->moved = true;
    assert_int_equal(dma_write(port, BUS(1, 0), "x", 1), -EIO);
    edu->moved = false; /* who knows where it was in between */
    assert_int_equal(dma_write(port, BUS(1, 0), "x", 1), -EIO);
    assert_int_equal(edu->transfers, 0);
    dma_close(port);
}

TEST_WITH(edu_is_something_else, edu_set_up, edu_tear_down)
{
    static const uint32_t zero = 0;
    struct edu *edu = *state;
    struct dma_port *port;
    char error[128];

    *(volatile uint32_t *)edu->bar = 0;
    error[0] = '\0';
    assert_true(edu_open(edu, edu->folder, &port, error, sizeof(error)) < 0);
    assert_string_not_equal(error, "");
    assert_int_equal(pwrite(edu->config, &zero, 4, 0), 4);
    error[0] = '\0';
    assert_true(edu_open(edu, edu->folder, &port, error, sizeof(error)) < 0);
    assert_string_not_equal(error, "");
    assert_true(edu_open(edu, "/nonexistent", &port, NULL, 0) < 0);
}
