/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The GTT and the GPU that the vGPU's tests play, and what was asked of them. */
#include "vgpu_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

/* --- the GTT ----------------------------------------------------------------------------- */

static uint8_t *page_at(struct gtt *gtt, uint64_t address)
{
    uint64_t page = address / PAGE;
    uint64_t slot = page - LOW_FIRST;

    if (slot >= LOW_COUNT) {
        slot = page - HIGH_FIRST;
        if (slot >= HIGH_COUNT) {
            return NULL;
        }
        slot += LOW_COUNT;
    }
    return gtt->hole[slot] ? NULL : gtt->memory[slot];
}

/* The guest's memory, between two processes. */
static struct gtt *left_over;

int gtt_create(const struct gtt_config *config, struct gtt **out)
{
    (void)config;
    *out = left_over ? left_over : calloc(1, sizeof(**out));
    left_over = NULL;
    if (!*out) {
        return -ENOMEM;
    }
    (*out)->left = UINT32_MAX;
    return 0;
}

void gtt_destroy(struct gtt *gtt)
{
    if (gtt != left_over) {
        free(gtt);
    }
}

size_t gtt_kept_size(uint32_t entries)
{
    (void)entries;
    return sizeof(struct gtt_kept);
}

/* The first entries, and the others are not the guest's. */
int gtt_write(struct gtt *gtt, uint64_t offset, uint64_t value, unsigned size)
{
    gtt->gtt_writes++;
    if ((size != 4 && size != 8) || offset % size) {
        return -EINVAL;
    }
    if (offset + size <= sizeof(gtt->entry)) {
        memcpy((uint8_t *)gtt->entry + offset, &value, size);
    }
    return 0;
}

uint64_t gtt_read(const struct gtt *gtt, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    assert_true(offset % 8 + size <= 8);
    if (offset + size <= sizeof(gtt->entry)) {
        memcpy(&value, (const uint8_t *)gtt->entry + offset, size);
    }
    return value;
}

void gtt_commit(struct gtt *gtt)
{
    gtt->commits++;
}

static void copy_work(struct fake_work *to, const struct gtt_workload *from)
{
    size_t used = 0;

    to->w = *from;
    assert_in_range(from->buffers, 1, 32);
    for (size_t i = 0; i < from->buffers; i++) {
        to->buffer[i] = from->buffer[i];
        to->buffer[i].dw = to->dw + used;
        for (uint32_t n = 0; n < from->buffer[i].count && used < 8192; n++) {
            to->dw[used++] = from->buffer[i].dw[n];
        }
    }
    to->w.buffer = to->buffer;
}

int gtt_submit(struct gtt *gtt, const struct gtt_workload *workload)
{
    if (gtt->submit_error) {
        return gtt->submit_error;
    }
    gtt->submissions[workload->engine]++;
    gtt->state[workload->engine].idle = gtt->eager;
    gtt->state[workload->engine].done += gtt->eager;
    copy_work(&gtt->work[workload->engine], workload);
    return 0;
}

int gtt_prepare(struct gtt *gtt, enum gpu_engine engine, const struct gtt_root *root)
{
    (void)engine;
    (void)root;
    gtt->prepares++;
    return gtt->prepare_error;
}

void gtt_table_write(struct gtt *gtt, uint64_t gpa, uint64_t value, unsigned size)
{
    (void)gtt;
    (void)gpa;
    (void)value;
    (void)size;
}

/* Nobody asks here. */
void gtt_get_stats(const struct gtt *gtt, struct gtt_stats *stats)
{
    (void)gtt;
    *stats = (struct gtt_stats){0};
}

void gtt_get_gpu_stats(const struct gtt *gtt, struct gpu_stats *stats)
{
    (void)gtt;
    *stats = (struct gpu_stats){0};
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as the GTT has it */
unsigned gtt_verify(const struct gtt *gtt, char *error, size_t error_size)
{
    (void)gtt;
    (void)error;
    (void)error_size;
    return 0;
}

int gtt_verify_begin(const struct gtt *gtt, struct gtt_verify **out)
{
    (void)gtt;
    *out = NULL;
    return -ENOMEM;
}

bool gtt_verify_some(struct gtt_verify *verify, uint32_t units)
{
    (void)verify;
    (void)units;
    return true;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as the GTT has it */
unsigned gtt_verify_end(struct gtt_verify *verify, char *error, size_t error_size)
{
    (void)verify;
    (void)error;
    (void)error_size;
    return 0;
}

void gtt_verify_drop(struct gtt_verify *verify)
{
    (void)verify;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): as the GTT has it */
bool gtt_next_mapping(const struct gtt *gtt, uint32_t *index, uint64_t *gfn, uint64_t *bfn)
{
    (void)gtt;
    (void)index;
    (void)gfn;
    (void)bfn;
    return false;
}

int gtt_ppgtt_create(struct gtt *gtt, const struct gtt_root *root)
{
    gtt->created = *root;
    return gtt->ppgtt_error;
}

int gtt_ppgtt_destroy(struct gtt *gtt, const struct gtt_root *root)
{
    gtt->destroyed = *root;
    return gtt->ppgtt_error;
}

static int copy(struct gtt *gtt, uint64_t address, void *buf, size_t size, bool to_guest)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t *page = page_at(gtt, address + i);

        if (!page) {
            return -EFAULT;
        }
        if (to_guest) {
            page[(address + i) % PAGE] = ((uint8_t *)buf)[i];
        } else {
            ((uint8_t *)buf)[i] = page[(address + i) % PAGE];
        }
    }
    return 0;
}

int gtt_memory_read(struct gtt *gtt, uint64_t address, void *buf, size_t size)
{
    return copy(gtt, address, buf, size, false);
}

int gtt_memory_write(struct gtt *gtt, uint64_t address, const void *buf, size_t size)
{
    if (gtt->on_memory_write) {
        gtt->on_memory_write(gtt, address, size);
    }
    return copy(gtt, address, (void *)buf, size, true);
}

void gtt_engine_state(struct gtt *gtt, enum gpu_engine engine, struct gpu_engine_state *state)
{
    *state = gtt->state[engine];
}

uint32_t gtt_left(const struct gtt *gtt)
{
    return gtt->left;
}

void gtt_spend(struct gtt *gtt, uint32_t units)
{
    gtt->spent += units;
}

uint64_t gtt_ticks(const struct gtt *gtt)
{
    return gtt->ticks;
}

void gtt_engine_reset(struct gtt *gtt, enum gpu_engine engine)
{
    gtt->engine_resets[engine]++;
    gtt->state[engine].error = false;
    gtt->state[engine].idle = true;
}

void gtt_pause(struct gtt *gtt, bool paused)
{
    (void)gtt;
    (void)paused;
}

void gtt_guest_layout_changed(struct gtt *gtt)
{
    (void)gtt;
}

void gtt_reset(struct gtt *gtt)
{
    gtt->resets++;
}

void gtt_end(struct gtt *gtt)
{
    gtt->resets++;
}

void gtt_settle(struct gtt *gtt)
{
    gtt->commits++;
}

void gtt_allow(struct gtt *gtt, uint32_t units)
{
    (void)gtt;
    (void)units;
}

bool gtt_ready(struct gtt *gtt)
{
    (void)gtt;
    return true;
}

bool gtt_work(struct gtt *gtt)
{
    (void)gtt;
    return false;
}

bool gtt_is_quiet(const struct gtt *gtt)
{
    (void)gtt;
    return true;
}

/* --- the vGPU ---------------------------------------------------------------------------- */

static void count_interrupt(void *arg, uint64_t address, uint32_t data)
{
    struct fake *f = arg;

    (void)address;
    (void)data;
    f->interrupts++;
}

static void count_line(void *arg, int level, const char *line)
{
    struct fake *f = arg;

    f->lines++;
    f->warnings += level == LOG_WARNING;
    snprintf(f->line, sizeof(f->line), "%s", line);
}

static void set_intx(void *arg, bool asserted)
{
    struct fake *f = arg;

    f->intx = asserted;
    f->intx_changes++;
}

static int claim(void *arg, enum vgpu_bar bar, uint64_t base, uint64_t size)
{
    struct fake *f = arg;

    f->claims++;
    f->claimed[bar].base = base;
    f->claimed[bar].size = size;
    return f->claim_error;
}

static int add_ram(void *arg, uint64_t first, uint32_t pages, void **view)
{
    struct fake *f = arg;

    (void)pages;
    f->ram_at = first;
    *view = &f->ram;
    return 0;
}

static int move_ram(void *arg, uint64_t first)
{
    struct fake *f = arg;

    f->moves++;
    f->ram_at = f->move_error ? f->ram_at : first;
    return f->move_error;
}

static uint64_t now_ns(void *arg)
{
    const struct fake *f = arg;

    return f->now_ns;
}

int fake_setup(void **state)
{
    struct fake *f = calloc(1, sizeof(*f));

    f->gpu.gtt_entries = 65536;
    f->machine = (struct vgpu_machine){
        .claim = claim,
        .inject_msi = count_interrupt,
        .set_intx = set_intx,
        .log = count_line,
        .add_ram = add_ram,
        .move_ram = move_ram,
        .now_ns = now_ns,
    };
    f->config = (struct vgpu_config){
        .id = 3,
        .fences = 4,
        .gtt =
            {
                .gpu = &f->gpu,
                .mappable = {.first = LOW_FIRST, .count = LOW_COUNT},
                .unmappable = {.first = HIGH_FIRST, .count = HIGH_COUNT},
            },
        .mmio_base = FAKE_MMIO_BASE,
        .aperture_size = FAKE_APERTURE_SIZE,
        .machine = &f->machine,
        .machine_arg = f,
    };
    assert_int_equal(vgpu_create(&f->config, &f->vgpu), 0);
    f->gtt = f->vgpu ? f->vgpu->gtt : NULL;
    assert_int_equal(vgpu_plug_in(f->vgpu), 0);
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x92, 1, 2); /* one MSI */
    vgpu_config_write(f->vgpu, VGPU_PCI_DEVFN, 0x04, 6, 2); /* a bus master */
    *state = f;
    return 0;
}

void fake_kill(struct fake *f)
{
    f->config.kept = realloc(f->config.kept, sizeof(struct vgpu_kept));
    assert_non_null(f->config.kept);
    memcpy(f->config.kept, f->vgpu->kept, sizeof(struct vgpu_kept));
    left_over = f->gtt;
    f->vgpu->cfg.machine = &(struct vgpu_machine){.claim = claim};
    vgpu_destroy(f->vgpu);
    memset(f->gtt->state, 0, sizeof(f->gtt->state));
    memset(f->gtt->submissions, 0, sizeof(f->gtt->submissions));
}

void fake_start_again(struct fake *f)
{
    struct vgpu_kept *kept = f->config.kept;

    f->config.take_up = true;
    f->config.kept = NULL; /* each vGPU has a copy of its own */
    f->again = realloc(f->again, sizeof(*kept));
    assert_non_null(f->again);
    memcpy(f->again, kept, sizeof(*kept));
    struct vgpu_config config = f->config;
    config.kept = f->again;
    f->config.kept = kept;
    assert_int_equal(vgpu_create(&config, &f->vgpu), 0);
    assert_int_equal(vgpu_plug_in(f->vgpu), 0);
}

int fake_teardown(void **state)
{
    struct fake *f = *state;

    vgpu_destroy(f->vgpu);
    free(f->config.kept);
    free(f->again);
    free(f);
    return 0;
}

uint32_t rd(struct fake *f, uint32_t offset)
{
    return (uint32_t)vgpu_mmio_read(f->vgpu, offset, 4);
}

void wr(struct fake *f, uint32_t offset, uint32_t value)
{
    vgpu_mmio_write(f->vgpu, offset, value, 4);
}

struct vgpu_stats stats_of(struct fake *f)
{
    struct vgpu_stats stats;

    vgpu_get_stats(f->vgpu, &stats);
    return stats;
}

void assert_failsafe(struct fake *f, const char *part)
{
    const char *reason = vgpu_failsafe(f->vgpu);

    if (!reason || !strstr(reason, part)) {
        fail_msg("failsafe is \"%s\", expected \"%s\"", reason ? reason : "(none)", part);
    }
}

void assert_well(struct fake *f)
{
    if (vgpu_failsafe(f->vgpu)) {
        fail_msg("failsafe: %s", vgpu_failsafe(f->vgpu));
    }
}

/* --- guest memory ------------------------------------------------------------------------ */

uint8_t *mem(struct fake *f, uint64_t address)
{
    uint8_t *page = page_at(f->gtt, address);

    assert_non_null(page);
    return page + address % PAGE;
}

uint32_t peek(struct fake *f, uint64_t address)
{
    uint32_t value;

    memcpy(&value, mem(f, address), sizeof(value));
    return value;
}

void poke(struct fake *f, uint64_t address, uint32_t value)
{
    memcpy(mem(f, address), &value, sizeof(value));
}

void poke_all(struct fake *f, uint64_t address, const uint32_t *dw, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        poke(f, address + i * 4, dw[i]);
    }
}

/* --- a driver ---------------------------------------------------------------------------- */

void complete(struct fake *f, enum gpu_engine engine)
{
    f->gtt->state[engine].done++;
    f->gtt->state[engine].idle = true;
    vgpu_check(f->vgpu);
}

void find_vgpu(struct fake *f)
{
    assert_true(vgpu_mmio_read(f->vgpu, PVINFO_BASE, 8) == PVINFO_MAGIC_VALUE);
}

void enable_interrupts(struct fake *f)
{
    for (unsigned bank = 0; bank < GT_IRQ_BANKS; bank++) {
        wr(f, GT_IRQ(bank) + 0x4, 0);
        wr(f, GT_IRQ(bank) + 0xc, UINT32_MAX);
    }
    for (int e = 0; e < GPU_ENGINES; e++) {
        wr(f, engine_info[e].base + RING_IMR, 0);
    }
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
}

void enable_execlists(struct fake *f, enum gpu_engine engine, uint32_t status_page)
{
    uint32_t base = engine_info[engine].base;

    find_vgpu(f);
    wr(f, base + RING_MODE, 0x80008000);
    wr(f, base + RING_HWS_PGA, status_page);
    wr(f, base + RING_CSB_PTR, 0xffff0505);
}

void make_context(struct fake *f, enum gpu_engine engine, uint32_t image, uint32_t ring)
{
    uint32_t base = engine_info[engine].base;
    const uint32_t regs[] = {0x244, 0x034, 0x030, 0x038, 0x03c};
    const uint32_t values[] = {0x00090009, 0, 0, ring, 1};

    memset(mem(f, image), 0, PAGE);
    memset(mem(f, image + PAGE), 0, PAGE);
    for (unsigned i = 0; i < 5; i++) {
        poke(f, image + PAGE + (2 + 2 * i) * 4, base + regs[i]);
        poke(f, image + PAGE + (3 + 2 * i) * 4, values[i]);
    }
    poke(f, image + PAGE + 0x22 * 4, base + 0x3a8);
    for (unsigned i = 0; i < 8; i++) { /* PDP 3 to 0, upper halves first */
        poke(f, image + PAGE + (0x24 + 2 * i) * 4, base + 0x28c - 4 * i);
    }
    poke(f, image + PAGE + 0x33 * 4, 0x1234000); /* the PML4 */
}

void set_tail(struct fake *f, uint32_t image, uint32_t tail)
{
    poke(f, image + PAGE + 7 * 4, tail);
}

void submit_list(struct fake *f, enum gpu_engine engine, uint64_t first, uint64_t second)
{
    uint32_t port = engine_info[engine].base + RING_ELSP;

    wr(f, port, second >> 32);
    wr(f, port, (uint32_t)second);
    wr(f, port, first >> 32);
    wr(f, port, (uint32_t)first);
}

/* --- the blitter with its contexts ------------------------------------------------------- */

int blitter_setup(void **state)
{
    int ret = fake_setup(state);
    struct fake *f = *state;

    enable_interrupts(f);
    enable_execlists(f, GPU_BCS, HWSP);
    memset(mem(f, HWSP + 0x40), 0xff, 48);
    poke(f, HWSP + 0x7c, 5);
    make_context(f, GPU_BCS, IMAGE_A, RING_A);
    make_context(f, GPU_BCS, IMAGE_B, RING_B);
    make_context(f, GPU_BCS, IMAGE_C, RING_C);
    return ret;
}

/* The next entry of the status buffer, from memory, and that the registers agree. */
static unsigned next_entry(struct fake *f, unsigned *read)
{
    assert_int_not_equal(*read, peek(f, HWSP + 0x7c));
    *read = (*read + 1) % 6;
    assert_int_equal(rd(f, BCS + 0x370 + *read * 8), peek(f, HWSP + 0x40 + *read * 8));
    assert_int_equal(rd(f, BCS + 0x374 + *read * 8), peek(f, HWSP + 0x44 + *read * 8));
    return *read;
}

void expect_entry(struct fake *f, unsigned *read, uint32_t status, uint32_t id)
{
    unsigned at = next_entry(f, read);

    assert_int_equal(peek(f, HWSP + 0x40 + at * 8), status);
    assert_int_equal(peek(f, HWSP + 0x44 + at * 8), id);
}

void expect_no_entry(struct fake *f, unsigned read)
{
    assert_int_equal(peek(f, HWSP + 0x7c), read);
    assert_int_equal(rd(f, BCS + RING_CSB_PTR) & 7, read);
}

bool took_interrupt(struct fake *f, uint32_t bits)
{
    uint32_t iir = rd(f, GT_IRQ(0) + 8);

    wr(f, MASTER_IRQ, 0);
    wr(f, GT_IRQ(0) + 8, iir);
    wr(f, GT_IRQ(0) + 8, rd(f, GT_IRQ(0) + 8));
    wr(f, MASTER_IRQ, MASTER_IRQ_ENABLE);
    return iir == bits;
}
