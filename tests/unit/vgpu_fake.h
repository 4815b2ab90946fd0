/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A vGPU over a GTT that is an array of pages and a GPU that does what a test says: both kept
 * behind the interface of gtt.h, and everything that comes through it can be looked at.
 */
#ifndef TESTS_VGPU_FAKE_H
#define TESTS_VGPU_FAKE_H

#include "support/test.h"
#include "vgpu/blocks/irq.h"
#include "vgpu/device.h"
#include "vgpu/models.h"
#include "vgpu/registers.h"
#include "vgpu/vgpu.h"

#define LOW_FIRST  16u /* the windows, in pages */
#define LOW_COUNT  64u
#define HIGH_FIRST 1024u
#define HIGH_COUNT 128u
#define PAGE       4096u
#define AT(page)   ((page)*PAGE) /* the GGTT address of a page */
#define OUTSIDE    AT(LOW_FIRST + LOW_COUNT)

#define FAKE_MMIO_BASE     0xe0000000u
#define FAKE_APERTURE_SIZE (256u << 20)

#define RCS  0x2000u
#define BCS  0x22000u
#define VCS0 0x12000u
#define VECS 0x1a000u

/* A workload as the GPU got it, its commands copied. */
struct fake_work {
    struct gtt_workload w;
    struct gpu_buffer buffer[32];
    uint32_t dw[8192];
};

/* What daemon/gtt would be. */
struct gtt {
    uint8_t memory[LOW_COUNT + HIGH_COUNT][PAGE];
    bool hole[LOW_COUNT + HIGH_COUNT]; /* pages that map nothing */
    struct gpu_engine_state state[GPU_ENGINES];
    struct fake_work work[GPU_ENGINES]; /* the last one of each engine */
    unsigned submissions[GPU_ENGINES];
    unsigned engine_resets[GPU_ENGINES];
    unsigned resets, commits, gtt_writes;
    uint64_t entry[8];
    int submit_error;
    int prepare_error;
    unsigned prepares;
    uint32_t left;  /* of what was allowed, in units */
    uint64_t spent; /* likewise */
    uint64_t ticks; /* what TIMESTAMP shows */
    bool eager;     /* work is complete when it is submitted */
    struct gtt_root created, destroyed;
    int ppgtt_error;
    void (*on_memory_write)(struct gtt *gtt, uint64_t address, size_t size);
};

struct fake {
    struct gpu gpu; /* nothing but its size is asked for */
    struct vgpu_machine machine;
    struct vgpu_config config;
    struct gtt *gtt;
    struct vgpu *vgpu;
    struct {
        uint64_t base, size;
    } claimed[VGPU_BARS];
    unsigned claims;
    int claim_error;
    uint64_t ram; /* the view; nobody looks into it */
    uint64_t ram_at;
    unsigned moves;
    int move_error;
    uint64_t now_ns;
    unsigned interrupts;
    bool intx; /* the level of the pin */
    unsigned intx_changes;
    struct vgpu_kept *again; /* of a vGPU that goes on with another's */
    unsigned lines, warnings;
    char line[256]; /* the last one */
};

int fake_setup(void **state);
int fake_teardown(void **state);

/*
 * The process ends as it is, without a chance to do anything; another one goes on with what is
 * kept, which may be changed in between: it is config.kept. The GPU has forgotten everything.
 */
void fake_kill(struct fake *f);
void fake_start_again(struct fake *f);

uint32_t rd(struct fake *f, uint32_t offset);
void wr(struct fake *f, uint32_t offset, uint32_t value);
struct vgpu_stats stats_of(struct fake *f);

/* Fails when the vGPU is not in failsafe, or for another reason. */
void assert_failsafe(struct fake *f, const char *part);
void assert_well(struct fake *f);

/* Guest memory by its GGTT address. */
uint8_t *mem(struct fake *f, uint64_t address);
uint32_t peek(struct fake *f, uint64_t address);
void poke(struct fake *f, uint64_t address, uint32_t value);
void poke_all(struct fake *f, uint64_t address, const uint32_t *dw, size_t n);

/* The engine's workload is complete, and the vGPU looks. */
void complete(struct fake *f, enum gpu_engine engine);

/* As a driver does when it has found its vGPU. */
void find_vgpu(struct fake *f);
void enable_interrupts(struct fake *f); /* all of them, at every level */
void enable_execlists(struct fake *f, enum gpu_engine engine, uint32_t status_page);

/*
 * A context with a ring of one page and n dwords of commands in it; its image is the two pages at
 * image, the ring at ring.
 */
#define DESCRIPTOR(image, id) ((uint64_t)(id) << 32 | (image) | 0x119u)
void make_context(struct fake *f, enum gpu_engine engine, uint32_t image, uint32_t ring);
void set_tail(struct fake *f, uint32_t image, uint32_t tail);
void submit_list(struct fake *f, enum gpu_engine engine, uint64_t first, uint64_t second);

/*
 * Three contexts A, B and C on the blitter, their images in the upper window, and its status page.
 * read is the entry of its context status buffer that was looked at last; 5 at first.
 */
#define HWSP    AT(LOW_FIRST)
#define IMAGE_A AT(HIGH_FIRST)
#define IMAGE_B AT(HIGH_FIRST + 2)
#define IMAGE_C AT(HIGH_FIRST + 4)
#define RING_A  AT(LOW_FIRST + 1)
#define RING_B  AT(LOW_FIRST + 2)
#define RING_C  AT(LOW_FIRST + 3)
#define A       DESCRIPTOR(IMAGE_A, 0xa)
#define B       DESCRIPTOR(IMAGE_B, 0xb)
#define C       DESCRIPTOR(IMAGE_C, 0xc)

/* Entries of the status buffer. */
#define IDLE_TO_ACTIVE 0x1u
#define LITE_RESTORE   0x8002u
#define NEXT_ELEMENT   0x14u
#define TO_IDLE        0x18u

#define BCS_SWITCH 0x01000000u
#define BCS_USER   0x00010000u
#define BCS_NOTIFY 0x00100000u
#define BCS_ERROR  0x00080000u

int blitter_setup(void **state);
void expect_entry(struct fake *f, unsigned *read, uint32_t status, uint32_t id);
void expect_no_entry(struct fake *f, unsigned read);

/* The guest reads and clears the interrupts of the first bank; were there these? */
bool took_interrupt(struct fake *f, uint32_t bits);

#endif
