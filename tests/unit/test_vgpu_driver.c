/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random work, followed by a driver's own state machine: each entry must be one that it expects. */
#include <stdlib.h>
#include <string.h>

#include "vgpu_fake.h"

/* --- a driver's state machine ------------------------------------------------------------ */

#define CONTEXTS 4u
#define PORTS    2u

struct request {
    unsigned context; /* from 1; 0: none */
    uint64_t end;     /* of its commands, counted from the context's first */
};

/* What a driver keeps of its contexts and of the two lists it has handed over. */
struct driver {
    struct fake *f;
    uint64_t queued[CONTEXTS + 1]; /* commands written to the ring, in bytes */
    uint64_t listed[CONTEXTS + 1]; /* of these: submitted */
    uint64_t done[CONTEXTS + 1];   /* executed by the GPU */
    struct request queue[512];
    unsigned head, tail;
    struct request pending[PORTS + 1];
    struct request inflight[PORTS + 1];
    unsigned active;   /* the port that runs */
    unsigned csb;      /* the entry read last */
    unsigned seen[16]; /* entries by their lower bits: how often */
};

static uint32_t image_of(unsigned context)
{
    return AT(HIGH_FIRST + 8 + 2 * context);
}

static uint32_t ring_of(unsigned context)
{
    return AT(LOW_FIRST + 16 + context);
}

static bool is_complete(const struct driver *d, const struct request *r)
{
    return d->done[r->context] >= r->end;
}

static void driver_open(struct driver *d, struct fake *f)
{
    *d = (struct driver){.f = f, .csb = 5};
    for (unsigned c = 1; c <= CONTEXTS; c++) {
        make_context(f, GPU_BCS, image_of(c), ring_of(c));
    }
}

static void driver_queue(struct driver *d)
{
    unsigned context = 1 + (unsigned)rand() % CONTEXTS;
    uint64_t more = 8u * (1 + (unsigned)rand() % 6);

    if (d->tail - d->head == 64 || d->queued[context] + more - d->done[context] >= PAGE - 64) {
        return;
    }
    d->queued[context] += more;
    d->queue[d->tail++ % 512] = (struct request){context, d->queued[context]};
}

/* Fills the ports: requests of one context become one, and a context is in one port only. */
static unsigned choose(struct driver *d, struct request port[PORTS + 1], unsigned current)
{
    unsigned n = 0;

    if (current) {
        port[n++] = (struct request){current, d->listed[current]};
    }
    while (d->head != d->tail) {
        const struct request *r = &d->queue[d->head % 512];

        if (n && port[n - 1].context == r->context) {
            port[n - 1].end = r->end;
        } else if (n == PORTS || (n == 2 && port[0].context == r->context)) {
            break;
        } else {
            port[n++] = *r;
        }
        d->head++;
    }
    port[n] = (struct request){0};
    return n;
}

static uint64_t descriptor_of(struct driver *d, const struct request *r)
{
    if (!r->context) {
        return 0;
    }
    d->listed[r->context] = r->end;
    set_tail(d->f, image_of(r->context), r->end % PAGE);
    return DESCRIPTOR(image_of(r->context), 0x100 + r->context);
}

static void driver_submit(struct driver *d)
{
    struct request *r = &d->inflight[d->active];
    struct request port[PORTS + 1];
    unsigned current, before = d->head;

    if (d->pending[0].context) {
        return; /* the last list was not acknowledged */
    }
    while (r->context && is_complete(d, r)) {
        r++; /* it knows from memory, before the status buffer says so */
    }
    current = r->context;
    if (current && r[1].context) {
        return;
    }
    if (!choose(d, port, current) || d->head == before) {
        return;
    }
    memcpy(d->pending, port, sizeof(port));
    uint64_t first = descriptor_of(d, &port[0]);
    submit_list(d->f, GPU_BCS, first, descriptor_of(d, &port[1]));
    assert_well(d->f);
}

static void driver_process(struct driver *d)
{
    unsigned write = peek(d->f, HWSP + 0x7c) & 0xff;

    while (d->csb != write) {
        d->csb = (d->csb + 1) % 6;
        uint64_t at = HWSP + 0x40 + d->csb * 8;
        uint32_t status = peek(d->f, at);

        assert_int_not_equal(status, UINT32_MAX);
        d->seen[status & 15]++;
        poke(d->f, at, UINT32_MAX);
        poke(d->f, at + 4, UINT32_MAX);
        if (status & 3) { /* promoted */
            assert_int_not_equal(d->pending[0].context, 0);
            memcpy(d->inflight, d->pending, sizeof(d->inflight));
            d->active = 0;
            d->pending[0] = (struct request){0};
        } else {
            const struct request *r = &d->inflight[d->active++];

            assert_int_not_equal(r->context, 0);
            assert_true(is_complete(d, r));
            assert_int_equal(d->active <= PORTS, 1);
        }
    }
}

/* The GPU executes what it has; it must be what comes next in one of the rings. */
static void gpu_works(struct driver *d)
{
    struct gtt *gtt = d->f->gtt;
    const struct gpu_buffer *b = &gtt->work[GPU_BCS].buffer[0];
    unsigned context = 1;

    if (gtt->state[GPU_BCS].idle || !gtt->submissions[GPU_BCS]) {
        return;
    }
    while (gtt->work[GPU_BCS].w.context != image_of(context)) {
        context++;
        assert_in_range(context, 1, CONTEXTS);
    }
    for (size_t i = 0; i < gtt->work[GPU_BCS].w.buffers; i++) {
        assert_int_equal(b[i].address, ring_of(context) + d->done[context] % PAGE);
        d->done[context] += b[i].count * 4;
    }
    assert_true(d->done[context] <= d->queued[context]);
    gtt->state[GPU_BCS].done++;
    gtt->state[GPU_BCS].idle = true;
}

static void random_step(struct driver *d)
{
    switch (rand() % 6) {
    case 0:
    case 1:
        driver_queue(d);
        break;
    case 2:
        driver_submit(d);
        break;
    case 3:
        gpu_works(d);
        break;
    case 4:
        vgpu_check(d->f->vgpu);
        break;
    default:
        driver_process(d);
        break;
    }
}

static void drain(struct driver *d)
{
    for (unsigned i = 0; i < 4096; i++) {
        driver_submit(d);
        gpu_works(d);
        vgpu_check(d->f->vgpu);
        driver_process(d);
    }
    assert_int_equal(d->head, d->tail);
    assert_int_equal(d->pending[0].context, 0);
    assert_int_equal(d->inflight[d->active].context, 0);
    for (unsigned c = 1; c <= CONTEXTS; c++) {
        assert_int_equal(d->done[c], d->queued[c]);
        assert_int_equal(peek(d->f, image_of(c) + PAGE + 5 * 4), d->done[c] % PAGE);
    }
    assert_int_equal(rd(d->f, BCS + 0x234), 0);
}

#define TEST(name) TEST_WITH(name, blitter_setup, fake_teardown)

TEST(random_sequences)
{
    static const unsigned kinds[] = {IDLE_TO_ACTIVE & 15, LITE_RESTORE & 15, NEXT_ELEMENT & 15,
                                     TO_IDLE & 15};

    for (unsigned seed = 0; seed < 200; seed++) {
        struct driver d;

        srand(seed);
        if (seed) {
            fake_teardown(state);
            blitter_setup(state);
        }
        driver_open(&d, *state);
        for (unsigned i = 0; i < 1000; i++) {
            random_step(&d);
        }
        drain(&d);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            assert_true(d.seen[kinds[i]] > 0);
        }
        assert_well(*state);
    }
}
