/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Registers, image and descriptor: Intel's Broadwell PRM, vol. 2c and 7; and what i915 makes of it.
 */

#include "execlist.h"

#define RING_TAIL      0x030u
#define RING_HEAD      0x034u
#define RING_START     0x038u
#define RING_CTL       0x03cu
#define RING_HWS_PGA   0x080u
#define RING_HWSTAM    0x098u
#define RING_MI_MODE   0x09cu
#define RING_ESR       0x0b8u
#define RING_ELSP      0x230u
#define RING_CONTROL   0x244u
#define RING_PDP       0x270u
#define RING_MODE      0x29cu
#define RING_CSB_PTR   0x3a0u
#define RING_TIMESTAMP 0x3a8u

#define GDRST         0x941cu
#define GDRST_BLITTER (1u << 3)

#define MASKED_ON(bit)  ((bit) << 16 | (bit))
#define MASKED_OFF(bit) ((bit) << 16)
#define RUN_LIST        (1u << 15)
#define STOP_RING       (1u << 8)

/* The status page: six events of two dwords, and the place of the last one. */
#define CSB_FIRST   0x10u
#define CSB_ENTRIES 6u
#define CSB_WRITE   0x1fu
#define CSB_LAST    (CSB_ENTRIES - 1) /* where the pointers stand after a reset */

#define IDLE_TO_ACTIVE 0x01u
#define SWITCHED       0x14u /* element switch, complete */
#define WENT_IDLE      0x18u /* active to idle, complete */

/* Valid, a PPGTT of four levels, coherent. */
#define DESCRIPTOR_FLAGS  (1u << 8 | 3u << 3 | 1u << 5 | 1u)
#define INHIBIT_RESTORE   (1u << 0)
#define INHIBIT_SYNC      (1u << 3)
#define LOAD_REGISTERS(n) (0x22u << 23 | 1u << 12 | (2 * (n)-1))

#define MI_STORE_DATA_IMM_GGTT (0x20u << 23 | 1u << 22 | 2u)
#define MI_BATCH_START_PPGTT   (0x31u << 23 | 1u << 8 | 1u)

#define SEQNO_OFFSET 0x400u /* in the context's status page, where the GPU keeps nothing */
#define RING_BYTES   PAGE_SIZE

#define LOOK_US 50000u /* an access that Xen emulates is not cheap */

static GUEST_STATE struct {
    struct page status;
    uint32_t entry; /* of the status page */
    uint32_t read;
    uint32_t next_id;
} lists;

static volatile uint32_t *dwords(const struct page *page)
{
    return page->va;
}

/* As after a reset of the engine. */
static void begin_lists(void)
{
    for (uint32_t i = 0; i < CSB_ENTRIES * 2; i++) {
        dwords(&lists.status)[CSB_FIRST + i] = UINT32_MAX;
    }
    dwords(&lists.status)[CSB_WRITE] = CSB_LAST;
    lists.read = CSB_LAST;

    mmio_write32(BCS + RING_HWSTAM, UINT32_MAX);
    mmio_write32(BCS + RING_MODE, MASKED_ON(RUN_LIST));
    mmio_write32(BCS + RING_MI_MODE, MASKED_OFF(STOP_RING));
    mmio_write32(BCS + RING_HWS_PGA, lists.entry * PAGE_SIZE);
    mmio_write32(BCS + RING_CSB_PTR, 0xffff0000u | CSB_LAST << 8 | CSB_LAST);
}

const char *execlist_init(void)
{
    const char *error = gpu_find();

    if (error) {
        return error;
    }
    if (!lists.status.va && page_alloc(&lists.status)) {
        return "out of memory";
    }
    lists.entry = gtt_alloc(1);
    gtt_set(lists.entry, lists.status.gfn);
    gtt_flush();
    begin_lists();
    return NULL;
}

bool execlist_has_stopped(void)
{
    return mmio_read32(BCS + RING_ESR) & 1;
}

void execlist_reset(void)
{
    mmio_write32(GDRST, GDRST_BLITTER);
    begin_lists();
}

/* --- contexts ---------------------------------------------------------------------------- */

static void set_register(struct context *context, uint32_t at, uint32_t offset, uint32_t value)
{
    dwords(&context->image[1])[at] = BCS + offset;
    dwords(&context->image[1])[at + 1] = value;
}

/* Registers with values of their own; the others of the image are 0. */
static void write_image(struct context *context)
{
    static const uint16_t zeroes[][2] = {
        {0x0c, 0x168}, {0x0e, 0x140}, {0x10, 0x110}, {0x12, 0x11c}, {0x14, 0x114}, {0x16, 0x118},
    };

    dwords(&context->image[1])[0x01] = LOAD_REGISTERS(11);
    set_register(context, 0x02, RING_CONTROL, MASKED_ON(INHIBIT_SYNC | INHIBIT_RESTORE));
    set_register(context, 0x04, RING_HEAD, 0);
    set_register(context, 0x06, RING_TAIL, 0);
    set_register(context, 0x08, RING_START, context->ring_entry * PAGE_SIZE);
    set_register(context, 0x0a, RING_CTL, (RING_BYTES / PAGE_SIZE - 1) << 12 | 1);
    for (uint32_t i = 0; i < sizeof(zeroes) / sizeof(zeroes[0]); i++) {
        set_register(context, zeroes[i][0], zeroes[i][1], 0);
    }
    dwords(&context->image[1])[0x21] = LOAD_REGISTERS(9);
    set_register(context, 0x22, RING_TIMESTAMP, 0);
    context_set_root(context, 0);
}

int context_create(struct context *context)
{
    *context = (struct context){.id = ++lists.next_id};
    if (page_alloc(&context->image[0]) || page_alloc(&context->image[1]) ||
        page_alloc(&context->ring)) {
        return -1;
    }
    context->image_entry = gtt_alloc(2);
    context->ring_entry = gtt_alloc(1);
    gtt_set(context->image_entry, context->image[0].gfn);
    gtt_set(context->image_entry + 1, context->image[1].gfn);
    gtt_set(context->ring_entry, context->ring.gfn);
    gtt_flush();
    write_image(context);
    return 0;
}

void context_free(struct context *context)
{
    for (uint32_t i = 0; i < 2; i++) {
        gtt_clear(context->image_entry + i);
        page_free(&context->image[i]);
    }
    gtt_clear(context->ring_entry);
    page_free(&context->ring);
}

/* The registers of PDP 3 come first, of each the upper half first. */
void context_set_root(struct context *context, uint64_t pml4)
{
    for (uint32_t pdp = 0; pdp < 4; pdp++) {
        uint32_t at = 0x30 - pdp * 4;
        uint64_t value = pdp ? 0 : pml4;

        set_register(context, at, RING_PDP + pdp * 8 + 4, value >> 32);
        set_register(context, at + 2, RING_PDP + pdp * 8, (uint32_t)value);
    }
}

void context_rewind(struct context *context)
{
    context->tail = dwords(&context->image[1])[0x05] % RING_BYTES;
}

void context_emit(struct context *context, uint32_t dword)
{
    dwords(&context->ring)[context->tail / 4] = dword;
    context->tail = (context->tail + 4) % RING_BYTES;
}

void context_start_batch(struct context *context, uint64_t va)
{
    context_emit(context, MI_BATCH_START_PPGTT);
    context_emit(context, (uint32_t)va);
    context_emit(context, va >> 32);
    context_emit(context, 0);
}

/* --- lists ------------------------------------------------------------------------------- */

static void finish_commands(struct context *context)
{
    uint64_t address = (uint64_t)context->image_entry * PAGE_SIZE + SEQNO_OFFSET;

    context->seqno++;
    context_emit(context, MI_STORE_DATA_IMM_GGTT);
    context_emit(context, (uint32_t)address);
    context_emit(context, address >> 32);
    context_emit(context, context->seqno);
    if (context->tail % 8) {
        context_emit(context, 0); /* the tail counts in quadwords */
    }
    dwords(&context->image[1])[0x07] = context->tail;
}

static void write_port(uint32_t dword)
{
    mmio_write32(BCS + RING_ELSP, dword);
}

/* The next event, when there is one. What was read is marked, as i915 does. */
static bool next_event(uint32_t *status, uint32_t *id)
{
    volatile uint32_t *page = dwords(&lists.status);

    if ((page[CSB_WRITE] & 0xff) == lists.read) {
        return false;
    }
    lists.read = (lists.read + 1) % CSB_ENTRIES;
    *status = page[CSB_FIRST + lists.read * 2];
    *id = page[CSB_FIRST + lists.read * 2 + 1];
    page[CSB_FIRST + lists.read * 2] = UINT32_MAX;
    return true;
}

static const char *expect_event(uint32_t status, uint32_t id, uint64_t deadline)
{
    uint32_t got_status, got_id;

    for (uint64_t look_at = now_us() + LOOK_US; !next_event(&got_status, &got_id); relax()) {
        if (now_us() > deadline) {
            return "an execlist was not finished";
        }
        if (now_us() > look_at && execlist_has_stopped()) {
            return "the engine has stopped";
        }
    }
    if (got_status != status || got_id != id) {
        say("event %x of context %u, expected %x of %u", got_status, got_id, status, id);
        return "a context status that is not the right one";
    }
    return NULL;
}

static bool has_seqno(const struct context *context)
{
    return dwords(&context->image[0])[SEQNO_OFFSET / 4] == context->seqno;
}

const char *execlist_run(struct context *first, struct context *second, uint64_t timeout_us)
{
    uint64_t deadline = now_us() + timeout_us;
    const char *error;

    finish_commands(first);
    if (second) {
        finish_commands(second);
    }
    write_port(second ? second->id : 0);
    write_port(second ? second->image_entry * PAGE_SIZE | DESCRIPTOR_FLAGS : 0);
    write_port(first->id);
    write_port(first->image_entry * PAGE_SIZE | DESCRIPTOR_FLAGS);

    error = expect_event(IDLE_TO_ACTIVE, 0, deadline);
    if (!error && second) {
        error = expect_event(SWITCHED, first->id, deadline);
    }
    if (!error) {
        error = expect_event(WENT_IDLE, second ? second->id : first->id, deadline);
    }
    if (!error && (!has_seqno(first) || (second && !has_seqno(second)))) {
        error = "a context is complete without its last command";
    }
    return error;
}
