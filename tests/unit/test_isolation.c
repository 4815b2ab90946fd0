/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two guests on one GPU. "bob" has a secret in each page, mappings, and work of his own; "alice"
 * tries every way there is to read it, to change it, or to keep bob from his work. Each attempt is
 * first made on memory of her own, where it has to succeed: it is refused for where it goes, not
 * for what it is.
 */
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

/* --- guests ------------------------------------------------------------------------------ */

static uint32_t *ram(const struct pair *p, uint32_t domid, uint32_t gfn)
{
    return xengt_sim_guest_page(p->f->sim, domid, (struct xengt_gfn){gfn});
}

static void fill(const struct pair *p, uint32_t domid, uint32_t gfn, uint32_t value)
{
    uint32_t *dw = ram(p, domid, gfn);

    for (unsigned i = 0; i < PAGE / 4; i++) {
        dw[i] = value;
    }
}

static void wr(const struct pair *p, const struct guest_info *guest, uint32_t reg, uint32_t value)
{
    guest_writes(p->f, guest->domid, reg, value);
}

static uint32_t low(const struct guest_info *guest, uint32_t entry)
{
    return (guest->mappable.first + entry) * PAGE;
}

static void set_entry(const struct pair *p, const struct guest_info *guest, uint32_t index,
                      uint64_t pte)
{
    host_sim_mmio_write(p->f->host, guest->domid, MMIO_BASE + VGPU_GTT_OFFSET + 8 * (uint64_t)index,
                        pte, 8);
}

static void map_pages(const struct pair *p, const struct guest_info *guest)
{
    for (uint32_t i = 0; i < MAPPED; i++) {
        set_entry(p, guest, guest->mappable.first + i, GFN(i) << 12 | PTE_FLAGS);
        set_entry(p, guest, guest->unmappable.first + i, (GFN(i) + 200) << 12 | PTE_FLAGS);
    }
    wr(p, guest, GFX_FLSH, 1);
}

/* The daemon's turns; a guest that never ends does not keep the test. */
static void run(const struct pair *p)
{
    for (unsigned i = 0; i < 200 && guests_turn(p->f->guests); i++) {
        ;
    }
}

static void submit_ring(const struct pair *p, const struct guest_info *guest, const uint32_t *dw,
                        size_t n)
{
    fill(p, guest->domid, GFN(RING), 0);
    memcpy(ram(p, guest->domid, GFN(RING)), dw, n * sizeof(*dw));
    wr(p, guest, RING_CTL, 0);
    wr(p, guest, HWS_PGA, low(guest, STATUS));
    wr(p, guest, RING_HEAD, 0);
    wr(p, guest, RING_TAIL, 0);
    wr(p, guest, RING_START, low(guest, RING));
    wr(p, guest, RING_CTL, 1);
    wr(p, guest, RING_TAIL, (uint32_t)(n * 4 + 7) & ~7u);
}

static void refresh_both(struct pair *p)
{
    refresh(p->f, "alice", &p->alice);
    refresh(p->f, "bob", &p->bob);
}

static bool is_well(const struct guest_info *guest)
{
    return !guest->failsafe && !guest->vgpu.engine_errors && !guest->vgpu.refusals;
}

/* --- the two of them --------------------------------------------------------------------- */

/* A new vGPU and memory that holds no secret. */
static void fresh_alice(struct pair *p)
{
    guests_detach(p->f->guests, "alice", p->f->error, sizeof(p->f->error));
    attach(p->f, "alice", &p->alice);
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        fill(p, p->alice.domid, gfn, MARK);
    }
    map_pages(p, &p->alice);
}

static void remember_bob(struct pair *p)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        memcpy(p->bob_before + (size_t)gfn * PAGE, ram(p, p->bob.domid, gfn), PAGE);
    }
}

/* One table of each level from `root` on, and three pages. The entries with index 1 are free. */
static void make_ppgtt(const struct pair *p, const struct guest_info *guest)
{
    uint64_t *table;

    for (uint32_t level = 4; level > 0; level--) {
        fill(p, guest->domid, TABLE_GFN(level), 0);
        table = (uint64_t *)ram(p, guest->domid, TABLE_GFN(level));
        table[0] = (uint64_t)(level > 1 ? TABLE_GFN(level - 1) : BATCH_GFN) << 12 | PTE_FLAGS;
    }
    table = (uint64_t *)ram(p, guest->domid, TABLE_GFN(1));
    table[2] = USER_GFN << 12 | PTE_FLAGS;
}

static struct pair begin(void **state)
{
    struct pair p = {.f = *state};

    new_domain(p.f, "alice");
    new_domain(p.f, "bob");
    attach(p.f, "alice", &p.alice);
    attach(p.f, "bob", &p.bob);
    p.bob_before = malloc((size_t)PAGES * PAGE);
    assert_non_null(p.bob_before);
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        fill(&p, p.bob.domid, gfn, SECRET);
    }
    map_pages(&p, &p.bob);
    make_ppgtt(&p, &p.bob);
    wr(&p, &p.bob, PVINFO_PDP0, TABLE_GFN(4) << 12);
    wr(&p, &p.bob, G2V_NOTIFY, L4_CREATE);
    remember_bob(&p);
    return p;
}

/* Not a byte of bob's changed, none of his secret is with alice, and his GPU is as it was. */
static void check_bob(struct pair *p, const char *what)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        const uint32_t *dw = ram(p, p->alice.domid, gfn);

        if (memcmp(ram(p, p->bob.domid, gfn), p->bob_before + (size_t)gfn * PAGE, PAGE) != 0) {
            fail_msg("%s: bob's page %u changed", what, gfn);
        }
        for (unsigned i = 0; i < PAGE / 4; i++) {
            if (dw[i] == SECRET) {
                fail_msg("%s: alice has bob's secret in her page %u", what, gfn);
            }
        }
    }
    refresh_both(p);
    if (!is_well(&p->bob)) {
        fail_msg("%s: bob's vGPU is not well: %s", what, p->bob.failsafe ? p->bob.failsafe : "-");
    }
    assert_int_equal(guests_verify(p->f->guests, "bob", p->f->error, sizeof(p->f->error)), 0);
    assert_int_equal(guests_verify(p->f->guests, "alice", p->f->error, sizeof(p->f->error)), 0);
}

/* Bob's next work is done, whatever alice is doing. */
static void check_bob_works(struct pair *p, uint32_t value)
{
    const uint32_t commands[] = {0x10400002, low(&p->bob, DATA), 0, value};

    submit_ring(p, &p->bob, commands, 4);
    run(p);
    assert_int_equal(ram(p, p->bob.domid, GFN(DATA))[0], value);
    remember_bob(p);
}

static void end(struct pair *p)
{
    check_bob_works(p, 1);
    free(p->bob_before);
}

/* --- commands in the global GTT ---------------------------------------------------------- */

/* Stand for the address to reach, the one to bring it to, and the word there. */
#define TARGET 0x7a7a7a70u
#define TO     0x70707070u

struct attempt {
    const char *name;
    enum { READS = 1, WRITES = 2 } does;
    unsigned n;
    uint32_t dw[12];
};

static const struct attempt attempts[] = {
    {"MI_STORE_DATA_IMM", WRITES, 4, {0x10400002, TARGET, 0, 7}},
    {"MI_STORE_DATA_IMM, a quadword", WRITES, 5, {0x10600003, TARGET, 0, 7, 8}},
    {"MI_FLUSH_DW", WRITES, 4, {0x13004002, TARGET | 4, 0, 7}},
    {"MI_STORE_REGISTER_MEM", WRITES, 4, {0x12400002, BCS_GPR, TARGET, 0}},
    {"MI_LOAD_REGISTER_MEM",
     READS,
     8,
     {0x14c00002, BCS_GPR, TARGET, 0, 0x12400002, BCS_GPR, TO, 0}},
    {"MI_BATCH_BUFFER_START", 0, 3, {0x18800001, TARGET, 0}},
    {"XY_COLOR_BLT", WRITES, 7, {0x54300005, 0x03f01000, 0, 1 << 16 | 4, TARGET, 0, 7}},
    {"XY_SRC_COPY_BLT from there",
     READS,
     10,
     {0x54f00008, 0x03cc1000, 0, 1 << 16 | 4, TO, 0, 0, 0x1000, TARGET, 0}},
    {"XY_SRC_COPY_BLT to there",
     WRITES,
     10,
     {0x54f00008, 0x03cc1000, 0, 1 << 16 | 4, TARGET, 0, 0, 0x1000, TO, 0}},
};

static const struct attempt *find_attempt(const char *name)
{
    const struct attempt *a = attempts;

    while (strcmp(a->name, name) != 0) {
        a++;
    }
    return a;
}

static void make_attempt(struct pair *p, const struct attempt *a, uint32_t target)
{
    uint32_t dw[12];

    fresh_alice(p);
    fill(p, p->alice.domid, GFN(OWN), 0);
    memcpy(dw, a->dw, sizeof(dw));
    for (unsigned i = 0; i < a->n; i++) {
        if ((dw[i] & ~7u) == TARGET) {
            dw[i] = target | (dw[i] & 7);
        } else if (dw[i] == TO) {
            dw[i] = low(&p->alice, OWN);
        }
    }
    submit_ring(p, &p->alice, dw, a->n);
    run(p);
    refresh_both(p);
}

/* At home each does what it is meant to. */
static void check_attempt_at_home(struct pair *p, const struct attempt *a)
{
    make_attempt(p, a, low(&p->alice, DATA));
    if (!is_well(&p->alice)) {
        fail_msg("%s at home: %s", a->name, p->alice.failsafe ? p->alice.failsafe : "an error");
    }
    if (((a->does & READS) && ram(p, p->alice.domid, GFN(OWN))[0] != MARK) ||
        ((a->does & WRITES) && ram(p, p->alice.domid, GFN(DATA))[0] == MARK)) {
        fail_msg("%s at home does nothing", a->name);
    }
}

#define TEST(name) TEST_WITH(name, setup, teardown)

TEST(test_commands)
{
    struct pair p = begin(state);
    const uint32_t targets[] = {
        low(&p.bob, DATA), (p.bob.unmappable.first + DATA) * PAGE,
        low(&p.bob, 100),         /* bob's, but nothing is mapped there */
        (GTT_ENTRIES - 1) * PAGE, /* nobody's */
    };

    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        check_attempt_at_home(&p, &attempts[i]);
        for (size_t k = 0; k < sizeof(targets) / sizeof(targets[0]); k++) {
            make_attempt(&p, &attempts[i], targets[k]);
            check_bob(&p, attempts[i].name);
            if (is_well(&p.alice)) {
                fail_msg("%s to 0x%x is not refused", attempts[i].name, targets[k]);
            }
        }
    }
    end(&p);
}

/* --- what the vGPU itself reads and writes for a guest ----------------------------------- */

static void put_image(uint32_t *image, uint32_t ring, uint32_t tail, uint64_t pml4)
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

/* What is in the ring is run in a context with a PPGTT; 0: without one. */
static void submit_context(const struct pair *p, uint32_t image, uint32_t ring, uint32_t tail,
                           uint64_t pml4)
{
    const struct guest_info *alice = &p->alice;

    put_image(ram(p, alice->domid, GFN(IMAGE + 1)), ring, tail, pml4);
    guest_reads(p->f, alice->domid, MMIO_BASE, PVINFO);
    wr(p, alice, RING_MODE, 1u << 31 | 1u << 15);
    wr(p, alice, MI_MODE, 1u << 24);
    wr(p, alice, ELSP, 0);
    wr(p, alice, ELSP, 0);
    wr(p, alice, ELSP, 1);
    wr(p, alice, ELSP, image | 1u << 8 | 3u << 3 | 1);
    run(p);
}

TEST(rings_and_contexts)
{
    struct pair p = begin(state);
    const uint32_t targets[] = {low(&p.bob, 0), p.bob.unmappable.first * PAGE};

    fresh_alice(&p);
    fill(&p, p.alice.domid, GFN(RING), 0);
    submit_context(&p, low(&p.alice, IMAGE), low(&p.alice, RING), 16, 0);
    check_bob(&p, "at home");
    assert_true(is_well(&p.alice));
    assert_int_equal(p.alice.vgpu.submissions, 1);
    for (size_t i = 0; i < 2; i++) {
        fresh_alice(&p);
        wr(&p, &p.alice, RING_CTL, 0);
        wr(&p, &p.alice, RING_START, targets[i]);
        wr(&p, &p.alice, RING_CTL, 1);
        wr(&p, &p.alice, RING_TAIL, 64);
        run(&p);
        check_bob(&p, "a ring");
        assert_non_null(p.alice.failsafe);

        fresh_alice(&p);
        submit_context(&p, low(&p.alice, IMAGE), targets[i], 16, 0);
        check_bob(&p, "the ring of a context");
        assert_non_null(p.alice.failsafe);

        fresh_alice(&p);
        submit_context(&p, targets[i], low(&p.alice, RING), 16, 0);
        check_bob(&p, "a context image");
        assert_non_null(p.alice.failsafe);

        /* The events of an execlist go to the status page. */
        fresh_alice(&p);
        wr(&p, &p.alice, HWS_PGA, targets[i]);
        assert_int_equal(guest_reads(p.f, p.alice.domid, MMIO_BASE, HWS_PGA), 0);
        submit_context(&p, low(&p.alice, IMAGE), low(&p.alice, RING), 16, 0);
        check_bob(&p, "a status page");
    }
    end(&p);
}

/* --- the global GTT itself --------------------------------------------------------------- */

static uint64_t bfn_of_bob(const struct pair *p, uint32_t entry)
{
    return gpu_read_pte(p->f->gpu, GPU_GGTT, p->bob.mappable.first + entry) & GPU_PTE_ADDR_MASK;
}

/* Stores into entries that are bob's are no stores, and what is in them is not to be seen. */
static void leaves_others_entries_alone(void **state)
{
    struct pair p = begin(state);
    const struct gpu_range ranges[] = {p.bob.mappable, p.bob.unmappable};
    uint64_t before[2][MAPPED];

    fresh_alice(&p);
    for (unsigned r = 0; r < 2; r++) {
        p.f->gpu->ops->read_ptes(p.f->gpu, GPU_GGTT, ranges[r].first, MAPPED, before[r]);
        for (uint32_t i = 0; i < ranges[r].count; i++) {
            uint64_t at = MMIO_BASE + VGPU_GTT_OFFSET + 8 * (uint64_t)(ranges[r].first + i);

            if (!p.f->options.lazy_ggtt) {
                assert_true(host_sim_mmio_read(p.f->host, p.alice.domid, at, 8) == 0);
            }
            set_entry(&p, &p.alice, ranges[r].first + i, GFN(DATA) << 12 | PTE_FLAGS);
            host_sim_mmio_write(p.f->host, p.alice.domid, at, 0, 4);
        }
    }
    wr(&p, &p.alice, GFX_FLSH, 1);
    check_bob(&p, "entries");
    for (unsigned r = 0; r < 2; r++) {
        for (uint32_t i = 0; i < MAPPED; i++) {
            assert_true(gpu_read_pte(p.f->gpu, GPU_GGTT, ranges[r].first + i) == before[r][i]);
        }
    }
    end(&p);
}

TEST(entries_of_others_trapped)
{
    leaves_others_entries_alone(state);
}

static int setup_lazy(void **state)
{
    return setup_like(state, (struct stack_options){.lazy_ggtt = true});
}

TEST_WITH(entries_of_others_in_ram, setup_lazy, teardown)
{
    leaves_others_entries_alone(state);
}

/* Numbers that mean bob's pages to the GPU, or are his frames, mean nothing of his in her entries.
 */
TEST(entries_of_ones_own)
{
    struct pair p = begin(state);
    const uint64_t frames[] = {bfn_of_bob(&p, DATA), GFN(DATA) << 12, UINT64_C(1) << 12, 0};
    const struct attempt *read = find_attempt("XY_SRC_COPY_BLT from there");
    const struct attempt *write = find_attempt("XY_SRC_COPY_BLT to there");
    uint32_t dw[20];

    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        fresh_alice(&p);
        set_entry(&p, &p.alice, p.alice.mappable.first + MAPPED, frames[i] | PTE_FLAGS);
        memcpy(dw, read->dw, sizeof(uint32_t) * 10);
        memcpy(dw + 10, write->dw, sizeof(uint32_t) * 10);
        dw[4] = dw[18] = low(&p.alice, OWN);
        dw[8] = dw[14] = low(&p.alice, MAPPED);
        submit_ring(&p, &p.alice, dw, 20);
        run(&p);
        check_bob(&p, "an entry with bob's frame");
    }
    end(&p);
}

/* The processor's way: what is mapped below the aperture's end. */
TEST(test_aperture)
{
    struct pair p = begin(state);
    uint64_t aperture = MMIO_BASE - (uint64_t)GTT_ENTRIES / 8 * PAGE;

    fresh_alice(&p);
    assert_int_equal(
        host_sim_mmio_read(p.f->host, p.alice.domid, aperture + low(&p.alice, DATA), 4), MARK);
    for (uint32_t i = 0; i < p.bob.mappable.count; i++) {
        uint64_t at = aperture + low(&p.bob, i);

        assert_true(host_sim_mmio_read(p.f->host, p.alice.domid, at, 8) == UINT64_MAX);
        host_sim_mmio_write(p.f->host, p.alice.domid, at, 7, 8);
        assert_true(host_sim_mmio_read(p.f->host, p.alice.domid, at - 4, 8) == UINT64_MAX);
        host_sim_mmio_write(p.f->host, p.alice.domid, at - 4, 7, 8);
    }
    check_bob(&p, "the aperture");
    end(&p);
}

/* --- page tables ------------------------------------------------------------------------- */

#define BATCH_VA UINT64_C(0)
#define USER_VA  UINT64_C(0x2000)

/* A user's batch: reads from va and writes to it. */
static void put_batch(const struct pair *p, uint64_t va)
{
    const uint32_t batch[] = {
        0x54f00008,
        0x03cc1000,
        0,
        1 << 16 | 4,
        USER_VA,
        0,
        0,
        0x1000,
        (uint32_t)va,
        (uint32_t)(va >> 32),
        0x10000002,
        (uint32_t)va,
        (uint32_t)(va >> 32),
        7,
        0x05000000,
    };

    memcpy(ram(p, p->alice.domid, BATCH_GFN), batch, sizeof(batch));
}

/* Commands of the ring: the batch, in the PPGTT. */
static void run_user(const struct pair *p, uint64_t pml4)
{
    static const uint32_t ring[] = {0x18800101, (uint32_t)BATCH_VA, 0, 0};

    memcpy(ram(p, p->alice.domid, GFN(RING)), ring, sizeof(ring));
    submit_context(p, low(&p->alice, IMAGE), low(&p->alice, RING), sizeof(ring), pml4);
}

/* Whatever page of hers is taken for a table: its entries name a page of bob's. */
static void fill_with_entries(const struct pair *p, uint64_t entry)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        uint64_t *table = (uint64_t *)ram(p, p->alice.domid, gfn);

        for (unsigned i = 0; i < PAGE / 8; i++) {
            table[i] = entry;
        }
    }
}

/* Runs the batch with an entry of a level that says something else; level 5: the root. */
static void run_with_entry(struct pair *p, unsigned level, uint64_t frame)
{
    uint64_t va = level < 5 ? UINT64_C(1) << (12 + 9 * (level - 1)) : 0x3000;

    fresh_alice(p);
    fill_with_entries(p, bfn_of_bob(p, DATA) | PTE_FLAGS);
    make_ppgtt(p, &p->alice);
    fill(p, p->alice.domid, USER_GFN, 0);
    fill(p, p->alice.domid, TARGET_GFN, MARK);
    put_batch(p, va);
    if (level < 5) {
        ((uint64_t *)ram(p, p->alice.domid, TABLE_GFN(level)))[1] = frame | PTE_FLAGS;
    }
    run_user(p, level < 5 ? TABLE_GFN(4) << 12 : frame);
}

TEST(page_tables)
{
    struct pair p = begin(state);
    uint64_t frames[4 + 24] = {
        bfn_of_bob(&p, DATA),
        bfn_of_bob(&p, RING),
        GFN(DATA) << 12,
        TABLE_GFN(1) << 12,
    };

    /* The GPU's page tables, bob's among them, have numbers from 1 on. */
    for (uint64_t i = 0; i < 24; i++) {
        frames[4 + i] = (i + 1) << 12;
    }
    run_with_entry(&p, 1, TARGET_GFN << 12);
    check_bob(&p, "at home");
    assert_true(is_well(&p.alice));
    assert_int_equal(ram(&p, p.alice.domid, USER_GFN)[0], MARK);
    assert_int_equal(ram(&p, p.alice.domid, TARGET_GFN)[0], 7);
    for (unsigned level = 1; level <= 5; level++) {
        for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
            run_with_entry(&p, level, frames[i]);
            check_bob(&p, "an entry of a page table");
        }
    }
    end(&p);
}

/* --- time -------------------------------------------------------------------------------- */

/* She runs for ever, on all that she has; he is served, and so is whoever takes her vGPU away. */
TEST(hang)
{
    struct pair p = begin(state);
    uint32_t start[] = {0x18800001, 0, 0};

    fresh_alice(&p);
    start[1] = low(&p.alice, DATA);
    memcpy(ram(&p, p.alice.domid, GFN(DATA)), start, sizeof(start));
    submit_ring(&p, &p.alice, start, 3);
    run(&p);
    refresh_both(&p);
    assert_true(is_well(&p.alice));
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t commands = p.alice.gpu.commands;

        check_bob_works(&p, 100 + i);
        refresh_both(&p);
        assert_true(p.alice.gpu.commands > commands);
        assert_int_equal(p.bob.gpu.submissions, i + 1);
    }
    check_bob(&p, "a hang");
    assert_true(guests_turn(p.f->guests));
    assert_int_equal(guests_detach(p.f->guests, "alice", p.f->error, sizeof(p.f->error)), 0);
    assert_false(guests_turn(p.f->guests));
    end(&p);
}
