/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DMA port: the only way the software GPU reaches memory. What stands behind the port
 * decides what an address means; the GPU hands it what its page tables said.
 */
#ifndef XENGT_GPU_DMA_DMA_H
#define XENGT_GPU_DMA_DMA_H

#include <stddef.h>
#include <stdint.h>

struct dma_port;

#define DMA_PAGE_SIZE 4096u

struct dma_ops {
    const char *name;

    /*
     * Transfers between a bus address and memory of the process. An access never crosses a 4 KiB
     * boundary of the bus address. -EFAULT: the transfer was stopped; -EIO: the device failed.
     */
    int (*read)(struct dma_port *port, uint64_t addr, void *buf, size_t len);
    int (*write)(struct dma_port *port, uint64_t addr, const void *buf, size_t len);

    /*
     * From bus address to bus address, as if all were read before any is written; neither side
     * crosses a boundary. NULL where the port can only go through memory.
     */
    int (*copy)(struct dma_port *port, uint64_t dst, uint64_t src, size_t len);

    void (*close)(struct dma_port *port);
};

/* Implementations embed this as their first member. */
struct dma_port {
    const struct dma_ops *ops;
    uint64_t scratch; /* bus address of a page that may be read and overwritten by anyone */
};

/* As above. -EINVAL: the access crosses a boundary; nothing reaches the port. len 0: nothing. */
int dma_read(struct dma_port *port, uint64_t addr, void *buf, size_t len);
int dma_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len);
int dma_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len);
void dma_close(struct dma_port *port); /* NULL is allowed */

/* sim: the device of <xengt/sim.h>, behind its IOMMU. */
struct xengt_sim;
int dma_sim_open(struct xengt_sim *sim, struct dma_port **out);

/*
 * cpu: memcpy. view() turns a bus frame number into a pointer to the page, or fails with a
 * negative errno value; the pointer is used before the next call and not kept.
 */
typedef int dma_view_fn(void *arg, uint64_t frame, void **view);
int dma_cpu_open(dma_view_fn *view, void *arg, struct dma_port **out);

/*
 * Memory of this process that devices reach, in pages that stay where they are: frame[i] is the
 * number by which page i is reached. check() fails when one has been moved all the same.
 */
struct dma_memory {
    void *arg;
    int (*alloc)(void *arg, void **cpu, uint64_t *frame, size_t n);
    int (*check)(void *arg, const void *cpu);
    void (*free)(void *arg, void *cpu);
};

/* The library's, a few pages at a time. The handle is to be closed after the port. */
struct xengt;
struct dma_memory dma_memory_of(struct xengt *xengt);

/*
 * edu: QEMU's PCI device of that name (docs/specs/edu.txt), whose DMA goes through the machine's
 * real IOMMU. A transfer takes about 100 ms, a read or a write is two of them, a copy too. sysfs
 * is the device's folder below /sys/bus/pci/devices, or NULL for the first edu device there is.
 * error gets one line.
 *
 * The device does not tell when the IOMMU stopped it: there is no -EFAULT here, what was to be
 * read is then undefined and what was to be written is not. It reaches 256 MiB unless QEMU gives
 * it a dma_mask.
 *
 * -ENODEV: no such device; -EACCES: not permitted; -EBUSY: a transfer is under way that does
 * not end; -ENOMEM; others as the kernel gives them, or the memory.
 */
int dma_edu_open(const char *sysfs, const struct dma_memory *memory, struct dma_port **out,
                 char *error, size_t error_size);

#endif
