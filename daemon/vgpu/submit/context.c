/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Context images, loaded and saved. All of an image is the guest's: it is copied once, and what is
 * used of the copy is checked.
 */
#include "vgpu/submit/context.h"

#include <errno.h>
#include <inttypes.h>

#include <xengt/types.h>

#include "gen/context.h"
#include "gen/registers.h"
#include "vgpu/failsafe.h"

/* NULL: nothing. */
static const char *what_is_wrong(const struct vgpu *vgpu, uint64_t d)
{
    if (!(d & DESCRIPTOR_VALID)) {
        return "is not valid";
    }
    if (!(d & DESCRIPTOR_PRIVILEGE)) {
        return "is without a PPGTT";
    }
    if (DESCRIPTOR_MODE(d) != MODE_LEGACY_32 && DESCRIPTOR_MODE(d) != MODE_LEGACY_64) {
        return "has an addressing mode that is not there";
    }
    if (!vgpu_owns(vgpu, DESCRIPTOR_LRCA(d), IMAGE_CHECKED_PAGES * XENGT_PAGE_SIZE)) {
        return "lies outside the vGPU's windows";
    }
    return NULL;
}

bool context_descriptor_is_ok(const struct vgpu *vgpu, uint64_t d)
{
    return !what_is_wrong(vgpu, d);
}

bool context_descriptor_ok(struct vgpu *vgpu, struct vgpu_engine *engine, uint64_t d)
{
    const char *wrong = what_is_wrong(vgpu, d);
    if (wrong) {
        vgpu_fail(vgpu, "%s: context descriptor 0x%" PRIx64 " %s", engine->info->name, d, wrong);
    }
    return !wrong;
}

/* --- rings ------------------------------------------------------------------------------- */

/* What tail, head, start and control come to. False, and failsafe: nonsense. */
static bool describe_ring(struct vgpu *vgpu, const struct vgpu_engine *engine,
                          const uint32_t regs[4], struct ring *ring)
{
    uint32_t pages = RING_CTL_PAGES(regs[3]);
    *ring = (struct ring){
        .start = regs[2] & RING_START_MASK,
        .size = pages << XENGT_PAGE_SHIFT,
        .head = regs[1] & RING_HEAD_MASK,
        .tail = regs[0] & RING_TAIL_MASK,
    };
    if (!vgpu_owns(vgpu, ring->start, ring->size)) {
        vgpu_fail(vgpu, "%s: ring of %u pages at 0x%x lies outside the vGPU's windows",
                  engine->info->name, pages, ring->start);
        return false;
    }
    if (ring->head >= ring->size || ring->tail >= ring->size) {
        vgpu_fail(vgpu, "%s: head 0x%x or tail 0x%x is beyond the ring's 0x%x bytes",
                  engine->info->name, ring->head, ring->tail, ring->size);
        return false;
    }
    return true;
}

bool context_from_registers(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    const uint32_t *regs = engine_reg(vgpu, engine, RING_TAIL); /* tail, head, start, control */
    engine->context = (struct vgpu_context){0};
    return regs[3] & RING_CTL_VALID && describe_ring(vgpu, engine, regs, &engine->context.ring);
}

void context_set_head(struct vgpu_engine *engine, uint32_t head)
{
    engine->context.ring.head = engine->kept->head = head;
}

static uint64_t register_page(const struct vgpu_context *context)
{
    return context->image + XENGT_PAGE_SIZE;
}

/* --- loading ----------------------------------------------------------------------------- */

/* The GPU would load another register if the offset before a value were another. */
static bool has_registers(const struct vgpu_engine *engine, const uint32_t *image)
{
    static const struct {
        uint32_t at;
        uint32_t offset;
    } expected[] = {
        {IMAGE_CTX_CONTROL, RING_CTX_CONTROL},
        {IMAGE_RING_HEAD, RING_HEAD},
        {IMAGE_RING_TAIL, RING_TAIL},
        {IMAGE_RING_START, RING_START},
        {IMAGE_RING_CTL, RING_CTL},
        {IMAGE_TIMESTAMP, RING_CTX_TIMESTAMP},
        {IMAGE_PDP3_UDW, RING_PDP3_UDW},
        {IMAGE_PDP0_LDW, RING_PDP0_LDW},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (image[expected[i].at - 1] != engine->info->base + expected[i].offset) {
            return false;
        }
    }
    return true;
}

/* The registers of PDP 3 come first, of each the upper half first. 0 is no address of a table. */
static bool load_root(struct vgpu *vgpu, const struct vgpu_engine *engine, const uint32_t *image,
                      uint64_t descriptor, struct gtt_root *root)
{
    uint64_t all = 0;
    *root = (struct gtt_root){.levels = DESCRIPTOR_MODE(descriptor) == MODE_LEGACY_64 ? 4 : 3};
    for (unsigned i = 0; i < (root->levels == 4 ? 1 : 4); i++) {
        const uint32_t *upper = &image[IMAGE_PDP3_UDW + (3 - i) * 4];
        root->pdp[i] = (uint64_t)upper[0] << 32 | upper[2];
        all |= root->pdp[i];
    }
    if (all % XENGT_PAGE_SIZE) {
        vgpu_fail(vgpu, "%s: 0x%" PRIx64 " is no root of a PPGTT", engine->info->name,
                  root->pdp[0]);
        return false;
    }
    if (!all) {
        root->levels = 0;
    }
    return true;
}

/* Only the render engine has commands that are run when a context is loaded. */
static bool load_batches(struct vgpu *vgpu, const struct vgpu_engine *engine, const uint32_t *image,
                         struct vgpu_context *context)
{
    if (engine->id != GPU_RCS) {
        return true;
    }
    uint32_t indirect = image[IMAGE_INDIRECT];
    context->indirect = indirect & INDIRECT_ADDRESS;
    context->indirect_size = (indirect & INDIRECT_LINES) * CACHE_LINE;
    context->per_context = image[IMAGE_PER_CONTEXT] & ~(uint32_t)(XENGT_PAGE_SIZE - 1);
    context->has_per_context = image[IMAGE_PER_CONTEXT] & PER_CONTEXT_VALID;
    if (context->indirect_size && !vgpu_owns(vgpu, context->indirect, context->indirect_size)) {
        vgpu_fail(vgpu, "%s: the indirect context (0x%x) lies outside the vGPU's windows",
                  engine->info->name, indirect);
        return false;
    }
    return true;
}

/* -EAGAIN: there is no room to map it now. -EFAULT, and failsafe: there is none. */
static int read_image(struct vgpu *vgpu, const struct vgpu_engine *engine,
                      const struct vgpu_context *context, uint32_t image[IMAGE_DWORDS])
{
    int ret =
        gtt_memory_read(vgpu->gtt, register_page(context), image, IMAGE_DWORDS * sizeof(*image));
    if (ret && ret != -EAGAIN) {
        vgpu_fail(vgpu, "%s: no memory at the context image 0x%" PRIx64, engine->info->name,
                  context->image);
    }
    return ret;
}

/* In the order describe_ring() wants them. */
static bool load_ring(struct vgpu *vgpu, const struct vgpu_engine *engine, const uint32_t *image,
                      struct ring *ring)
{
    const uint32_t regs[4] = {image[IMAGE_RING_TAIL], image[IMAGE_RING_HEAD],
                              image[IMAGE_RING_START], image[IMAGE_RING_CTL]};
    if (!(regs[3] & RING_CTL_VALID)) {
        vgpu_fail(vgpu, "%s: the ring of a context (0x%x) is not valid", engine->info->name,
                  regs[3]);
        return false;
    }
    return describe_ring(vgpu, engine, regs, ring);
}

/* What a driver sees of the context in the engine's registers. */
static void show_registers(struct vgpu *vgpu, const struct vgpu_engine *engine,
                           const uint32_t *image)
{
    *engine_reg(vgpu, engine, RING_TAIL) = engine->context.ring.tail;
    *engine_reg(vgpu, engine, RING_HEAD) = engine->context.ring.head;
    *engine_reg(vgpu, engine, RING_START) = engine->context.ring.start;
    *engine_reg(vgpu, engine, RING_CTL) = image[IMAGE_RING_CTL];
    *engine_reg(vgpu, engine, RING_CCID) = (uint32_t)engine->context.image;
    for (unsigned i = 0; i < 4; i++) {
        const uint32_t *upper = &image[IMAGE_PDP3_UDW + (3 - i) * 4];
        *engine_reg(vgpu, engine, RING_PDP0_UDW + i * 8) = upper[0];
        *engine_reg(vgpu, engine, RING_PDP0_LDW + i * 8) = upper[2];
    }
}

bool context_load(struct vgpu *vgpu, struct vgpu_engine *engine, uint64_t descriptor)
{
    uint32_t image[IMAGE_DWORDS];
    struct vgpu_context context = {
        .has_image = true,
        .image = DESCRIPTOR_LRCA(descriptor),
        .fresh = true,
        .loaded_at = gtt_ticks(vgpu->gtt),
    };
    int ret = read_image(vgpu, engine, &context, image);
    if (ret == -EAGAIN) {
        context.absent = true;
        engine->context = context;
        engine->waiting = engine->starved = true;
    }
    if (ret) {
        return false;
    }
    if (!has_registers(engine, image)) {
        vgpu_fail(vgpu, "%s: what is at 0x%" PRIx64 " is no context image", engine->info->name,
                  context.image);
        return false;
    }
    if (!load_ring(vgpu, engine, image, &context.ring) ||
        !load_batches(vgpu, engine, image, &context)) {
        return false;
    }
    if (!load_root(vgpu, engine, image, descriptor, &context.root)) {
        return false;
    }
    context.timestamp = image[IMAGE_TIMESTAMP];
    engine->context = context;
    engine->kept->fresh = true;
    context_set_head(engine, context.ring.head);
    show_registers(vgpu, engine, image);
    return true;
}

bool context_reload_tail(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    uint32_t image[IMAGE_DWORDS];
    struct ring ring;
    if (engine->context.absent) {
        return true; /* it will be loaded with its tail */
    }
    if (read_image(vgpu, engine, &engine->context, image) ||
        !load_ring(vgpu, engine, image, &ring)) {
        return false;
    }
    if (ring.start != engine->context.ring.start || ring.size != engine->context.ring.size) {
        vgpu_fail(vgpu, "%s: context 0x%" PRIx64 " got another ring while it runs",
                  engine->info->name, engine->context.image);
        return false;
    }
    engine->context.ring.tail = ring.tail;
    *engine_reg(vgpu, engine, RING_TAIL) = ring.tail;
    return true;
}

/* --- saving ------------------------------------------------------------------------------ */

static void save(struct vgpu *vgpu, const struct vgpu_context *context, uint32_t at, uint32_t value)
{
    gtt_memory_write(vgpu->gtt, register_page(context) + at * sizeof(value), &value, sizeof(value));
}

void context_save(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    const struct vgpu_context *context = &engine->context;
    uint32_t image[IMAGE_DWORDS];
    /* The guest took its image away before its context was through: nothing is left to save to. */
    if (gtt_memory_read(vgpu->gtt, register_page(context), image, sizeof(image))) {
        return;
    }
    uint32_t elapsed = (uint32_t)(gtt_ticks(vgpu->gtt) - context->loaded_at);
    save(vgpu, context, IMAGE_CTX_CONTROL, image[IMAGE_CTX_CONTROL] & ~CTX_CONTROL_NO_RESTORE);
    save(vgpu, context, IMAGE_RING_HEAD,
         (image[IMAGE_RING_HEAD] & ~RING_HEAD_MASK) | context->ring.head);
    save(vgpu, context, IMAGE_TIMESTAMP, context->timestamp + elapsed);
}
