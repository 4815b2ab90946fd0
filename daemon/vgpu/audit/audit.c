/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies of commands, walked through one by one: known, of a good form, and checked. */
#include "vgpu/audit/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <xengt/types.h>

#include "vgpu/audit/checks.h"
#include "vgpu/failsafe.h"

void audit_begin(struct audit *a, struct vgpu *vgpu, const struct vgpu_engine *engine, bool ppgtt)
{
    *a = (struct audit){
        .vgpu = vgpu,
        .engine = engine,
        .context = engine->context,
        .ppgtt = ppgtt,
    };
}

void audit_end(struct audit *a)
{
    for (unsigned i = 0; i < a->buffers; i++) {
        free(a->buffer[i].dw);
    }
    a->buffers = 0;
}

/* --- refusals ---------------------------------------------------------------------------- */

static bool refuse(struct audit *a, const char *reason)
{
    a->vgpu->stats.refusals++;
    vgpu_fail(a->vgpu, "%s: %s", a->engine->info->name, reason);
    return false;
}

bool audit_refuse(const struct audit_command *c, const char *format, ...)
{
    char why[96];
    char reason[192];
    va_list ap;
    va_start(ap, format);
    vsnprintf(why, sizeof(why), format, ap);
    va_end(ap);
    snprintf(reason, sizeof(reason), "%s at 0x%" PRIx64 ": %s",
             c->known ? c->known->name : "command", c->address, why);
    return refuse(c->audit, reason);
}

static bool refuse_at(struct audit *a, uint64_t address, const char *why)
{
    char reason[192];
    snprintf(reason, sizeof(reason), "commands at 0x%" PRIx64 " %s", address, why);
    return refuse(a, reason);
}

/* --- copying ----------------------------------------------------------------------------- */

static bool make_room(struct audit *a, struct audit_buffer *b, uint32_t dwords)
{
    if (dwords > AUDIT_TOTAL_MAX - a->total) {
        return refuse_at(a, b->address, "are more than a submission may have");
    }
    if (b->count + dwords > b->room) {
        uint32_t room = b->room * 2 > b->count + dwords ? b->room * 2 : b->count + dwords;
        uint32_t *dw = realloc(b->dw, room * sizeof(*dw));
        if (!dw) {
            return refuse_at(a, b->address, "find no memory");
        }
        b->dw = dw;
        b->room = room;
    }
    return true;
}

/* Appends dwords from an address that need not be where the buffer ends: a ring wraps. */
static bool append(struct audit *a, struct audit_buffer *b, uint64_t address, uint32_t dwords)
{
    if (!make_room(a, b, dwords)) {
        return false;
    }
    int ret = gtt_memory_read(a->vgpu->gtt, address, b->dw + b->count, dwords * sizeof(*b->dw));
    if (ret == -EAGAIN) {
        a->starved = true;
        return false;
    }
    if (ret) {
        return refuse_at(a, address,
                         ret == -EDQUOT ? "are in a page beyond the guest's quota of mappings; it "
                                          "has to map less, or xengtd a larger --quota"
                                        : "are where the guest has no memory");
    }
    b->count += dwords;
    a->total += dwords;
    return true;
}

/* The end of a batch is not known before it is seen: it is copied up to the end of a page. */
static bool append_page(struct audit *a, struct audit_buffer *b)
{
    uint64_t address = b->address + b->count * sizeof(*b->dw);
    uint32_t left = XENGT_PAGE_SIZE - address % XENGT_PAGE_SIZE;
    if (b->count > AUDIT_BATCH_MAX) {
        return refuse_at(a, b->address, "are a batch without an end");
    }
    return append(a, b, address, left / sizeof(*b->dw));
}

static struct audit_buffer *new_buffer(struct audit *a, enum audit_kind kind, uint64_t address)
{
    if (a->buffers == AUDIT_BUFFERS_MAX) {
        refuse_at(a, address, "are one batch too many");
        return NULL;
    }
    struct audit_buffer *b = &a->buffer[a->buffers++];
    *b = (struct audit_buffer){.kind = kind, .address = address};
    return b;
}

bool audit_add(struct audit *a, enum audit_kind kind, uint64_t address, uint32_t bytes)
{
    struct audit_buffer *b = new_buffer(a, kind, address);
    return b && (!bytes || append(a, b, address, bytes / sizeof(*b->dw)));
}

bool audit_add_ring(struct audit *a, const struct ring *ring)
{
    struct audit_buffer *b = new_buffer(a, AUDIT_RING, (uint64_t)ring->start + ring->head);
    uint32_t first_end = ring->tail > ring->head ? ring->tail : ring->size;
    if (!b || !append(a, b, b->address, (first_end - ring->head) / sizeof(*b->dw))) {
        return false;
    }
    if (ring->tail > ring->head || !ring->tail) {
        return true;
    }
    b->wrap = b->count;
    b->wraps_to = ring->start;
    return append(a, b, ring->start, ring->tail / sizeof(*b->dw));
}

bool audit_start_batch(const struct audit_command *c, uint64_t address)
{
    struct audit *a = c->audit;
    bool second = c->dw[0] & BBS_SECOND_LEVEL;
    unsigned level = c->buffer->kind == AUDIT_BATCH ? c->buffer->level + second : 1;
    if (level > 2) {
        return audit_refuse(c, "third level of batches");
    }
    for (unsigned i = 0; i < a->buffers; i++) {
        if (a->buffer[i].address != address) {
            continue;
        }
        /* A GPU finds a batch by its address: there can be one copy of it only. */
        return a->buffer[i].kind == AUDIT_BATCH ||
               audit_refuse(c, "starts the ring 0x%" PRIx64 " as a batch", address);
    }
    struct audit_buffer *b = new_buffer(a, AUDIT_BATCH, address);
    if (b) {
        b->level = level;
    }
    return b;
}

/* --- walking ----------------------------------------------------------------------------- */

/* Sees to it that so many dwords are there from a place on; commands never end behind their ring.
 */
static bool have(struct audit_command *c, uint32_t index, uint32_t at, uint32_t dwords)
{
    struct audit_buffer *b = &c->audit->buffer[index];
    while (b->count - at < dwords) {
        if (b->kind == AUDIT_RING) {
            audit_refuse(c, "%u dwords, but only %u are left", dwords, b->count - at);
            return false;
        }
        if (!append_page(c->audit, b)) {
            return false;
        }
    }
    c->dw = b->dw + at;
    return true;
}

static bool is_allowed(const struct audit_command *c)
{
    enum command_flag from = c->buffer->kind == AUDIT_RING ? FROM_RING : FROM_BATCH;
    return c->known->flags & from || audit_refuse(c, "0x%08x is not for guests%s", c->dw[0],
                                                  c->known->flags & FROM_ANY ? " here" : "");
}

/* Nothing but what its row says, so that no GPU takes it for something else. */
static bool has_good_form(const struct audit_command *c)
{
    uint32_t stray = command_stray_bits(c->known, c->dw, c->length);
    if (stray < c->length) {
        return audit_refuse(c, "0x%08x in its dword %u has bits that must be zero", c->dw[stray],
                            stray);
    }
    const char *fault = command_fault(c->known, c->dw, c->length);
    return !fault || audit_refuse(c, "0x%08x: %s", c->dw[0], fault);
}

/* The command at a place, in full. */
static bool decode(struct audit_command *c, uint32_t index, uint32_t at)
{
    if (!have(c, index, at, 1)) {
        return false;
    }
    uint32_t header = c->dw[0];
    c->known = command_find(c->audit->engine->id, header);
    if (!c->known) {
        audit_refuse(c, "unknown command 0x%08x", header);
        return false;
    }
    if (!is_allowed(c)) {
        return false;
    }
    c->length = command_length(c->known, header);
    if (!command_length_ok(c->known, c->length)) {
        return audit_refuse(c, "0x%08x has %u dwords", header, c->length);
    }
    return have(c, index, at, c->length) && has_good_form(c);
}

/* A batch is over at its end, and where it goes on elsewhere for good. */
static bool is_end(const struct audit_command *c)
{
    uint32_t header = c->dw[0];
    if (c->buffer->kind == AUDIT_RING) {
        return false;
    }
    bool chained = c->known->id == CMD_MI_BATCH_BUFFER_START && c->buffer->kind == AUDIT_BATCH &&
                   !(header & (BBS_SECOND_LEVEL | BBS_PREDICATED));
    return c->known->id == CMD_MI_BATCH_BUFFER_END || chained;
}

/* Checks the next command and goes on behind it; whether its buffer ends there. */
static bool check_next(struct audit *a, bool *end, uint32_t *length)
{
    struct audit_buffer *b = &a->buffer[a->index];
    struct audit_command c = {
        .audit = a,
        .buffer = b,
        .address = b->address + a->at * sizeof(*b->dw),
    };
    if (!decode(&c, a->index, a->at) || !check_command(&c)) {
        return false;
    }
    *length = c.length;
    a->at += c.length;
    if (b->wrap && !b->split && a->at >= b->wrap) {
        b->split = a->at;
    }
    *end = is_end(&c);
    if (*end) {
        /* What is run as a part of the ring ends where it ends, without a word. */
        b->count = b->kind == AUDIT_WHOLE ? a->at - c.length : a->at;
    }
    return true;
}

/* A ring ends where it ends; others with a command. */
static bool is_through(const struct audit *a)
{
    const struct audit_buffer *b = &a->buffer[a->index];
    return b->kind == AUDIT_RING && a->at >= b->count;
}

/* --- pieces ------------------------------------------------------------------------------ */

static void add_piece(struct audit *a, const struct audit_buffer *b, uint64_t address,
                      uint32_t first, uint32_t end)
{
    if (first < end) {
        a->piece[a->pieces++] = (struct gpu_buffer){
            .address = address,
            .dw = b->dw + first,
            .count = end - first,
            .run = b->kind != AUDIT_BATCH,
        };
    }
}

/* A command around a ring's end stays in one piece, with the commands before it. */
static void make_pieces(struct audit *a)
{
    for (unsigned i = 0; i < a->buffers; i++) {
        const struct audit_buffer *b = &a->buffer[i];
        add_piece(a, b, b->address, 0, b->split ? b->split : b->count);
        if (b->split) {
            uint64_t address = b->wraps_to + (b->split - b->wrap) * sizeof(*b->dw);
            add_piece(a, b, address, b->split, b->count);
        }
    }
}

static bool overlap(const struct gpu_buffer *a, const struct gpu_buffer *b)
{
    return a->address < b->address + b->count * UINT64_C(4) &&
           b->address < a->address + a->count * UINT64_C(4);
}

/*
 * A GPU finds a batch by its address. Were it in two pieces, commands could be executed from
 * another place than they were checked from: from the middle of one.
 */
static bool pieces_are_apart(struct audit *a)
{
    for (unsigned i = 0; i < a->pieces; i++) {
        for (unsigned k = i + 1; k < a->pieces; k++) {
            if (!a->piece[k].run && overlap(&a->piece[i], &a->piece[k])) {
                return refuse_at(a, a->piece[k].address, "are in the middle of others");
            }
        }
    }
    return true;
}

enum audit_result audit_check(struct audit *a, uint32_t budget)
{
    uint64_t until = a->checked + budget;
    if (a->pieces) {
        return AUDIT_PASSED;
    }
    while (a->index < a->buffers) { /* checking one may add others */
        bool end = is_through(a);
        uint32_t length = 0;
        if (!end && a->checked >= until) {
            return AUDIT_MORE;
        }
        if (!end && !check_next(a, &end, &length)) {
            return AUDIT_REFUSED;
        }
        a->checked += length;
        if (end) {
            a->index++;
            a->at = 0;
        }
    }
    make_pieces(a);
    return pieces_are_apart(a) ? AUDIT_PASSED : AUDIT_REFUSED;
}
