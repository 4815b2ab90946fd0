/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest with a vGPU over the real GTT and GPU, and what a driver sets up: the global GTT, an
 * address space, engines, contexts. A fuzzer begins with it, so that its bytes get far; whatever it
 * then writes over can be set up again.
 */
#ifndef TESTS_FUZZ_EXEC_GUEST_H
#define TESTS_FUZZ_EXEC_GUEST_H

#include <xengt/target.h>

#include "input.h"
#include "support/stack.h"
#include "vgpu/device.h"
#include "vgpu/vgpu.h"

#define PAGE        4096u
#define PAGES       56u /* of the guest: frames 0 to 55 */
#define LOW_FIRST   64u /* its windows of the GTT */
#define HIGH_FIRST  192u
#define WINDOW      64u
#define GTT_ENTRIES 256u
#define GGTT(gfn)   ((LOW_FIRST + (gfn)) * PAGE) /* frames lie in the window in their order */
#define VA(gfn)     ((gfn)*PAGE)                 /* and in the address space */

/* What the guest has in which frame. */
#define CONTEXTS  6u /* number c is of engine c % 4 */
#define HWSP(e)   (1u + (e))
#define RING(c)   (5u + (c))
#define IMAGE(c)  (11u + 2 * (c)) /* two frames */
#define TABLES    23u             /* PML4, PDP, PD, PT, and some for whatever comes */
#define TABLES_N  8u
#define BATCHES   31u
#define BATCHES_N 8u
#define DATA      39u
#define SEQNO     54u
#define RESULT    55u

#define MI(op)         ((uint32_t)(op) << 23)
#define MI_USE_GGTT    (1u << 22)
#define START          (MI(0x31) | 1)
#define START_PPGTT    (START | 1u << 8)
#define BBE            MI(0x0a)
#define USER_INTERRUPT MI(0x02)

/* What exec_open() is asked for. */
#define EXEC_LAZY       0x01u /* the GGTT is RAM */
#define EXEC_NO_TRACKER 0x02u
#define EXEC_NO_DEFER   0x04u
#define EXEC_FEW_TABLES 0x08u
#define EXEC_TRACK_ALL  0x10u
#define EXEC_EACH       0x20u
#define EXEC_BARE       0x40u /* nothing is set up */

struct exec_guest {
    struct stack stack;
    uint32_t domid;
    struct xengt_space *space;
    struct vgpu *vgpu;
    uint64_t *lazy;          /* NULL: stores into the GGTT are trapped */
    bool tracked[PAGES];     /* stores into these go to the GTT */
    uint8_t (*seen)[PAGE];   /* what they held when the last one did */
    unsigned track_fails;    /* so many calls more */
    bool track_failed;       /* any, so far */
    bool gone[PAGES];        /* ballooned out */
    bool lost_table;         /* one of these was tracked, and the GPU may still write to it */
    uint32_t tables_max;     /* shadows at a time */
    uint32_t tail[CONTEXTS]; /* of its ring */

    uint32_t bystander; /* has pages in the GTT, and does nothing */
    struct xengt_space *bystander_space;
    struct gtt *bystander_gtt;
    uint32_t stranger; /* has nothing to do with it */
};

void exec_open(struct exec_guest *g, uint8_t flags);

/* Everything is released, nothing lingers, and nobody else's memory changed: or it aborts. */
void exec_close(struct exec_guest *g);

/* --- what its processor does ------------------------------------------------------------- */

uint32_t exec_read(struct exec_guest *g, uint32_t offset);
void exec_write(struct exec_guest *g, uint32_t offset, uint32_t value);

/* NULL: ballooned out. */
uint8_t *exec_page(struct exec_guest *g, uint32_t gfn);

/* Within a page. Into a page that is tracked it is a store of the size, which may be an odd one. */
void exec_store(struct exec_guest *g, uint64_t gpa, uint64_t value, unsigned size);
void exec_store_bytes(struct exec_guest *g, uint64_t gpa, const void *buf, size_t len);

/*
 * What the GPU has stored into pages that are tracked nobody could see: a driver that lets it do
 * so has to store it again, for the shadow to follow.
 */
void exec_store_unseen(struct exec_guest *g);

/* The page goes, and comes back as another one, which is not tracked. */
void exec_balloon(struct exec_guest *g, uint32_t gfn, bool in);

/* An entry of the GGTT, by its index. */
void exec_map(struct exec_guest *g, uint32_t index, uint64_t pte);

/* --- what its driver does ---------------------------------------------------------------- */

void exec_enable_engine(struct exec_guest *g, enum gpu_engine e);

/* levels 4, 3, or 0: without an address space. */
void exec_make_context(struct exec_guest *g, unsigned c, unsigned levels);
void exec_make_ppgtt(struct exec_guest *g);
void exec_set_up(struct exec_guest *g); /* all of it */

void exec_emit(struct exec_guest *g, unsigned c, const uint32_t *dw, unsigned n);
uint64_t exec_descriptor(unsigned c, unsigned levels);

/* What was emitted is there for the GPU: the tail is written to the image. */
void exec_publish(struct exec_guest *g, unsigned c);
void exec_write_port(struct exec_guest *g, enum gpu_engine e, uint64_t first, uint64_t second);

/* So many turns of the guests's, until the GPU has nothing more to do. */
bool exec_run(struct exec_guest *g, unsigned turns);

/* --- from bytes -------------------------------------------------------------------------- */

/* An access to a register that does something, or to any; a value it may be given. */
uint64_t exec_offset(struct input *in);
uint64_t exec_value(struct input *in);
unsigned exec_size(struct input *in); /* 3 at times, which is none */

#define EXEC_COMMAND_MAX 24u /* dwords */

/* A command that is nearly right, from bytes: the dwords it has. */
unsigned exec_command(struct input *in, enum gpu_engine e, uint32_t dw[EXEC_COMMAND_MAX]);

#endif
