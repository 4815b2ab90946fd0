/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of the backend domain's own for DMA: rings, page tables, status and bounce pages. Devices
 * reach it as they reach a guest's pages, and through the same IOMMU.
 *
 * A process's memory is not fit for this: a locked page is not swapped out, but the kernel moves
 * it when it likes, and a PV domain's process does not see bus frame numbers. What is given out
 * here are pages that the kernel's own allocator has handed out and does not move:
 *   physmap  pages of /dev/xen/gntalloc, the grants of which are to this domain itself and not
 *            used; huge pages from 2 MiB on, if there are any (vm.nr_hugepages)
 *   grant    pages of /dev/xen/gntalloc; Xen tells their frames
 *   pviommu  none: nothing tells the bus addresses of this domain's memory
 *   sim      pages of the simulator
 * gntalloc gives 1024 pages to all processes together, unless its parameter "limit" says more.
 */
#ifndef XENGT_DMA_H
#define XENGT_DMA_H

#include <xengt/xengt.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Allocates n pages, zeroed and contiguous for the CPU: *cpu is page-aligned, readable and
 * writeable. bfn[i] is where devices reach page i; the BFNs need not be contiguous, are none of
 * xengt_map()'s, and stay the same until xengt_dma_free(). n = 0 gives NULL.
 *
 * The memory goes with the process, however that ends, and is then anybody's: a device that writes
 * by itself must not outlive its owner. Bus mastering is to be off, or the device reset, before
 * its driver may be killed; or else killing it means resetting the host.
 *   -EINVAL      cpu or bfn is NULL
 *   -ENOMEM      no memory, or none below gntalloc's limit
 *   -ENODEV      no /dev/xen/gntalloc: the kernel module xen-gntalloc is not loaded
 *   -EACCES      the kernel hides frame numbers from this process (CAP_SYS_ADMIN), or devices
 *                from its user
 *   -EOPNOTSUPP  the pviommu back end
 *   -EDEADLK     from within the log function
 *   -EIO         Xen, or the kernel, does not tell a frame: xengt_last_error() has more
 */
int xengt_dma_alloc(struct xengt *xg, void **cpu, struct xengt_bfn *bfn, size_t n);

/*
 * Asks anew where the memory is. To be called once in a while by whoever wants proof: no kernel is
 * known to move it.
 *   -ESTALE   a page is not where it was: its BFN is somebody else's memory by now. Devices must
 *             be stopped
 *   -ENOENT   not memory of xengt_dma_alloc()
 *   -ENOMEM, -EACCES, -EDEADLK, -EIO  as of xengt_dma_alloc()
 */
int xengt_dma_check(struct xengt *xg, const void *cpu);

/*
 * Frees memory of xengt_dma_alloc(); xengt_close() frees what is left. No device may use it any
 * more. NULL is allowed, and what is not of xengt_dma_alloc() is left alone.
 */
void xengt_dma_free(struct xengt *xg, void *cpu);

#ifdef __cplusplus
}
#endif

#endif
