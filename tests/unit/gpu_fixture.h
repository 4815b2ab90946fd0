/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the software GPU share: a DMA port that is an array, two clients with their
 * windows, a PPGTT, and a workload to put commands into.
 */
#ifndef XENGT_TESTS_GPU_FIXTURE_H
#define XENGT_TESTS_GPU_FIXTURE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#include "gpu/dma/dma.h"
#include "gpu/gpu.h"

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

/* --- the port ---------------------------------------------------------------------------- */

struct fake_port {
    struct dma_port base;
    uint8_t *memory;
    uint64_t refused; /* a frame */
    unsigned reads, writes, copies;
    bool *closed; /* set when it is; may be NULL */
};

static inline int fake_bytes(struct dma_port *port, uint64_t addr, size_t len, uint8_t **bytes)
{
    struct fake_port *fake = (struct fake_port *)port;
    uint64_t frame = addr / PAGE;

    assert_true(len <= PAGE - addr % PAGE);
    if (frame == fake->refused || frame < FRAME_BASE || frame >= FRAME_BASE + FRAMES) {
        return -EFAULT;
    }
    *bytes = fake->memory + (frame - FRAME_BASE) * PAGE + addr % PAGE;
    return 0;
}

static inline int fake_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    uint8_t *bytes;
    int ret = fake_bytes(port, addr, len, &bytes);

    if (ret == 0) {
        memcpy(buf, bytes, len);
    }
    ((struct fake_port *)port)->reads++;
    return ret;
}

static inline int fake_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    uint8_t *bytes;
    int ret = fake_bytes(port, addr, len, &bytes);

    if (ret == 0) {
        memcpy(bytes, buf, len);
    }
    ((struct fake_port *)port)->writes++;
    return ret;
}

static inline int fake_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len)
{
    uint8_t *to, *from;
    int ret = fake_bytes(port, src, len, &from);

    if (ret == 0) {
        ret = fake_bytes(port, dst, len, &to);
    }
    if (ret == 0) {
        memmove(to, from, len);
    }
    ((struct fake_port *)port)->copies++;
    return ret;
}

static inline void fake_close(struct dma_port *port)
{
    struct fake_port *fake = (struct fake_port *)port;

    if (fake->closed) {
        *fake->closed = true;
    }
    free(fake->memory);
    free(fake);
}

static const struct dma_ops fake_ops = {
    .name = "fake",
    .read = fake_read,
    .write = fake_write,
    .copy = fake_copy,
    .close = fake_close,
};

static inline struct fake_port *fake_open(void)
{
    struct fake_port *fake = calloc(1, sizeof(*fake));

    assert_non_null(fake);
    fake->base.ops = &fake_ops;
    fake->base.scratch = (uint64_t)FRAME_BASE * PAGE;
    fake->memory = calloc(FRAMES, PAGE);
    assert_non_null(fake->memory);
    return fake;
}

/* --- the fixture ------------------------------------------------------------------------- */

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

static inline uint32_t random_below(struct fixture *fx, uint32_t limit)
{
    fx->random = fx->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fx->random >> 33) % limit;
}

static inline void set_pte(struct fixture *fx, uint32_t index, uint64_t pte)
{
    const struct gpu_pte_write write = {.table = GPU_GGTT, .index = index, .pte = pte};

    fx->gpu->ops->write_ptes(fx->gpu, &write, 1);
}

static inline void map(struct fixture *fx, uint32_t index, uint32_t frame)
{
    fx->frame[index] = frame;
    set_pte(fx, index, ((uint64_t)FRAME_BASE + frame) * PAGE | GPU_PTE_PRESENT);
}

/* Pages that are neighbours in the GTT are none in memory. */
static inline void map_windows(struct fixture *fx)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < A_PAGES; i++) {
        map(fx, A_COMMANDS + i, 1 + n++ * 37 % 251);
        map(fx, A_DATA + i, 1 + n++ * 37 % 251);
    }
    for (uint32_t i = 0; i < B_PAGES; i++) {
        map(fx, B_WINDOW + i, 1 + n++ * 37 % 251);
    }
}

static inline int set_up_with(void **state, bool eager)
{
    const struct gpu_soft_options options = {.gtt_entries = GTT_ENTRIES, .eager = eager};
    const struct gpu_range a[GPU_RANGES] = {{A_COMMANDS, A_PAGES}, {A_DATA, A_PAGES}};
    const struct gpu_range b[GPU_RANGES] = {{B_WINDOW, B_PAGES}, {0, 0}};
    struct fixture *fx = calloc(1, sizeof(*fx));

    assert_non_null(fx);
    fx->port = fake_open();
    assert_int_equal(gpu_soft_open(&fx->port->base, &options, &fx->gpu), 0);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, a, 0, &fx->a), 0);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, b, 0, &fx->b), 0);
    map_windows(fx);
    fx->context = 1;
    fx->engine = GPU_BCS;
    fx->random = 42;
    *state = fx;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fx = *state;

    fx->gpu->ops->close(fx->gpu);
    free(fx);
    return 0;
}

static inline uint8_t *at(struct fixture *fx, uint32_t addr)
{
    return fx->port->memory + (size_t)fx->frame[addr / PAGE] * PAGE + addr % PAGE;
}

static inline uint32_t get(struct fixture *fx, uint32_t addr)
{
    uint32_t value;

    memcpy(&value, at(fx, addr), sizeof(value));
    return value;
}

static inline void put(struct fixture *fx, uint32_t addr, uint32_t value)
{
    memcpy(at(fx, addr), &value, sizeof(value));
}

static inline void put_all(struct fixture *fx, uint32_t addr, const uint32_t *dw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(fx, addr + (uint32_t)i * 4, dw[i]);
    }
}

static inline void emit_all(struct fixture *fx, const uint32_t *dw, size_t n)
{
    assert_true(fx->count + n <= sizeof(fx->commands) / sizeof(fx->commands[0]));
    memcpy(fx->commands + fx->count, dw, n * sizeof(*dw));
    fx->count += (uint32_t)n;
}

#define DWORDS(...)        ((const uint32_t[]){__VA_ARGS__})
#define COUNT(...)         (sizeof(DWORDS(__VA_ARGS__)) / sizeof(uint32_t))
#define EMIT(fx, ...)      emit_all(fx, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))
#define PUT(fx, addr, ...) put_all(fx, addr, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))

/* --- the PPGTT --------------------------------------------------------------------------- */

static inline uint32_t new_table(struct fixture *fx, unsigned level)
{
    uint32_t table = 0;

    assert_int_equal(fx->gpu->ops->table_alloc(fx->gpu, level, 0, &table), 0);
    return table;
}

static inline void pp_set(struct fixture *fx, uint64_t address, uint64_t pte)
{
    uint32_t table = fx->root.table[0];

    for (unsigned level = fx->root.levels; level > 1; level--) {
        uint32_t index = address >> (12 + 9 * (level - 1)) & 511;
        uint64_t entry = gpu_read_pte(fx->gpu, table, index);

        if (!(entry & GPU_PTE_PRESENT)) {
            entry = gpu_pte_of_table(new_table(fx, level - 1));
            fx->gpu->ops->write_ptes(
                fx->gpu, &(struct gpu_pte_write){.table = table, .index = index, .pte = entry}, 1);
        }
        table = (uint32_t)((entry & GPU_PTE_ADDR_MASK) >> 12);
    }
    fx->gpu->ops->write_ptes(
        fx->gpu, &(struct gpu_pte_write){.table = table, .index = address >> 12 & 511, .pte = pte},
        1);
}

/* Frames of neighbours are no neighbours. */
static inline uint32_t pp_frame(uint64_t address)
{
    uint32_t n = address >= PP_BATCH ? PP_PAGES + (uint32_t)((address - PP_BATCH) / PAGE)
                                     : (uint32_t)((address - PP_DATA) / PAGE);

    return PP_FRAME + n * 37 % 251;
}

static inline uint64_t pp_pte(uint64_t address)
{
    return ((uint64_t)FRAME_BASE + pp_frame(address)) * PAGE | GPU_PTE_PRESENT | GPU_PTE_WRITABLE;
}

static inline uint8_t *pp_at(struct fixture *fx, uint64_t address)
{
    return fx->port->memory + (size_t)pp_frame(address) * PAGE + address % PAGE;
}

static inline uint32_t pp_get(struct fixture *fx, uint64_t address)
{
    uint32_t value;

    memcpy(&value, pp_at(fx, address), sizeof(value));
    return value;
}

static inline void pp_put_all(struct fixture *fx, uint64_t address, const uint32_t *dw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(pp_at(fx, address + i * 4), &dw[i], sizeof(dw[i]));
    }
}

#define PP_PUT(fx, addr, ...) pp_put_all(fx, addr, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))

static inline void make_ppgtt(struct fixture *fx)
{
    fx->root.levels = 4;
    fx->root.table[0] = new_table(fx, 4);
    for (uint32_t i = 0; i < PP_PAGES; i++) {
        pp_set(fx, PP_DATA + i * PAGE, pp_pte(PP_DATA + i * PAGE));
    }
    for (uint32_t i = 0; i < PP_BATCH_PAGES; i++) {
        pp_set(fx, PP_BATCH + i * PAGE, pp_pte(PP_BATCH + i * PAGE));
    }
}

static inline int set_up(void **state)
{
    return set_up_with(state, false);
}

static inline int set_up_eager(void **state)
{
    return set_up_with(state, true);
}

static inline int set_up_ppgtt(void **state)
{
    int ret = set_up_with(state, false);

    make_ppgtt(*state);
    return ret;
}

/* --- executing --------------------------------------------------------------------------- */

/* A's workload: what was emitted, and what the batch pages hold now. */
static inline int submit_to(struct fixture *fx, enum gpu_engine engine)
{
    static uint32_t batch[A_BATCH_PAGES * PAGE / 4];
    const struct gpu_buffer buffers[] = {
        {.address = A_RING, .dw = fx->commands, .count = fx->count, .run = true},
        {.address = A_BATCH, .dw = batch, .count = A_BATCH_PAGES * PAGE / 4},
    };
    const struct gpu_workload workload = {
        .root = fx->root,
        .context = fx->context,
        .status_page = A_STATUS,
        .buffer = buffers,
        .buffers = 2,
    };

    for (uint32_t i = 0; i < A_BATCH_PAGES; i++) {
        memcpy(batch + i * PAGE / 4, at(fx, A_BATCH + i * PAGE), PAGE);
    }
    return fx->gpu->ops->execute(fx->a, engine, &workload);
}

static inline void submit(struct fixture *fx)
{
    assert_int_equal(submit_to(fx, fx->engine), 0);
    fx->count = 0;
}

static inline void submit_b(struct fixture *fx, const uint32_t *dw, uint32_t count)
{
    const struct gpu_buffer buffer = {.address = B_RING, .dw = dw, .count = count, .run = true};
    const struct gpu_workload workload = {.buffer = &buffer, .buffers = 1};

    assert_int_equal(fx->gpu->ops->execute(fx->b, GPU_BCS, &workload), 0);
}

static inline void run_all(struct fixture *fx, unsigned budget)
{
    unsigned rounds = 0;

    while (fx->gpu->ops->run(fx->gpu, budget)) {
        assert_true(rounds++ < 1000000);
    }
}

static inline struct gpu_engine_state state_of(struct fixture *fx, struct gpu_client *client)
{
    struct gpu_engine_state state;

    fx->gpu->ops->engine_state(client, fx->engine, &state);
    return state;
}

/* Begins anew, with nothing to execute. */
static inline void reset(struct fixture *fx)
{
    fx->gpu->ops->reset(fx->a, fx->engine);
    fx->count = 0;
}

/* What was submitted has come to its end. */
static inline void expect_done(struct fixture *fx)
{
    struct gpu_engine_state state = state_of(fx, fx->a);

    assert_string_equal(state.reason, "");
    assert_false(state.error);
    assert_true(state.idle);
    assert_int_equal(state.done, fx->done + 1);
    fx->done++;
}

static inline void execute(struct fixture *fx)
{
    fx->done = state_of(fx, fx->a).done;
    submit(fx);
    run_all(fx, 1000000);
    expect_done(fx);
}

static inline void expect_failure(struct fixture *fx, const char *reason)
{
    struct gpu_engine_state state;
    uint32_t done = state_of(fx, fx->a).done;

    submit(fx);
    run_all(fx, 1000000);
    state = state_of(fx, fx->a);
    assert_true(state.error);
    assert_true(state.idle);
    assert_int_equal(state.done, done);
    if (!strstr(state.reason, reason)) {
        fail_msg("the reason is '%s', not '%s'", state.reason, reason);
    }
    reset(fx);
    assert_false(state_of(fx, fx->a).error);
}

/* Commands of A that were not done, for want of privilege. */
static inline uint64_t denied(struct fixture *fx)
{
    struct gpu_stats stats;

    fx->gpu->ops->client_stats(fx->a, &stats);
    return stats.denied;
}

#define TEST(name)       TEST_WITH(name, set_up, tear_down)
#define TEST_PPGTT(name) TEST_WITH(name, set_up_ppgtt, tear_down)

#endif
