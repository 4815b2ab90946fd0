/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the software GPU share: a DMA port that is an array, two clients with their
 * windows, and a ring to put commands into.
 */
#ifndef XENGT_TESTS_GPU_FIXTURE_H
#define XENGT_TESTS_GPU_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gpu/dma.h"
#include "gpu/gpu.h"

#define PAGE        4096u
#define GTT_ENTRIES 2048u
#define FRAMES      256u
#define FRAME_BASE  0x12345000u /* bus frame number of the first one, which is scratch */

/* Two clients. The first has its commands in one window and its data in the other. */
#define A_COMMANDS 16u
#define A_DATA     1024u
#define A_PAGES    64u
#define B_WINDOW   200u
#define B_PAGES    16u

#define A_RING  (A_COMMANDS * PAGE)
#define A_BATCH ((A_COMMANDS + 4) * PAGE)
#define A_END   ((A_COMMANDS + A_PAGES) * PAGE)
#define DATA    (A_DATA * PAGE)
#define B_RING  (B_WINDOW * PAGE)
#define B_DATA  ((B_WINDOW + 1) * PAGE)

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

/* --- the port ------------------------------------------------------------------------------- */

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

/* --- the fixture ---------------------------------------------------------------------------- */

struct fixture {
    struct fake_port *port;
    struct gpu *gpu;
    struct gpu_client *a, *b;
    uint32_t frame[GTT_ENTRIES]; /* as the tests believe it: index of the frame in the array */
    uint32_t tail;               /* of A's ring on the engine in use */
    uint32_t ring_size;
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
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, a, &fx->a), 0);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, b, &fx->b), 0);
    map_windows(fx);
    fx->ring_size = PAGE;
    fx->engine = GPU_BCS;
    fx->random = 42;
    *state = fx;
    return 0;
}

static inline int set_up(void **state)
{
    return set_up_with(state, false);
}

static inline int set_up_eager(void **state)
{
    return set_up_with(state, true);
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
    for (size_t i = 0; i < n; i++) {
        put(fx, A_RING + fx->tail, dw[i]);
        fx->tail = (fx->tail + 4) % fx->ring_size;
    }
}

#define DWORDS(...)        ((const uint32_t[]){__VA_ARGS__})
#define COUNT(...)         (sizeof(DWORDS(__VA_ARGS__)) / sizeof(uint32_t))
#define EMIT(fx, ...)      emit_all(fx, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))
#define PUT(fx, addr, ...) put_all(fx, addr, DWORDS(__VA_ARGS__), COUNT(__VA_ARGS__))

static inline void submit(struct fixture *fx)
{
    const struct gpu_ring ring = {.start = A_RING, .size = fx->ring_size, .tail = fx->tail};

    fx->gpu->ops->submit(fx->a, fx->engine, &ring);
}

static inline void submit_b(struct fixture *fx, uint32_t tail)
{
    const struct gpu_ring ring = {.start = B_RING, .size = PAGE, .tail = tail};

    fx->gpu->ops->submit(fx->b, GPU_BCS, &ring);
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

/* Begins anew: a ring with nothing in it. */
static inline void reset(struct fixture *fx)
{
    fx->gpu->ops->reset(fx->a, fx->engine);
    fx->tail = 0;
}

static inline void execute(struct fixture *fx)
{
    struct gpu_engine_state state;

    submit(fx);
    run_all(fx, 1000000);
    state = state_of(fx, fx->a);
    assert_string_equal(state.reason, "");
    assert_false(state.error);
    assert_true(state.idle);
    assert_int_equal(state.head, fx->tail);
}

static inline void expect_failure(struct fixture *fx, const char *reason)
{
    struct gpu_engine_state state;

    submit(fx);
    run_all(fx, 1000000);
    state = state_of(fx, fx->a);
    assert_true(state.error);
    assert_true(state.idle);
    if (!strstr(state.reason, reason)) {
        fail_msg("the reason is '%s', not '%s'", state.reason, reason);
    }
    reset(fx);
    assert_false(state_of(fx, fx->a).error);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
