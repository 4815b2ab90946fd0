/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Context images: what of them becomes a workload, what is saved, what is refused. */
#include "vgpu_fake.h"

#define TEST(name) TEST_WITH(name, blitter_setup, fake_teardown)

/* --- context images ---------------------------------------------------------------------- */

TEST(bad_images)
{
    struct fake *f = *state;
    static const struct {
        unsigned dword;
        uint32_t value;
        const char *reason;
    } bad[] = {
        {0x04, 0x2034, "no context image"}, /* another engine's */
        {0x32, 0, "no context image"},
        {0x05, 0x1000, "beyond the ring"},
        {0x07, 0x1008, "beyond the ring"},
        {0x09, 0, "outside the vGPU's windows"},
        {0x09, OUTSIDE, "outside the vGPU's windows"},
        {0x0b, 0x3f001, "outside the vGPU's windows"},
        {0x0b, 0, "is not valid"},
        {0x33, 0x1234008, "0x1234008 is no root"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        vgpu_reset(f->vgpu);
        enable_execlists(f, GPU_BCS, HWSP);
        make_context(f, GPU_BCS, IMAGE_A, RING_A);
        set_tail(f, IMAGE_A, 16);
        poke(f, IMAGE_A + PAGE + bad[i].dword * 4, bad[i].value);
        submit_list(f, GPU_BCS, A, 0);
        assert_failsafe(f, bad[i].reason);
    }
    f->gtt->hole[LOW_COUNT + 1] = true;
    vgpu_reset(f->vgpu);
    enable_execlists(f, GPU_BCS, HWSP);
    submit_list(f, GPU_BCS, A, 0);
    assert_failsafe(f, "no memory at the context image 0x400000");
}

TEST(workload)
{
    struct fake *f = *state;
    const struct gtt_workload *w = &f->gtt->work[GPU_BCS].w;

    poke(f, RING_A, 0x05u << 23);
    poke(f, RING_A + 4, 0x02u << 23);
    set_tail(f, IMAGE_A, 8);
    submit_list(f, GPU_BCS, A, 0);
    assert_int_equal(w->engine, GPU_BCS);
    assert_int_equal(w->root.levels, 4);
    assert_int_equal(w->root.pdp[0], 0x1234000);
    assert_int_equal(w->context, IMAGE_A);
    assert_int_equal(w->status_page, IMAGE_A);
    assert_int_equal(w->buffers, 1);
    assert_true(w->buffer[0].run);
    assert_int_equal(w->buffer[0].address, RING_A);
    assert_int_equal(w->buffer[0].count, 2);
    assert_int_equal(w->buffer[0].dw[0], 0x05u << 23);
    assert_int_equal(w->buffer[0].dw[1], 0x02u << 23);
    assert_int_equal(rd(f, BCS + RING_START), RING_A);
    assert_int_equal(rd(f, BCS + RING_TAIL), 8);
    f->gtt->state[GPU_BCS].acthd = RING_A + 4;
    assert_int_equal(rd(f, BCS + RING_HEAD), 4);
    assert_int_equal(rd(f, BCS + RING_ACTHD), RING_A + 4);
    assert_int_equal(rd(f, BCS + RING_MI_MODE), 0);
    complete(f, GPU_BCS);
    assert_int_equal(rd(f, BCS + RING_HEAD), 8);
    assert_int_equal(rd(f, BCS + RING_MI_MODE), MI_MODE_IDLE);
}

TEST(three_levels)
{
    struct fake *f = *state;
    const struct gtt_root *root = &f->gtt->work[GPU_BCS].w.root;

    for (uint32_t i = 0; i < 4; i++) {
        poke(f, IMAGE_A + PAGE + (0x33 - 4 * i) * 4, 0x10000 * (i + 1));
        poke(f, IMAGE_A + PAGE + (0x31 - 4 * i) * 4, i);
    }
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, (A & ~UINT64_C(0x18)) | 8, 0);
    assert_int_equal(root->levels, 3);
    for (uint64_t i = 0; i < 4; i++) {
        assert_true(root->pdp[i] == (i << 32 | 0x10000 * (i + 1)));
    }
}

static void run_around_the_end(struct fake *f, uint32_t head, const uint32_t *dw, unsigned n)
{
    vgpu_reset(f->vgpu);
    enable_execlists(f, GPU_BCS, HWSP);
    for (unsigned i = 0; i < n; i++) {
        poke(f, RING_A + (head + 4 * i) % PAGE, dw[i]);
    }
    poke(f, IMAGE_A + PAGE + 5 * 4, 0xfe000000 | head); /* with a wrap count */
    set_tail(f, IMAGE_A, (head + 4 * n) % PAGE);
    submit_list(f, GPU_BCS, A, 0);
    assert_well(f);
}

/* Commands keep their addresses; one around the end of the ring stays in one piece. */
TEST(ring_wraps)
{
    struct fake *f = *state;
    const struct fake_work *work = &f->gtt->work[GPU_BCS];
    const struct gpu_buffer *b = work->buffer;
    const uint32_t load[] = {0, 0x22u << 23 | 1, BCS + 0x600, 77, 0, 0x05u << 23};

    run_around_the_end(f, 0xff8, load, 6);
    assert_int_equal(work->w.buffers, 2);
    assert_int_equal(b[0].count, 4);
    assert_int_equal(b[0].address, RING_A + 0xff8);
    assert_int_equal(b[0].dw[3], 77);
    assert_int_equal(b[1].address, RING_A + 8);
    assert_int_equal(b[1].count, 2);
    assert_int_equal(b[1].dw[1], 0x05u << 23);
    f->gtt->state[GPU_BCS].acthd = RING_A + 0x1000;
    assert_int_equal(rd(f, BCS + RING_HEAD), 0);
    complete(f, GPU_BCS);
    assert_int_equal(peek(f, IMAGE_A + PAGE + 5 * 4), 0xfe000010);

    run_around_the_end(f, 0xff0, load, 6);
    assert_int_equal(work->w.buffers, 2);
    assert_int_equal(b[0].count, 4);
    assert_int_equal(b[1].address, RING_A);
    assert_int_equal(b[1].count, 2);
    run_around_the_end(f, 0xff8, load, 4); /* nothing is behind it */
    assert_int_equal(work->w.buffers, 1);
    assert_int_equal(b[0].count, 4);
    run_around_the_end(f, 0xfe8, load, 6); /* the tail is at the end */
    assert_int_equal(work->w.buffers, 1);
    assert_int_equal(b[0].count, 6);
}

TEST(context_is_saved)
{
    struct fake *f = *state;

    poke(f, IMAGE_A + PAGE + 0x23 * 4, 1000);
    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    assert_int_equal(peek(f, IMAGE_A + PAGE + 3 * 4), 0x00090009);
    f->gtt->ticks += 77;
    complete(f, GPU_BCS);
    assert_int_equal(peek(f, IMAGE_A + PAGE + 3 * 4), 0x00090008);
    assert_int_equal(peek(f, IMAGE_A + PAGE + 5 * 4), 16);
    assert_int_equal(peek(f, IMAGE_A + PAGE + 0x23 * 4), 1077);
    set_tail(f, IMAGE_A, 24);
    submit_list(f, GPU_BCS, A, 0);
    f->gtt->hole[LOW_COUNT + 1] = true; /* taken away: not saved, nothing worse */
    complete(f, GPU_BCS);
    assert_well(f);
}

TEST(another_ring_while_running)
{
    struct fake *f = *state;

    set_tail(f, IMAGE_A, 16);
    submit_list(f, GPU_BCS, A, 0);
    poke(f, IMAGE_A + PAGE + 9 * 4, RING_B);
    submit_list(f, GPU_BCS, A, 0);
    assert_failsafe(f, "another ring");
}

/* --- the render engine's batches at the start of a context ------------------------------- */

#define BATCH AT(LOW_FIRST + 5)

static void make_render_context(struct fake *f, uint32_t indirect, uint32_t per_context)
{
    enable_execlists(f, GPU_RCS, HWSP);
    make_context(f, GPU_RCS, IMAGE_A, RING_A);
    poke(f, IMAGE_A + PAGE + 0x19 * 4, per_context);
    poke(f, IMAGE_A + PAGE + 0x1b * 4, indirect);
    set_tail(f, IMAGE_A, 8);
}

TEST(batches_at_load)
{
    struct fake *f = *state;
    const struct gpu_buffer *b = f->gtt->work[GPU_RCS].buffer;
    const uint32_t per_context[] = {0x22u << 23 | 1, 0x20c0, 5, 0x0au << 23, 0xffffffff};

    poke_all(f, BATCH + PAGE, per_context, 5);
    make_render_context(f, (BATCH + 0x80) | 2, (BATCH + PAGE) | 1);
    submit_list(f, GPU_RCS, A, 0);
    assert_well(f);
    assert_int_equal(f->gtt->work[GPU_RCS].w.buffers, 3);
    assert_int_equal(b[0].address, BATCH + 0x80);
    assert_int_equal(b[0].count, 32);
    assert_int_equal(b[1].address, BATCH + PAGE);
    assert_int_equal(b[1].count, 3); /* without its end */
    assert_int_equal(b[2].address, RING_A);
    assert_true(b[0].run && b[1].run && b[2].run);

    set_tail(f, IMAGE_A, 16); /* a lite restore loads nothing */
    submit_list(f, GPU_RCS, A, 0);
    complete(f, GPU_RCS);
    assert_int_equal(f->gtt->work[GPU_RCS].w.buffers, 1);
}

TEST(bad_batches_at_load)
{
    struct fake *f = *state;

    make_render_context(f, (OUTSIDE - 64) | 2, 0);
    submit_list(f, GPU_RCS, A, 0);
    assert_failsafe(f, "indirect context");
    vgpu_reset(f->vgpu);
    poke(f, BATCH, 0x23u << 23);
    make_render_context(f, BATCH | 1, 0);
    submit_list(f, GPU_RCS, A, 0);
    assert_failsafe(f, "MI_UPDATE_GTT");
    vgpu_reset(f->vgpu);
    make_render_context(f, 0, OUTSIDE | 1);
    submit_list(f, GPU_RCS, A, 0);
    assert_failsafe(f, "no memory");
}
