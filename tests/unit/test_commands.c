/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of commands, walked by both sides: every header of every engine goes through the audit,
 * and what passes there goes to the software GPU, which must come to the command behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "gen/commands.h"
#include "gpu/dma/dma.h"
#include "gpu/soft/cs.h"
#include "gpu/soft/open.h"
#include "support/test.h"
#include "vgpu/audit/audit.h"
#include "vgpu_fake.h"

#define RING        AT(LOW_FIRST + 20)
#define RING_DWORDS 8192u
#define BATCH       AT(LOW_FIRST + 2) /* mapped at the same address in the PPGTT */
#define GOOD        AT(LOW_FIRST + 9) /* likewise */
#define MARK        AT(LOW_FIRST + 10)
#define STATUS      AT(LOW_FIRST)
#define STORE_MARK  0x10400002u
#define BATCH_END   0x05000000u
#define GTT_ENTRIES 2048u
#define ALL_BITS    UINT32_MAX

/* --- the two sides ----------------------------------------------------------------------- */

struct array_port {
    struct dma_port base;
    uint8_t memory[GTT_ENTRIES][PAGE];
};

static int port_read(struct dma_port *port, uint64_t addr, void *buf, size_t len)
{
    memcpy(buf, ((struct array_port *)port)->memory[addr / PAGE] + addr % PAGE, len);
    return 0;
}

static int port_write(struct dma_port *port, uint64_t addr, const void *buf, size_t len)
{
    memcpy(((struct array_port *)port)->memory[addr / PAGE] + addr % PAGE, buf, len);
    return 0;
}

static int port_copy(struct dma_port *port, uint64_t dst, uint64_t src, size_t len)
{
    struct array_port *p = (struct array_port *)port;
    memmove(p->memory[dst / PAGE] + dst % PAGE, p->memory[src / PAGE] + src % PAGE, len);
    return 0;
}

static void port_close(struct dma_port *port)
{
    free(port);
}

static const struct dma_ops port_ops = {
    .name = "array",
    .read = port_read,
    .write = port_write,
    .copy = port_copy,
    .close = port_close,
};

struct sides {
    struct fake *f;
    struct array_port *port;
    struct gpu *gpu;
    struct gpu_client *client;
    struct gpu_root root;
    unsigned passed, refused;
};

static void map(struct gpu *gpu, uint32_t table, uint32_t index, uint64_t pte)
{
    gpu->ops->write_ptes(gpu, &(struct gpu_pte_write){table, index, pte}, 1);
}

/* The windows as the vGPU has them, each page by its own number; the lower one in the PPGTT, too.
 */
static void map_windows(struct sides *s)
{
    uint32_t page_table;
    uint32_t directory;
    s->root.levels = 3;
    assert_int_equal(s->gpu->ops->table_alloc(s->gpu, 2, 0, &directory), 0);
    assert_int_equal(s->gpu->ops->table_alloc(s->gpu, 1, 0, &page_table), 0);
    s->root.table[0] = directory;
    map(s->gpu, directory, 0, gpu_pte_of_table(page_table));
    for (uint32_t i = 0; i < LOW_COUNT; i++) {
        uint64_t pte = (uint64_t)AT(LOW_FIRST + i) | GPU_PTE_PRESENT | GPU_PTE_WRITABLE;
        map(s->gpu, GPU_GGTT, LOW_FIRST + i, pte);
        map(s->gpu, page_table, LOW_FIRST + i, pte);
    }
    for (uint32_t i = 0; i < HIGH_COUNT; i++) {
        map(s->gpu, GPU_GGTT, HIGH_FIRST + i, (uint64_t)AT(HIGH_FIRST + i) | GPU_PTE_PRESENT);
    }
}

static int setup(void **state)
{
    const struct gpu_soft_options options = {.gtt_entries = GTT_ENTRIES};
    const struct gpu_range windows[GPU_RANGES] = {{LOW_FIRST, LOW_COUNT}, {HIGH_FIRST, HIGH_COUNT}};
    struct sides *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    void *fake;
    fake_setup(&fake);
    s->f = fake;
    s->port = calloc(1, sizeof(*s->port));
    assert_non_null(s->port);
    s->port->base.ops = &port_ops;
    assert_int_equal(gpu_soft_open(&s->port->base, &options, &s->gpu), 0);
    assert_int_equal(s->gpu->ops->client_open(s->gpu, windows, 0, &s->client), 0);
    map_windows(s);
    const uint32_t end = BATCH_END;
    memcpy(s->port->memory[BATCH / PAGE], &end, sizeof(end));
    poke(s->f, BATCH, end);
    for (int e = 0; e < GPU_ENGINES; e++) {
        s->f->vgpu->engine[e].context.has_image = true;
    }
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct sides *s = *state;
    s->gpu->ops->close(s->gpu);
    fake_teardown((void **)&s->f);
    free(s);
    return 0;
}

/* Does what the guest's ring holds pass? Then it is in a. */
static bool audit_passes(struct sides *s, enum gpu_engine engine, uint32_t dwords, struct audit *a)
{
    audit_begin(a, s->f->vgpu, &s->f->vgpu->engine[engine], true);
    return audit_add(a, AUDIT_RING, RING, dwords * 4) &&
           audit_check(a, AUDIT_AT_ONCE) == AUDIT_PASSED;
}

static int gpu_execute(struct sides *s, enum gpu_engine engine, const struct gpu_buffer *buffer,
                       size_t buffers, struct gpu_engine_state *state)
{
    const struct gpu_workload workload = {
        .root = s->root,
        .context = 1,
        .status_page = STATUS,
        .buffer = buffer,
        .buffers = buffers,
    };
    int ret = s->gpu->ops->execute(s->client, engine, &workload);
    s->gpu->ops->run(s->gpu, 1000);
    s->gpu->ops->engine_state(s->client, engine, state);
    return ret;
}

static uint32_t mark(const struct sides *s)
{
    uint32_t value;
    memcpy(&value, s->port->memory[MARK / PAGE], sizeof(value));
    return value;
}

/* A command and a store behind it. Returns whether the audit lets them through. */
static bool try_both(struct sides *s, enum gpu_engine engine, const uint32_t *dw, uint32_t length,
                     struct gpu_engine_state *state)
{
    static uint32_t token;
    const uint32_t store[] = {STORE_MARK, MARK, 0, ++token};
    poke_all(s->f, RING, dw, length);
    poke_all(s->f, RING + length * 4, store, 4);
    struct audit a;
    bool passes = audit_passes(s, engine, length + 4, &a);
    if (passes) {
        assert_int_equal(gpu_execute(s, engine, a.piece, a.pieces, state), 0);
        if (!state->error && state->idle) {
            assert_int_equal(mark(s), token);
        }
        s->gpu->ops->reset(s->client, engine);
    }
    audit_end(&a);
    s->passed += passes;
    s->refused += !passes;
    return passes;
}

#define TEST(name) TEST_WITH(name, setup, teardown)

/* --- operands ---------------------------------------------------------------------------- */

/* Such that nothing but the header decides. */
static void fill(const struct command *command, enum gpu_engine engine, uint32_t *dw,
                 uint32_t length)
{
    uint32_t gpr = engine_info[engine].base + RING_GPR;
    uint32_t rop =
        command->id == CMD_COLOR_BLT || command->id == CMD_XY_COLOR_BLT ? ROP_COLOUR : ROP_COPY;
    memset(dw + 1, 0, (length - 1) * sizeof(*dw));
    switch (command->id) {
    case CMD_MI_STORE_DATA_IMM:
    case CMD_MI_ATOMIC:
        dw[1] = GOOD;
        break;
    case CMD_MI_FLUSH_DW:
        dw[1] = dw[0] & FLUSH_STORE_INDEX ? 0xd0 : GOOD;
        break;
    case CMD_MI_BATCH_BUFFER_START:
        dw[1] = BATCH;
        break;
    case CMD_MI_STORE_REGISTER_MEM:
    case CMD_MI_LOAD_REGISTER_MEM:
        dw[1] = gpr;
        dw[2] = GOOD;
        break;
    case CMD_MI_LOAD_REGISTER_REG:
        dw[1] = dw[2] = gpr;
        break;
    case CMD_MI_LOAD_REGISTER_IMM:
        for (uint32_t i = 1; i < length; i += 2) {
            dw[i] = gpr;
        }
        break;
    case CMD_XY_COLOR_BLT:
    case CMD_XY_SRC_COPY_BLT:
        dw[1] = BR13_DEPTH_32 << 24 | rop << 16 | 0x200;
        break;
    default:
        break;
    }
    if (command->id == CMD_XY_SRC_COPY_BLT && length > 7) {
        dw[7] = 0x200;
    }
}

/* --- the walk ---------------------------------------------------------------------------- */

static void walk_header(struct sides *s, enum gpu_engine engine, uint32_t header)
{
    static uint32_t dw[RING_DWORDS];
    const struct command *command = command_find(engine, header);
    uint32_t length = command ? command_length(command, header) : 1;
    struct gpu_engine_state state;
    if (length > RING_DWORDS - 8) {
        return;
    }
    dw[0] = header;
    if (command && length > 1) {
        fill(command, engine, dw, length);
    }
    if (!try_both(s, engine, dw, length, &state)) {
        return;
    }
    if (!command || state.error || !state.idle) {
        fail_msg("%s: 0x%08x passes the audit, but the GPU: %s", engine_info[engine].name, header,
                 state.reason);
    }
}

/* The lower half: nothing, each bit alone, and lengths that make sense, with each bit. */
static void walk_lower_half(struct sides *s, enum gpu_engine engine, uint32_t upper)
{
    const struct command *command = command_find(engine, upper);
    uint32_t lengths[3] = {0};
    if (command && command->length_bits) {
        lengths[1] = command->min - 2;
        lengths[2] = command->max - 2;
    }
    for (unsigned i = 0; i < 3; i++) {
        walk_header(s, engine, upper | lengths[i]);
        for (unsigned bit = 0; bit < 16; bit++) {
            walk_header(s, engine, (upper | lengths[i]) ^ 1u << bit);
        }
    }
}

TEST(what_the_audit_passes_the_gpu_executes)
{
    struct sides *s = *state;
    for (int e = 0; e < GPU_ENGINES; e++) {
        for (uint32_t upper = 0; upper < 0x10000; upper++) {
            if (command_find(e, upper << 16)) {
                walk_lower_half(s, e, upper << 16);
            }
        }
    }
    assert_true(s->passed > 1000);
    assert_true(s->refused > 1000);
}

TEST(an_unknown_header_is_refused_and_stops_the_gpu)
{
    struct sides *s = *state;
    struct gpu_engine_state gpu;
    for (int e = 0; e < GPU_ENGINES; e++) {
        for (uint32_t upper = 0; upper < 0x10000; upper++) {
            const uint32_t dw = upper << 16 | (upper * 0x9e37 & 0xffff);
            if (command_find(e, dw)) {
                continue;
            }
            assert_false(try_both(s, e, &dw, 1, &gpu));
            const struct gpu_buffer buffer = {RING, &dw, 1, true};
            assert_int_equal(gpu_execute(s, e, &buffer, 1, &gpu), 0);
            assert_true(gpu.error);
            assert_non_null(strstr(gpu.reason, "unknown command"));
            s->gpu->ops->reset(s->client, e);
        }
    }
    assert_true(s->refused > 200000);
}

/* Whatever its operands are: no GPU stops on them but for an address where nothing is mapped. */
TEST(operands_that_pass_are_executed)
{
    struct sides *s = *state;
    struct gpu_engine_state gpu;
    srand(7);
    for (unsigned i = 0; i < 300000; i++) {
        enum gpu_engine e = rand() % GPU_ENGINES;
        uint32_t dw[64] = {rand() % 4 ? (uint32_t)rand() % 64 << 23 : (uint32_t)rand() << 16};
        const struct command *command = command_find(e, dw[0]);
        if (!command || !command->bits || command->min > 64) {
            continue;
        }
        uint32_t most = command->max < 64 ? command->max : 64;
        uint32_t length = command->min;
        length += most > length ? (uint32_t)rand() % (most - length + 1) : 0;
        dw[0] |= command->length_bits ? length - 2 : 0;
        dw[0] |= (uint32_t)rand() << 8 & command->bits[0];
        if (length > 1) {
            fill(command, e, dw, length);
        }
        bool batch = command->id == CMD_MI_BATCH_BUFFER_START; /* it would lead into data */
        for (unsigned flips = rand() % 4; length > 1 && flips && !batch; flips--) {
            dw[1 + (uint32_t)rand() % (length - 1)] ^= 1u << rand() % 32;
        }
        if (try_both(s, e, dw, length, &gpu) && gpu.error && !strstr(gpu.reason, "not mapped") &&
            !strstr(gpu.reason, "Y-tiled")) {
            fail_msg("%s: 0x%08x: %s", engine_info[e].name, dw[0], gpu.reason);
        }
    }
    assert_true(s->passed > 10000);
    assert_true(s->refused > 10000);
}

/* Each bit that must be zero, of each dword of each command, alone. */
static void expect_refused(struct sides *s, enum gpu_engine engine, const struct command *command,
                           uint32_t header)
{
    static uint32_t dw[RING_DWORDS];
    struct gpu_engine_state gpu;
    uint32_t length = command->min;
    dw[0] = header | (command->length_bits ? length - 2 : 0);
    if (length > 1) {
        fill(command, engine, dw, length);
    }
    for (uint32_t i = 0; i < length && i < 16; i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            dw[i] ^= 1u << bit;
            bool same =
                command_find(engine, dw[0]) == command && command_length(command, dw[0]) == length;
            if (same && command_stray_bits(command, dw, length) == i) {
                assert_false(try_both(s, engine, dw, length, &gpu));
            }
            dw[i] ^= 1u << bit;
        }
    }
}

TEST(a_bit_that_must_be_zero_is_refused_when_it_is_not)
{
    struct sides *s = *state;
    for (int e = 0; e < GPU_ENGINES; e++) {
        for (uint32_t upper = 0; upper < 0x10000; upper++) {
            const struct command *command = command_find(e, upper << 16);
            if (command && command->flags & FROM_RING) {
                expect_refused(s, e, command, upper << 16);
            }
        }
    }
    assert_int_equal(s->passed, 0);
    assert_true(s->refused > 10000);
}

/* --- the rows ---------------------------------------------------------------------------- */

static void check_row(enum gpu_engine engine, uint32_t header, const struct command *command)
{
    assert_non_null(command->name);
    assert_true(command->engines & 1u << engine);
    assert_true(command->min >= 1 && command->min <= command->max);
    assert_true(command->length_bits || (command->min == 1 && command->max == 1));
    assert_true(command->max <= (1u << command->length_bits) + 1);
    assert_true(!(command->flags & FROM_ANY) || command->bits);
    assert_true(!command->bits || command->bits_count <= command->max);
    assert_true(!command->bits || command->bits_count > 1 || command->max == 1);
    assert_true(command->repeat < command->bits_count || !command->repeat);
    assert_true(!cs_executors[command->id] || command->max <= CS_COMMAND_MAX);
    if (header >> 29 == 3) {
        assert_int_equal(command->key, header >> 16);
    }
}

PLAIN_TEST(each_row_makes_sense)
{
    (void)state;
    unsigned rows = 0;
    for (int e = 0; e < GPU_ENGINES; e++) {
        for (uint32_t upper = 0; upper < 0x10000; upper++) {
            const struct command *command = command_find(e, upper << 16);
            if (command) {
                check_row(e, upper << 16, command);
                rows++;
            }
        }
    }
    assert_true(rows > 1000);
}

/* Opcodes by name: between two that are known lies one that is not. */
PLAIN_TEST(an_opcode_without_a_name_is_unknown)
{
    static const uint16_t unknown[] = {0x6000, 0x6105, 0x7101, 0x7104, 0x7107, 0x7800,
                                       0x7825, 0x7853, 0x78ff, 0x7901, 0x79ff, 0x7b01};
    (void)state;
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_null(command_find(GPU_RCS, (uint32_t)unknown[i] << 16));
    }
    assert_null(command_find(GPU_VCS0, 0x70050000u + 0x10000u * 0x0a));
    assert_null(command_find(GPU_VECS, 0x74010000));
}

/* Once it was an MEDIA_OBJECT of 258 dwords to the one side, this of 2 to the other. */
TEST(a_walker_has_one_length)
{
    struct sides *s = *state;
    struct gpu_engine_state gpu;
    const uint32_t header = 0x71050100;
    const struct command *command = command_find(GPU_RCS, header);
    static uint32_t dw[258];
    assert_string_equal(command->name, "GPGPU_WALKER");
    assert_int_equal(command_length(command, header), 2);
    dw[0] = header;
    assert_false(try_both(s, GPU_RCS, dw, 258, &gpu));
    assert_false(try_both(s, GPU_RCS, dw, 2, &gpu));
    dw[0] = header | 13;
    assert_true(try_both(s, GPU_RCS, dw, 15, &gpu));
}

PLAIN_TEST(bits_behind_the_last_dword_repeat)
{
    (void)state;
    const struct command *lri = command_find(GPU_RCS, 0x11000000);
    uint32_t dw[] = {0x11000005, 0x2600, ALL_BITS, 0x2604, ALL_BITS, 0x2608, ALL_BITS};
    assert_int_equal(command_stray_bits(lri, dw, 7), 7);
    dw[5] |= 1;
    assert_int_equal(command_stray_bits(lri, dw, 7), 5);
    dw[3] |= 1u << 23;
    assert_int_equal(command_stray_bits(lri, dw, 7), 3);
    dw[0] |= 1u << 8;
    assert_int_equal(command_stray_bits(lri, dw, 7), 0);
}
