/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Offsets and commands: Intel's Broadwell PRM, vol. 2; PVINFO: Linux' i915_pvinfo.h. */

#include "gpu.h"

#define PVINFO_MAGIC_VALUE 0x4776544776544776ull
#define GFX_FLSH_CNTL      0x101008u
#define RING_TAIL          (BCS + 0x30u)
#define RING_HEAD          (BCS + 0x34u)
#define RING_START         (BCS + 0x38u)
#define RING_CTL           (BCS + 0x3cu)
#define RING_MODE          (BCS + 0x29cu)
#define NO_RUN_LIST        (1u << 31) /* bit 15 off: its mask bit alone */
#define GTT                0x800000u

#define MI_STORE_DATA_IMM_GGTT (0x20u << 23 | 1u << 22 | 2u)
#define XY_COLOR_BLT           (2u << 29 | 0x50u << 22 | 3u << 20 | 5u)
#define XY_SRC_COPY_BLT        (2u << 29 | 0x53u << 22 | 3u << 20 | 8u)
#define BR13_32BPP             (3u << 24)
#define ROP_COPY               (0xccu << 16)
#define ROP_PATTERN            (0xf0u << 16)

#define RING_PAGES 2u

static GUEST_STATE struct {
    uint32_t low_first, low_count, high_first, high_count;
    uint32_t next_entry;
    struct page ring[RING_PAGES];
    uint32_t tail;
    struct page status;
    uint32_t status_entry;
    uint32_t seqno;
} gpu;

uint32_t gpu_low_first(void)
{
    return gpu.low_first;
}

uint32_t gpu_low_count(void)
{
    return gpu.low_count;
}

uint32_t gpu_high_first(void)
{
    return gpu.high_first;
}

uint32_t gpu_high_count(void)
{
    return gpu.high_count;
}

uint32_t gtt_alloc(uint32_t n)
{
    uint32_t entry = gpu.next_entry;

    gpu.next_entry += n;
    return entry;
}

void gtt_write_raw(uint32_t entry, uint64_t pte)
{
    mmio_write64(GTT + entry * 8, pte);
}

void gtt_set(uint32_t entry, uint64_t gfn)
{
    gtt_write_raw(entry, gfn << PAGE_SHIFT | PTE_PRESENT);
}

void gtt_set_halves(uint32_t entry, uint64_t gfn, bool high_first)
{
    uint64_t pte = gfn << PAGE_SHIFT | PTE_PRESENT;

    if (high_first) {
        mmio_write32(GTT + entry * 8 + 4, pte >> 32);
    }
    mmio_write32(GTT + entry * 8, (uint32_t)pte);
    if (!high_first) {
        mmio_write32(GTT + entry * 8 + 4, pte >> 32);
    }
}

void gtt_clear(uint32_t entry)
{
    gtt_write_raw(entry, 0);
}

uint64_t gtt_get(uint32_t entry)
{
    return mmio_read64(GTT + entry * 8);
}

void gtt_flush(void)
{
    mmio_write32(GFX_FLSH_CNTL, 1);
}

const char *gpu_find(void)
{
    if (mmio_read64(PVINFO) != PVINFO_MAGIC_VALUE) {
        return "no PVINFO magic: is there a vGPU?";
    }
    if ((mmio_read32(PVINFO + 8) & 0xffff) != 1) {
        return "PVINFO version is not 1";
    }
    gpu.low_first = mmio_read32(PVINFO + 0x40) / PAGE_SIZE;
    gpu.low_count = mmio_read32(PVINFO + 0x44) / PAGE_SIZE;
    gpu.high_first = mmio_read32(PVINFO + 0x48) / PAGE_SIZE;
    gpu.high_count = mmio_read32(PVINFO + 0x4c) / PAGE_SIZE;
    if (!gpu.low_count) {
        return "the mappable window is empty";
    }
    gpu.next_entry = gpu.low_first;
    mmio_write32(RING_CTL, 0); /* whatever ran before */
    mmio_write32(RING_MODE, NO_RUN_LIST);
    return NULL;
}

const char *gpu_init(void)
{
    const char *error = gpu_find();
    uint32_t ring_entry;

    if (error) {
        return error;
    }
    gpu.tail = 0;
    ring_entry = gtt_alloc(RING_PAGES);
    for (uint32_t i = 0; i < RING_PAGES; i++) {
        if (page_alloc(&gpu.ring[i])) {
            return "out of memory";
        }
        gtt_set(ring_entry + i, gpu.ring[i].gfn);
    }
    if (page_alloc(&gpu.status)) {
        return "out of memory";
    }
    gpu.status_entry = gtt_alloc(1);
    gtt_set(gpu.status_entry, gpu.status.gfn);
    gtt_flush();

    mmio_write32(RING_HEAD, 0);
    mmio_write32(RING_TAIL, 0);
    mmio_write32(RING_START, ring_entry * PAGE_SIZE);
    mmio_write32(RING_CTL, (RING_PAGES - 1) << 12 | 1);
    return NULL;
}

void ring_emit(uint32_t dword)
{
    volatile uint32_t *page = gpu.ring[gpu.tail / PAGE_SIZE].va;

    page[gpu.tail % PAGE_SIZE / 4] = dword;
    gpu.tail = (gpu.tail + 4) % (RING_PAGES * PAGE_SIZE);
}

static void emit_address(uint64_t address)
{
    ring_emit((uint32_t)address);
    ring_emit(address >> 32);
}

/* A surface of one page a row: 1024 pixels of 32 bits. */
static void copy_rows(uint32_t dst_entry, uint32_t src_entry, uint32_t rows)
{
    ring_emit(XY_SRC_COPY_BLT);
    ring_emit(BR13_32BPP | ROP_COPY | PAGE_SIZE);
    ring_emit(0);
    ring_emit(rows << 16 | PAGE_SIZE / 4);
    emit_address((uint64_t)dst_entry * PAGE_SIZE);
    ring_emit(0);
    ring_emit(PAGE_SIZE);
    emit_address((uint64_t)src_entry * PAGE_SIZE);
}

void blit_copy(uint32_t dst_entry, uint32_t src_entry, uint32_t pages)
{
    for (uint32_t done = 0; done < pages; done += BLIT_ROWS_MAX) {
        uint32_t rows = pages - done < BLIT_ROWS_MAX ? pages - done : BLIT_ROWS_MAX;

        copy_rows(dst_entry + done, src_entry + done, rows);
    }
}

void blit_fill(uint32_t dst_entry, uint32_t pages, uint32_t colour)
{
    ring_emit(XY_COLOR_BLT);
    ring_emit(BR13_32BPP | ROP_PATTERN | PAGE_SIZE);
    ring_emit(0);
    ring_emit(pages << 16 | PAGE_SIZE / 4);
    emit_address((uint64_t)dst_entry * PAGE_SIZE);
    ring_emit(colour);
}

uint32_t ring_submit(void)
{
    gpu.seqno++;
    ring_emit(MI_STORE_DATA_IMM_GGTT);
    emit_address((uint64_t)gpu.status_entry * PAGE_SIZE);
    ring_emit(gpu.seqno);
    if (gpu.tail % 8) {
        ring_emit(0); /* the tail counts in quadwords */
    }
    mmio_write32(RING_TAIL, gpu.tail);
    return gpu.seqno;
}

bool ring_wait(uint32_t seqno, uint64_t timeout_us)
{
    const volatile uint32_t *status = gpu.status.va;
    uint64_t start = now_us();

    while (*status != seqno) {
        if (now_us() - start > timeout_us) {
            return false;
        }
        relax();
    }
    return true;
}
