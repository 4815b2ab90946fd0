/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vGPU with everything below it real, over the simulator: the requests with which a driver
 * begins, batches in a PPGTT, a hang and its reset, an error. What the audit lets through the GPU
 * must be able to execute.
 */
#include <stdlib.h>
#include <string.h>

#include <xengt/target.h>

#include "support/stack.h"
#include "support/test.h"
#include "vgpu/device.h"
#include "vgpu/vgpu.h"

#define PAGE        4096u
#define PAGES       128u
#define LOW_FIRST   64u
#define LOW_COUNT   64u
#define HIGH_FIRST  1024u
#define HIGH_COUNT  64u
#define GTT_ENTRIES 2048u
#define GGTT(gfn)   ((LOW_FIRST + (gfn)) * PAGE) /* frames lie in the window in their order */

/* What the guest has in which frame. */
#define HWSP(e)    (1u + (e)) /* of each engine */
#define RING(e)    (5u + (e))
#define IMAGE(e)   (9u + 2 * (e)) /* two frames */
#define TIMELINE   17u
#define STATE      18u /* the batch of the render state: two frames */
#define WA_BATCH   20u
#define SCRATCH    21u
#define TABLES     24u /* PML4, PDP, PD, PT */
#define USER_BATCH 28u
#define USER_DATA  29u

#define USER_ADDRESS 0x10000u /* of the user's batch in the PPGTT; its data follow */

#define MI(op)         ((uint32_t)(op) << 23)
#define START          (MI(0x31) | 1)
#define USER_INTERRUPT MI(0x02)
#define BBE            MI(0x0a)

struct fixture {
    struct stack stack;
    struct xengt_space *space;
    struct vgpu *vgpu;
    uint32_t domid;
    unsigned interrupts;
    uint32_t tail[GPU_ENGINES];
    uint32_t csb[GPU_ENGINES];
};

/* --- the stack --------------------------------------------------------------------------- */

static void count_interrupt(void *arg, uint64_t address, uint32_t data)
{
    struct fixture *f = arg;

    (void)address;
    (void)data;

    f->interrupts++;
}

static void open_xen(struct fixture *f)
{
    const struct stack_options options = {.gtt_entries = GTT_ENTRIES};

    assert_int_equal(stack_open_gpu(&f->stack, &options), 0);
    assert_int_equal(stack_domain(&f->stack, "guest", PAGES, 0, &f->domid), 0);
    assert_int_equal(xengt_target_add(f->stack.xengt, f->domid), 0);
    assert_int_equal(xengt_space_open(f->stack.xengt, f->domid, NULL, &f->space), 0);
}

static void open_vgpu(struct fixture *f)
{
    static const struct vgpu_machine machine = {.inject_msi = count_interrupt};
    const struct vgpu_config config = {
        .id = 1,
        .fences = 4,
        .gtt =
            {
                .xengt = f->stack.xengt,
                .space = f->space,
                .gpu = f->stack.gpu,
                .mappable = {.first = LOW_FIRST, .count = LOW_COUNT},
                .unmappable = {.first = HIGH_FIRST, .count = HIGH_COUNT},
            },
        .machine = &machine,
        .machine_arg = f,
    };

    assert_int_equal(vgpu_create(&config, &f->vgpu), 0);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x92, 1, 2); /* one MSI */
    f->vgpu->pci.space[4] |= 4;                             /* a bus master, not to be claimed */
}

static uint32_t rd(struct fixture *f, uint32_t offset)
{
    return (uint32_t)vgpu_mmio_read(f->vgpu, offset, 4);
}

static void wr(struct fixture *f, uint32_t offset, uint32_t value)
{
    vgpu_mmio_write(f->vgpu, offset, value, 4);
}

static uint32_t *frame(struct fixture *f, uint32_t gfn)
{
    return xengt_sim_guest_page(f->stack.sim, f->domid, (struct xengt_gfn){gfn});
}

/* --- the driver -------------------------------------------------------------------------- */

static void make_image(struct fixture *f, enum gpu_engine e)
{
    static const uint32_t regs[] = {0x244, 0x034, 0x030, 0x038, 0x03c};
    const uint32_t values[] = {0x00090009, 0, 0, GGTT(RING(e)), 1};
    uint32_t base = engine_info[e].base;
    uint32_t *image = frame(f, IMAGE(e) + 1);

    for (unsigned i = 0; i < 5; i++) {
        image[2 + 2 * i] = base + regs[i];
        image[3 + 2 * i] = values[i];
    }
    image[0x22] = base + 0x3a8;
    for (unsigned i = 0; i < 8; i++) {
        image[0x24 + 2 * i] = base + 0x28c - 4 * i;
    }
    image[0x33] = TABLES * PAGE;
    if (e == GPU_RCS) {
        image[0x1b] = GGTT(WA_BATCH) | 3;
    }
}

/* Commands run at each load of a render context: three cache lines. */
static void make_wa_batch(struct fixture *f)
{
    const uint32_t dw[] = {
        MI(0x08),
        MI(0x24) | 1 << 22 | 2,
        0xb118,
        GGTT(SCRATCH),
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
        MI(0x29) | 1 << 22 | 2,
        0xb118,
        GGTT(SCRATCH),
        0,
        0x7a000004,
        1 << 27 | 1 << 21 | 1 << 20 | 1 << 14,
        0xd0,
        0,
        0,
        0,
        MI(0x08) | 1,
        0,
    };
    memcpy(frame(f, WA_BATCH), dw, sizeof(dw));
}

static void make_render_state(struct fixture *f)
{
    uint32_t *dw = frame(f, STATE);

    *dw++ = 0x7a000004;
    dw += 5;
    *dw++ = 0x69040000;
    *dw++ = 0x61010000 | 14;
    dw += 15;
    *dw++ = 0x61020001;
    dw += 2;
    *dw++ = 0x680b0001;
    for (unsigned i = 0; i < 256; i++) {
        *dw++ = 0;
    }
    *dw++ = 0x78230000;
    dw += 1;
    *dw++ = 0x7b000005;
    dw += 6;
    *dw = BBE;
}

/* One table of each level; the page table maps the user's two frames. */
static void make_ppgtt(struct fixture *f)
{
    for (unsigned level = 0; level < 3; level++) {
        uint64_t *table = (uint64_t *)frame(f, TABLES + level);
        table[0] = (uint64_t)(TABLES + level + 1) * PAGE | 3;
    }
    uint64_t *table = (uint64_t *)frame(f, TABLES + 3);
    table[USER_ADDRESS / PAGE] = USER_BATCH * PAGE | 3;
    table[USER_ADDRESS / PAGE + 1] = USER_DATA * PAGE | 3;

    wr(f, 0x78838, TABLES * PAGE);
    wr(f, 0x7883c, 0);
    wr(f, 0x78818, 4);
}

static void enable_engine(struct fixture *f, enum gpu_engine e)
{
    uint32_t base = engine_info[e].base;

    wr(f, base + RING_MODE, 0x80008000);
    wr(f, base + RING_MI_MODE, 0x01000000);
    wr(f, base + RING_HWS_PGA, GGTT(HWSP(e)));
    wr(f, base + RING_EMR, UINT32_MAX);
    wr(f, base + RING_EIR, UINT32_MAX);
    assert_int_equal(rd(f, base + RING_ESR), 0);
    wr(f, base + RING_EMR, ~1u);
    wr(f, base + RING_IMR, ~(0x0909u << engine_info[e].irq_shift));
    wr(f, base + RING_CSB_PTR, 0xffff0505);
    f->csb[e] = 5;
    frame(f, HWSP(e))[0x1f] = 5;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    open_xen(f);
    open_vgpu(f);
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x78008, 2), 1);
    for (uint32_t gfn = 0; gfn < LOW_COUNT; gfn++) {
        vgpu_mmio_write(f->vgpu, 0x800000 + (LOW_FIRST + gfn) * 8, (uint64_t)gfn * PAGE | 3, 8);
    }
    wr(f, GFX_FLSH_CNTL, 1);
    for (unsigned bank = 0; bank < 4; bank++) {
        wr(f, GT_IRQ(bank) + 4, ~0x09090909u);
        wr(f, GT_IRQ(bank) + 0xc, 0x09090909u);
    }
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
    make_ppgtt(f);
    make_wa_batch(f);
    make_render_state(f);
    for (int e = 0; e < GPU_ENGINES; e++) {
        make_image(f, e);
        enable_engine(f, e);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct xengt_sim_stats stats;
    char error[256] = "";

    if (vgpu_verify(f->vgpu, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    vgpu_destroy(f->vgpu);
    xengt_space_close(f->space);
    assert_int_equal(xengt_target_remove(f->stack.xengt, f->domid), 0);
    xengt_sim_get_stats(f->stack.sim, &stats);
    assert_string_equal(xengt_sim_violation(f->stack.sim), "");
    assert_int_equal(stats.mapped, 0);
    assert_int_equal(stats.iommu_faults, 0);
    stack_close(&f->stack);
    free(f);
    return 0;
}

static void assert_well(struct fixture *f)
{
    if (vgpu_failsafe(f->vgpu)) {
        fail_msg("failsafe: %s", vgpu_failsafe(f->vgpu));
    }
}

/* --- requests ---------------------------------------------------------------------------- */

static void emit(struct fixture *f, enum gpu_engine e, const uint32_t *dw, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        frame(f, RING(e))[f->tail[e] % PAGE / 4] = dw[i];
        f->tail[e] += 4;
    }
}

#define EMIT(f, e, ...) \
    emit(f, e, (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4)

static void begin_request(struct fixture *f, enum gpu_engine e, uint32_t seqno)
{
    if (e == GPU_RCS) {
        EMIT(f, e, 0x7a000004, 1 << 20 | 1 << 18 | 1 << 14 | 1 << 21, 0xd0, 0, 0, 0);
    } else {
        EMIT(f, e, MI(0x26) | 2 | 1 << 21 | 1 << 14 | 1 << 18, 0xd0, 0, 0);
    }
    EMIT(f, e, MI(0x20) | 1 << 22 | 2, GGTT(TIMELINE) + 64 * e, 0, seqno - 1, 0, MI(0x05));
}

static void end_request(struct fixture *f, enum gpu_engine e, uint32_t seqno)
{
    if (e == GPU_RCS) {
        EMIT(f, e, 0x7a000004, 1 << 12 | 1, 0, 0, 0, 0);
        EMIT(f, e, 0x7a000004, 1 << 24 | 1 << 20 | 1 << 14 | 1 << 7, GGTT(TIMELINE) + 64 * e, 0,
             seqno, 0);
    } else {
        EMIT(f, e, MI(0x26) | 2 | 1 << 14, (GGTT(TIMELINE) + 64 * e) | 4, 0, seqno);
    }
    EMIT(f, e, USER_INTERRUPT, MI(0x08) | 1);
    if (f->tail[e] % 8) {
        EMIT(f, e, 0);
    }
    EMIT(f, e, MI(0x05), 0);
}

static uint32_t seqno(struct fixture *f, enum gpu_engine e)
{
    return frame(f, TIMELINE)[16 * e];
}

static void submit(struct fixture *f, enum gpu_engine e)
{
    uint32_t port = engine_info[e].base + RING_ELSP;

    frame(f, IMAGE(e) + 1)[7] = f->tail[e] % PAGE;
    wr(f, port, 0);
    wr(f, port, 0);
    wr(f, port, 0x80 + e);
    wr(f, port, GGTT(IMAGE(e)) | 0x139);
}

/* As the guests does; false: it does not come to an end. */
static bool run(struct fixture *f)
{
    for (unsigned i = 0; i < 200; i++) {
        bool more = f->stack.gpu->ops->run(f->stack.gpu, 64);

        vgpu_check(f->vgpu);
        if (!more && !f->stack.gpu->ops->run(f->stack.gpu, 1)) {
            return true;
        }
    }
    return false;
}

static void expect_entry(struct fixture *f, enum gpu_engine e, uint32_t status, uint32_t id)
{
    const uint32_t *hwsp = frame(f, HWSP(e));

    assert_int_not_equal(f->csb[e], hwsp[0x1f]);
    f->csb[e] = (f->csb[e] + 1) % 6;
    assert_int_equal(hwsp[0x10 + 2 * f->csb[e]], status);
    assert_int_equal(hwsp[0x11 + 2 * f->csb[e]], id);
}

/* As a driver's handler: what is told is taken, and the line goes down. */
static uint32_t take_interrupts(struct fixture *f, unsigned bank)
{
    wr(f, MASTER_IRQ, 0);
    uint32_t iir = rd(f, GT_IRQ(bank) + 8);
    wr(f, GT_IRQ(bank) + 8, iir);
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
    return iir;
}

/* The first request of a driver on an engine. */
static void emit_first(struct fixture *f, enum gpu_engine e)
{
    begin_request(f, e, 1);
    if (e == GPU_RCS) {
        EMIT(f, e, MI(0x22) | 17, 0x20c0, 0x00800080, 0x209c, 0x40004000, 0xe4f0, 0x01200120,
             0x7300, 0x08300830, 0x7000, 0x00040000, 0x7004, 0x00400040, 0x7008, 0x02800200, 0xe4f4,
             0x00010001, 0xe184, 0x00020002, 0);
        EMIT(f, e, MI(0x08), START, GGTT(STATE), 0);
    }
    end_request(f, e, 1);
}

#define TEST(name) TEST_WITH(name, setup, teardown)

TEST(first_requests)
{
    struct fixture *f = *state;

    for (int e = 0; e < GPU_ENGINES; e++) {
        emit_first(f, e);
        submit(f, e);
        assert_well(f);
        expect_entry(f, e, 1, 0);
    }
    assert_true(run(f));
    for (int e = 0; e < GPU_ENGINES; e++) {
        assert_well(f);
        assert_int_equal(seqno(f, e), 1);
        expect_entry(f, e, 0x18, 0x80 + e);
        assert_int_equal(frame(f, IMAGE(e) + 1)[5], f->tail[e]);
        assert_int_equal(frame(f, IMAGE(e) + 1)[3] & 1, 0);
        assert_int_equal(rd(f, engine_info[e].base + RING_HEAD),
                         rd(f, engine_info[e].base + RING_TAIL));
        assert_int_equal(rd(f, engine_info[e].base + RING_EIR), 0);
    }
    assert_true(f->interrupts >= 1);
    assert_int_equal(take_interrupts(f, 0), 0x01010101);
    assert_int_equal(take_interrupts(f, 1), 0x0101);
    assert_int_equal(take_interrupts(f, 3), 0x0101);
}

/* A user's batch, in its own address space. */
static void emit_user(struct fixture *f, enum gpu_engine e, uint32_t number, const uint32_t *dw,
                      size_t n)
{
    memcpy(frame(f, USER_BATCH), dw, n * sizeof(*dw));
    begin_request(f, e, number);
    EMIT(f, e, MI(0x08), START | 1 << 8, USER_ADDRESS, 0);
    end_request(f, e, number);
}

TEST(user_batch)
{
    struct fixture *f = *state;
    const uint32_t store[] = {MI(0x20) | 2, USER_ADDRESS + PAGE + 16, 0, 0xcafe, BBE};

    for (int e = 0; e < GPU_ENGINES; e++) {
        frame(f, USER_DATA)[4] = 0;
        emit_user(f, e, 1, store, 5);
        submit(f, e);
        assert_true(run(f));
        assert_well(f);
        assert_int_equal(seqno(f, e), 1);
        assert_int_equal(frame(f, USER_DATA)[4], 0xcafe);
    }
}

/* Blits of the ring go to the address space of its context, too. */
TEST(blit_in_ppgtt)
{
    struct fixture *f = *state;

    begin_request(f, GPU_BCS, 1);
    EMIT(f, GPU_BCS, 0x54300005, 0x03f01000, 0, 0x10400, USER_ADDRESS + PAGE, 0, 0x1234567);
    end_request(f, GPU_BCS, 1);
    submit(f, GPU_BCS);
    assert_true(run(f));
    assert_well(f);
    assert_int_equal(seqno(f, GPU_BCS), 1);
    assert_int_equal(frame(f, USER_DATA)[1023], 0x1234567);
}

static void reset_engine(struct fixture *f, enum gpu_engine e)
{
    uint32_t base = engine_info[e].base;

    wr(f, base + RING_MI_MODE, 0x01000100);
    assert_true(rd(f, base + RING_MI_MODE) & MI_MODE_IDLE);
    wr(f, base + RING_RESET_CTL, 0x00010001);
    assert_true(rd(f, base + RING_RESET_CTL) & RESET_CTL_READY);
    assert_int_equal(rd(f, base + 0x238), 0x80 + e); /* who is to blame */
    wr(f, GDRST, engine_info[e].reset_bit);
    assert_int_equal(rd(f, GDRST), 0);
    wr(f, base + RING_RESET_CTL, 0x00010000);
    enable_engine(f, e);
}

static void finish_after_reset(struct fixture *f, enum gpu_engine e, uint32_t number)
{
    reset_engine(f, e);
    frame(f, IMAGE(e) + 1)[5] = f->tail[e] % PAGE; /* over the request that was guilty */
    begin_request(f, e, number);
    end_request(f, e, number);
    submit(f, e);
    expect_entry(f, e, 1, 0);
    assert_true(run(f));
    assert_well(f);
    assert_int_equal(seqno(f, e), number);
    expect_entry(f, e, 0x18, 0x80 + e);
}

TEST(hang)
{
    struct fixture *f = *state;
    const uint32_t loop[] = {0, START | 1 << 8, USER_ADDRESS, 0};

    for (int e = 0; e < GPU_ENGINES; e++) {
        emit_user(f, e, 1, loop, 4);
        submit(f, e);
        assert_false(run(f));
        assert_well(f);
        assert_int_equal(seqno(f, e), 0); /* it began, and stays */
        expect_entry(f, e, 1, 0);
        finish_after_reset(f, e, 2);
    }
}

TEST(error_in_user_batch)
{
    struct fixture *f = *state;
    const uint32_t nonsense[] = {0, 0xffffffff, BBE};

    emit_user(f, GPU_BCS, 1, nonsense, 3);
    submit(f, GPU_BCS);
    assert_true(run(f));
    assert_well(f);
    assert_int_equal(rd(f, 0x220b0), 1);
    assert_int_equal(take_interrupts(f, 0), 0x01080000);
    wr(f, 0x220b4, UINT32_MAX);
    wr(f, 0x220b0, 1);
    expect_entry(f, GPU_BCS, 1, 0);
    finish_after_reset(f, GPU_BCS, 2);
}

/* While a context runs the driver gives it more: it goes on without being loaded anew. */
TEST(more_for_the_same_context)
{
    struct fixture *f = *state;

    vgpu_pause(f->vgpu, true);
    begin_request(f, GPU_RCS, 1);
    end_request(f, GPU_RCS, 1);
    submit(f, GPU_RCS);
    expect_entry(f, GPU_RCS, 1, 0);
    begin_request(f, GPU_RCS, 2);
    end_request(f, GPU_RCS, 2);
    submit(f, GPU_RCS);
    expect_entry(f, GPU_RCS, 0x8002, 0x80);
    vgpu_pause(f->vgpu, false);
    assert_true(run(f));
    assert_int_equal(seqno(f, GPU_RCS), 2);
    expect_entry(f, GPU_RCS, 0x18, 0x80);
}

TEST(reset_of_everything)
{
    struct fixture *f = *state;

    emit_first(f, GPU_RCS);
    submit(f, GPU_RCS);
    wr(f, GDRST, 1);
    assert_true(run(f));
    vgpu_reset(f->vgpu);
    assert_true(run(f));
    assert_int_equal(vgpu_mmio_read(f->vgpu, 0x800000 + LOW_FIRST * 8, 8), 0);
    assert_true(vgpu_aperture_read(f->vgpu, GGTT(TIMELINE), 4) == UINT64_MAX);
    vgpu_mmio_write(f->vgpu, 0x800000 + (LOW_FIRST + 1) * 8, TIMELINE * PAGE | 3, 8);
    vgpu_aperture_write(f->vgpu, GGTT(1) + 8, 0x77, 4);
    assert_int_equal(frame(f, TIMELINE)[2], 0x77);
}
