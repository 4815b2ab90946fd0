/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MI_MATH of the software GPU: random programs, compared with a model written another way. */

#include "support/gpu_fixture.h"

#define GPR(n)  (0x22600u + 8 * (n))
#define MATH(n) (0x0d000000u | ((n)-1))

#define ALU(opcode, first, second) \
    ((uint32_t)(opcode) << 20 | (uint32_t)(first) << 10 | (uint32_t)(second))

/* One array for all operands: R0 to R15, SRCA, SRCB, ACCU, ZF, CF. */
#define SRCA 0x20u
#define SRCB 0x21u
#define ACCU 0x31u
#define ZF   0x32u
#define CF   0x33u

static void model_step(uint64_t v[64], uint32_t dw)
{
    uint32_t opcode = dw >> 20, first = dw >> 10 & 63, second = dw & 63;
    uint64_t invert = opcode & 0x400 ? UINT64_MAX : 0;
    unsigned __int128 wide = 0;

    if ((opcode & 0x3ff) == 0x080 || (opcode & 0x3ff) == 0x180) {
        v[first] = v[second] ^ invert;
        return;
    }
    if ((opcode & 0x3ff) == 0x081) {
        v[first] = invert;
        return;
    }
    switch (opcode) {
    case 0x100:
        wide = (unsigned __int128)v[SRCA] + v[SRCB];
        break;
    case 0x101:
        wide = (unsigned __int128)v[SRCA] - v[SRCB];
        break;
    case 0x102:
        wide = v[SRCA] & v[SRCB];
        break;
    case 0x103:
        wide = v[SRCA] | v[SRCB];
        break;
    default:
        wide = v[SRCA] ^ v[SRCB];
        break;
    }
    v[ACCU] = (uint64_t)wide;
    v[ZF] = v[ACCU] ? 0 : UINT64_MAX;
    v[CF] = wide >> 64 ? UINT64_MAX : 0;
}

static uint32_t random_instruction(struct fixture *fx)
{
    static const uint32_t results[] = {ACCU, ZF, CF};
    uint32_t source = SRCA + random_below(fx, 2), gpr = random_below(fx, 16);
    uint32_t inverted = random_below(fx, 2) * 0x400;

    switch (random_below(fx, 4)) {
    case 0:
        return ALU(0x080 | inverted, source, gpr);
    case 1:
        return random_below(fx, 3) ? ALU(0x080 | inverted, source, gpr)
                                   : ALU(0x081 | inverted, source, 0);
    case 2:
        return ALU(0x180 | inverted, gpr, results[random_below(fx, 3)]);
    default:
        return ALU(0x100 + random_below(fx, 5), 0, 0);
    }
}

static uint64_t random_value(struct fixture *fx)
{
    static const uint64_t interesting[] = {0, 1, UINT64_MAX, INT64_MAX, UINT32_MAX};
    uint64_t value = (uint64_t)random_below(fx, UINT32_MAX) << 32 | random_below(fx, UINT32_MAX);

    return random_below(fx, 2) ? value : interesting[random_below(fx, 5)];
}

TEST(random_programs)
{
    struct fixture *fx = *state;

    for (unsigned round = 0; round < 500; round++) {
        uint64_t v[64] = {0};
        uint32_t length = 1 + random_below(fx, 64);

        for (uint32_t i = 0; i < 16; i++) {
            v[i] = random_value(fx);
            EMIT(fx, LRI(2), GPR(i), LO(v[i]), GPR(i) + 4, HI(v[i]));
        }
        EMIT(fx, MATH(length));
        for (uint32_t i = 0; i < length; i++) {
            uint32_t dw = random_instruction(fx);

            EMIT(fx, dw);
            model_step(v, dw);
        }
        for (uint32_t i = 0; i < 32; i++) {
            EMIT(fx, SRM | GGTT_ADDRESS, GPR(0) + 4 * i, DATA + 4 * i, 0);
        }
        execute(fx);
        for (uint32_t i = 0; i < 16; i++) {
            assert_int_equal(get(fx, DATA + 8 * i), LO(v[i]));
            assert_int_equal(get(fx, DATA + 8 * i + 4), HI(v[i]));
        }
    }
}

/* The ALU's own registers are gone with the command. */
TEST(nothing_is_left)
{
    struct fixture *fx = *state;

    EMIT(fx, LRI(2), GPR(0), 5, GPR(1), 6);
    EMIT(fx, MATH(3), ALU(0x080, SRCA, 0), ALU(0x080, SRCB, 1), ALU(0x100, 0, 0));
    EMIT(fx, MATH(1), ALU(0x180, 2, ACCU), SRM | GGTT_ADDRESS, GPR(2), DATA, 0);
    put(fx, DATA, 1);
    execute(fx);
    assert_int_equal(get(fx, DATA), 0);
}

TEST(no_such_instruction)
{
    static const uint32_t bad[] = {
        ALU(0x080, SRCA, 16), ALU(0x080, ACCU, 0), ALU(0x080, 0, 0), ALU(0x180, SRCA, ACCU),
        ALU(0x180, 0, SRCB),  ALU(0x081, ZF, 0),   ALU(0x105, 0, 0), ALU(0x500, 0, 0),
        ALU(0x180, 16, ACCU), ALU(0xfff, 0, 0),    0xffffffff,       ALU(0x180, 0, 0x3ff),
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EMIT(fx, MATH(2), 0, bad[i]);
        expect_failure(fx, "MI_MATH at ring 0x10000: no such ALU instruction");
    }
}
