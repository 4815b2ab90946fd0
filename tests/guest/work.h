/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A context with a PPGTT of its own, and batches in it: what a program that uses the GPU has. Also
 * patterns to fill pages with, and to find again byte for byte.
 */
#ifndef TESTS_GUEST_WORK_H
#define TESTS_GUEST_WORK_H

#include "execlist.h"
#include "ppgtt.h"

#define WORK_BATCH_PAGES 4u

struct work {
    struct ppgtt pp;
    struct context context;
    struct page batch[WORK_BATCH_PAGES];
    uint32_t dwords;
};

/*
 * What a case calls first and last: the vGPU with execlists; a PPGTT, announced, a context, room
 * for a batch. NULL, or what is wrong.
 */
const char *work_begin(struct work *work);
void work_end(struct work *work); /* the PPGTT is destroyed */

/* One more on the same vGPU. */
const char *work_create(struct work *work);

/* Commands for the batch, in pages of the PPGTT; rows are what a pitch of one page makes them. */
void work_emit(struct work *work, uint32_t dword);
void work_copy(struct work *work, uint64_t dst, uint64_t src, uint32_t pages);
void work_copy_columns(struct work *work, uint64_t dst, uint64_t src, uint32_t rows);
void work_fill(struct work *work, uint64_t dst, uint32_t pages, uint32_t colour);
void work_store(struct work *work, uint64_t dst, uint32_t value);

/* Runs the batch. NULL, or what is wrong. */
const char *work_run(struct work *work);
const char *work_run_within(struct work *work, uint64_t timeout_us);
const char *work_run_two(struct work *first, struct work *second); /* in one list */

/* The first bytes of each row that work_copy_columns() takes. */
#define WORK_COLUMN_BYTES 64u

/* --- contents ---------------------------------------------------------------------------- */

/* Different in each word of each page of each salt. */
void content_fill(uint64_t gfn, uint32_t salt, uint32_t page);
bool content_is(uint64_t gfn, uint32_t salt, uint32_t page);
bool content_is_colour(uint64_t gfn, uint32_t colour);

/* n pages; their frames. -1: out of memory. */
int frames_alloc(uint32_t *gfn, uint32_t n);
void frames_free(const uint32_t *gfn, uint32_t n);

#endif
