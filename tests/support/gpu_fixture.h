/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The GPU's fixture: what tests of the software GPU share. A DMA port that is an array, two clients
 * with their windows, a PPGTT, and a workload to put commands into.
 */
#ifndef TESTS_SUPPORT_GPU_FIXTURE_H
#define TESTS_SUPPORT_GPU_FIXTURE_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gpu/dma/dma.h"
#include "gpu/gpu.h"
#include "gpu/soft/open.h"
#include "support/test.h"

#define PAGE        4096u
#define GTT_ENTRIES 2048u
#define FRAMES      512u
#define FRAME_BASE  0x12345000u /* bus frame number of the first one, which is scratch */

/* Two clients. The first has its commands in one window and its data in the other. */
#define A_COMMANDS 16u
#define A_DATA     1024u
#define A_PAGES    64u
#define B_WINDOW   200u
#define B_PAGES    16u

#define A_RING        (A_COMMANDS * PAGE)
#define A_STATUS      ((A_COMMANDS + 3) * PAGE)
#define A_BATCH       ((A_COMMANDS + 4) * PAGE) /* these pages come with each workload */
#define A_BATCH_PAGES 2u
#define A_END         ((A_COMMANDS + A_PAGES) * PAGE)
#define DATA          (A_DATA * PAGE)
#define B_RING        (B_WINDOW * PAGE)
#define B_DATA        ((B_WINDOW + 1) * PAGE)

/* A's PPGTT, in frames that no window has. The data lie across a border of all levels. */
#define PP_FRAME       256u
#define PP_BATCH       UINT64_C(0x123456000000)
#define PP_BATCH_PAGES 4u
#define PP_PAGES       64u
#define PP_DATA        ((UINT64_C(1) << 39) - 32 * PAGE)

#define LO(address) ((uint32_t)(address))
#define HI(address) ((uint32_t)((uint64_t)(address) >> 32))

#define MI_NOOP           0x00000000u
#define MI_USER_INTERRUPT 0x01000000u
#define MI_ARB_CHECK      0x02800000u
#define MI_ARB_ON_OFF     0x04000000u
#define MI_BATCH_END      0x05000000u
#define MI_STORE_DWORD    0x10400002u
#define MI_STORE_QWORD    0x10600003u
#define MI_FLUSH_STORE    0x13004002u
#define MI_BATCH_START    0x18800001u
#define MI_BATCH_SECOND   0x18c00001u
#define XY_COLOR          0x54300005u
#define XY_COPY           0x54f00008u

/* The same with addresses in the PPGTT. */
#define PP_STORE_DWORD  0x10000002u
#define PP_BATCH_START  0x18800101u
#define PP_BATCH_SECOND 0x18c00101u

#define LRI(n)       (0x11000000u | (2 * (n)-1))
#define LRR          0x15000001u
#define SRM          0x12000002u
#define LRM          0x14800002u
#define GGTT_ADDRESS (1u << 22)

struct fake_port {
    struct dma_port base;
    uint8_t *memory;
    uint64_t refused; /* a frame */
    unsigned reads, writes, copies;
    bool *closed; /* set when it is; may be NULL */
};

struct fixture {
    struct fake_port *port;
    struct gpu *gpu;
    struct gpu_client *a, *b;
    uint32_t frame[GTT_ENTRIES]; /* as the tests believe it: index of the frame in the array */
    uint32_t commands[4096];     /* of A's next workload */
    uint32_t count;
    struct gpu_root root; /* levels 0: no PPGTT yet */
    uint64_t context;
    uint32_t done; /* workloads that came to their end on the engine in use */
    enum gpu_engine engine;
    uint64_t random;
};

struct fake_port *fake_open(void);
uint32_t random_below(struct fixture *fx, uint32_t limit);
void set_pte(struct fixture *fx, uint32_t index, uint64_t pte);
void map(struct fixture *fx, uint32_t index, uint32_t frame);

/* Pages that are neighbours in the GTT are none in memory. */
void map_windows(struct fixture *fx);
int tear_down(void **state);
uint8_t *at(struct fixture *fx, uint32_t addr);
uint32_t get(struct fixture *fx, uint32_t addr);
void put(struct fixture *fx, uint32_t addr, uint32_t value);
void put_all(struct fixture *fx, uint32_t addr, const uint32_t *dw, size_t n);
void emit_all(struct fixture *fx, const uint32_t *dw, size_t n);
uint32_t new_table(struct fixture *fx, unsigned level);
void pp_set(struct fixture *fx, uint64_t address, uint64_t pte);

/* Frames of neighbours are no neighbours. */
uint32_t pp_frame(uint64_t address);
uint64_t pp_pte(uint64_t address);
uint8_t *pp_at(struct fixture *fx, uint64_t address);
uint32_t pp_get(struct fixture *fx, uint64_t address);
void pp_put_all(struct fixture *fx, uint64_t address, const uint32_t *dw, size_t n);
int set_up(void **state);

/* With a clock, where time is otherwise the work that was done. */
int set_up_clocked(void **state, uint64_t (*clock)(void));

int set_up_eager(void **state);
int set_up_ppgtt(void **state);

/* A's workload: what was emitted, and what the batch pages hold now. */
int submit_to(struct fixture *fx, enum gpu_engine engine);
void submit(struct fixture *fx);
void submit_b(struct fixture *fx, const uint32_t *dw, uint32_t count);
void run_all(struct fixture *fx, unsigned budget);
struct gpu_engine_state state_of(struct fixture *fx, struct gpu_client *client);

/* Begins anew, with nothing to execute. */
void reset(struct fixture *fx);

/* What was submitted has come to its end. */
void expect_done(struct fixture *fx);
void execute(struct fixture *fx);
void expect_failure(struct fixture *fx, const char *reason);

/* Commands of A that were not done, for want of privilege. */
uint64_t denied(struct fixture *fx);

#define DWORDS(...)           ((const uint32_t[]){__VA_ARGS__})
#define COUNT(...)            (sizeof(DWORDS(__VA_ARGS__)) / sizeof(uint32_t))
#define EMIT(fx, ...)         emit_all(fx, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))
#define PUT(fx, addr, ...)    put_all(fx, addr, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))
#define PP_PUT(fx, addr, ...) pp_put_all(fx, addr, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))

#define TEST(name)       TEST_WITH(name, set_up, tear_down)
#define TEST_PPGTT(name) TEST_WITH(name, set_up_ppgtt, tear_down)

#endif
