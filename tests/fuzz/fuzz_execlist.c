/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bytes are what a driver of the newer kind does, and what it should not: contexts submitted
 * in lists, commands in rings, batches with and without privilege, page tables in its own memory,
 * registers, the aperture, resets. Whatever it is, each access is answered, the GTT proves right,
 * no rule is broken, memory is bounded, others' memory stays as it is; and after a reset of the
 * vGPU a driver that behaves finds a GPU that works.
 */
#include "exec_guest.h"

#define OPS_MAX        256u
#define OPS_A_CHECK    16u
#define TURNS_MAX      96u /* of one input: a batch may loop for ever */
#define RECOVERIES_MAX 6u
#define BYTES_MAX      (64u << 20)

struct fuzz {
    struct exec_guest guest;
    unsigned turns;
    unsigned recoveries;
};

/* Known where there is a sanitizer that counts. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- registers --------------------------------------------------------------------------- */

static bool makes_sense(uint64_t offset, unsigned size, uint64_t end)
{
    return size != 3 && offset < end && size <= end - offset;
}

static void check_read(uint64_t value, bool sensible, unsigned size)
{
    if (!sensible) {
        REQUIRE(value == UINT64_MAX, "0x%llx for no sensible read", (unsigned long long)value);
    } else if (value != UINT64_MAX) {
        REQUIRE(size == 8 || value >> size * 8 == 0, "0x%llx in %u bytes",
                (unsigned long long)value, size);
    }
}

static void read_register(struct exec_guest *g, struct input *in)
{
    uint64_t offset = exec_offset(in);
    unsigned size = exec_size(in);
    check_read(vgpu_mmio_read(g->vgpu, offset, size), makes_sense(offset, size, VGPU_MMIO_SIZE),
               size);
}

static void access_aperture(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    uint64_t offset = kind & 0x40 ? input_u64(in) : GGTT(kind % 64) + input_u16(in) % (PAGE + 8);
    unsigned size = exec_size(in);
    if (kind & 0x80) {
        vgpu_aperture_write(g->vgpu, offset, input_u64(in), size);
    } else {
        check_read(vgpu_aperture_read(g->vgpu, offset, size), makes_sense(offset, size, UINT64_MAX),
                   size);
    }
}

/* --- memory ------------------------------------------------------------------------------ */

static void store_to_gtt(struct exec_guest *g, struct input *in)
{
    uint8_t entry = input_u8(in), gfn = input_u8(in);
    uint32_t index = (entry & 0x80 ? HIGH_FIRST : LOW_FIRST) + entry % WINDOW;
    uint64_t pte = gfn & 0x80 ? input_u64(in) : (uint64_t)gfn << 12 | 1;
    if (gfn == 0x7f) {
        pte = 0;
    }
    if (entry & 0x40) {
        vgpu_mmio_write(g->vgpu, VGPU_GTT_OFFSET + index * 8 + (gfn & 4), pte, 4);
    } else {
        exec_map(g, index, pte);
    }
}

/* An entry of one of the tables: to a page, to a table, of another size, or anything. */
static void store_to_table(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in), gfn = input_u8(in);
    uint64_t table = (uint64_t)(TABLES + kind % TABLES_N) * PAGE;
    uint64_t at = kind & 0x08 ? input_u16(in) % PAGE : input_u8(in) % 64u * 8;
    uint64_t entry = (uint64_t)gfn << 12 | 3;
    unsigned size = 8;
    if (kind & 0x10) {
        entry = (uint64_t)(TABLES + gfn % TABLES_N) * PAGE | 3;
    }
    if (kind & 0x20) {
        entry ^= 1u << (gfn >> 4);
    }
    if (kind & 0x40) {
        entry = input_u64(in);
    }
    if (kind & 0x80) {
        size = 1u << gfn % 4;
    }
    if (at + size <= PAGE) {
        exec_store(g, table + at, entry, size);
    }
}

static void store_raw(struct exec_guest *g, struct input *in)
{
    uint8_t bytes[64];
    uint32_t gfn = input_u8(in) % PAGES;
    uint32_t at = input_u16(in) % PAGE;
    size_t len = 1u + input_u8(in) % sizeof(bytes);
    len = len < PAGE - at ? len : PAGE - at;
    input_bytes(in, bytes, len);
    exec_store_bytes(g, (uint64_t)gfn * PAGE + at, bytes, len);
}

/* A value in the registers' page of a context's image. */
static void store_to_image(struct exec_guest *g, struct input *in)
{
    static const uint8_t places[] = {0x03, 0x05, 0x07, 0x09, 0x0b, 0x19, 0x1b, 0x23, 0x25,
                                     0x27, 0x2b, 0x2f, 0x31, 0x33, 0x02, 0x32, 0x08, 0x0a};
    uint8_t kind = input_u8(in);
    uint32_t place = kind & 0x80 ? input_u8(in) % 0x50 : places[input_u8(in) % COUNT(places)];
    uint64_t gpa = (uint64_t)(IMAGE(kind % CONTEXTS) + 1) * PAGE + place * 4;
    exec_store(g, gpa, exec_value(in), 4);
}

/* Commands one after the other, from the beginning of a batch, and its end. */
static void write_batch(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in), count = input_u8(in) % 16;
    uint64_t gpa = (uint64_t)(BATCHES + kind % BATCHES_N) * PAGE;
    uint32_t dw[EXEC_COMMAND_MAX];
    const uint32_t end = BBE;
    for (unsigned i = 0; i < count; i++) {
        unsigned n = exec_command(in, kind >> 4 & 3, dw);
        exec_store_bytes(g, gpa, dw, n * sizeof(*dw));
        gpa += n * sizeof(*dw);
    }
    if (!(kind & 0x80)) {
        exec_store_bytes(g, gpa, &end, sizeof(end));
    }
}

static void write_ring(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    unsigned c = kind % CONTEXTS;
    uint32_t dw[EXEC_COMMAND_MAX];
    for (unsigned i = 0; i < 1u + (kind >> 6); i++) {
        exec_emit(g, c, dw, exec_command(in, c % GPU_ENGINES, dw));
    }
}

/* As a driver starts a user's batch, or one of its own. */
static void start_batch(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    uint32_t batch = BATCHES + (kind >> 4) % BATCHES_N;
    const uint32_t user[] = {MI(0x08) | 1, START_PPGTT, VA(batch), 0};
    const uint32_t own[] = {MI(0x08), START, GGTT(batch), 0};
    exec_emit(g, kind % 8 % CONTEXTS, kind & 8 ? own : user, 4);
}

/* --- work -------------------------------------------------------------------------------- */

static void submit(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    unsigned c = kind % 8 % CONTEXTS, other = (kind >> 4) % CONTEXTS;
    unsigned levels = kind & 0x08 ? 3 : 4;
    uint64_t first = exec_descriptor(c, levels), second = 0;
    exec_publish(g, c);
    if (other != c && other % GPU_ENGINES == c % GPU_ENGINES) {
        exec_publish(g, other);
        second = exec_descriptor(other, levels);
    }
    if (kind & 0x80) {
        first ^= UINT64_C(1) << input_u8(in) % 64;
        second = input_u8(in) & 1 ? input_u64(in) : second;
    }
    exec_write_port(g, c % GPU_ENGINES, first, second);
}

static void submit_ring(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    uint32_t base = engine_info[kind & 3].base;
    if (kind & 0x80) {
        exec_write(g, base + RING_MODE, MODE_RUN_LIST << 16);
        exec_write(g, base + RING_CTL, 0);
        exec_write(g, base + RING_HEAD, 0);
        exec_write(g, base + RING_TAIL, 0);
        exec_write(g, base + RING_START, GGTT(RING(kind & 3)));
        exec_write(g, base + RING_CTL, RING_CTL_VALID);
    }
    exec_write(g, base + RING_TAIL, g->tail[kind & 3] & ~7u);
}

static void run(struct fuzz *f, struct input *in)
{
    unsigned turns = 1 + input_u8(in) % 8;
    if (f->turns < TURNS_MAX) {
        f->turns += turns;
        exec_run(&f->guest, turns);
    }
}

static void reset(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    enum gpu_engine e = kind & 3;
    uint32_t base = engine_info[e].base;
    if (kind & 0x80) {
        vgpu_reset(g->vgpu);
        REQUIRE(!vgpu_failsafe(g->vgpu), "failsafe outlives a reset");
        return;
    }
    if (kind & 0x40) {
        exec_write(g, base + RING_MI_MODE, MI_MODE_STOP_RING << 16 | MI_MODE_STOP_RING);
        exec_write(g, base + RING_RESET_CTL, RESET_CTL_REQUEST << 16 | RESET_CTL_REQUEST);
        REQUIRE(vgpu_failsafe(g->vgpu) || exec_read(g, base + RING_RESET_CTL) & RESET_CTL_READY,
                "not ready to be reset");
    }
    exec_write(g, GDRST, kind & 0x20 ? GDRST_FULL : engine_info[e].reset_bit);
    REQUIRE(vgpu_failsafe(g->vgpu) || !exec_read(g, GDRST), "the reset does not come to its end");
    if (kind & 0x10) {
        exec_enable_engine(g, e);
    }
}

static void set_up(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    switch (kind & 7) {
    case 0:
        exec_set_up(g);
        break;
    case 1:
    case 2:
        exec_enable_engine(g, kind >> 3 & 3);
        break;
    case 3:
        exec_make_ppgtt(g);
        break;
    default:
        exec_make_context(g, (kind >> 3) % 8 % CONTEXTS, (kind & 3) == 3 ? 0 : 3 + (kind & 1));
        break;
    }
}

/* g2v_notify, with roots that make sense and others. */
static void notify(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    uint32_t pdp = PVINFO_BASE + PVINFO_PDP;
    for (unsigned i = 0; i < 4; i++) {
        bool there = kind >> i & 1;
        exec_write(g, pdp + i * 8, there ? (TABLES + input_u8(in) % TABLES_N) * PAGE : 0);
        exec_write(g, pdp + i * 8 + 4, 0);
    }
    if (kind & 0x80) {
        exec_write(g, pdp, input_u32(in));
    }
    exec_write(g, PVINFO_BASE + PVINFO_NOTIFY, 2 + (kind >> 4 & 3));
}

static void rare(struct exec_guest *g, struct input *in)
{
    uint8_t kind = input_u8(in);
    uint32_t gfn = input_u8(in) % PAGES;
    switch (kind % 8) {
    case 0:
    case 1:
        exec_balloon(g, gfn, kind & 1);
        break;
    case 2:
        vgpu_pause(g->vgpu, kind & 0x80);
        break;
    case 3:
        vgpu_settle(g->vgpu);
        break;
    case 4:
        g->track_fails = 1 + kind / 64;
        break;
    case 5:
        vgpu_guest_layout_changed(g->vgpu);
        break;
    case 6:
        xengt_space_expire(g->space);
        break;
    default:
        notify(g, in);
        break;
    }
}

static void operate(struct fuzz *f, struct input *in)
{
    struct exec_guest *g = &f->guest;
    uint64_t offset, value;
    switch (input_u8(in) % 16) {
    case 0:
        read_register(g, in);
        break;
    case 1:
        offset = exec_offset(in);
        value = exec_value(in);
        vgpu_mmio_write(g->vgpu, offset, value, exec_size(in));
        break;
    case 2:
        store_to_gtt(g, in);
        break;
    case 3:
        store_to_table(g, in);
        break;
    case 4:
        store_raw(g, in);
        break;
    case 5:
        store_to_image(g, in);
        break;
    case 6:
        write_batch(g, in);
        break;
    case 7:
    case 8:
        write_ring(g, in);
        break;
    case 9:
        start_batch(g, in);
        break;
    case 10:
        submit(g, in);
        break;
    case 11:
        run(f, in);
        break;
    case 12:
        input_u8(in) & 1 ? submit_ring(g, in) : reset(g, in);
        break;
    case 13:
        set_up(g, in);
        break;
    case 14:
        access_aperture(g, in);
        break;
    default:
        rare(g, in);
        break;
    }
}

/* --- what must hold ---------------------------------------------------------------------- */

static void check_rules(struct exec_guest *g)
{
    struct xengt_sim_stats sim;
    struct gtt_stats gtt;
    char error[256] = "";
    exec_store_unseen(g);
    bool good = !vgpu_verify(g->vgpu, error, sizeof(error));
    REQUIRE(good || (g->lost_table && strstr(error, "the guest has")), "%s", error);
    REQUIRE(!gtt_verify(g->bystander_gtt, error, sizeof(error)), "the bystander: %s", error);
    xengt_sim_get_stats(g->stack.sim, &sim);
    REQUIRE(!sim.violations, "%s", xengt_sim_violation(g->stack.sim));
    REQUIRE(!sim.iommu_faults, "the GPU used a page that is not mapped");
    vgpu_get_gtt_stats(g->vgpu, &gtt);
    REQUIRE(gtt.spt_tables <= g->tables_max, "%u tables, and %u are allowed", gtt.spt_tables,
            g->tables_max);
    if (__sanitizer_get_current_allocated_bytes) {
        REQUIRE(__sanitizer_get_current_allocated_bytes() < BYTES_MAX, "memory without a bound");
    }
}

/* As a guest that reboots. */
static void recover(struct fuzz *f)
{
    struct exec_guest *g = &f->guest;
    const char *reason = vgpu_failsafe(g->vgpu);
    if (!reason || f->recoveries++ >= RECOVERIES_MAX) {
        return;
    }
    REQUIRE(*reason, "failsafe without a reason");
    vgpu_reset(g->vgpu);
    exec_set_up(g);
}

/* One request on an engine, as a driver makes it: a user's batch, a number, an interrupt. */
static void request(struct exec_guest *g, enum gpu_engine e)
{
    const uint32_t batch[] = {MI(0x20) | 2, VA(RESULT) + 4 * e, 0, 0xcafe + e, BBE};
    const uint32_t commands[] = {
        START_PPGTT, VA(BATCHES + e), 0, MI(0x20) | MI_USE_GGTT | 2, GGTT(SEQNO) + 4 * e, 0,
        1,           USER_INTERRUPT};
    exec_store_bytes(g, (uint64_t)(BATCHES + e) * PAGE, batch, sizeof(batch));
    exec_emit(g, e, commands, COUNT(commands));
    exec_publish(g, e);
    exec_write_port(g, e, exec_descriptor(e, 4), 0);
}

static void check_works_after_reset(struct fuzz *f)
{
    struct exec_guest *g = &f->guest;
    static const uint8_t zeroes[PAGE];
    vgpu_pause(g->vgpu, false);
    g->track_fails = 0;
    g->lost_table = false;
    vgpu_reset(g->vgpu);
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        if (g->gone[gfn]) {
            exec_balloon(g, gfn, true);
        }
        exec_store_bytes(g, (uint64_t)gfn * PAGE, zeroes, PAGE);
    }
    exec_set_up(g);
    for (int e = 0; e < GPU_ENGINES; e++) {
        request(g, e);
    }
    REQUIRE(exec_run(g, 16), "work that does not come to its end");
    REQUIRE(!vgpu_failsafe(g->vgpu), "%s", vgpu_failsafe(g->vgpu));
    for (int e = 0; e < GPU_ENGINES; e++) {
        const uint32_t *status = (const uint32_t *)exec_page(g, HWSP(e));
        REQUIRE(((const uint32_t *)exec_page(g, SEQNO))[e] == 1, "%s: no number",
                engine_info[e].name);
        REQUIRE(((const uint32_t *)exec_page(g, RESULT))[e] == 0xcafe + (uint32_t)e,
                "%s: no result", engine_info[e].name);
        REQUIRE(status[0x1f] == 1 && status[0x12] == 0x18 && status[0x13] == 0x80u + (uint32_t)e,
                "%s: events that are not the right ones", engine_info[e].name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    static struct fuzz f;
    memset(&f, 0, sizeof(f));
    exec_open(&f.guest, input_u8(&in));
    for (unsigned n = 1; n <= OPS_MAX && in.left; n++) {
        operate(&f, &in);
        recover(&f);
        if (n % OPS_A_CHECK == 0) {
            check_rules(&f.guest);
        }
    }
    exec_run(&f.guest, 4);
    check_rules(&f.guest);
    check_works_after_reset(&f);
    check_rules(&f.guest);
    exec_close(&f.guest);
    return 0;
}
