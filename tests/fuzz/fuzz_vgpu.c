/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes are what guests do: register accesses, stores to their page tables and rings,
 * ballooning, coming and going. Whatever it is, each GPU entry stays scratch or a mapping of its
 * guest, no rule is broken, the memory of bystanders stays as it is, and in the end nothing is
 * mapped and no domain lingers.
 */
#include "input.h"
#include "support/stack.h"

#define GUESTS      2u
#define PAGES       24u /* of each guest */
#define WINDOW      64u /* GTT entries, mappable and unmappable */
#define OPS_MAX     256u
#define OPS_A_CHECK 16u
#define TURNS_MAX   48u /* of one input: a batch may loop for ever */
#define PATTERN     UINT64_C(0xfeedc0def00dfade)

#define RING      0x22030u /* BCS: TAIL, HEAD, START, CTL */
#define PVINFO    0x78000u
#define GTT       0x800000u
#define FLUSH     0x101008u
#define BAR       0x1000000u
#define LOW_BASE  (PVINFO + 0x40)
#define HIGH_BASE (PVINFO + 0x48)

struct guest {
    uint32_t domid; /* 0: not there */
    bool attached;
    uint32_t low; /* first entry of its windows */
    uint32_t high;
};

struct fuzz {
    struct stack stack;
    struct guest guest[GUESTS];
    uint32_t bystander; /* has a vGPU, does nothing with it, and must not notice anything */
    uint32_t stranger;  /* has none */
    unsigned turns;
};

static const char *const names[GUESTS] = {"a", "b"};

/* --- a guest's accesses ------------------------------------------------------------------ */

static uint64_t mmio_read(struct fuzz *f, const struct guest *g, uint32_t offset, unsigned size)
{
    return host_sim_mmio_read(f->stack.host, g->domid, STACK_MMIO_BASE + (uint64_t)offset, size);
}

static void mmio_write(struct fuzz *f, const struct guest *g, uint32_t offset, uint64_t value,
                       unsigned size)
{
    host_sim_mmio_write(f->stack.host, g->domid, STACK_MMIO_BASE + (uint64_t)offset, value, size);
    host_sim_end_of_turn(f->stack.host, g->domid);
}

static uint32_t own_entry(const struct guest *g, uint8_t n)
{
    return n & 0x80 ? g->high + n % WINDOW : g->low + n % WINDOW;
}

/* Where the interesting registers are, and now and then anywhere. */
static uint32_t take_offset(struct input *in, const struct guest *g)
{
    uint8_t kind = input_u8(in);
    switch (kind % 8) {
    case 0:
        return RING + 4 * (kind >> 3 & 3);
    case 1:
        return PVINFO + input_u16(in) % 0x1000;
    case 2:
        return FLUSH;
    case 3:
        return GTT + (own_entry(g, input_u8(in)) * 8) + (kind >> 3 & 4);
    case 4:
        return GTT + input_u32(in) % (BAR - GTT);
    case 5:
        return 0x2000 + input_u16(in) * 4;
    default:
        return input_u32(in) % (BAR + 64);
    }
}

static unsigned take_size(struct input *in)
{
    static const unsigned sizes[] = {4, 4, 8, 8, 1, 2, 3, 16};
    return sizes[input_u8(in) % 8];
}

static void store_to_gtt(struct fuzz *f, struct input *in, const struct guest *g)
{
    uint8_t entry = input_u8(in), gfn = input_u8(in);
    uint64_t pte = gfn & 0x80 ? input_u64(in) : (uint64_t)(gfn % (PAGES + 4)) << 12 | 1;
    mmio_write(f, g, GTT + own_entry(g, entry) * 8, gfn == 0x7f ? 0 : pte, 8);
}

/* A ring of a page at an entry, as a driver would set it up. */
static void set_ring(struct fuzz *f, struct input *in, const struct guest *g)
{
    uint32_t entry = own_entry(g, input_u8(in));
    uint8_t gfn = input_u8(in) % PAGES;
    mmio_write(f, g, GTT + entry * 8, (uint64_t)gfn << 12 | 1, 8);
    mmio_write(f, g, RING + 12, 0, 4);
    mmio_write(f, g, RING + 4, 0, 4);
    mmio_write(f, g, RING, 0, 4);
    mmio_write(f, g, RING + 8, entry << 12, 4);
    mmio_write(f, g, RING + 12, 1, 4);
}

static uint32_t gpu_address(struct input *in, const struct guest *g)
{
    uint8_t entry = input_u8(in);
    return (own_entry(g, entry) << 12) + (entry & 0x40 ? input_u16(in) % 4096 : 0);
}

/* A command in memory that is nearly right: the decoder lets it through more often than noise. */
static size_t make_command(struct input *in, const struct guest *g, uint32_t dw[10])
{
    uint8_t kind = input_u8(in);
    memset(dw, 0, 10 * sizeof(*dw));
    switch (kind % 6) {
    case 0: /* MI_STORE_DATA_IMM */
        dw[0] = 0x20u << 23 | 1u << 22 | 2;
        dw[1] = gpu_address(in, g);
        dw[3] = input_u32(in);
        return 4;
    case 1: /* MI_BATCH_BUFFER_START */
        dw[0] = 0x31u << 23 | 1 | (kind & 0x80 ? 1u << 22 : 0);
        dw[1] = gpu_address(in, g);
        return 3;
    case 2: /* MI_BATCH_BUFFER_END */
        dw[0] = 0x0au << 23;
        return 1;
    case 3: /* XY_COLOR_BLT */
        dw[0] = 2u << 29 | 0x50u << 22 | 3u << 20 | 5;
        dw[1] = (kind >> 6) << 24 | 0xf0u << 16 | input_u16(in);
        dw[3] = (uint32_t)input_u8(in) << 16 | input_u16(in);
        dw[4] = gpu_address(in, g);
        dw[6] = input_u32(in);
        return 7;
    case 4: /* XY_SRC_COPY_BLT */
        dw[0] = 2u << 29 | 0x53u << 22 | 3u << 20 | 8;
        dw[1] = (kind >> 6) << 24 | 0xccu << 16 | input_u16(in);
        dw[3] = (uint32_t)input_u8(in) << 16 | input_u16(in);
        dw[4] = gpu_address(in, g);
        dw[7] = input_u16(in);
        dw[8] = gpu_address(in, g);
        return 10;
    default: /* MI_FLUSH_DW */
        dw[0] = 0x26u << 23 | 1u << 14 | 2;
        dw[1] = gpu_address(in, g) | 4;
        dw[3] = input_u32(in);
        return 4;
    }
}

static void write_memory(struct fuzz *f, struct input *in, const struct guest *g, bool command)
{
    const struct xengt_gfn gfn = {input_u8(in) % PAGES};
    uint32_t at = input_u8(in) * 4u, dw[16];
    size_t n = 1u + input_u8(in) % 16;
    uint8_t *page = xengt_sim_guest_page(f->stack.sim, g->domid, gfn);
    if (command) {
        n = make_command(in, g, dw);
    } else {
        input_bytes(in, dw, n * sizeof(*dw));
    }
    if (page) {
        memcpy(page + at, dw, n * sizeof(*dw));
    }
}

/* --- coming and going -------------------------------------------------------------------- */

static void learn_windows(struct fuzz *f, struct guest *g)
{
    g->low = (uint32_t)mmio_read(f, g, LOW_BASE, 4) >> 12;
    g->high = (uint32_t)mmio_read(f, g, HIGH_BASE, 4) >> 12;
}

static void attach(struct fuzz *f, unsigned i)
{
    struct guest *g = &f->guest[i];
    char error[256] = "";
    if (g->domid && !guests_attach(f->stack.guests, names[i], NULL, NULL, error, sizeof(error))) {
        REQUIRE(!g->attached, "attached twice");
        g->attached = true;
        learn_windows(f, g);
    }
}

static void create(struct fuzz *f, unsigned i)
{
    const struct xengt_sim_domain config = {.name = names[i], .pages = PAGES};
    struct guest *g = &f->guest[i];
    if (!g->domid && !xengt_sim_domain_create(f->stack.sim, &config, &g->domid)) {
        attach(f, i);
    }
}

static void detach(struct fuzz *f, unsigned i)
{
    struct guest *g = &f->guest[i];
    char error[256];
    if (g->attached) {
        REQUIRE(!guests_detach(f->stack.guests, names[i], error, sizeof(error)), "%s", error);
        g->attached = false;
    }
}

static void turn(struct fuzz *f)
{
    if (f->turns++ < TURNS_MAX) {
        guests_turn(f->stack.guests);
    }
}

/* A death is noticed before the next domain can have the name. */
static void destroy(struct fuzz *f, unsigned i)
{
    struct guest *g = &f->guest[i];
    if (g->domid) {
        xengt_sim_domain_destroy(f->stack.sim, g->domid);
        host_sim_notice_deaths(f->stack.host);
        guests_turn(f->stack.guests);
        *g = (struct guest){0};
    }
}

/* --- what must hold ---------------------------------------------------------------------- */

static void check_rules(struct fuzz *f)
{
    struct guest_info info;
    struct xengt_sim_stats stats;
    char error[256];
    for (unsigned i = 0; guests_list(f->stack.guests, i, &info); i++) {
        int violations = guests_verify(f->stack.guests, info.name, error, sizeof(error));
        REQUIRE(violations == 0, "guest %s: %d violations: %s", info.name, violations, error);
    }
    xengt_sim_get_stats(f->stack.sim, &stats);
    REQUIRE(!stats.violations, "%s", xengt_sim_violation(f->stack.sim));
    REQUIRE(!stats.iommu_faults, "the GPU used a page that is not mapped");
}

static void check_bystanders(struct fuzz *f)
{
    REQUIRE(!stack_changed_bytes(&f->stack, f->bystander, PATTERN), "a bystander's memory");
    REQUIRE(!stack_changed_bytes(&f->stack, f->stranger, PATTERN), "a stranger's memory");
}

static void check_end(struct fuzz *f)
{
    struct xengt_sim_stats stats;
    struct guest_info info;
    uint32_t domids[GUESTS + 1] = {f->bystander};
    for (unsigned i = 0; i < GUESTS; i++) {
        domids[i + 1] = f->guest[i].domid;
        destroy(f, i);
    }
    xengt_sim_domain_destroy(f->stack.sim, f->bystander);
    host_sim_notice_deaths(f->stack.host);
    guests_turn(f->stack.guests);
    REQUIRE(!guests_list(f->stack.guests, 0, &info), "guest %s keeps its vGPU", info.name);
    for (unsigned i = 0; i < GUESTS + 1; i++) {
        REQUIRE(!xengt_sim_domain_exists(f->stack.sim, domids[i]), "domain %u lingers", domids[i]);
    }
    xengt_sim_get_stats(f->stack.sim, &stats);
    REQUIRE(!stats.mapped, "%llu pages stay mapped", (unsigned long long)stats.mapped);
}

/* --- the stack --------------------------------------------------------------------------- */

static bool open_stack(struct fuzz *f, uint8_t flags)
{
    const struct stack_options options = {
        .space = {.no_defer = flags & 1,
                  .quota = flags & 2 ? 8 : 0,
                  .defer_pages = flags & 4 ? 4 : 0},
        .mappable_pages = WINDOW,
        .unmappable_pages = WINDOW,
        .gtt_entries = 2048,
    };
    struct guest bystander = {0};
    char error[256];
    if (stack_open(&f->stack, &options)) {
        return false;
    }
    stack_domain(&f->stack, "stranger", 8, PATTERN, &f->stranger);
    stack_domain(&f->stack, "bystander", 8, PATTERN, &f->bystander);
    bystander.domid = f->bystander;
    REQUIRE(!guests_attach(f->stack.guests, "bystander", NULL, NULL, error, sizeof(error)), "%s",
            error);
    learn_windows(f, &bystander);
    for (uint32_t i = 0; i < 8; i++) {
        mmio_write(f, &bystander, GTT + (bystander.low + i) * 8, i << 12 | 1, 8);
    }
    mmio_write(f, &bystander, FLUSH, 0, 4);
    for (unsigned i = 0; i < GUESTS; i++) {
        create(f, i);
    }
    return true;
}

static void operate(struct fuzz *f, struct input *in)
{
    uint8_t op = input_u8(in);
    unsigned i = op >> 7;
    struct guest *g = &f->guest[i];
    uint32_t offset;
    char error[256];
    switch (op % 16) {
    case 0:
        offset = take_offset(in, g);
        mmio_read(f, g, offset, take_size(in));
        break;
    case 1:
    case 2:
        offset = take_offset(in, g);
        mmio_write(f, g, offset, input_u64(in), take_size(in));
        break;
    case 3:
    case 4:
        store_to_gtt(f, in, g);
        break;
    case 5:
        set_ring(f, in, g);
        break;
    case 6:
    case 7:
        write_memory(f, in, g, true);
        break;
    case 8:
        write_memory(f, in, g, false);
        break;
    case 9: /* a submission */
        mmio_write(f, g, RING, (uint32_t)input_u8(in) * 8, 4);
        break;
    case 10:
        xengt_sim_balloon_out(f->stack.sim, g->domid, (struct xengt_gfn){input_u8(in) % PAGES});
        break;
    case 11:
        xengt_sim_balloon_in(f->stack.sim, g->domid, (struct xengt_gfn){input_u8(in) % PAGES});
        break;
    case 12:
        guests_pause(f->stack.guests, names[i], op & 0x40, error, sizeof(error));
        break;
    case 13:
        mmio_write(f, g, FLUSH, 0, 4);
        break;
    case 14:
        turn(f);
        break;
    default: /* rarer things share a place */
        switch (op >> 4 & 3) {
        case 0:
            detach(f, i);
            break;
        case 1:
            attach(f, i);
            break;
        case 2:
            destroy(f, i);
            break;
        default:
            create(f, i);
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz f = {0};
    if (!open_stack(&f, input_u8(&in))) {
        return 0;
    }
    for (unsigned n = 1; n <= OPS_MAX && in.left; n++) {
        operate(&f, &in);
        if (n % OPS_A_CHECK == 0) {
            check_rules(&f);
        }
    }
    turn(&f);
    check_rules(&f);
    check_bystanders(&f);
    check_end(&f);
    check_rules(&f);
    stack_close(&f.stack);
    return 0;
}
