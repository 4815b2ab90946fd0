/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest that fuzzers of commands begin with: all that a driver sets up. */
#include "exec_guest.h"

#include <errno.h>

#define BYSTANDER_FIRST 128u /* of the GTT */
#define OTHERS_PAGES    4u
#define PATTERN         UINT64_C(0xfeedc0def00dfade)
#define FEW_TABLES      8u
#define BUDGET          64u
#define IMAGE_ROOT      0x33u /* dword of the image: the lower half of PDP 0 */

/* --- the stack --------------------------------------------------------------------------- */

static void layout_changed(void *arg, uint32_t domid)
{
    struct exec_guest *g = arg;
    if (g->vgpu && domid == g->domid) {
        vgpu_guest_layout_changed(g->vgpu);
    }
}

/*
 * What runs with privilege was audited: where it cannot go on, the audit should have known. Other
 * errors may be those of a batch that nobody looked at.
 */
static void on_log(void *arg, int level, const char *line)
{
    static const char *const unaudited[] = {
        "outside the windows",
        "no privileged batch",
        "in a PPGTT, and there is none",
    };
    (void)arg;
    (void)level;
    for (size_t i = 0; i < sizeof(unaudited) / sizeof(unaudited[0]); i++) {
        REQUIRE(!strstr(line, unaudited[i]), "the audit let it through: %s", line);
    }
}

/* A failure leaves some of the pages as asked. */
static int track(void *arg, const struct xengt_gfn *gfn, size_t n, bool on)
{
    struct exec_guest *g = arg;
    bool fails = g->track_fails > 0;
    g->track_fails -= fails;
    g->track_failed |= fails;
    for (size_t i = 0; i < (fails ? n / 2 : n); i++) {
        REQUIRE(gfn[i].v < PAGES, "a page is tracked that is not the guest's");
        const uint8_t *page = exec_page(g, (uint32_t)gfn[i].v);
        g->tracked[gfn[i].v] = on && page;
        if (on && page) {
            memcpy(g->seen[gfn[i].v], page, PAGE);
        }
    }
    return fails ? -ENOMEM : 0;
}

static uint32_t create_domain(struct exec_guest *g, const char *name, uint32_t pages, bool filled)
{
    uint32_t domid = 0;
    REQUIRE(!stack_domain(&g->stack, name, pages, filled ? PATTERN : 0, &domid), "no domain");
    return domid;
}

static void open_host(struct exec_guest *g)
{
    const struct stack_options options = {.gtt_entries = GTT_ENTRIES};
    REQUIRE(!stack_open_gpu(&g->stack, &options), "no stack");
}

static void open_bystander(struct exec_guest *g)
{
    g->stranger = create_domain(g, "stranger", OTHERS_PAGES, true);
    g->bystander = create_domain(g, "bystander", OTHERS_PAGES, true);
    REQUIRE(!xengt_target_add(g->stack.xengt, g->bystander) &&
                !xengt_space_open(g->stack.xengt, g->bystander, NULL, &g->bystander_space),
            "no space");
    const struct gtt_config config = {
        .xengt = g->stack.xengt,
        .space = g->bystander_space,
        .gpu = g->stack.gpu,
        .mappable = {BYSTANDER_FIRST, OTHERS_PAGES},
    };
    REQUIRE(!gtt_create(&config, &g->bystander_gtt), "no GTT");
    for (uint32_t i = 0; i < OTHERS_PAGES; i++) {
        gtt_write(g->bystander_gtt, (BYSTANDER_FIRST + i) * 8, (uint64_t)i * PAGE | 1, 8);
    }
    gtt_commit(g->bystander_gtt);
}

static int claim(void *arg, enum vgpu_bar bar, uint64_t base, uint64_t size)
{
    (void)arg;
    (void)bar;
    (void)base;
    (void)size;
    return 0;
}

static int add_ram(void *arg, uint64_t first, uint32_t pages, void **view)
{
    struct exec_guest *g = arg;
    (void)first;
    *view = g->lazy;
    return g->lazy && pages == GTT_ENTRIES * sizeof(*g->lazy) / PAGE ? 0 : -ENOMEM;
}

static void open_vgpu(struct exec_guest *g, uint8_t flags)
{
    const struct xengt_space_options options = {.no_defer = flags & EXEC_NO_DEFER};
    g->domid = create_domain(g, "guest", PAGES, false);
    REQUIRE(!xengt_target_add(g->stack.xengt, g->domid) &&
                !xengt_space_open(g->stack.xengt, g->domid, &options, &g->space),
            "no space");
    g->seen = calloc(PAGES, sizeof(*g->seen));
    REQUIRE(g->seen, "no memory");
    g->lazy = flags & EXEC_LAZY ? calloc(GTT_ENTRIES, sizeof(*g->lazy)) : NULL;
    g->tables_max = flags & EXEC_FEW_TABLES ? FEW_TABLES : GTT_TABLES_MAX_DEFAULT;
    static const struct vgpu_machine machine = {
        .claim = claim, .add_ram = add_ram, .track = track, .log = on_log};
    static const struct vgpu_machine no_tracker = {
        .claim = claim, .add_ram = add_ram, .log = on_log};
    const struct vgpu_config config = {
        .id = 1,
        .fences = 4,
        .gtt =
            {
                .xengt = g->stack.xengt,
                .space = g->space,
                .gpu = g->stack.gpu,
                .track_after = 2,
                .mappable = {LOW_FIRST, WINDOW},
                .unmappable = {HIGH_FIRST, WINDOW},
                .tables_max = g->tables_max,
                .oos_max = flags & EXEC_FEW_TABLES ? 1 : 0,
                .track_all = (flags & (EXEC_TRACK_ALL | EXEC_NO_TRACKER)) == EXEC_TRACK_ALL,
                .commit_each = flags & EXEC_EACH,
            },
        .lazy_ggtt = flags & EXEC_LAZY,
        .machine = flags & EXEC_NO_TRACKER ? &no_tracker : &machine,
        .machine_arg = g,
    };
    REQUIRE(!vgpu_create(&config, &g->vgpu), "no vGPU");
    xengt_sim_on_invalidate(g->stack.sim, layout_changed, g);
}

void exec_open(struct exec_guest *g, uint8_t flags)
{
    *g = (struct exec_guest){0};
    open_host(g);
    open_bystander(g);
    open_vgpu(g, flags);
    if (!(flags & EXEC_BARE)) {
        exec_set_up(g);
    }
}

static void check_pattern(struct exec_guest *g, uint32_t domid, const char *whose)
{
    for (uint64_t gfn = 0; gfn < OTHERS_PAGES; gfn++) {
        const uint64_t *word = xengt_sim_guest_page(g->stack.sim, domid, (struct xengt_gfn){gfn});
        for (size_t i = 0; i < PAGE / sizeof(*word); i++) {
            REQUIRE(word[i] == PATTERN, "the memory of a %s", whose);
        }
    }
}

void exec_close(struct exec_guest *g)
{
    struct xengt_sim_stats stats;
    check_pattern(g, g->bystander, "bystander");
    check_pattern(g, g->stranger, "stranger");
    vgpu_destroy(g->vgpu);
    g->vgpu = NULL;
    for (unsigned i = 0; i < PAGES; i++) {
        REQUIRE(!g->tracked[i] || g->track_failed, "page %u stays tracked", i);
    }
    gtt_destroy(g->bystander_gtt);
    xengt_space_close(g->space);
    xengt_space_close(g->bystander_space);
    xengt_sim_get_stats(g->stack.sim, &stats);
    REQUIRE(!stats.violations, "%s", xengt_sim_violation(g->stack.sim));
    REQUIRE(!stats.mapped, "%llu pages stay mapped", (unsigned long long)stats.mapped);
    xengt_sim_on_invalidate(g->stack.sim, NULL, NULL);
    stack_close(&g->stack);
    free(g->lazy);
    free(g->seen);
}

/* --- what its processor does ------------------------------------------------------------- */

uint32_t exec_read(struct exec_guest *g, uint32_t offset)
{
    return (uint32_t)vgpu_mmio_read(g->vgpu, offset, 4);
}

void exec_write(struct exec_guest *g, uint32_t offset, uint32_t value)
{
    vgpu_mmio_write(g->vgpu, offset, value, 4);
}

uint8_t *exec_page(struct exec_guest *g, uint32_t gfn)
{
    return xengt_sim_guest_page(g->stack.sim, g->domid, (struct xengt_gfn){gfn});
}

void exec_store(struct exec_guest *g, uint64_t gpa, uint64_t value, unsigned size)
{
    uint32_t gfn = (uint32_t)(gpa / PAGE);
    uint8_t *page = exec_page(g, gfn);
    if (page && g->tracked[gfn]) {
        vgpu_tracked_write(g->vgpu, gpa, value, size);
        REQUIRE(!memcmp(page + gpa % PAGE, &value, size), "a trapped store is not done");
        memcpy(g->seen[gfn] + gpa % PAGE, &value, size);
    } else if (page) {
        memcpy(page + gpa % PAGE, &value, size);
    }
}

void exec_store_bytes(struct exec_guest *g, uint64_t gpa, const void *buf, size_t len)
{
    uint32_t gfn = (uint32_t)(gpa / PAGE);
    uint8_t *page = exec_page(g, gfn);
    if (page && !g->tracked[gfn]) {
        memcpy(page + gpa % PAGE, buf, len);
        return;
    }
    for (size_t done = 0; page && done < len; done += 4) {
        uint32_t dw = 0;
        size_t part = len - done < 4 ? len - done : 4;
        memcpy(&dw, (const uint8_t *)buf + done, part);
        exec_store(g, gpa + done, dw, (unsigned)part);
    }
}

void exec_store_unseen(struct exec_guest *g)
{
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        const uint8_t *page = exec_page(g, gfn);
        if (!page || !g->tracked[gfn] || !memcmp(page, g->seen[gfn], PAGE)) {
            continue;
        }
        for (uint32_t at = 0; at < PAGE; at += 8) {
            uint64_t value;
            memcpy(&value, page + at, sizeof(value));
            if (memcmp(&value, g->seen[gfn] + at, sizeof(value)) != 0) {
                exec_store(g, (uint64_t)gfn * PAGE + at, value, sizeof(value));
            }
        }
    }
}

void exec_balloon(struct exec_guest *g, uint32_t gfn, bool in)
{
    const struct xengt_gfn frame = {gfn};
    if (in && !xengt_sim_balloon_in(g->stack.sim, g->domid, frame)) {
        g->gone[gfn] = false;
    } else if (!in && !xengt_sim_balloon_out(g->stack.sim, g->domid, frame)) {
        g->gone[gfn] = true;
        g->lost_table |= g->tracked[gfn];
        g->tracked[gfn] = false;
    }
}

void exec_map(struct exec_guest *g, uint32_t index, uint64_t pte)
{
    if (g->lazy) {
        g->lazy[index] = pte;
    } else {
        vgpu_mmio_write(g->vgpu, VGPU_GTT_OFFSET + index * 8, pte, 8);
    }
}

/* --- what its driver does ---------------------------------------------------------------- */

void exec_enable_engine(struct exec_guest *g, enum gpu_engine e)
{
    uint32_t base = engine_info[e].base;
    exec_write(g, base + RING_MODE, MODE_RUN_LIST << 16 | MODE_RUN_LIST);
    exec_write(g, base + RING_MI_MODE, MI_MODE_STOP_RING << 16);
    exec_write(g, base + RING_HWS_PGA, GGTT(HWSP(e)));
    exec_write(g, base + RING_EMR, ~ERROR_INSTRUCTION);
    exec_write(g, base + RING_IMR, 0);
    exec_write(g, base + RING_CSB_PTR, 0xffff0505);
}

static void set_register(uint32_t *image, uint32_t at, uint32_t offset, uint32_t value)
{
    image[at] = offset;
    image[at + 1] = value;
}

void exec_make_context(struct exec_guest *g, unsigned c, unsigned levels)
{
    uint32_t image[0x50] = {0};
    uint32_t base = engine_info[c % GPU_ENGINES].base;
    set_register(image, 0x02, base + RING_CTX_CONTROL, 0x00090009);
    set_register(image, 0x04, base + RING_HEAD, 0);
    set_register(image, 0x06, base + RING_TAIL, 0);
    set_register(image, 0x08, base + RING_START, GGTT(RING(c)));
    set_register(image, 0x0a, base + RING_CTL, RING_CTL_VALID);
    set_register(image, 0x22, base + RING_CTX_TIMESTAMP, 0);
    for (uint32_t i = 0; i < 8; i++) {
        set_register(image, 0x24 + 2 * i, base + RING_PDP3_UDW - 4 * i, 0);
    }
    if (levels) {
        image[IMAGE_ROOT] = (levels == 4 ? TABLES : TABLES + 2) * PAGE;
    }
    exec_store_bytes(g, (uint64_t)(IMAGE(c) + 1) * PAGE, image, sizeof(image));
    g->tail[c] = 0;
}

/* One table of each level; the lowest maps every frame where it is. */
void exec_make_ppgtt(struct exec_guest *g)
{
    for (uint32_t level = 0; level < 3; level++) {
        exec_store(g, (uint64_t)(TABLES + level) * PAGE, (TABLES + level + 1) * PAGE | 3, 8);
    }
    for (uint32_t i = 0; i < PAGES; i++) {
        exec_store(g, (uint64_t)(TABLES + 3) * PAGE + i * 8, i * PAGE | 3, 8);
    }
}

void exec_set_up(struct exec_guest *g)
{
    exec_read(g, PVINFO_BASE + PVINFO_VERSION);
    for (uint32_t gfn = 0; gfn < PAGES; gfn++) {
        exec_map(g, LOW_FIRST + gfn, (uint64_t)gfn * PAGE | 1);
    }
    exec_write(g, GFX_FLSH_CNTL, 1);
    for (unsigned bank = 0; bank < 4; bank++) {
        exec_write(g, GT_IRQ(bank) + 0x4, 0);
        exec_write(g, GT_IRQ(bank) + 0xc, UINT32_MAX);
    }
    exec_write(g, MASTER_IRQ, MASTER_IRQ_ENABLE);
    exec_make_ppgtt(g);
    for (unsigned c = 0; c < CONTEXTS; c++) {
        exec_make_context(g, c, 4);
    }
    for (int e = 0; e < GPU_ENGINES; e++) {
        exec_enable_engine(g, e);
    }
}

void exec_emit(struct exec_guest *g, unsigned c, const uint32_t *dw, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        exec_store(g, (uint64_t)RING(c) * PAGE + g->tail[c], dw[i], 4);
        g->tail[c] = (g->tail[c] + 4) % PAGE;
    }
}

uint64_t exec_descriptor(unsigned c, unsigned levels)
{
    uint64_t mode = levels == 3 ? 1 : 3;
    return (uint64_t)(0x80 + c) << 32 | GGTT(IMAGE(c)) | DESCRIPTOR_PRIVILEGE | mode << 3 |
           DESCRIPTOR_VALID;
}

void exec_publish(struct exec_guest *g, unsigned c)
{
    const uint32_t noop = 0;
    if (g->tail[c] % 8) {
        exec_emit(g, c, &noop, 1);
    }
    exec_store(g, (uint64_t)(IMAGE(c) + 1) * PAGE + 0x07 * 4, g->tail[c], 4);
}

void exec_write_port(struct exec_guest *g, enum gpu_engine e, uint64_t first, uint64_t second)
{
    uint32_t port = engine_info[e].base + RING_ELSP;
    exec_write(g, port, second >> 32);
    exec_write(g, port, (uint32_t)second);
    exec_write(g, port, first >> 32);
    exec_write(g, port, (uint32_t)first);
}

bool exec_run(struct exec_guest *g, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        struct gpu_stats before, after;
        g->stack.gpu->ops->get_stats(g->stack.gpu, &before);
        bool more = g->stack.gpu->ops->run(g->stack.gpu, BUDGET);
        g->stack.gpu->ops->get_stats(g->stack.gpu, &after);
        REQUIRE(after.commands - before.commands <= BUDGET, "%llu commands in a turn of %u",
                (unsigned long long)(after.commands - before.commands), BUDGET);
        vgpu_check(g->vgpu);
        if (!more && !g->stack.gpu->ops->run(g->stack.gpu, 1)) {
            return true;
        }
    }
    return false;
}
