/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring-device PCI-FOLDER DOMID:GFN...: a small device model. Each guest has a ring in its frame GFN
 * (ring.h), and a device that does DMA executes what it finds there: by bus addresses that the
 * library made of the guest's frame numbers, and that lead nowhere else.
 *
 * It shows what every device model does with libxengt: targets, a mapping that lasts and a space
 * for those that come and go, a view for the CPU, memory of its own for DMA, an event loop, and
 * guests that die in the middle of it. It ends when none is left, or by SIGTERM.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xengt/dma.h>
#include <xengt/space.h>
#include <xengt/target.h>

#include "edu.h"
#include "ring.h"

#define GUESTS_MAX 8
#define IDLE_MS    10 /* how often to look at rings: there is no doorbell */
#define QUOTA      64 /* pages of a guest that may be mapped at a time */

struct guest {
    uint32_t domid;
    struct xengt_space *space;  /* of the pages that are copied */
    struct xengt_cookie cookie; /* of the ring */
    struct xengt_bfn bfn;
    volatile struct ring *ring; /* as the CPU sees it */
    uint32_t consumed;          /* what the guest's page says of it is never read */
};

struct device {
    struct xengt *xg;
    struct edu *edu;
    struct guest guest[GUESTS_MAX];
    unsigned guests;
    int32_t *status; /* memory that the device reaches: what it is to write into a ring */
    struct xengt_bfn status_bfn;
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

/* Warnings and worse, with syslog's prefix. */
static void log_line(void *arg, int level, const char *line)
{
    (void)arg;
    if (level <= 4) {
        fprintf(stderr, "<%d>ring-device: %s\n", level, line);
    }
}

static int complain(const struct device *dev, const char *what, int error)
{
    fprintf(stderr, "ring-device: %s: %s: %s\n", what, strerror(-error), xengt_last_error(dev->xg));
    return error;
}

/* --- guests ------------------------------------------------------------------------------ */

/* Nothing of it is used by the device: a copy is waited for. */
static void release(struct device *dev, struct guest *g)
{
    xengt_space_close(g->space);
    xengt_unmap(dev->xg, &g->cookie, NULL, 1); /* one that is none is no harm */
    xengt_target_remove(dev->xg, g->domid);
    *g = dev->guest[--dev->guests];
}

static int attach(struct device *dev, uint32_t domid, struct xengt_gfn gfn)
{
    const struct xengt_space_options options = {.quota = QUOTA};
    struct guest *g = &dev->guest[dev->guests];
    *g = (struct guest){.domid = domid};
    int ret = xengt_target_add(dev->xg, domid);
    if (ret) {
        return complain(dev, "target", ret);
    }
    ret = xengt_space_open(dev->xg, domid, &options, &g->space);
    if (ret) {
        xengt_target_remove(dev->xg, domid);
        return complain(dev, "space", ret);
    }
    dev->guests++;
    void *view;
    ret = xengt_map(dev->xg, domid, &gfn, &g->bfn, &g->cookie, NULL, 1, XENGT_PROT_RW);
    if (!ret) {
        ret = xengt_view_mapping(dev->xg, g->cookie, &view);
    }
    if (ret) {
        complain(dev, "ring", ret);
        release(dev, g);
        return ret;
    }
    g->ring = view;
    printf("domain %" PRIu32 ": its ring is at bus address 0x%" PRIx64 "\n", domid,
           xengt_bfn_to_addr(g->bfn));
    return 0;
}

/* Xen cannot let go of a domain that has died while a page of it is mapped. */
static void bury(struct device *dev)
{
    uint32_t dead[GUESTS_MAX];
    size_t n = xengt_target_dead(dev->xg, dead, GUESTS_MAX);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < dev->guests; k++) {
            if (dev->guest[k].domid == dead[i]) {
                release(dev, &dev->guest[k]);
                printf("domain %" PRIu32 " is gone: released\n", dead[i]);
                break;
            }
        }
    }
}

/* --- rings ------------------------------------------------------------------------------- */

/* What the guest changes from here on does not matter. */
static struct ring_entry read_entry(const struct guest *g)
{
    const volatile struct ring_entry *e = &g->ring->entry[g->consumed % RING_ENTRIES];
    return (struct ring_entry){e->source, e->target, e->length, 0};
}

static int32_t execute(struct device *dev, struct guest *g, const struct ring_entry *e)
{
    const struct xengt_gfn gfn[2] = {{e->source}, {e->target}};
    struct xengt_bfn bfn[2];
    if (!e->length || e->length > RING_LENGTH_MAX) {
        return RING_BAD_LENGTH;
    }
    if (xengt_space_get(g->space, gfn, bfn, NULL, 2)) {
        return RING_BAD_FRAME;
    }
    int ret = edu_copy(dev->edu, xengt_bfn_to_addr(bfn[1]), xengt_bfn_to_addr(bfn[0]), e->length);
    if (ret) {
        return RING_DEVICE_LOST; /* it may still write there: they stay in use */
    }
    xengt_space_put(g->space, bfn, 2);
    return RING_DONE;
}

/* The device writes the status, from memory of ours into the guest's page. */
static int complete(struct device *dev, struct guest *g, int32_t status)
{
    uint64_t at = offsetof(struct ring, entry[g->consumed % RING_ENTRIES].status);
    *dev->status = status;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    int ret = status == RING_DEVICE_LOST
                  ? -EIO
                  : edu_copy(dev->edu, xengt_bfn_to_addr(g->bfn) + at,
                             xengt_bfn_to_addr(dev->status_bfn), sizeof(status));
    if (!ret) {
        g->ring->consumed = ++g->consumed;
    }
    return ret;
}

/* One entry of a guest, so that others have their turn. 1: there was one; -EIO: no device. */
static int serve(struct device *dev, struct guest *g)
{
    if (g->ring->magic != RING_MAGIC || g->ring->produced == g->consumed) {
        return 0;
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    const struct ring_entry entry = read_entry(g);
    int ret = complete(dev, g, execute(dev, g, &entry));
    return ret ? ret : 1;
}

/* --- the loop ---------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_for_work(int ms)
{
    ms = ms < 0 || ms > IDLE_MS ? IDLE_MS : ms;
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

static int run(struct device *dev)
{
    while (!stopped && dev->guests) {
        int busy = 0;
        for (unsigned i = 0; i < dev->guests; i++) {
            int ret = serve(dev, &dev->guest[i]);
            if (ret < 0) {
                return ret;
            }
            busy += ret;
        }
        bury(dev);
        int ms = xengt_expire(dev->xg, now_ms());
        if (!busy) {
            wait_for_work(ms);
        }
    }
    return 0;
}

static int start(struct device *dev, int argc, char **argv)
{
    void *own;
    int ret = xengt_dma_alloc(dev->xg, &own, &dev->status_bfn, 1);
    if (ret) {
        return complain(dev, "memory", ret);
    }
    dev->status = own;
    for (int i = 0; i < argc && !ret; i++) {
        char *colon;
        uint32_t domid = (uint32_t)strtoul(argv[i], &colon, 0);
        ret = *colon == ':' ? attach(dev, domid, (struct xengt_gfn){strtoull(colon + 1, NULL, 0)})
                            : -EINVAL;
    }
    return ret;
}

int main(int argc, char **argv)
{
    const struct xengt_options options = {.log = log_line};
    struct device dev = {0};
    char error[256];
    if (argc < 3 || argc > 2 + GUESTS_MAX) {
        fprintf(stderr, "usage: ring-device PCI-FOLDER DOMID:GFN...\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGTERM, stop);
    if (xengt_open(&dev.xg, &options, error, sizeof(error))) {
        fprintf(stderr, "ring-device: %s\n", error);
        return 1;
    }
    int ret = edu_open(argv[1], &dev.edu);
    if (ret) {
        fprintf(stderr, "ring-device: %s: %s\n", argv[1], strerror(-ret));
        xengt_close(dev.xg);
        return 1;
    }
    ret = start(&dev, argc - 2, argv + 2);
    if (!ret) {
        ret = run(&dev);
    }
    /* First the device, then the memory that it could reach. */
    edu_close(dev.edu);
    xengt_close(dev.xg);
    printf("ended: %s\n", ret ? strerror(-ret) : "no guest is left, or asked to");
    return ret != 0;
}
