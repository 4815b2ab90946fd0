/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The GPU's fixture: its port, its clients, and what they submit. */
#include "support/gpu_fixture.h"

/* --- the port ---------------------------------------------------------------------------- */

static int fake_bytes(struct dma_port *port, uint64_t addr, size_t len, uint8_t **bytes)
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

static int fake_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    uint8_t *bytes;
    int ret = fake_bytes(port, addr, len, &bytes);

    if (ret == 0) {
        memcpy(buf, bytes, len);
    }
    ((struct fake_port *)port)->reads++;
    return ret;
}

static int fake_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    uint8_t *bytes;
    int ret = fake_bytes(port, addr, len, &bytes);

    if (ret == 0) {
        memcpy(bytes, buf, len);
    }
    ((struct fake_port *)port)->writes++;
    return ret;
}

static int fake_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len)
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

static void fake_close(struct dma_port *port)
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

struct fake_port *fake_open(void)
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

uint32_t random_below(struct fixture *fx, uint32_t limit)
{
    fx->random = fx->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(fx->random >> 33) % limit;
}

void set_pte(struct fixture *fx, uint32_t index, uint64_t pte)
{
    const struct gpu_pte_write write = {.table = GPU_GGTT, .index = index, .pte = pte};

    fx->gpu->ops->write_ptes(fx->gpu, &write, 1);
}

void map(struct fixture *fx, uint32_t index, uint32_t frame)
{
    fx->frame[index] = frame;
    set_pte(fx, index, ((uint64_t)FRAME_BASE + frame) * PAGE | GPU_PTE_PRESENT);
}

void map_windows(struct fixture *fx)
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

static int set_up_with(void **state, bool eager, uint64_t (*clock)(void))
{
    const struct gpu_soft_options options = {
        .gtt_entries = GTT_ENTRIES,
        .eager = eager,
        .clock = clock,
    };
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

int tear_down(void **state)
{
    struct fixture *fx = *state;

    fx->gpu->ops->close(fx->gpu);
    free(fx);
    return 0;
}

uint8_t *at(struct fixture *fx, uint32_t addr)
{
    return fx->port->memory + (size_t)fx->frame[addr / PAGE] * PAGE + addr % PAGE;
}

uint32_t get(struct fixture *fx, uint32_t addr)
{
    uint32_t value;

    memcpy(&value, at(fx, addr), sizeof(value));
    return value;
}

void put(struct fixture *fx, uint32_t addr, uint32_t value)
{
    memcpy(at(fx, addr), &value, sizeof(value));
}

void put_all(struct fixture *fx, uint32_t addr, const uint32_t *dw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put(fx, addr + (uint32_t)i * 4, dw[i]);
    }
}

void emit_all(struct fixture *fx, const uint32_t *dw, size_t n)
{
    assert_true(fx->count + n <= sizeof(fx->commands) / sizeof(fx->commands[0]));
    memcpy(fx->commands + fx->count, dw, n * sizeof(*dw));
    fx->count += (uint32_t)n;
}

/* --- the PPGTT --------------------------------------------------------------------------- */

uint32_t new_table(struct fixture *fx, unsigned level)
{
    uint32_t table = 0;

    assert_int_equal(fx->gpu->ops->table_alloc(fx->gpu, level, 0, &table), 0);
    return table;
}

void pp_set(struct fixture *fx, uint64_t address, uint64_t pte)
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

uint32_t pp_frame(uint64_t address)
{
    uint32_t n = address >= PP_BATCH ? PP_PAGES + (uint32_t)((address - PP_BATCH) / PAGE)
                                     : (uint32_t)((address - PP_DATA) / PAGE);

    return PP_FRAME + n * 37 % 251;
}

uint64_t pp_pte(uint64_t address)
{
    return ((uint64_t)FRAME_BASE + pp_frame(address)) * PAGE | GPU_PTE_PRESENT | GPU_PTE_WRITABLE;
}

uint8_t *pp_at(struct fixture *fx, uint64_t address)
{
    return fx->port->memory + (size_t)pp_frame(address) * PAGE + address % PAGE;
}

uint32_t pp_get(struct fixture *fx, uint64_t address)
{
    uint32_t value;

    memcpy(&value, pp_at(fx, address), sizeof(value));
    return value;
}

void pp_put_all(struct fixture *fx, uint64_t address, const uint32_t *dw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(pp_at(fx, address + i * 4), &dw[i], sizeof(dw[i]));
    }
}

static void make_ppgtt(struct fixture *fx)
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

int set_up_clocked(void **state, uint64_t (*clock)(void))
{
    return set_up_with(state, false, clock);
}

int set_up(void **state)
{
    return set_up_with(state, false, NULL);
}

int set_up_eager(void **state)
{
    return set_up_with(state, true, NULL);
}

int set_up_ppgtt(void **state)
{
    int ret = set_up_with(state, false, NULL);

    make_ppgtt(*state);
    return ret;
}

/* --- executing --------------------------------------------------------------------------- */

int submit_to(struct fixture *fx, enum gpu_engine engine)
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

void submit(struct fixture *fx)
{
    assert_int_equal(submit_to(fx, fx->engine), 0);
    fx->count = 0;
}

void submit_b(struct fixture *fx, const uint32_t *dw, uint32_t count)
{
    const struct gpu_buffer buffer = {.address = B_RING, .dw = dw, .count = count, .run = true};
    const struct gpu_workload workload = {.buffer = &buffer, .buffers = 1};

    assert_int_equal(fx->gpu->ops->execute(fx->b, GPU_BCS, &workload), 0);
}

void run_all(struct fixture *fx, unsigned budget)
{
    unsigned rounds = 0;

    while (fx->gpu->ops->run(fx->gpu, budget)) {
        assert_true(rounds++ < 1000000);
    }
}

struct gpu_engine_state state_of(struct fixture *fx, struct gpu_client *client)
{
    struct gpu_engine_state state;

    fx->gpu->ops->engine_state(client, fx->engine, &state);
    return state;
}

void reset(struct fixture *fx)
{
    fx->gpu->ops->reset(fx->a, fx->engine);
    fx->count = 0;
}

void expect_done(struct fixture *fx)
{
    struct gpu_engine_state state = state_of(fx, fx->a);

    assert_string_equal(state.reason, "");
    assert_false(state.error);
    assert_true(state.idle);
    assert_int_equal(state.done, fx->done + 1);
    fx->done++;
}

void execute(struct fixture *fx)
{
    fx->done = state_of(fx, fx->a).done;
    submit(fx);
    run_all(fx, 1000000);
    expect_done(fx);
}

void expect_failure(struct fixture *fx, const char *reason)
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

uint64_t denied(struct fixture *fx)
{
    struct gpu_stats stats;

    fx->gpu->ops->client_stats(fx->a, &stats);
    return stats.denied;
}
