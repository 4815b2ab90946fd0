/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The display that is not there: a fuse says so, and what a driver sets all the same is kept. */
#include "gen/registers.h"
#include "vgpu/blocks/blocks.h"

/* Interrupt registers (ISR, IMR, IIR, IER) of something in which nothing ever happens. */
#define QUIET_BANK(offset)                                                                      \
    {(offset), 1, REG_RO, 0, 0, NULL, NULL}, {(offset) + 0x4, 1, 0, UINT32_MAX, 0, NULL, NULL}, \
        {(offset) + 0x8, 1, REG_RO, 0, 0, NULL, NULL},                                          \
    {                                                                                           \
        (offset) + 0xc, 1, 0, 0, 0, NULL, NULL                                                  \
    }

static const struct reg rows[] = {
    {FUSE_STRAP, 1, REG_RO, FUSE_STRAP_NO_DISPLAY, 0, NULL, NULL},
    {0x042080, 1, 0, 0, 0, NULL, NULL}, /* display chicken bits */
    {0x042090, 1, 0, 0, 0, NULL, NULL},
    {0x0420b0, 3, 0, 0, 0, NULL, NULL},
    {FPGA_DBG, 1, REG_W1C, 0, 0, NULL, NULL},
    QUIET_BANK(DISPLAY_IRQ), /* pipes */
    QUIET_BANK(DISPLAY_IRQ + 0x10),
    QUIET_BANK(DISPLAY_IRQ + 0x20),
    QUIET_BANK(DISPLAY_IRQ + 0x40),     /* port */
    QUIET_BANK(DISPLAY_IRQ + 0x60),     /* miscellaneous */
    QUIET_BANK(DISPLAY_IRQ + 0xe0),     /* PCU */
    {0x046408, 1, 0, 0, 0, NULL, NULL}, /* handshake with the PCH before a reset */
    {SFUSE_STRAP, 1, REG_RO, 0, 0, NULL, NULL},
    {0x0c2020, 1, 0, 0, 0, NULL, NULL}, /* clock gating of the PCH */
    QUIET_BANK(SDE_IRQ),
    {PCH_RAWCLK, 1, 0, 0, 0, NULL, NULL},
    {0x0f0060, 1, 0, 0, 0, NULL, NULL}, /* clock gating of the PCH */
};

REG_BLOCK(block_display, "display", rows);
