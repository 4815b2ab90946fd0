/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A GPU driver as small as one can be: it finds the vGPU, fills its GGTT, and feeds the blitter's
 * ring. One GPU per guest, so the driver's state is its own. execlist.h is the other way to feed
 * it.
 */
#ifndef TESTS_GUEST_GPU_H
#define TESTS_GUEST_GPU_H

#include "platform.h"

#define PTE_PRESENT 1u

/* The blitter's registers, by their offsets from this. */
#define BCS 0x22000u

/* A blit's rows at most: coordinates are signed 16-bit numbers. */
#define BLIT_ROWS_MAX 4096u

#define PVINFO 0x78000u

/* Finds the GPU and sets the ring up. NULL, or what is wrong. */
const char *gpu_init(void);

/* The first part of it: without a ring, the blitter stopped. */
const char *gpu_find(void);

/* GGTT entries that nobody uses yet, n in a row; their GPU address is entry * PAGE_SIZE. */
uint32_t gtt_alloc(uint32_t n);
void gtt_set(uint32_t entry, uint64_t gfn);
void gtt_set_halves(uint32_t entry, uint64_t gfn, bool high_first);
void gtt_clear(uint32_t entry);
void gtt_write_raw(uint32_t entry, uint64_t pte);
uint64_t gtt_get(uint32_t entry);
void gtt_flush(void);

/* The windows that the vGPU may use, in entries. */
uint32_t gpu_low_first(void);
uint32_t gpu_low_count(void);
uint32_t gpu_high_first(void);
uint32_t gpu_high_count(void);

/*
 * Work. copy and fill queue commands for whole pages at GPU addresses; submit hands them over with
 * a sequence number behind them; wait returns when that is in memory, false if it never comes.
 */
void blit_copy(uint32_t dst_entry, uint32_t src_entry, uint32_t pages);
void blit_fill(uint32_t dst_entry, uint32_t pages, uint32_t colour);
void ring_emit(uint32_t dword);
uint32_t ring_submit(void);
bool ring_wait(uint32_t seqno, uint64_t timeout_us);

#endif
