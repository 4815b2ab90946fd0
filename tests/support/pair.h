/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pair: two guests on one GPU. "bob" has a secret in each page, mappings, and work of his own;
 * "alice" attacks. What she does must not change what he gets.
 */
#ifndef TESTS_SUPPORT_PAIR_H
#define TESTS_SUPPORT_PAIR_H

#include "support/guests_fixture.h"

#define PAGE   4096u
#define PAGES  1024u
#define SECRET 0x5ec2e75eu
#define MARK   0x05000000u /* of alice's own pages: MI_BATCH_BUFFER_END */

/* Registers, by their offsets from an engine's base and from GTTMMADR. */
#define BCS         0x22000u
#define RING_TAIL   (BCS + 0x30)
#define RING_HEAD   (BCS + 0x34)
#define RING_START  (BCS + 0x38)
#define RING_CTL    (BCS + 0x3c)
#define HWS_PGA     (BCS + 0x80)
#define MI_MODE     (BCS + 0x9c)
#define ELSP        (BCS + 0x230)
#define RING_MODE   (BCS + 0x29c)
#define BCS_GPR     (BCS + 0x600)
#define GFX_FLSH    0x101008u
#define PVINFO      0x78000u
#define PVINFO_PDP0 (PVINFO + 0x838)
#define G2V_NOTIFY  (PVINFO + 0x818)
#define L4_CREATE   4u

/* Both have the same at the same places of their windows, in entries. */
enum {
    RING,
    OWN,   /* where what is read comes to */
    IMAGE, /* two pages */
    STATUS = IMAGE + 2,
    DATA,
    MAPPED,
};
#define GFN(entry) (16u + (entry))

/* A PPGTT: one table a level, and the pages of the last one. */
#define TABLE_GFN(level) (32u + (level))
#define BATCH_GFN        40u
#define USER_GFN         41u
#define TARGET_GFN       42u

struct pair {
    struct stack *f;
    struct guest_info alice, bob;
    uint8_t *bob_before; /* PAGES of them */
};

uint32_t *pair_ram(const struct pair *p, uint32_t domid, uint32_t gfn);

void pair_fill(const struct pair *p, uint32_t domid, uint32_t gfn, uint32_t value);

void pair_write(const struct pair *p, const struct guest_info *guest, uint32_t reg, uint32_t value);

uint32_t pair_low(const struct guest_info *guest, uint32_t entry);

void pair_set_entry(const struct pair *p, const struct guest_info *guest, uint32_t index,
                    uint64_t pte);

void pair_map(const struct pair *p, const struct guest_info *guest);

/* The daemon's turns; a guest that never ends does not keep the test. */
void pair_run(const struct pair *p);

void pair_submit(const struct pair *p, const struct guest_info *guest, const uint32_t *dw,
                 size_t n);

void pair_refresh(struct pair *p);

bool pair_is_well(const struct guest_info *guest);

/* A new vGPU and memory that holds no secret. */
void pair_fresh_alice(struct pair *p);

/* One table of each level from `root` on, and three pages. The entries with index 1 are free. */
void pair_make_ppgtt(const struct pair *p, const struct guest_info *guest);

struct pair pair_begin(void **state);

/* With so many pages of RAM for alice, PAGES at least. */
struct pair pair_begin_large(void **state, uint32_t pages);

/* Not a byte of bob's changed, none of his secret is with alice, and his GPU is as it was. */
void pair_check_bob(struct pair *p, const char *what);

/* Bob's next work is done, whatever alice is doing. */
void pair_check_bob_works(struct pair *p, uint32_t value);

void pair_end(struct pair *p);

/* The second page of a context's image: its registers. */
void pair_put_image(uint32_t *image, uint32_t ring, uint32_t tail, uint64_t pml4);

/* A list of one context, to BCS. */
void pair_elsp(const struct pair *p, const struct guest_info *guest, uint32_t image);

/*
 * What is in the ring is given to an engine in a context with a PPGTT, or without one: 0. image:
 * the context's address, which for all but hostile ones is that of IMAGE.
 */
void pair_submit_context(const struct pair *p, const struct guest_info *guest, uint32_t image,
                         uint32_t ring, uint32_t tail, uint64_t pml4);

#endif
