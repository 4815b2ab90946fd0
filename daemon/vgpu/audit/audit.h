/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The audit of privileged commands: what a ring holds, what is run when a context is loaded, and
 * batches in the global GTT. Each piece is copied once; the copy is checked, and it is the copy
 * that the GPU executes. Batches in a PPGTT reach nothing but the guest's own memory; nobody looks
 * at them here.
 */
#ifndef XENGT_VGPU_AUDIT_AUDIT_H
#define XENGT_VGPU_AUDIT_AUDIT_H

#include "gen/commands.h"
#include "vgpu/device.h"

#define AUDIT_BUFFERS_MAX 32u
#define AUDIT_BATCH_MAX   (1u << 16) /* dwords of a batch */
#define AUDIT_TOTAL_MAX   (1u << 20) /* dwords of everything together */

enum audit_kind {
    AUDIT_RING,  /* so many dwords, run as they are */
    AUDIT_WHOLE, /* up to its MI_BATCH_BUFFER_END, run as a part of the ring */
    AUDIT_BATCH, /* up to its MI_BATCH_BUFFER_END, run when it is started */
};

struct audit_buffer {
    enum audit_kind kind;
    uint64_t address;
    uint32_t *dw;
    uint32_t count; /* dwords that are there */
    uint32_t room;
    unsigned level;       /* of a batch: 1 or 2 */
    uint64_t wraps_to;    /* a ring: where it goes on */
    uint32_t wrap, split; /* behind so many dwords; and the first command behind them. 0: never */
};

/* Each buffer in one piece, but for a ring that wraps. */
#define AUDIT_PIECES_MAX (AUDIT_BUFFERS_MAX + 1)

struct audit {
    struct vgpu *vgpu;
    const struct vgpu_engine *engine;
    struct vgpu_context context; /* whose commands these are; the engine may go on to another */
    bool ppgtt;                  /* commands that do not name the global GTT go there */
    struct audit_buffer buffer[AUDIT_BUFFERS_MAX];
    unsigned buffers;
    uint32_t total;
    unsigned index; /* of the buffer that is being checked, and where in it */
    uint32_t at;
    uint64_t checked;                          /* dwords so far */
    struct gpu_buffer piece[AUDIT_PIECES_MAX]; /* what the GPU gets, once it was checked */
    unsigned pieces;
    bool starved; /* there is no room to map what is to be copied: no failure, but to begin again */
};

void audit_begin(struct audit *a, struct vgpu *vgpu, const struct vgpu_engine *engine, bool ppgtt);
void audit_end(struct audit *a);

/* Copies what is to be run. False, and failsafe unless it is starved: no memory, or too much. */
bool audit_add(struct audit *a, enum audit_kind kind, uint64_t address, uint32_t bytes);
bool audit_add_ring(struct audit *a, const struct ring *ring);

enum audit_result {
    AUDIT_REFUSED, /* and failsafe, unless it is starved */
    AUDIT_MORE,    /* to be called again */
    AUDIT_PASSED,  /* the pieces are made */
};

/*
 * Checks everything that was added and what that starts, some dwords at a time: up to the command
 * that reaches the budget. A dword takes 20 ns at most. What has passed passes again.
 */
enum audit_result audit_check(struct audit *a, uint32_t budget);
#define AUDIT_AT_ONCE UINT32_MAX

/* --- between the files of the audit ------------------------------------------------------ */

/* A command in a buffer: where it is, and all its dwords. */
struct audit_command {
    struct audit *audit;
    const struct audit_buffer *buffer;
    const struct command *known;
    uint64_t address;
    const uint32_t *dw;
    uint32_t length; /* dwords */
};

/* Puts the vGPU into failsafe for this command; the format says why. Returns false. */
__attribute__((format(printf, 2, 3))) bool audit_refuse(const struct audit_command *c,
                                                        const char *format, ...);

/* Makes sure that a batch in the global GTT is copied and will be checked. */
bool audit_start_batch(const struct audit_command *c, uint64_t address);

#endif
