/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands and accesses from bytes: near enough to good ones that it is their content that counts.
 */
#include "exec_guest.h"

/* --- commands ---------------------------------------------------------------------------- */

/*
 * What follows a header, a letter for each operand:
 *   g G u   an address (two dwords) in the GGTT; the same with bit 2 set; in the PPGTT
 *   v s 0   any dword; a small number; 0
 *   i       an offset in a status page, and 0
 *   r       a register
 *   f       flags of a PIPE_CONTROL
 *   a       an instruction of the ALU
 *   b B c   of a blit: depth, operation (copy or fill) and pitch; coordinates
 * '!' alone: whatever it is, with up to so many dwords as fit.
 */
struct shape {
    uint32_t header;
    const char *operands;
};

#define BLT(op, length) (2u << 29 | (uint32_t)(op) << 22 | 3u << 20 | (length))

static const struct shape shapes[] = {
    {MI(0x00), ""},
    {USER_INTERRUPT, ""},
    {MI(0x05), ""},
    {MI(0x08) | 1, ""},
    {BBE, ""},
    {MI(0x01) | 2, ""},
    {MI(0x0c) | 2 << 6 | 0 << 3 | 2, ""},
    {MI(0x20) | MI_USE_GGTT | 2, "gv"},
    {MI(0x20) | 2, "uv"},
    {MI(0x20) | MI_USE_GGTT | 1 << 21 | 3, "gvv"},
    {MI(0x22) | 1, "rv"},
    {MI(0x22) | 5, "rvrvrv"},
    {MI(0x24) | MI_USE_GGTT | 2, "rg"},
    {MI(0x24) | 2, "ru"},
    {MI(0x29) | MI_USE_GGTT | 2, "rg"},
    {MI(0x29) | 2, "ru"},
    {MI(0x2a) | 1, "rr"},
    {MI(0x26) | 1 << 14 | 2, "Gv"},
    {MI(0x26) | 1 << 14 | 1 << 8 | 3, "uvv"},
    {MI(0x26) | 1 << 21 | 1 << 14 | 2, "iv"},
    {MI(0x26) | 3u << 14 | 2, "Gv"},
    {0x7a000004, "fgvv"},
    {0x7a000004, "fuvv"},
    {0x7a000004, "fivv"},
    {MI(0x2f) | MI_USE_GGTT | 5 << 8 | 1, "g"},
    {MI(0x2f) | 1 << 18 | 7 << 8 | 9, "uvvvvvvvv"},
    {MI(0x2f) | 2 << 19 | 0x45 << 8 | 1, "u"},
    {MI(0x1a) | 3, "aaaa"},
    {MI(0x1a) | 7, "aaaaaaaa"},
    {START, "g"},
    {START_PPGTT, "u"},
    {START | MI_USE_GGTT, "g"}, /* here it means a second level */
    {START_PPGTT | MI_USE_GGTT, "u"},
    {START_PPGTT | 1 << 15, "u"},
    {MI(0x36) | 1 << 21 | 2, "vu"},
    {MI(0x1c) | 1 << 15 | 2, "vu"},
    {MI(0x2e) | 3, "uu"},
    {BLT(0x50, 5), "Bccgv"},
    {BLT(0x50, 5), "Bccuv"},
    {BLT(0x53, 8), "bccgcsg"},
    {BLT(0x53, 8), "bccucsu"},
    {BLT(0x53, 8) | 1 << 11 | 1 << 15, "bccucsu"},
    {0x69040000, ""},
    {0x61010000 | 14, "000000000000000"},
    {0x61020001, "00"},
    {0x680b0001, ""},
    {0x78230000, "v"},
    {0x7b000005, "vvvvvv"},
    {0x70000001, "vv"},
    {MI(0x28) | 2, "gv"},
    {MI(0x23) | 1, "gv"},
    {0, "!"},
    {BLT(0x40, 4), "Bcuv"},
    {BLT(0x43, 6), "bcusu"},
    {MI(0x21) | 1, "ii"},
};

static const uint32_t engine_registers[] = {
    RING_GPR,      RING_GPR + 4, RING_GPR + 0x78, RING_PREDICATE_SRC0,   RING_PREDICATE_SRC0 + 0x18,
    RING_MI_MODE,  RING_INSTPM,  RING_TIMESTAMP,  RING_CTX_TIMESTAMP,    RING_3DPRIM,
    RING_TAIL,     RING_HWS_PGA, RING_ELSP,       RING_FORCE_TO_NONPRIV, RING_NOPID,
    RING_PDP0_LDW, RING_MODE,    RING_RESET_CTL,  RING_GPGPU_DISPATCH,   0x15c,
};

static const uint32_t render_registers[] = {
    CACHE_MODE_0, CACHE_MODE_1, GT_MODE,     HDC_CHICKEN0, L3SQCREG4,      HALF_SLICE_CHICKEN3,
    ROW_CHICKEN,  ROW_CHICKEN2, PRIVATE_PAT, GDRST,        TLB_INVALIDATE, MASTER_IRQ,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t take_register(struct input *in, enum gpu_engine e)
{
    uint8_t n = input_u8(in);
    if (n & 0x80) {
        return n & 0x40 ? input_u32(in) : render_registers[n % COUNT(render_registers)];
    }
    uint32_t engine = n & 0x40 ? (e + 1) % GPU_ENGINES : e;
    return engine_info[engine].base + engine_registers[n % COUNT(engine_registers)];
}

/* One byte says which page; with one bit set the place in it follows, with the other all of it. */
static void take_address(struct input *in, uint32_t base, uint32_t dw[2])
{
    uint8_t n = input_u8(in);
    dw[0] = base + n % 64 * PAGE + (n & 0x40 ? input_u16(in) % PAGE : 0);
    if (n & 0x80) {
        dw[0] ^= input_u32(in);
        dw[1] = input_u8(in);
    }
}

static uint32_t take_pipe_flags(struct input *in)
{
    static const uint32_t flags[] = {
        1u << 20,
        1u << 24 | 1u << 20 | 1u << 14,
        1u << 20 | 1u << 14,
        1u << 24 | 3u << 14,
        1u << 24 | 2u << 14,
        1u << 21 | 1u << 14,
        1u << 23,
        1u << 8 | 1u << 12 | 1u,
    };
    uint8_t n = input_u8(in);
    return n & 0x80 ? input_u32(in) : flags[n % COUNT(flags)];
}

static uint32_t take_alu(struct input *in)
{
    static const uint16_t opcodes[] = {0x000, 0x080, 0x081, 0x100, 0x101, 0x102,
                                       0x103, 0x104, 0x180, 0x480, 0x481, 0x580};
    static const uint8_t operands[] = {0, 1, 2, 15, 0x20, 0x21, 0x31, 0x32, 0x33, 16};
    uint32_t opcode = opcodes[input_u8(in) % COUNT(opcodes)];
    uint32_t first = operands[input_u8(in) % COUNT(operands)];
    return opcode << 20 | first << 10 | operands[input_u8(in) % COUNT(operands)];
}

/* Returns how many dwords it has written. */
static unsigned take_operand(struct input *in, char kind, enum gpu_engine e, uint32_t dw[2])
{
    dw[0] = dw[1] = 0;
    switch (kind) {
    case 'g':
    case 'G':
        take_address(in, GGTT(0), dw);
        dw[0] |= kind == 'G' ? 4 : 0;
        return 2;
    case 'u':
        take_address(in, 0, dw);
        return 2;
    case 'i':
        dw[0] = input_u8(in) * 16u;
        return 2;
    case 'v':
        dw[0] = input_u32(in);
        return 1;
    case 's':
        dw[0] = input_u16(in);
        return 1;
    case 'r':
        dw[0] = take_register(in, e);
        return 1;
    case 'f':
        dw[0] = take_pipe_flags(in);
        return 1;
    case 'a':
        dw[0] = take_alu(in);
        return 1;
    case 'b':
    case 'B':
        dw[0] = (input_u8(in) & 3u) << 24 | (kind == 'b' ? 0xccu : 0xf0u) << 16;
        dw[0] |= input_u16(in);
        return 1;
    case 'c':
        dw[0] = (uint32_t)(int8_t)input_u8(in) << 16;
        dw[0] |= input_u16(in);
        return 1;
    default:
        return 1;
    }
}

unsigned exec_command(struct input *in, enum gpu_engine e, uint32_t dw[EXEC_COMMAND_MAX])
{
    uint8_t kind = input_u8(in);
    const struct shape *shape = &shapes[kind % 64 % COUNT(shapes)];
    unsigned n = 1;
    dw[0] = shape->header;
    if (*shape->operands == '!') {
        n = 1 + input_u8(in) % (EXEC_COMMAND_MAX - 1);
        input_bytes(in, dw, n * sizeof(*dw));
        return n;
    }
    for (const char *operand = shape->operands; *operand; operand++) {
        n += take_operand(in, *operand, e, dw + n);
    }
    if (kind & 0x80) {
        dw[0] ^= 1u << input_u8(in) % 32;
    }
    return n;
}

/* --- accesses ---------------------------------------------------------------------------- */

static const uint32_t engine_offsets[] = {
    RING_TAIL,
    RING_HEAD,
    RING_START,
    RING_CTL,
    RING_HWS_PGA,
    RING_MI_MODE,
    RING_IMR,
    RING_EIR,
    RING_EMR,
    RING_RESET_CTL,
    RING_ELSP,
    RING_EXECLIST_STATUS,
    RING_MODE,
    RING_CSB_PTR,
    RING_FORCE_TO_NONPRIV,
    RING_GPR,
    RING_ACTHD,
    RING_IPEHR,
    RING_TIMESTAMP,
    RING_CSB,
    RING_ESR,
    RING_ACTHD_UDW,
    RING_EXECLIST_STATUS + 4,
};

static const uint32_t gpu_offsets[] = {
    GDRST,
    MASTER_IRQ,
    GT_IRQ(0) + 0x4,
    GT_IRQ(0) + 0x8,
    GT_IRQ(0) + 0xc,
    GT_IRQ(1) + 0x8,
    GT_IRQ(3) + 0x8,
    GFX_FLSH_CNTL,
    TLB_INVALIDATE,
    FORCEWAKE_MT,
    FENCES,
    FENCES + 0x20,
    PCODE_MAILBOX,
    POWER_WELLS,
    PVINFO_BASE + PVINFO_NOTIFY,
    PVINFO_BASE + PVINFO_PDP,
    PVINFO_BASE + PVINFO_PDP + 4,
    PVINFO_BASE + PVINFO_PDP + 8,
    PVINFO_BASE + PVINFO_MAGIC,
    PVINFO_BASE + PVINFO_INSUFFICIENT,
};

uint64_t exec_offset(struct input *in)
{
    uint8_t kind = input_u8(in);
    switch (kind & 3) {
    case 0:
    case 1:
        return engine_info[kind >> 2 & 3].base +
               engine_offsets[input_u8(in) % COUNT(engine_offsets)];
    case 2:
        return gpu_offsets[(kind >> 2) % COUNT(gpu_offsets)];
    default:
        return input_u32(in) % (VGPU_MMIO_SIZE + 64);
    }
}

/* An address, bits with their mask, a few bits, or anything. */
uint64_t exec_value(struct input *in)
{
    uint8_t kind = input_u8(in);
    uint32_t bits;
    switch (kind & 3) {
    case 0:
        return GGTT(kind >> 2);
    case 1:
        bits = input_u16(in);
        return bits << 16 | (kind & 4 ? bits : 0);
    case 2:
        return kind >> 2;
    default:
        return input_u64(in);
    }
}

unsigned exec_size(struct input *in)
{
    static const unsigned sizes[] = {4, 4, 4, 8, 8, 1, 2, 3};
    return sizes[input_u8(in) % COUNT(sizes)];
}
