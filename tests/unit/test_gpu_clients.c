/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The software GPU and its clients: workloads, translations, turns, and that nobody has what is
 * another's.
 */

#include "support/gpu_fixture.h"

/* --- workloads --------------------------------------------------------------------------- */

/* One after the other; MI_BATCH_BUFFER_END ends one, and those not to be run are not. */
TEST(test_buffers)
{
    uint32_t first[] = {MI_STORE_DWORD, DATA, 0, 1};
    uint32_t second[] = {MI_BATCH_END, 0xffffffff};
    uint32_t third[] = {0xffffffff, MI_STORE_DWORD, DATA + 4, 0, 2, MI_BATCH_END};
    uint32_t fourth[] = {MI_BATCH_START, A_BATCH + 4, 0, MI_STORE_DWORD, DATA + 8, 0, 3};
    const struct gpu_buffer buffers[] = {
        {.address = A_RING, .dw = first, .count = 4, .run = true},
        {.address = A_RING, .dw = NULL, .count = 0, .run = true},
        {.address = A_RING, .dw = second, .count = 2, .run = true},
        {.address = A_BATCH, .dw = third, .count = 6},
        {.address = A_RING, .dw = fourth, .count = 7, .run = true},
    };
    const struct gpu_workload workload = {.buffer = buffers, .buffers = 5};
    struct fixture *fx = *state;

    assert_int_equal(fx->gpu->ops->execute(fx->a, fx->engine, &workload), 0);
    memset(first, 0xff, sizeof(first));
    memset(third, 0xff, sizeof(third));
    run_all(fx, 3);
    expect_done(fx);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(get(fx, DATA + 4 * i), i + 1);
    }
}

TEST(execute_refuses)
{
    static const uint32_t noop;
    const struct gpu_buffer not_run = {.address = A_RING, .dw = &noop, .count = 1};
    const struct gpu_buffer empty = {.address = A_RING, .run = true};
    const struct gpu_buffer uneven = {.address = A_RING + 2, .dw = &noop, .count = 1, .run = true};
    const struct gpu_workload cases[] = {
        {.buffers = 0},
        {.buffer = &not_run, .buffers = 1},
        {.buffer = &empty, .buffers = 1},
        {.buffer = &uneven, .buffers = 1},
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fx->gpu->ops->execute(fx->a, fx->engine, &cases[i]), -EINVAL);
        assert_true(state_of(fx, fx->a).idle);
    }
    EMIT(fx, MI_NOOP);
    assert_int_equal(submit_to(fx, fx->engine), 0);
    assert_int_equal(submit_to(fx, fx->engine), -EBUSY);
    run_all(fx, 1);
    assert_int_equal(submit_to(fx, fx->engine), 0);
}

TEST(engine_state)
{
    struct fixture *fx = *state;

    EMIT(fx, MI_STORE_DWORD, DATA, 0, 1, MI_BATCH_START, A_BATCH, 0);
    PUT(fx, A_BATCH, MI_NOOP, MI_BATCH_END);
    submit(fx);
    assert_int_equal(state_of(fx, fx->a).acthd, A_RING);
    assert_true(fx->gpu->ops->run(fx->gpu, 1));
    assert_int_equal(state_of(fx, fx->a).acthd, A_RING + 16);
    assert_int_equal(state_of(fx, fx->a).ipehr, MI_STORE_DWORD);
    assert_true(fx->gpu->ops->run(fx->gpu, 2));
    assert_int_equal(state_of(fx, fx->a).acthd, A_BATCH + 4);
    assert_false(state_of(fx, fx->a).idle);
    assert_int_equal(state_of(fx, fx->a).done, 0);
    assert_false(fx->gpu->ops->run(fx->gpu, 1));
    expect_done(fx);
}

/* --- translations ------------------------------------------------------------------------ */

static void store(struct fixture *fx, uint32_t value)
{
    EMIT(fx, MI_STORE_DWORD, DATA, 0, value);
    execute(fx);
}

static uint32_t in_frame(struct fixture *fx, uint32_t frame)
{
    uint32_t value;

    memcpy(&value, fx->port->memory + (size_t)frame * PAGE, sizeof(value));
    return value;
}

TEST(tlb_is_stale_until_invalidate)
{
    struct fixture *fx = *state;

    map(fx, A_DATA, 252);
    store(fx, 1);
    map(fx, A_DATA, 253);
    store(fx, 2);
    assert_int_equal(in_frame(fx, 252), 2);
    assert_int_equal(in_frame(fx, 253), 0);
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 253));
    fx->gpu->ops->invalidate(fx->gpu);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    store(fx, 3);
    assert_int_equal(in_frame(fx, 252), 2);
    assert_int_equal(in_frame(fx, 253), 3);
}

TEST_WITH(eager_shows_a_wrong_order, set_up_eager, tear_down)
{
    struct fixture *fx = *state;

    map(fx, A_DATA, 252);
    store(fx, 1);
    fx->gpu->ops->invalidate(fx->gpu);
    map(fx, A_DATA, 253);
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    store(fx, 2);
    assert_int_equal(in_frame(fx, 252), 2);
    fx->gpu->ops->invalidate(fx->gpu);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 252));
    store(fx, 3);
    assert_int_equal(in_frame(fx, 253), 3);
}

TEST(test_holds)
{
    struct fixture *fx = *state;

    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE));
    assert_true(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + fx->frame[A_DATA]));
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 254));
    set_pte(fx, A_DATA, ((uint64_t)FRAME_BASE + 254) * PAGE);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 254));
    set_pte(fx, GTT_ENTRIES, ((uint64_t)FRAME_BASE + 254) * PAGE | GPU_PTE_PRESENT);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + 254));
}

/* --- clients ----------------------------------------------------------------------------- */

TEST(clients_take_turns)
{
    static const uint32_t noops[500];
    struct fixture *fx = *state;
    struct gpu_stats a, b;

    for (unsigned i = 0; i < 500; i++) {
        EMIT(fx, MI_NOOP);
    }
    /* One client keeps two engines busy and gets no more for it. */
    assert_int_equal(submit_to(fx, GPU_BCS), 0);
    assert_int_equal(submit_to(fx, GPU_RCS), 0);
    submit_b(fx, noops, 500);
    assert_true(fx->gpu->ops->run(fx->gpu, 400));
    fx->gpu->ops->client_stats(fx->a, &a);
    fx->gpu->ops->client_stats(fx->b, &b);
    assert_int_equal(a.commands, 200);
    assert_int_equal(b.commands, 200);
    assert_int_equal(state_of(fx, fx->a).acthd, A_RING + 400);
}

/* --- weights ----------------------------------------------------------------------------- */

#define LIGHT 2u
#define HEAVY 16u
#define TURN  (LIGHT + HEAVY)

static const uint32_t many_noops[4096];

static struct gpu_client *open_weighed(struct fixture *fx, struct gpu_range range, uint32_t weight)
{
    const struct gpu_range ranges[GPU_RANGES] = {range, {0, 0}};
    struct gpu_client *client = NULL;

    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, ranges, weight, &client), 0);
    return client;
}

/* A is heavy and B is light, with nothing to do yet. */
static void weigh(struct fixture *fx)
{
    fx->gpu->ops->client_close(fx->a);
    fx->gpu->ops->client_close(fx->b);
    fx->a = open_weighed(fx, (struct gpu_range){A_COMMANDS, A_PAGES}, HEAVY);
    fx->b = open_weighed(fx, (struct gpu_range){B_WINDOW, B_PAGES}, LIGHT);
    map_windows(fx);
}

/* A batch that goes to its own start. */
static void hang(struct fixture *fx)
{
    PUT(fx, A_BATCH, MI_BATCH_START, A_BATCH, 0);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    submit(fx);
}

static uint64_t commands_of(struct gpu_client *client)
{
    struct gpu_stats stats;

    client->gpu->ops->client_stats(client, &stats);
    return stats.commands;
}

static void run_in_portions(struct fixture *fx, unsigned steps, unsigned budget)
{
    for (unsigned done = 0; done < steps; done += budget) {
        assert_true(fx->gpu->ops->run(fx->gpu, budget));
    }
}

/* However small the portions of work are, shares are as the weights: a turn goes on in the next. */
TEST(weights)
{
    static const unsigned budgets[] = {1, 3, 7, TURN, 100, 1800};
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
        unsigned steps = 1800 / budgets[i] * budgets[i];
        uint64_t expected = (uint64_t)steps * HEAVY / TURN;

        weigh(fx);
        hang(fx);
        submit_b(fx, many_noops, 4096);
        run_in_portions(fx, steps, budgets[i]);
        assert_in_range(commands_of(fx->a), expected - HEAVY, expected + HEAVY);
        assert_int_equal(commands_of(fx->a) + commands_of(fx->b), steps);
    }
}

/* Whoever has many engines at work has no more of the GPU for it. */
TEST(weight_is_of_all_engines)
{
    struct fixture *fx = *state;

    weigh(fx);
    PUT(fx, A_BATCH, MI_BATCH_START, A_BATCH, 0);
    for (unsigned engine = 0; engine < GPU_ENGINES; engine++) {
        fx->count = 0;
        EMIT(fx, MI_BATCH_START, A_BATCH, 0);
        assert_int_equal(submit_to(fx, (enum gpu_engine)engine), 0);
    }
    submit_b(fx, many_noops, 4096);
    run_in_portions(fx, 100 * TURN, TURN);
    assert_in_range(commands_of(fx->b), 99 * LIGHT, 101 * LIGHT);
}

/* Alone, one has it all; and what one did not use is not there when the other comes back. */
TEST(nobody_saves_up)
{
    struct fixture *fx = *state;

    weigh(fx);
    submit_b(fx, many_noops, 4096);
    run_in_portions(fx, 1000, 100);
    assert_int_equal(commands_of(fx->b), 1000);
    hang(fx);
    run_in_portions(fx, 10 * TURN, 10 * TURN);
    assert_in_range(commands_of(fx->b), 1000 + 9 * LIGHT, 1000 + 11 * LIGHT);
}

/* The heaviest one hangs for ever: the light one comes to its end as fast as its weight says. */
TEST(a_hang_starves_nobody)
{
    uint32_t b[400] = {0};
    struct fixture *fx = *state;

    b[396] = MI_STORE_DWORD;
    b[397] = B_DATA;
    b[399] = 77;
    weigh(fx);
    hang(fx);
    run_in_portions(fx, 1000, 1000);
    submit_b(fx, b, 400);
    run_in_portions(fx, (400 / LIGHT + 1) * TURN, TURN);
    assert_int_equal(state_of(fx, fx->b).done, 1);
    assert_int_equal(get(fx, B_DATA), 77);
}

/* A turn ends with its client. */
TEST(turn_of_a_client_that_left)
{
    struct fixture *fx = *state;

    weigh(fx);
    hang(fx);
    submit_b(fx, many_noops, 4096);
    run_in_portions(fx, TURN + HEAVY / 2, 1);
    fx->gpu->ops->client_close(fx->a);
    assert_true(fx->gpu->ops->run(fx->gpu, 10));
    fx->gpu->ops->client_close(fx->b);
    assert_false(fx->gpu->ops->run(fx->gpu, 10));
    fx->b = open_weighed(fx, (struct gpu_range){B_WINDOW, B_PAGES}, 0);
    submit_b(fx, many_noops, 100);
    assert_true(fx->gpu->ops->run(fx->gpu, 10));
    assert_int_equal(commands_of(fx->b), 10);
}

/* --- time -------------------------------------------------------------------------------- */

static struct fixture *timed; /* whose clock is looked at */
static uint64_t looks;

/* A's commands take longer than a turn, and 25 times as long as B's. */
static uint64_t clock_of_costs(void)
{
    return timed ? 25000 * commands_of(timed->a) + 1000 * commands_of(timed->b) : 0;
}

static int set_up_costs(void **state)
{
    int ret;

    timed = NULL;
    ret = set_up_clocked(state, clock_of_costs);
    timed = *state;
    return ret;
}

TEST_WITH(shares_are_of_time, set_up_costs, tear_down)
{
    struct fixture *fx = *state;
    uint64_t a, b;

    hang(fx);
    submit_b(fx, many_noops, 4096);
    assert_true(fx->gpu->ops->run(fx->gpu, 4000000));
    a = 25000 * commands_of(fx->a);
    b = 1000 * commands_of(fx->b);
    assert_in_range(a + b, 4000000, 4100000);
    assert_in_range(b, 1900000, 2100000);
}

/* As if the machine did something else whenever it is looked at. */
static uint64_t clock_that_leaps(void)
{
    return ++looks * 1000000;
}

static int set_up_leaps(void **state)
{
    return set_up_clocked(state, clock_that_leaps);
}

TEST_WITH(a_clock_that_leaps_stops_nobody, set_up_leaps, tear_down)
{
    struct fixture *fx = *state;

    hang(fx);
    submit_b(fx, many_noops, 100);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(fx->gpu->ops->run(fx->gpu, 1));
    }
    assert_true(commands_of(fx->a) > 400);
    assert_int_equal(commands_of(fx->b), 100);
}

/* --- what one does to the others --------------------------------------------------------- */

/* Whoever hangs loses nothing of the others' time but his turns. */
TEST(a_hang_is_its_clients_own)
{
    uint32_t b[] = {MI_STORE_DWORD, B_DATA, 0, 1, MI_STORE_DWORD, B_DATA, 0, 2};
    struct fixture *fx = *state;

    PUT(fx, A_BATCH, MI_BATCH_START, A_BATCH, 0);
    EMIT(fx, MI_BATCH_START, A_BATCH, 0);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 100));
    submit_b(fx, b, 8);
    EMIT(fx, MI_STORE_DWORD, DATA, 0, 3);
    assert_int_equal(submit_to(fx, GPU_VCS0), 0);
    assert_true(fx->gpu->ops->run(fx->gpu, 10));
    assert_int_equal(get(fx, B_DATA), 2);
    assert_int_equal(get(fx, DATA), 3);
    assert_false(state_of(fx, fx->a).idle);
    assert_int_equal(state_of(fx, fx->b).done, 1);
    reset(fx);
    assert_false(fx->gpu->ops->run(fx->gpu, 10));
}

TEST(an_error_is_its_clients_own)
{
    static const uint32_t b[] = {MI_STORE_DWORD, B_DATA, 0, 11};
    struct fixture *fx = *state;

    submit_b(fx, b, 4);
    EMIT(fx, MI_STORE_DWORD, B_DATA, 0, 22);
    expect_failure(fx, "address 0xc9000 outside the windows");
    assert_int_equal(get(fx, B_DATA), 11);
    assert_false(state_of(fx, fx->b).error);
}

/* Work left behind goes with its client. */
TEST(client_leaves_at_work)
{
    const struct gpu_range a[GPU_RANGES] = {{A_COMMANDS, A_PAGES}, {A_DATA, A_PAGES}};
    struct fixture *fx = *state;

    EMIT(fx, MI_NOOP, MI_NOOP, MI_NOOP);
    submit(fx);
    assert_true(fx->gpu->ops->run(fx->gpu, 1));
    fx->gpu->ops->client_close(fx->a);
    assert_false(fx->gpu->ops->run(fx->gpu, 1));
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, a, 0, &fx->a), 0);
}

/* Random commands with random operands: whatever they do, they do it to their own pages. */
TEST(garbage_stays_inside)
{
    static const uint32_t headers[] = {MI_STORE_DWORD, MI_STORE_QWORD,  MI_FLUSH_STORE,
                                       MI_BATCH_START, MI_BATCH_SECOND, XY_COLOR,
                                       XY_COPY};
    static const uint32_t interesting[] = {DATA,       A_BATCH,    B_DATA,     A_END - 8,
                                           0,          0x80008000, 0x7fff7fff, 0x03f00000,
                                           0x03cc0000, 0xffffffff};
    static uint8_t before[FRAMES][PAGE];
    struct fixture *fx = *state;
    bool own[FRAMES] = {false};

    for (uint32_t i = 0; i < A_PAGES; i++) {
        own[fx->frame[A_COMMANDS + i]] = true;
        own[fx->frame[A_DATA + i]] = true;
    }
    for (size_t i = 0; i < (size_t)FRAMES * PAGE; i++) {
        fx->port->memory[i] = (uint8_t)random_below(fx, 256);
    }
    memcpy(before, fx->port->memory, sizeof(before));

    for (unsigned round = 0; round < 3000; round++) {
        EMIT(fx,
             headers[random_below(fx, 7)] ^ (random_below(fx, 4) ? 0 : 1u << random_below(fx, 32)));
        for (unsigned i = 0; i < 12; i++) {
            uint32_t value = interesting[random_below(fx, 10)];

            EMIT(fx, random_below(fx, 3) ? value ^ random_below(fx, 0x10000) : value);
        }
        submit(fx);
        fx->gpu->ops->run(fx->gpu, 200);
        reset(fx);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        if (!own[i]) {
            assert_memory_equal(fx->port->memory + (size_t)i * PAGE, before[i], PAGE);
        }
    }
}

TEST(client_open_refuses)
{
    static const struct gpu_range cases[][GPU_RANGES] = {
        {{A_COMMANDS, 1}, {0, 0}},  {{0, 1}, {A_DATA + A_PAGES - 1, 10}},
        {{0, GTT_ENTRIES}, {0, 0}}, {{GTT_ENTRIES - 1, 2}, {0, 0}},
        {{UINT32_MAX, 1}, {0, 0}},  {{1, UINT32_MAX}, {0, 0}},
        {{0, 8}, {7, 1}},
    };
    const struct gpu_range fine[GPU_RANGES] = {{0, 8}, {8, 8}};
    struct fixture *fx = *state;
    struct gpu_client *client;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fx->gpu->ops->client_open(fx->gpu, cases[i], 0, &client), -ENOSPC);
    }
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, fine, 0, &client), 0);
    fx->gpu->ops->client_close(client);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, fine, 0, &client), 0);
}

/* Whoever gets a window next finds scratch, whatever its last owner left in PTEs or TLB. */
TEST(window_of_a_client_that_left)
{
    const struct gpu_range a[GPU_RANGES] = {{A_COMMANDS, A_PAGES}, {A_DATA, A_PAGES}};
    struct fixture *fx = *state;

    store(fx, 1);
    fx->gpu->ops->client_close(fx->a);
    assert_int_equal(fx->gpu->ops->client_open(fx->gpu, a, 0, &fx->a), 0);
    assert_false(fx->gpu->ops->holds(fx->gpu, FRAME_BASE + fx->frame[A_DATA]));
}

PLAIN_TEST(open_refuses_options)
{
    static const uint32_t entries[] = {0, 3, 1u << 21, UINT32_MAX};
    struct gpu *gpu;

    (void)state;
    for (size_t i = 0; i <= sizeof(entries) / sizeof(entries[0]); i++) {
        bool last = i == sizeof(entries) / sizeof(entries[0]);
        const struct gpu_soft_options options = {.gtt_entries = last ? 16 : entries[i]};
        struct fake_port *port = fake_open();
        bool closed = false;

        port->closed = &closed;
        if (last) {
            port->base.scratch |= UINT64_C(1) << 60;
        }
        assert_int_equal(gpu_soft_open(&port->base, &options, &gpu), -EINVAL);
        assert_true(closed);
    }
}

/* No guest sees for how long the host is up, nor when another one began. */
TEST(a_clients_clock_begins_when_it_is_opened)
{
    struct fixture *fx = *state;
    const uint64_t minute = UINT64_C(60) * 12500000;

    EMIT(fx, SRM | GGTT_ADDRESS, 0x22358, DATA, 0);
    EMIT(fx, SRM | GGTT_ADDRESS, 0x2235c, DATA + 4, 0);
    EMIT(fx, (MI_FLUSH_STORE & ~(3u << 14)) | 3u << 14, (DATA + 8) | 4, 0, 0);
    execute(fx);
    assert_in_range(get(fx, DATA), 1, minute);
    assert_int_equal(get(fx, DATA + 4), 0);
    assert_in_range(get(fx, DATA + 8), get(fx, DATA), minute);
    assert_in_range(fx->gpu->ops->ticks(fx->a), get(fx, DATA + 8), minute);
}
