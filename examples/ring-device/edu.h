/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's edu device (docs/specs/edu.txt): what stands in here for hardware that does DMA. */
#ifndef EDU_H
#define EDU_H

#include <stddef.h>
#include <stdint.h>

struct edu;

/* folder: of the device, below /sys/bus/pci/devices. A negative errno value on failure. */
int edu_open(const char *folder, struct edu **out);

/* Copies len bytes, 2048 at most, between bus addresses. -EIO: the device does not answer. */
int edu_copy(struct edu *edu, uint64_t to, uint64_t from, size_t len);

/* When it returns the device does no more DMA, whatever it was doing. */
void edu_close(struct edu *edu);

#endif
