/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pair: alice, bob, what they submit, and whether bob is as he was. */
#include "support/pair.h"

/* --- guests ------------------------------------------------------------------------------ */

uint32_t *pair_ram(const struct pair *p, uint32_t domid, uint32_t gfn)
{
    return xengt_sim_guest_page(p->f->sim, domid, (struct xengt_gfn){gfn});
}

void pair_fill(const struct pair *p, uint32_t domid, uint32_t gfn, uint32_t value)
{
    uint32_t *dw = pair_ram(p, domid, gfn);

    for (unsigned i = 0; i < PAGE / 4; i++) {
        dw[i] = value;
    }
}

void pair_write(const struct pair *p, const struct guest_info *guest, uint32_t reg, uint32_t value)
{
    guest_writes(p->f, guest->domid, reg, value);
}

uint32_t pair_low(const struct guest_info *guest, uint32_t entry)
{
    return (guest->mappable.first + entry) * PAGE;
}

void pair_set_entry(const struct pair *p, const struct guest_info *guest, uint32_t index,
                    uint64_t pte)
{
    host_sim_mmio_write(p->f->host, guest->domid, MMIO_BASE + VGPU_GTT_OFFSET + 8 * (uint64_t)index,
                        pte, 8);
}

void pair_map(const struct pair *p, const struct guest_info *guest)
{
    for (uint32_t i = 0; i < MAPPED; i++) {
        pair_set_entry(p, guest, guest->mappable.first + i, GFN(i) << 12 | PTE_FLAGS);
        pair_set_entry(p, guest, guest->unmappable.first + i, (GFN(i) + 200) << 12 | PTE_FLAGS);
    }
    pair_write(p, guest, GFX_FLSH, 1);
}

void pair_run(const struct pair *p)
{
    for (unsigned i = 0; i < 200 && guests_turn(p->f->guests); i++) {
        ;
    }
}

void pair_submit(const struct pair *p, const struct guest_info *guest, const uint32_t *dw, size_t n)
{
    pair_fill(p, guest->domid, GFN(RING), 0);
    memcpy(pair_ram(p, guest->domid, GFN(RING)), dw, n * sizeof(*dw));
    pair_write(p, guest, RING_CTL, 0);
    pair_write(p, guest, HWS_PGA, pair_low(guest, STATUS));
    pair_write(p, guest, RING_HEAD, 0);
    pair_write(p, guest, RING_TAIL, 0);
    pair_write(p, guest, RING_START, pair_low(guest, RING));
    pair_write(p, guest, RING_CTL, 1);
    pair_write(p, guest, RING_TAIL, (uint32_t)(n * 4 + 7) & ~7u);
}

void pair_refresh(struct pair *p)
{
    refresh(p->f, "alice", &p->alice);
    refresh(p->f, "bob", &p->bob);
}

bool pair_is_well(const struct guest_info *guest)
{
    return !guest->failsafe && !guest->vgpu.engine_errors && !guest->vgpu.refusals;
}

/* --- the two of them --------------------------------------------------------------------- */

void pair_fresh_alice(struct pair *p)
{
    guests_detach(p->f->guests, "alice", p->f->error, sizeof(p->f->error));
    pair_run(p); /* until she is gone: she may have had much */
    attach(p->f, "alice", &p->alice);
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        pair_fill(p, p->alice.domid, gfn, MARK);
    }
    pair_map(p, &p->alice);
}

static void remember_bob(struct pair *p)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        memcpy(p->bob_before + (size_t)gfn * PAGE, pair_ram(p, p->bob.domid, gfn), PAGE);
    }
}

void pair_make_ppgtt(const struct pair *p, const struct guest_info *guest)
{
    uint64_t *table;

    for (uint32_t level = 4; level > 0; level--) {
        pair_fill(p, guest->domid, TABLE_GFN(level), 0);
        table = (uint64_t *)pair_ram(p, guest->domid, TABLE_GFN(level));
        table[0] = (uint64_t)(level > 1 ? TABLE_GFN(level - 1) : BATCH_GFN) << 12 | PTE_FLAGS;
    }
    table = (uint64_t *)pair_ram(p, guest->domid, TABLE_GFN(1));
    table[2] = USER_GFN << 12 | PTE_FLAGS;
}

struct pair pair_begin(void **state)
{
    return pair_begin_large(state, PAGES);
}

struct pair pair_begin_large(void **state, uint32_t pages)
{
    struct pair p = {.f = *state};
    uint32_t domid;

    assert_int_equal(stack_domain(p.f, "alice", pages, 0, &domid), 0);
    new_domain(p.f, "bob");
    attach(p.f, "alice", &p.alice);
    attach(p.f, "bob", &p.bob);
    p.bob_before = malloc((size_t)PAGES * PAGE);
    assert_non_null(p.bob_before);
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        pair_fill(&p, p.bob.domid, gfn, SECRET);
    }
    pair_map(&p, &p.bob);
    pair_make_ppgtt(&p, &p.bob);
    pair_write(&p, &p.bob, PVINFO_PDP0, TABLE_GFN(4) << 12);
    pair_write(&p, &p.bob, G2V_NOTIFY, L4_CREATE);
    remember_bob(&p);
    return p;
}

void pair_check_bob(struct pair *p, const char *what)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        const uint32_t *dw = pair_ram(p, p->alice.domid, gfn);

        if (memcmp(pair_ram(p, p->bob.domid, gfn), p->bob_before + (size_t)gfn * PAGE, PAGE) != 0) {
            fail_msg("%s: bob's page %u changed", what, gfn);
        }
        for (unsigned i = 0; i < PAGE / 4; i++) {
            if (dw[i] == SECRET) {
                fail_msg("%s: alice has bob's secret in her page %u", what, gfn);
            }
        }
    }
    pair_refresh(p);
    if (!pair_is_well(&p->bob)) {
        fail_msg("%s: bob's vGPU is not well: %s", what, p->bob.failsafe ? p->bob.failsafe : "-");
    }
    assert_int_equal(guests_verify(p->f->guests, "bob", p->f->error, sizeof(p->f->error)), 0);
    assert_int_equal(guests_verify(p->f->guests, "alice", p->f->error, sizeof(p->f->error)), 0);
}

void pair_check_bob_works(struct pair *p, uint32_t value)
{
    const uint32_t commands[] = {0x10400002, pair_low(&p->bob, DATA), 0, value};

    pair_submit(p, &p->bob, commands, 4);
    pair_run(p);
    assert_int_equal(pair_ram(p, p->bob.domid, GFN(DATA))[0], value);
    remember_bob(p);
}

void pair_end(struct pair *p)
{
    pair_check_bob_works(p, 1);
    free(p->bob_before);
}

void pair_put_image(uint32_t *image, uint32_t ring, uint32_t tail, uint64_t pml4)
{
    const uint32_t regs[][3] = {
        {0x02, 0x244, 0},
        {0x04, 0x34, 0},
        {0x06, 0x30, tail},
        {0x08, 0x38, ring},
        {0x0a, 0x3c, 1},
        {0x22, 0x3a8, 0},
        {0x24, 0x28c, 0},
        {0x30, 0x274, (uint32_t)(pml4 >> 32)},
        {0x32, 0x270, (uint32_t)pml4},
    };

    memset(image, 0, PAGE);
    for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
        image[regs[i][0]] = BCS + regs[i][1];
        image[regs[i][0] + 1] = regs[i][2];
    }
}

void pair_elsp(const struct pair *p, const struct guest_info *guest, uint32_t image)
{
    guest_reads(p->f, guest->domid, MMIO_BASE, PVINFO);
    pair_write(p, guest, RING_MODE, 1u << 31 | 1u << 15);
    pair_write(p, guest, MI_MODE, 1u << 24);
    pair_write(p, guest, ELSP, 0);
    pair_write(p, guest, ELSP, 0);
    pair_write(p, guest, ELSP, 1);
    pair_write(p, guest, ELSP, image | 1u << 8 | 3u << 3 | 1);
}

void pair_submit_context(const struct pair *p, const struct guest_info *guest, uint32_t image,
                         uint32_t ring, uint32_t tail, uint64_t pml4)
{
    pair_put_image(pair_ram(p, guest->domid, GFN(IMAGE + 1)), ring, tail, pml4);
    pair_elsp(p, guest, image);
}
