/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The audit: which privileged commands a guest gets through, and what it is told of the others. */
#include <stdlib.h>
#include <string.h>

#include "gen/commands.h"
#include "gen/register_rules.h"
#include "vgpu/audit/audit.h"
#include "vgpu_fake.h"

#define HWSP   AT(LOW_FIRST)
#define RING   AT(LOW_FIRST + 1)
#define IMAGE  AT(HIGH_FIRST)
#define BATCH  AT(HIGH_FIRST + 4)
#define BATCH2 AT(HIGH_FIRST + 8)
#define GOOD   AT(LOW_FIRST + 9)           /* an address of the guest's */
#define END    (AT(LOW_FIRST + LOW_COUNT)) /* the first that is not */
#define MI(op) ((uint32_t)(op) << 23)
#define GGTT   (1u << 22)
#define START  (MI(0x31) | 1)
#define BBE    MI(0x0a)

static void setup_engine(struct fake *f, enum gpu_engine engine)
{
    vgpu_reset(f->vgpu);
    memset(f->gtt->hole, 0, sizeof(f->gtt->hole));
    enable_execlists(f, engine, HWSP);
    make_context(f, engine, IMAGE, RING);
    memset(mem(f, RING), 0, PAGE);
}

/* Runs commands from the ring of a context with a PPGTT. */
static void run(struct fake *f, enum gpu_engine engine, const uint32_t *dw, size_t n)
{
    setup_engine(f, engine);
    poke_all(f, RING, dw, n);
    set_tail(f, IMAGE, (n * 4 + 7) & ~7u);
    submit_list(f, engine, DESCRIPTOR(IMAGE, 1), 0);
}

/* And from a ring without one. */
static void run_old(struct fake *f, enum gpu_engine engine, const uint32_t *dw, size_t n)
{
    uint32_t base = engine_info[engine].base;

    vgpu_reset(f->vgpu);
    memset(f->gtt->hole, 0, sizeof(f->gtt->hole));
    memset(mem(f, RING), 0, PAGE);
    poke_all(f, RING, dw, n);
    wr(f, base + RING_HWS_PGA, HWSP);
    wr(f, base + RING_START, RING);
    wr(f, base + RING_CTL, 1);
    wr(f, base + RING_TAIL, (n * 4 + 7) & ~7u);
}

struct sample {
    enum gpu_engine engine;
    uint32_t dw[12];
    const char *reason; /* NULL: it passes */
    size_t n;           /* dwords, 12 when 0 */
};

typedef void run_fn(struct fake *f, enum gpu_engine engine, const uint32_t *dw, size_t n);

static void try_all(struct fake *f, run_fn *run_it, const struct sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sample *s = &samples[i];
        unsigned before = f->gtt->submissions[s->engine];
        uint64_t refusals = stats_of(f).refusals;

        run_it(f, s->engine, s->dw, s->n ? s->n : 12);
        if (!s->reason) {
            assert_well(f);
            assert_int_equal(f->gtt->submissions[s->engine], before + 1);
        } else {
            assert_failsafe(f, s->reason);
            assert_int_equal(f->gtt->submissions[s->engine], before);
            assert_int_equal(stats_of(f).refusals, refusals + 1);
        }
    }
}

#define TRY(f, run_it, samples) try_all(f, run_it, samples, sizeof(samples) / sizeof((samples)[0]))

#define TEST(name) TEST_WITH(name, fake_setup, fake_teardown)

/* --- what a driver does ------------------------------------------------------------------ */

TEST(driver_commands)
{
    static const struct sample samples[] = {
        {GPU_RCS, {0x7a000004, 0x00104c0c | 1 << 14 | 1 << 21, 0xd0, 0, 0, 0}},
        {GPU_RCS, {0x7a000004, 1 << 24 | 1 << 14 | 1 << 20, GOOD, 0, 77, 0, MI(2)}},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 21 | 1 << 14 | 1 << 18, 0xd0, 0, 0}},
        {GPU_VCS0, {MI(0x26) | 2 | 1 << 14, GOOD | 4, 0, 77, MI(2), MI(8) | 1, MI(5)}},
        {GPU_VECS, {MI(0x20) | GGTT | 2, GOOD, 0, 1, 0, MI(5)}},
        {GPU_RCS, {MI(0x22) | 5, 0x20c0, 1, 0x209c, 2, 0xe4f0, 3, MI(8)}},
        {GPU_RCS, {MI(0x22) | 9, 0x7300, 1, 0x7000, 2, 0x7004, 3, 0x7008, 4, 0xe4f4, 5}, NULL, 11},
        {GPU_RCS, {MI(0x24) | GGTT | 2, 0xb118, GOOD, 0, MI(0x22) | 1, 0xb118, 0x40600000}},
        {GPU_RCS, {MI(0x29) | GGTT | 2, 0xb118, GOOD, 0}},
        {GPU_BCS, {MI(0x20) | 1 << 21 | 5, 0x10000, 0x7f, 1, 2, 3, 4}}, /* to the PPGTT */
        {GPU_BCS, {0x54f00008, 0x03cc1000, 0, 0x100400, 0, 0, 0, 0x1000, 0x800000, 0}},
        {GPU_BCS, {0x54300005, 0x03f01000, 0, 0x100400, 0, 0, 7}},
        {GPU_RCS, {START | 1 << 8, 0xdead000, 0x7f, MI(8)}}, /* a batch in the PPGTT */
        {GPU_RCS,
         {0x69040000, 0x680b0001, 0x78040001, 1, 1, 0x61020001, 0, 0, 0x79000002, 0, 0, 0}},
        {GPU_RCS, {MI(0x1a) | 1, 1, 2, MI(0x2a) | 1, 0x2358, 0x2600, MI(0x0c)}},
        {GPU_RCS, {MI(0x2f) | GGTT | 0x500 | 1, GOOD, 0}},
        {GPU_BCS, {MI(0x24) | GGTT | 2, 0x22358, GOOD, 0}},
    };
    TRY(*state, run, samples);
}

/* --- refusals ---------------------------------------------------------------------------- */

TEST(forbidden_commands)
{
    static const struct {
        uint32_t opcode;
        const char *name;
    } forbidden[] = {
        {0x03, "MI_WAIT_FOR_EVENT"},   {0x12, "MI_LOAD_SCAN_LINES_INCL"},
        {0x14, "MI_DISPLAY_FLIP"},     {0x18, "MI_SET_CONTEXT"},
        {0x1b, "MI_SEMAPHORE_SIGNAL"}, {0x1c, "MI_SEMAPHORE_WAIT"},
        {0x21, "MI_STORE_DATA_INDEX"}, {0x23, "MI_UPDATE_GTT"},
        {0x27, "MI_CLFLUSH"},          {0x28, "MI_REPORT_PERF_COUNT"},
        {0x2e, "MI_COPY_MEM_MEM"},     {0x36, "MI_CONDITIONAL_BATCH_BUFFER_END"},
    };
    struct fake *f = *state;

    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        for (int e = 0; e < GPU_ENGINES; e++) {
            const uint32_t dw[8] = {0, MI(forbidden[i].opcode) | 2};

            run(f, e, dw, 8);
            if (!command_find(e, dw[1])) {
                assert_failsafe(f, "unknown command");
                continue;
            }
            assert_failsafe(f, forbidden[i].name);
            assert_failsafe(f, "at 0x11004: 0x");
            assert_failsafe(f, "not for guests");
        }
    }
}

/* Each of them means something to hardware that no guest's driver needs. */
TEST(what_no_driver_needs_is_refused)
{
    static const struct sample samples[] = {
        {GPU_RCS, {MI(0x01) | 15}, "MI_SET_PREDICATE at 0x11000: 0x0080000f is not for guests"},
        {GPU_BCS, {MI(0x01)}, "MI_SET_PREDICATE"},
        {GPU_RCS, {MI(0x07)}, "MI_REPORT_HEAD at 0x11000: 0x03800000 is not for guests"},
        {GPU_RCS, {MI(0x0b) | 1}, "MI_SUSPEND_FLUSH at 0x11000: 0x05800001 is not for guests"},
        {GPU_RCS, {MI(0x06) | 1}, "MI_RS_CONTROL"},
        {GPU_RCS, {MI(0x09)}, "MI_URB_ATOMIC_ALLOC"},
        {GPU_RCS, {MI(0x04)}, "MI_FLUSH"},
        {GPU_RCS, {BBE}, "MI_BATCH_BUFFER_END at 0x11000: 0x05000000 is not for guests here"},
        {GPU_RCS, {MI(0) | 1 << 22}, "MI_NOOP at 0x11000: 0x00400000 in its dword 0 has bits"},
        {GPU_RCS, {MI(0x05) | 1 << 8}, "MI_ARB_CHECK"},
        {GPU_RCS, {START | 1 << 16 | 1 << 8, BATCH, 0}, "MI_BATCH_BUFFER_START"}, /* adds */
        {GPU_RCS, {START | 1 << 10 | 1 << 8, BATCH, 0}, "MI_BATCH_BUFFER_START"}, /* streamer */
        {GPU_RCS, {START | 1 << 22, BATCH, 0}, "second-level batch, but there is no first"},
        {GPU_RCS, {START | 1 << 22 | 1 << 8, BATCH, 0}, "second-level batch, but there is no"},
        {GPU_BCS, {START | 1 << 15 | 1 << 8, BATCH, 0}, "predicated, on an engine without"},
        {GPU_BCS, {MI(0x24) | GGTT | 1 << 21 | 2, 0x22600, GOOD, 0}, "predicated, on an engine"},
        {GPU_BCS, {MI(0x20) | GGTT | 2, GOOD | 1, 0, 1}, "in its dword 1 has bits"}, /* per core */
        {GPU_BCS, {MI(0x20) | 2, GOOD | 1, 0, 1}, "in its dword 1 has bits that must be zero"},
        {GPU_BCS, {MI(0x20) | GGTT | 3, GOOD, 0, 1, 2}, "5 dwords for one value"},
        {GPU_BCS, {MI(0x20) | GGTT | 1 << 21 | 5, GOOD, 0, 1, 2, 3, 4}, "7 dwords for one value"},
        {GPU_RCS, {MI(0x26) | 2, 0, 0, 0}, "unknown command"}, /* a PIPE_CONTROL there */
        {GPU_BCS, {MI(0x0c)}, "unknown command"},              /* no predicates */
        {GPU_BCS, {MI(0x26) | 2 | 1 << 22, 0, 0, 0}, "bits that must be zero"}, /* protected */
        {GPU_RCS, {0x7a000004, 1 << 19, 0, 0, 0, 0}, "in its dword 1 has bits that must be zero"},
        {GPU_RCS, {MI(0x2f) | GGTT | 1 << 19 | 0x500 | 1, GOOD, 0}, "another size than its"},
        {GPU_RCS, {MI(0x2f) | GGTT | 2 << 19 | 0x2500 | 1, GOOD, 0}, "another size than its"},
        {GPU_RCS, {0x61040001, 0, 0}, "GPGPU_CSR_BASE_ADDRESS"},
        {GPU_BCS, {0x54100005, 0x03f01000, 0, 0x100400, GOOD, 0, 7}, "not all bytes of a pixel"},
        {GPU_BCS, {0x54300005, 0x43f01000, 0, 0x100400, GOOD, 0, 7}, "bits that must be zero"},
        {GPU_BCS, {0x54300005, 0x03cc1000, 0, 0x100400, GOOD, 0, 7}, "no such raster operation"},
    };
    TRY(*state, run, samples);
}

/* With the bit for the global GTT or without it: into no part that the GPU itself writes. */
TEST(indexed_stores_are_harmless)
{
    static const struct sample samples[] = {
        {GPU_RCS, {0x7a000004, 1 << 21 | 1 << 14, 0xd0, 0, 1, 0}, NULL},
        {GPU_RCS, {0x7a000004, 1 << 24 | 1 << 21 | 1 << 14, 0xd0, 0, 1, 0}, NULL},
        {GPU_RCS, {0x7a000004, 1 << 21 | 1 << 14, 0x40, 0, 1, 0}, "not in the free part"},
        {GPU_RCS, {0x7a000004, 1 << 24 | 1 << 21 | 1 << 14, 0x78, 0, 1, 0}, "not in the free"},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 21 | 1 << 14, 0xc0, 0, 1}, NULL},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 21 | 1 << 14, 0x10, 0, 1}, "not in the free part"},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 21 | 1 << 14, 0x7c, 0, 1}, "not in the free part"},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 21 | 1 << 14, 0x1000, 0, 1}, "not in the free part"},
    };
    TRY(*state, run, samples);
}

TEST(unknown_commands)
{
    static const uint32_t everywhere[] = {0xffffffff, 0x20000000, 0x80000000, 0xa0000000,
                                          MI(0x10),   MI(0x3f),   MI(0x25),   MI(0x30)};
    static const struct sample by_engine[] = {
        {GPU_RCS, {0x54f00008}, "RCS: command at 0x11000: unknown command 0x54f00008"},
        {GPU_BCS, {0x7a000004}, "BCS: command at 0x11000: unknown command 0x7a000004"},
        {GPU_VCS0, {0x70000003}, "MFX_PIPE_MODE_SELECT at 0x11000: 0x70000003 is not for guests"},
        {GPU_VECS, {0x74000003}, "VEBOX_SURFACE_STATE at 0x11000: 0x74000003 is not for guests"},
        {GPU_RCS, {0x6fff0000}, "unknown command"},
        {GPU_BCS, {0x50800008}, "unknown command"}, /* a blit of another generation */
    };
    struct fake *f = *state;

    for (size_t i = 0; i < 8; i++) {
        for (int e = 0; e < GPU_ENGINES; e++) {
            run(f, e, &everywhere[i], 1);
            assert_failsafe(f, "unknown command 0x");
        }
    }
    TRY(f, run, by_engine);
}

TEST(lengths)
{
    static const struct sample samples[] = {
        {GPU_RCS, {0x7a000003}, "PIPE_CONTROL at 0x11000: 0x7a000003 has 5 dwords"},
        {GPU_BCS, {MI(0x20) | 1}, "MI_STORE_DATA_IMM at 0x11000: 0x10000001 has 3 dwords"},
        {GPU_BCS, {MI(0x22)}, "has 2 dwords"},
        {GPU_BCS, {MI(0x31) | 2}, "has 4 dwords"},
        {GPU_BCS, {0x54f00006}, "has 8 dwords"},
        {GPU_BCS, {MI(0x22) | 2, BCS + 0x600, 0, BCS + 0x604}, "a register without a value"},
        {GPU_BCS, {MI(0x20) | 1 << 21 | 3, 0, 0, 1, 2, 0}, NULL},
        {GPU_BCS, {MI(0x20) | 1 << 21 | 2, 0, 0, 1}, "half a quadword to store"},
        {GPU_BCS, {MI(0x26) | 1 | 1 << 14, GOOD | 4, 0}, "no data to store"},
        {GPU_BCS, {0, MI(0x20) | GGTT | 2, GOOD, 0}, "4 dwords, but only 3 are left", 4},
        {GPU_RCS, {0x78430010, 0}, "18 dwords, but only 2 are left", 2},
    };
    TRY(*state, run, samples);
}

TEST(registers)
{
    struct fake *f = *state;
    static const struct sample samples[] = {
        {GPU_RCS, {MI(0x22) | 1, 0x2230, 1}, "register 0x2230 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 3, 0x2600, 1, 0x2270, 1}, "register 0x2270 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x44200, 1}, "register 0x44200 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x22600, 1}, "register 0x22600 may not be loaded"},
        {GPU_BCS, {MI(0x22) | 1, 0x2600, 1}, "register 0x2600 may not be loaded"},
        {GPU_BCS, {MI(0x22) | 1, 0x7000, 1}, "register 0x7000 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x5000, 1}, "register 0x5000 may not be loaded"},
        {GPU_RCS, {MI(0x29) | GGTT | 2, 0xa188, GOOD, 0}, "register 0xa188 may not be loaded"},
        {GPU_RCS, {MI(0x24) | GGTT | 2, 0x2080, GOOD, 0}, "register 0x2080 may not be stored"},
        {GPU_RCS, {MI(0x2a) | 1, 0x2080, 0x2600}, "register 0x2080 may not be stored"},
        {GPU_RCS, {MI(0x2a) | 1, 0x2600, 0x2358}, "register 0x2358 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x78818, 4}, "register 0x78818 may not be loaded"},
    };
    TRY(f, run, samples);
    for (uint32_t offset = 0; offset < VGPU_REGS_SIZE; offset += 4) { /* PDPs, for instance */
        bool own = offset - VCS0 < ENGINE_REGS_SIZE;
        assert_true(own || !register_may_load(GPU_VCS0, offset, 0));
    }
}

/* What Linux loads into a new context: gt/intel_workarounds.c, gen8 and Broadwell. */
TEST(a_context_is_made_as_linux_makes_it)
{
    static const uint32_t loads[] = {
        MI(0x22) | 17, 0x20c0,     0x00800080, 0x209c,     0x40004000, 0xe4f0,     0x01200120,
        0x7300,        0x48304830, 0x7000,     0x00040000, 0x7004,     0x00400040, 0x7008,
        0x02800200,    0xe4f4,     0x00010001, 0xe184,     0x00020002, 0,
    };
    static const uint32_t at_each_load[] = {
        MI(8),
        MI(0x24) | GGTT | 2,
        0xb118,
        GOOD,
        0,
        MI(0x22) | 1,
        0xb118,
        0x40600000,
        0x7a000004,
        1 << 20 | 1 << 5,
        0,
        0,
        0,
        0,
        MI(0x29) | GGTT | 2,
        0xb118,
        GOOD,
        0,
        0x7a000004,
        1 << 27 | 1 << 21 | 1 << 20 | 1 << 14,
        0xd0,
        0,
        0,
        0,
        MI(8) | 1,
        0,
    };
    struct fake *f = *state;
    run(f, GPU_RCS, loads, sizeof(loads) / sizeof(loads[0]));
    assert_well(f);
    run(f, GPU_RCS, at_each_load, sizeof(at_each_load) / sizeof(at_each_load[0]));
    assert_well(f);
}

TEST(a_register_is_loaded_with_nothing_else_than_its_rule_says)
{
    static const struct sample samples[] = {
        {GPU_RCS, {MI(0x22) | 1, 0x209c, 0x01000100}, "0x209c may not be loaded with 0x1000100"},
        {GPU_RCS, {MI(0x22) | 1, 0x209c, 0x41004000}, "register 0x209c may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x209c, 0x00000100}, NULL}, /* changes nothing */
        {GPU_RCS, {MI(0x22) | 1, 0xe4f0, 0x00020002}, "register 0xe4f0 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0xe4f4, 0x00020000}, "register 0xe4f4 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x7300, 0x80000000}, "register 0x7300 may not be loaded"},
        {GPU_RCS, {MI(0x29) | GGTT | 2, 0x209c, GOOD, 0}, "0x209c may not be loaded with anything"},
        {GPU_RCS, {MI(0x2a) | 1, 0x2600, 0x209c}, "0x209c may not be loaded with anything"},
        {GPU_RCS, {MI(0x2a) | 1, 0x2600, 0x20c0}, NULL},
        {GPU_RCS, {0x7a000004, 1 << 23, 0x209c, 0, 0x01000100, 0}, "0x209c may not be loaded"},
        {GPU_RCS, {0x7a000004, 1 << 23 | 1 << 14, 0x2600, 0, 1, 0}, "loads a register and stores"},
        {GPU_BCS, {MI(0x22) | 1, 0x2209c, 0x40004000}, "register 0x2209c may not be loaded"},
        {GPU_BCS, {MI(0x22) | 1, 0x22200, 0x00030003}, "register 0x22200 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1, 0x2094, 1}, "register 0x2094 may not be loaded"},
        {GPU_RCS, {MI(0x22) | 1 | 1 << 8, 0x2600, 1}, "bits that must be zero"}, /* bytes */
        {GPU_RCS, {MI(0x22) | 1, 0x802600, 1}, "0x00802600 in its dword 1 has bits that must be"},
    };
    TRY(*state, run, samples);
}

TEST(addresses)
{
    static const struct sample samples[] = {
        {GPU_BCS, {MI(0x20) | GGTT | 2, END, 0, 1}, "4 bytes at 0x50000 lie outside"},
        {GPU_BCS, {MI(0x20) | GGTT | 2, END - 4, 0, 1}, NULL},
        {GPU_BCS,
         {MI(0x20) | GGTT | 1 << 21 | 3, END - 4, 0, 1, 2},
         "8 bytes at 0x4fffc lie outside"},
        {GPU_BCS, {MI(0x20) | GGTT | 2, GOOD, 1, 1}, "at 0x100019000 lie outside"},
        {GPU_BCS, {MI(0x20) | GGTT | 2, 0xfffffffc, 0xffff, 1}, "lie outside"},
        {GPU_RCS, {MI(0x24) | GGTT | 2, 0x2600, END, 0}, "MI_STORE_REGISTER_MEM at 0x11000: 4"},
        {GPU_RCS, {MI(0x29) | GGTT | 2, 0x2600, 0, 0}, "MI_LOAD_REGISTER_MEM at 0x11000: 4"},
        {GPU_RCS, {MI(0x2f) | GGTT | 0x500 | 1, END, 0}, "MI_ATOMIC at 0x11000: 4 bytes at"},
        {GPU_VCS0, {MI(0x26) | 2 | 1 << 14, END | 4, 0, 1}, "MI_FLUSH_DW at 0x11000: 8 bytes"},
        {GPU_VCS0, {MI(0x26) | 2 | 1 << 14 | 1 << 21, 0xff8, 0, 1}, NULL},
        {GPU_VCS0, {MI(0x26) | 2 | 1 << 14 | 1 << 21, 0xb8, 0, 1}, "not in the free part"},
        {GPU_VCS0,
         {MI(0x26) | 2 | 1 << 14 | 1 << 21, 0x1000, 0, 1},
         "not in the free part of the status page"},
        {GPU_VCS0,
         {MI(0x26) | 2 | 1 << 14 | 1 << 21, 0, 1, 1},
         "not in the free part of the status page"},
        {GPU_VCS0, {MI(0x26) | 2, END | 4, 0, 1}, NULL}, /* it stores nothing */
        {GPU_RCS, {0x7a000004, 1 << 24 | 1 << 14, END, 0, 0, 0}, "PIPE_CONTROL at 0x11000: 8"},
        {GPU_RCS,
         {0x7a000004, 1 << 21 | 3 << 14, 0x1000, 0, 0, 0},
         "not in the free part of the status page"},
        {GPU_RCS, {0x7a000004, 1 << 24 | 1 << 14, END - 4, 0, 0, 0}, "8 bytes at 0x4fffc lie"},
        {GPU_RCS, {0x7a000004, 1 << 23, 0x2230, 0, 1, 0}, "register 0x2230 may not be loaded"},
        {GPU_RCS, {0x7a000004, 1 << 23, 0x2600, 0, 1, 0}, NULL},
        {GPU_RCS, {MI(0x2f) | GGTT | 1 << 19 | 0x2500 | 1, END - 4, 0}, "8 bytes at 0x4fffc lie"},
        {GPU_RCS, {START, END, 0}, "MI_BATCH_BUFFER_START at 0x11000: 4 bytes at 0x50000"},
        {GPU_RCS, {START, BATCH, 1}, "at 0x100404000 lie outside"},
    };
    TRY(*state, run, samples);
}

/* Without a PPGTT what would go there is refused, and blits have to keep to the windows. */
TEST(without_ppgtt)
{
    static const struct sample samples[] = {
        {GPU_BCS, {MI(0x20) | GGTT | 2, GOOD, 0, 1}, NULL},
        {GPU_BCS, {MI(0x20) | 2, GOOD, 0, 1}, "in a PPGTT that is not there"},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 14, GOOD, 0, 1}, "in a PPGTT that is not there"},
        {GPU_BCS, {MI(0x26) | 2 | 1 << 14 | 1 << 21, 0xd0, 0, 1}, NULL},
        {GPU_BCS, {START | 1 << 8, BATCH, 0}, "in a PPGTT that is not there"},
        {GPU_RCS, {0x7b000005, 0, 0, 0, 0, 0, 0}, "3DPRIMITIVE at 0x11000: needs a PPGTT"},
        {GPU_RCS, {0x78040001, 0, 0}, "3DSTATE_CLEAR_PARAMS at 0x11000: needs a PPGTT"},
        {GPU_RCS, {0x71000004, 0, 0, 0, 0, 0}, "needs a PPGTT"},
        /* fills of 1024x16 pixels: 16 pages */
        {GPU_BCS, {0x54300005, 0x03f01000, 0, 0x100400, END - AT(16), 0, 7}, NULL},
        {GPU_BCS,
         {0x54300005, 0x03f01000, 0, 0x100400, END - AT(15), 0, 7},
         "XY_COLOR_BLT at 0x11000: 65536 bytes at 0x41000 lie outside"},
        {GPU_BCS, {0x54300005, 0x03f01000, 0x10000, 0x100400, END - AT(16), 0, 7}, NULL},
        {GPU_BCS,
         {0x54300005, 0x03f0f000, 0, 0x100400, AT(LOW_FIRST), 0, 7},
         "65536 bytes at 0x1000 lie outside"}, /* upwards */
        {GPU_BCS, {0x54300005, 0x03f0f000, 0, 0x100400, AT(LOW_FIRST + 15), 0, 7}, NULL},
        {GPU_BCS, {0x54300005, 0x03f01000, 0xffff, 0x10001, AT(LOW_FIRST), 0, 7}, "lie outside"},
        {GPU_BCS, {0x54300005, 0x03f01000, 0x100400, 0, 0, 0, 7}, NULL}, /* nothing at all */
        {GPU_BCS, {0x54300805, 0x03f01000, 0, 0x100400, AT(LOW_FIRST), 0, 7}, "tiled"},
        {GPU_BCS, {0x54300005, 0x03f01000, 0, 0x100400, GOOD, 0x8000, 7}, "lie outside"},
        {GPU_BCS,
         {0x54f00008, 0x03cc1000, 0, 0x010400, GOOD, 0, 0, 0x1000, END, 0},
         "XY_SRC_COPY_BLT at 0x11000: 4096 bytes at 0x50000 lie outside"},
        {GPU_BCS,
         {0x54f00008, 0x03cc1000, 0, 0x010400, END, 0, 0, 0x1000, GOOD, 0},
         "4096 bytes at 0x50000 lie outside"},
        {GPU_BCS, {0x54f00008, 0x03cc1000, 0, 0x010400, GOOD, 0, 0, 0x1000, GOOD, 0}, NULL},
        {GPU_BCS, {0xffffffff}, "unknown command 0xffffffff"},
    };
    TRY(*state, run_old, samples);
}

TEST(index_without_status_page)
{
    struct fake *f = *state;
    const uint32_t dw[] = {MI(0x26) | 2 | 1 << 14 | 1 << 21, 0xd0, 0, 1};

    vgpu_reset(f->vgpu);
    poke_all(f, RING, dw, 4);
    wr(f, BCS + RING_START, RING);
    wr(f, BCS + RING_CTL, 1);
    wr(f, BCS + RING_TAIL, 16);
    assert_failsafe(f, "MI_FLUSH_DW at 0x11000: 4096 bytes at 0x0 lie outside");
}

/* --- batches ----------------------------------------------------------------------------- */

static const uint32_t start_batch[] = {MI(8), START, BATCH, 0, MI(2)};

TEST(batch_is_copied)
{
    struct fake *f = *state;
    const struct gpu_buffer *b = f->gtt->work[GPU_RCS].buffer;

    setup_engine(f, GPU_RCS);
    memset(mem(f, BATCH), 0, PAGE);
    memset(mem(f, BATCH + PAGE), 0, PAGE);
    poke(f, BATCH + PAGE - 4, 0x78040001); /* a command across pages */
    poke(f, BATCH + PAGE, 1);
    poke(f, BATCH + PAGE + 8, BBE);
    poke(f, BATCH + PAGE + 12, 0xffffffff); /* behind the end: nobody cares */
    poke_all(f, RING, start_batch, 5);
    set_tail(f, IMAGE, 24);
    submit_list(f, GPU_RCS, DESCRIPTOR(IMAGE, 1), 0);
    assert_well(f);
    assert_int_equal(f->gtt->work[GPU_RCS].w.buffers, 2);
    assert_int_equal(b[1].address, BATCH);
    assert_int_equal(b[1].count, 1024 + 3);
    assert_false(b[1].run);
    assert_int_equal(b[1].dw[1023], 0x78040001);
    assert_int_equal(b[1].dw[1026], BBE);
}

static void run_batch(struct fake *f, const uint32_t *dw, size_t n)
{
    setup_engine(f, GPU_RCS);
    memset(mem(f, BATCH), 0, PAGE);
    poke_all(f, BATCH, dw, n);
    poke_all(f, RING, start_batch, 5);
    set_tail(f, IMAGE, 24);
    submit_list(f, GPU_RCS, DESCRIPTOR(IMAGE, 1), 0);
}

TEST(batch_is_checked)
{
    struct fake *f = *state;

    run_batch(f, (const uint32_t[]){MI(0x23), 0, 0, BBE}, 4);
    assert_failsafe(f, "MI_UPDATE_GTT at 0x404000");
    run_batch(f, (const uint32_t[]){0, MI(0x20) | GGTT | 2, END, 0, 1, BBE}, 6);
    assert_failsafe(f, "MI_STORE_DATA_IMM at 0x404004: 4 bytes at 0x50000");
    run_batch(f, (const uint32_t[]){BBE}, 1);
    assert_well(f);
    f->gtt->hole[LOW_COUNT + 5] = true;
    setup_engine(f, GPU_RCS);
    f->gtt->hole[LOW_COUNT + 5] = true; /* it runs into nothing */
    memset(mem(f, BATCH), 0, PAGE);
    poke_all(f, RING, start_batch, 5);
    set_tail(f, IMAGE, 24);
    submit_list(f, GPU_RCS, DESCRIPTOR(IMAGE, 1), 0);
    assert_failsafe(f, "commands at 0x405000 are where the guest has no memory");
}

TEST(a_batch_may_not_do_more_than_the_ring)
{
    static const struct {
        uint32_t dw[4];
        const char *reason;
    } refused[] = {
        {{MI(0x01) | 15, BBE}, "MI_SET_PREDICATE at 0x404000: 0x0080000f is not for guests"},
        {{MI(0x0b) | 1, BBE}, "MI_SUSPEND_FLUSH at 0x404000"},
        {{MI(0x07), BBE}, "MI_REPORT_HEAD at 0x404000"},
        {{START | 1 << 16, BATCH2, 0, BBE}, "MI_BATCH_BUFFER_START at 0x404000"},
        {{START | 1 << 10, BATCH2, 0, BBE}, "MI_BATCH_BUFFER_START at 0x404000"},
        {{MI(0x22) | 1, 0x209c, 0x01000100, BBE}, "register 0x209c may not be loaded"},
        {{BBE | 1}, "MI_BATCH_BUFFER_END at 0x404000: 0x05000001 in its dword 0 has bits"},
    };
    struct fake *f = *state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        run_batch(f, refused[i].dw, 4);
        assert_failsafe(f, refused[i].reason);
    }
}

TEST(chained_batches)
{
    struct fake *f = *state;
    const struct fake_work *work = &f->gtt->work[GPU_RCS];

    /* A chain: what is behind it is not run. */
    poke_all(f, BATCH2, (const uint32_t[]){0, BBE}, 2);
    run_batch(f, (const uint32_t[]){START, BATCH2, 0, 0xffffffff}, 4);
    assert_well(f);
    assert_int_equal(work->w.buffers, 3);
    assert_int_equal(work->buffer[1].count, 3);
    assert_int_equal(work->buffer[2].address, BATCH2);
    assert_int_equal(work->buffer[2].count, 2);

    /* A call: it is. A chain that may not be taken: likewise. */
    run_batch(f, (const uint32_t[]){START | 1 << 22, BATCH2, 0, 0xffffffff}, 4);
    assert_failsafe(f, "unknown command");
    run_batch(f, (const uint32_t[]){START | 1 << 15, BATCH2, 0, 0xffffffff}, 4);
    assert_failsafe(f, "unknown command");

    poke_all(f, BATCH2, (const uint32_t[]){MI(0x2e)}, 1);
    run_batch(f, (const uint32_t[]){START | 1 << 22, BATCH2, 0, BBE}, 4);
    assert_failsafe(f, "MI_COPY_MEM_MEM at 0x408000");
    poke_all(f, BATCH2, (const uint32_t[]){START | 1 << 22, BATCH2 + 64, 0, BBE}, 4);
    run_batch(f, (const uint32_t[]){START | 1 << 22, BATCH2, 0, BBE}, 4);
    assert_failsafe(f, "third level");

    /* A loop is the guest's own affair. */
    run_batch(f, (const uint32_t[]){START, BATCH, 0}, 3);
    assert_well(f);
    assert_int_equal(work->w.buffers, 2);

    /* But not one into the middle of commands, its own or others: those were not checked there. */
    run_batch(f, (const uint32_t[]){MI(0x20) | GGTT | 2, GOOD, 0, BBE, START, BATCH + 12, 0}, 7);
    assert_failsafe(f, "commands at 0x40400c are in the middle of others");
    run_batch(f, (const uint32_t[]){START | 1 << 22, BATCH + 24, 0, 0, 0, BBE, 0, BBE}, 8);
    assert_well(f);
    run_batch(f, (const uint32_t[]){START, BATCH - 8, 0}, 3);
    assert_failsafe(f, "are in the middle of others");
    run_batch(f, (const uint32_t[]){START, RING + 12, 0}, 3);
    assert_failsafe(f, "commands at");
    run_batch(f, (const uint32_t[]){START, RING, 0}, 3);
    assert_failsafe(f, "starts the ring");
}

/* Whatever the budget is: it comes to the same, and takes no more than it was given. */
TEST(an_audit_goes_on_where_it_stopped)
{
    struct fake *f = *state;
    struct audit a;
    setup_engine(f, GPU_RCS);
    memset(mem(f, BATCH), 0, PAGE);
    poke(f, BATCH + 40, BBE);
    poke_all(f, RING, start_batch, 5);
    poke_all(f, RING + 20, (const uint32_t[]){0x78040001, 1, 1, MI(8)}, 4);
    for (uint32_t budget = 1; budget < 24; budget++) {
        uint32_t calls = 1;
        audit_begin(&a, f->vgpu, &f->vgpu->engine[GPU_RCS], true);
        assert_true(audit_add(&a, AUDIT_RING, RING, 36));
        enum audit_result result = audit_check(&a, budget);
        for (; result == AUDIT_MORE; calls++) {
            uint32_t at = a.at;
            unsigned index = a.index;
            result = audit_check(&a, budget);
            assert_true(a.index != index || a.at - at <= budget + 2);
        }
        assert_int_equal(result, AUDIT_PASSED);
        assert_in_range(calls, 20 / (budget + 2), 20 / budget + 2);
        assert_int_equal(a.pieces, 2);
        assert_int_equal(a.piece[0].count, 9);
        assert_int_equal(a.piece[1].count, 11);
        audit_end(&a);
    }
    poke(f, RING + 32, MI(0x23));
    audit_begin(&a, f->vgpu, &f->vgpu->engine[GPU_RCS], true);
    assert_true(audit_add(&a, AUDIT_RING, RING, 36));
    assert_int_equal(audit_check(&a, 5), AUDIT_MORE);
    assert_int_equal(audit_check(&a, 5), AUDIT_REFUSED);
    audit_end(&a);
}

TEST(bounds)
{
    struct fake *f = *state;

    /* Batches that overlap, each of them with one more. */
    setup_engine(f, GPU_RCS);
    memset(mem(f, BATCH), 0, PAGE);
    for (uint32_t i = 0; i < 80; i++) {
        poke_all(f, BATCH + i * 16, (const uint32_t[]){START, BATCH + (i + 1) * 16, 0}, 3);
    }
    poke_all(f, RING, start_batch, 5);
    set_tail(f, IMAGE, 24);
    submit_list(f, GPU_RCS, DESCRIPTOR(IMAGE, 1), 0);
    assert_failsafe(f, "one batch too many");

    /* A batch of nothing but MI_NOOPs, to the end of the window. */
    setup_engine(f, GPU_RCS);
    for (uint32_t page = 4; page < HIGH_COUNT; page++) {
        memset(mem(f, AT(HIGH_FIRST + page)), 0, PAGE);
    }
    poke_all(f, RING, start_batch, 5);
    set_tail(f, IMAGE, 24);
    submit_list(f, GPU_RCS, DESCRIPTOR(IMAGE, 1), 0);
    assert_failsafe(f, "without an end");
}

/* Commands are read once: what changes after the copy changes nothing. */

TEST(copy_check_use)
{
    struct fake *f = *state;
    const uint32_t dw[] = {MI(0x20) | GGTT | 2, GOOD, 0, 1};

    run(f, GPU_BCS, dw, 4);
    assert_well(f);
    poke(f, RING, 0xffffffff);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].dw[0], dw[0]);
    assert_int_equal(f->gtt->work[GPU_BCS].buffer[0].dw[1], GOOD);
}

/* Noise: nothing but refusals and submissions comes of it. */
TEST(noise)
{
    struct fake *f = *state;
    static const uint32_t seeds[] = {
        MI(0x20) | GGTT | 2, MI(0x22) | 1, MI(0x26) | 2, START, START | GGTT, BBE, 0x7a000004,
        0x54f00008,          0x54300005,   0x78040001,   GOOD,  BATCH,        0,   END,
    };
    unsigned passed = 0;

    srand(11);
    for (int i = 0; i < 4000; i++) {
        uint32_t dw[40];

        for (unsigned n = 0; n < 40; n++) {
            dw[n] = rand() % 4 ? seeds[rand() % 14] : (uint32_t)rand() << (rand() % 16);
        }
        poke_all(f, BATCH, dw + 20, 20);
        (rand() % 2 ? run : run_old)(f, rand() % GPU_ENGINES, dw, 1 + rand() % 20);
        passed += !vgpu_failsafe(f->vgpu);
    }
    assert_in_range(passed, 1, 3999);
}
