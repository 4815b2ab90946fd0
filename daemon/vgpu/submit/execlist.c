/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Execlists: the guest submits lists of up to two contexts, the engine runs one after the other and
 * tells by entries in the context status buffer (CSB) how far it is. One list runs, one may wait.
 *
 * The guest's driver follows the entries with a state machine of its own, so they have to be
 * exactly these:
 *
 *   a list arrives, none is running                 idle → active; it runs
 *   its first context is the last one of what runs  lite restore, preempted; it runs, that context
 *                                                   goes on with the new tail
 *   any other list arrives                          nothing; it waits
 *   a context is through, the list has another      element switch, complete
 *   the last context is through                     active → idle, complete; and when a list
 *                                                   waits, idle → active: it runs
 */
#include "vgpu/submit/execlist.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "gen/context.h"
#include "gen/registers.h"
#include "vgpu/blocks/irq.h"
#include "vgpu/failsafe.h"
#include "vgpu/submit/context.h"

static bool slot_is_valid(const struct execlist_slot *slot)
{
    return slot->element[0] & DESCRIPTOR_VALID;
}

static bool same_context(uint64_t a, uint64_t b)
{
    return DESCRIPTOR_ID(a) == DESCRIPTOR_ID(b) && DESCRIPTOR_LRCA(a) == DESCRIPTOR_LRCA(b);
}

/* --- the context status buffer ----------------------------------------------------------- */

/* First the entry, then where the last one is: in registers and in the hardware status page. */
static void csb_add(struct vgpu *vgpu, struct vgpu_engine *engine, uint32_t status, uint32_t id)
{
    uint32_t *pointer = engine_reg(vgpu, engine, RING_CSB_PTR);
    uint32_t at = CSB_PTR_WRITE(*pointer);
    at = at == CSB_PTR_NONE_YET ? 0 : (at + 1) % CSB_ENTRIES;
    const uint32_t entry[2] = {status, id};
    *engine_reg(vgpu, engine, RING_CSB + at * 8) = status;
    *engine_reg(vgpu, engine, RING_CSB + at * 8 + 4) = id;
    *pointer = (*pointer & ~CSB_PTR_WRITE_MASK) | at;

    uint32_t page = *engine_reg(vgpu, engine, RING_HWS_PGA);
    gtt_memory_write(vgpu->gtt, page + HWSP_CSB + at * sizeof(entry), entry, sizeof(entry));
    atomic_thread_fence(memory_order_release);
    gtt_memory_write(vgpu->gtt, page + HWSP_CSB_WRITE, &at, sizeof(at));
    if (status != CSB_IDLE_TO_ACTIVE) {
        engine->kept->execlist.patience = 0;
    } else if (!engine->kept->execlist.events) {
        engine->kept->execlist.patience = EXECLIST_PATIENCE;
    }
    engine->kept->execlist.events = true;
}

/*
 * That a list has begun may wait: most lists are soon through, and beginning and end are one
 * interrupt then, which spares the guest's driver a third of its accesses.
 */
void execlist_signal(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct execlist *list = &engine->kept->execlist;
    bool begun = engine->state == ENGINE_BUSY || (engine->waiting && !engine->starved);
    if (list->events && list->patience && begun) {
        list->patience--;
    } else if (list->events) {
        list->events = false;
        irq_event(vgpu, engine, EVENT_CONTEXT_SWITCH);
    }
}

/* --- contexts in their turn -------------------------------------------------------------- */

static uint64_t current(const struct execlist *list)
{
    return list->running.element[list->current];
}

static bool is_last(const struct execlist *list)
{
    return list->current == 1 || !(list->running.element[1] & DESCRIPTOR_VALID);
}

static void switch_to(struct vgpu *vgpu, struct vgpu_engine *engine, unsigned element)
{
    engine->kept->execlist.current = element;
    vgpu->stats.context_switches++;
    context_load(vgpu, engine, current(&engine->kept->execlist));
}

static void run_list(struct vgpu *vgpu, struct vgpu_engine *engine,
                     const struct execlist_slot *slot)
{
    engine->kept->execlist.running = *slot;
    engine->kept->execlist.index ^= 1;
    csb_add(vgpu, engine, CSB_IDLE_TO_ACTIVE, 0);
    switch_to(vgpu, engine, 0);
}

static void finish_context(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct execlist *list = &engine->kept->execlist;
    uint32_t id = DESCRIPTOR_ID(current(list));
    context_save(vgpu, engine);
    if (!is_last(list)) {
        csb_add(vgpu, engine, CSB_ELEMENT_SWITCH | CSB_COMPLETE, id);
        switch_to(vgpu, engine, 1);
        return;
    }
    struct execlist_slot waiting = list->pending;
    list->running = list->pending = (struct execlist_slot){0};
    list->current = 0;
    csb_add(vgpu, engine, CSB_ACTIVE_TO_IDLE | CSB_COMPLETE, id);
    if (slot_is_valid(&waiting)) {
        run_list(vgpu, engine, &waiting);
    }
}

bool execlist_next(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    while (!vgpu->failed && slot_is_valid(&engine->kept->execlist.running)) {
        const struct ring *ring = &engine->context.ring;
        if (engine->context.absent &&
            !context_load(vgpu, engine, current(&engine->kept->execlist))) {
            return false;
        }
        if (ring->head != ring->tail) {
            return true;
        }
        engine->kept->moving = true;
        finish_context(vgpu, engine);
        engine->kept->moving = false;
    }
    return false;
}

/* --- submission -------------------------------------------------------------------------- */

static void submit(struct vgpu *vgpu, struct vgpu_engine *engine, const struct execlist_slot *slot)
{
    struct execlist *list = &engine->kept->execlist;
    if (!slot_is_valid(&list->running)) {
        run_list(vgpu, engine, slot);
    } else if (slot_is_valid(&list->pending)) {
        vgpu_fail(vgpu, "%s: a third list (context 0x%" PRIx64 ") while one runs and one waits",
                  engine->info->name, slot->element[0]);
    } else if (is_last(list) && same_context(slot->element[0], current(list))) {
        list->running = *slot;
        list->current = 0;
        list->index ^= 1;
        csb_add(vgpu, engine, CSB_LITE_RESTORE | CSB_PREEMPTED, DESCRIPTOR_ID(slot->element[0]));
        context_reload_tail(vgpu, engine);
    } else {
        list->pending = *slot;
    }
}

void execlist_submit(struct vgpu *vgpu, struct vgpu_engine *engine,
                     const struct execlist_slot *wanted)
{
    struct execlist_slot slot = *wanted;
    if (!(slot.element[1] & DESCRIPTOR_VALID)) {
        slot.element[1] = 0;
    }
    if (context_descriptor_ok(vgpu, engine, slot.element[0]) &&
        (!slot.element[1] || context_descriptor_ok(vgpu, engine, slot.element[1]))) {
        vgpu->stats.execlists++;
        submit(vgpu, engine, &slot);
    }
}

/* --- taken up ---------------------------------------------------------------------------- */

/* One after the other: what does not follow is no list that this has written. */
static bool is_sound(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    const struct execlist *list = &engine->kept->execlist;
    const uint64_t all[] = {list->running.element[0], list->running.element[1],
                            list->pending.element[0], list->pending.element[1]};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] && !context_descriptor_is_ok(vgpu, all[i])) {
            return false;
        }
    }
    return list->ports < 4 && list->current < 2 && list->index < 2 &&
           (all[list->current] || !(all[0] | all[1] | all[2] | all[3])) && (all[2] || !all[3]);
}

bool execlist_take_up(struct vgpu *vgpu, struct vgpu_engine *engine)
{
    struct engine_kept *kept = engine->kept;
    uint32_t head = kept->head;
    bool fresh = kept->fresh;
    kept->execlist.patience = 0;
    if (!is_sound(vgpu, engine)) {
        return false;
    }
    if (!slot_is_valid(&kept->execlist.running)) {
        return true;
    }
    if (!context_load(vgpu, engine, current(&kept->execlist)) ||
        head >= engine->context.ring.size) {
        return false;
    }
    context_set_head(engine, head);
    engine->context.fresh = fresh;
    kept->fresh = fresh;
    return true;
}

/* --- status ------------------------------------------------------------------------------ */

uint32_t execlist_context_id(const struct execlist *list)
{
    return slot_is_valid(&list->running) ? DESCRIPTOR_ID(current(list)) : 0;
}

uint32_t execlist_status(const struct execlist *list)
{
    uint32_t status = slot_is_valid(&list->pending) ? 1u << 2 : 0; /* queue full */
    if (slot_is_valid(&list->running)) {
        unsigned slot = list->index;
        status |= slot << 0;                  /* the one that runs */
        status |= !slot << 1;                 /* the one to be written next */
        status |= slot ? 1u << 3 : 1u << 4;   /* valid */
        status |= slot ? 1u << 17 : 1u << 18; /* active */
    }
    return status;
}
