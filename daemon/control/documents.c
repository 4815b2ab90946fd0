/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documents of the control protocol, row by row. docs/control.md describes every field. */
#include "control/documents.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "guests/guests.h"
#include "histogram.h"
#include "text.h"

typedef struct json_object json;

/* --- fields ------------------------------------------------------------------------------ */

/* One field of a document, and the member of a struct that it is from. */
struct field {
    const char *key;
    enum { FIELD_BOOL, FIELD_U32, FIELD_U64, FIELD_ARRAY, FIELD_TEXT } type;
    size_t offset;
};

/* clang-format off */
#define FIELD(structure, member, key)                                                              \
    {                                                                                              \
        key,                                                                                       \
        _Generic(((struct structure *)0)->member,                                                  \
            bool: FIELD_BOOL,                                                                      \
            uint32_t: FIELD_U32,                                                                   \
            uint64_t: FIELD_U64,                                                                   \
            char *: FIELD_ARRAY,                                                                   \
            const char *: FIELD_TEXT),                                                             \
        offsetof(struct structure, member)                                                         \
    }
/* clang-format on */

json *document_text(const char *text)
{
    char line[DOCUMENT_TEXT_MAX];

    if (!text) {
        return NULL;
    }
    text_line(line, sizeof(line), "%s", text);
    return json_object_new_string(line);
}

static json *value_of(const struct field *field, const void *base)
{
    const void *at = (const char *)base + field->offset;

    switch (field->type) {
    case FIELD_BOOL:
        return json_object_new_boolean(*(const bool *)at);
    case FIELD_U32:
        return json_object_new_uint64(*(const uint32_t *)at);
    case FIELD_U64:
        return json_object_new_uint64(*(const uint64_t *)at);
    case FIELD_ARRAY:
        return document_text(at);
    case FIELD_TEXT:
        break;
    }
    return document_text(*(const char *const *)at);
}

/* Adds fields of the struct at base, to a row without a key. */
static void add_fields(json *object, const struct field *fields, const void *base)
{
    for (; fields->key; fields++) {
        json_object_object_add(object, fields->key, value_of(fields, base));
    }
}

static json *document(const struct field *fields, const void *base)
{
    json *object = json_object_new_object();

    add_fields(object, fields, base);
    return object;
}

/* --- counters ---------------------------------------------------------------------------- */

static const struct field access_fields[] = {
    FIELD(guest_info, host.ioreqs, "ioreqs"),
    FIELD(guest_info, host.turns, "turns"),
    FIELD(guest_info, host.invalidates, "invalidates"),
    FIELD(guest_info, host.odd, "odd"),
    FIELD(guest_info, vgpu.reads, "register_reads"),
    FIELD(guest_info, vgpu.writes, "register_writes"),
    FIELD(guest_info, vgpu.unknown, "unknown_registers"),
    FIELD(guest_info, vgpu.submissions, "submissions"),
    FIELD(guest_info, host.interrupts, "interrupts"),
    {0},
};

static const struct field vgpu_fields[] = {
    FIELD(vgpu_stats, submissions, "workloads"),
    FIELD(vgpu_stats, execlists, "execlists"),
    FIELD(vgpu_stats, context_switches, "context_switches"),
    FIELD(vgpu_stats, interrupts, "interrupts"),
    FIELD(vgpu_stats, notifications, "notifications"),
    FIELD(vgpu_stats, resets, "resets"),
    FIELD(vgpu_stats, engine_errors, "engine_errors"),
    FIELD(vgpu_stats, refusals, "refusals"),
    FIELD(vgpu_stats, ppgtt_failures, "ppgtt_failures"),
    FIELD(vgpu_stats, aperture_reads, "aperture_reads"),
    FIELD(vgpu_stats, aperture_writes, "aperture_writes"),
    FIELD(vgpu_stats, dropped, "dropped_stores"),
    {0},
};

static const struct field gtt_fields[] = {
    FIELD(gtt_stats, present, "present_entries"),
    FIELD(gtt_stats, scratch, "scratch_entries"),
    FIELD(gtt_stats, pending, "pending_stores"),
    FIELD(gtt_stats, writes, "stores"),
    FIELD(gtt_stats, dropped, "dropped_stores"),
    FIELD(gtt_stats, commits, "commits"),
    FIELD(gtt_stats, ptes, "ptes_written"),
    FIELD(gtt_stats, map_failures, "map_failures"),
    {0},
};

/* By the names of GVT-g's trace points where there is one. */
static const struct field ppgtt_fields[] = {
    FIELD(gtt_stats, mms, "address_spaces"),
    FIELD(gtt_stats, spt_tables, "tables"),
    FIELD(gtt_stats, oos_tables, "oos_tables"),
    FIELD(gtt_stats, spt_allocs, "spt_alloc"),
    FIELD(gtt_stats, spt_changes, "spt_change"),
    FIELD(gtt_stats, oos_syncs, "oos_sync"),
    FIELD(gtt_stats, oos_changes, "oos_change"),
    FIELD(gtt_stats, table_writes, "table_writes"),
    FIELD(gtt_stats, odd_writes, "odd_writes"),
    FIELD(gtt_stats, bad_tables, "bad_tables"),
    FIELD(gtt_stats, track_calls, "track_calls"),
    FIELD(gtt_stats, reclaims, "reclaims"),
    {0},
};

static const struct field space_fields[] = {
    FIELD(xengt_space_stats, mapped, "mapped_pages"),
    FIELD(xengt_space_stats, in_use, "in_use_pages"),
    FIELD(xengt_space_stats, deferred, "deferred_pages"),
    FIELD(xengt_space_stats, high_water, "high_water_pages"),
    FIELD(xengt_space_stats, gets, "gets"),
    FIELD(xengt_space_stats, hits, "hits"),
    FIELD(xengt_space_stats, failures, "failures"),
    FIELD(xengt_space_stats, map_calls, "map_calls"),
    FIELD(xengt_space_stats, unmap_calls, "unmap_calls"),
    {0},
};

static const struct field gpu_fields[] = {
    FIELD(gpu_stats, commands, "commands"),
    FIELD(gpu_stats, submissions, "submissions"),
    FIELD(gpu_stats, invalidates, "tlb_invalidates"),
    FIELD(gpu_stats, ptes_written, "ptes_written"),
    FIELD(gpu_stats, dma_reads, "dma_reads"),
    FIELD(gpu_stats, dma_writes, "dma_writes"),
    FIELD(gpu_stats, dma_bytes, "dma_bytes"),
    FIELD(gpu_stats, dma_faults, "dma_faults"),
    FIELD(gpu_stats, denied, "denied"),
    FIELD(gpu_stats, busy, "busy_ns"),
    {0},
};

static const struct field library_fields[] = {
    FIELD(guests_shared, library.mapped, "mapped_pages"),
    FIELD(guests_shared, library.deferred, "deferred_pages"),
    FIELD(guests_shared, library.leaked, "leaked_pages"),
    FIELD(guests_shared, library.reclaimed, "reclaimed_pages"),
    FIELD(guests_shared, library.map_calls, "map_calls"),
    FIELD(guests_shared, library.map_pages, "map_pages"),
    FIELD(guests_shared, library.map_failures, "map_failures"),
    FIELD(guests_shared, library.unmap_calls, "unmap_calls"),
    FIELD(guests_shared, library.unmap_pages, "unmap_pages"),
    FIELD(guests_shared, library.unmap_failures, "unmap_failures"),
    FIELD(guests_shared, library.hits, "hits"),
    {0},
};

json *document_library(const struct guests_shared *shared)
{
    return document(library_fields, shared);
}

json *document_gpu(const struct guests_shared *shared)
{
    return document(gpu_fields, &shared->gpu);
}

/* --- histograms -------------------------------------------------------------------------- */

static json *array_of(const uint64_t *value, size_t n)
{
    json *array = json_object_new_array();

    for (size_t i = 0; i < n; i++) {
        json_object_array_add(array, json_object_new_uint64(value[i]));
    }
    return array;
}

static json *document_histogram(const struct histogram *histogram)
{
    json *object = json_object_new_object();

    json_object_object_add(object, "total_ns", json_object_new_uint64(histogram->total_ns));
    json_object_object_add(object, "up_to_ns", array_of(histogram_bounds, HISTOGRAM_BOUNDS));
    json_object_object_add(object, "counts", array_of(histogram->count, HISTOGRAM_BOUNDS + 1));
    return object;
}

/* --- a guest ----------------------------------------------------------------------------- */

static const struct field range_fields[] = {
    FIELD(gpu_range, first, "first_entry"),
    FIELD(gpu_range, count, "entries"),
    {0},
};

static const char *state_of(const struct guest_info *info)
{
    if (info->failsafe) {
        return "failsafe";
    }
    return info->paused ? "paused" : "running";
}

static const struct field identity_fields[] = {
    FIELD(guest_info, domid, "domid"),
    FIELD(guest_info, name, "name"),
    FIELD(guest_info, id, "vgpu"),
    {0},
};

static const struct field share_fields[] = {
    FIELD(vgpu_type, fences, "fences"),
    FIELD(vgpu_type, weight, "weight"),
    {0},
};

json *document_guest(const struct guest_info *info)
{
    json *object = document(identity_fields, info);

    json_object_object_add(object, "type", document_text(info->type->name));
    json_object_object_add(object, "state", document_text(state_of(info)));
    json_object_object_add(object, "failsafe_reason", document_text(info->failsafe));
    json_object_object_add(object, "mappable", document(range_fields, &info->mappable));
    json_object_object_add(object, "unmappable", document(range_fields, &info->unmappable));
    json_object_object_add(object, "fences", json_object_new_uint64(info->type->fences));
    json_object_object_add(object, "weight", json_object_new_uint64(info->weight));
    json_object_object_add(object, "mapped_pages", json_object_new_uint64(info->space.mapped));
    return object;
}

json *document_guest_stats(const struct guest_info *info)
{
    const struct {
        const char *key;
        const struct field *fields;
        const void *base;
    } groups[] = {
        {"access", access_fields, info},          {"vgpu_events", vgpu_fields, &info->vgpu},
        {"gtt", gtt_fields, &info->gtt},          {"ppgtt", ppgtt_fields, &info->gtt},
        {"mappings", space_fields, &info->space}, {"gpu", gpu_fields, &info->gpu},
    };
    json *object = document_guest(info);

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        json_object_object_add(object, groups[i].key, document(groups[i].fields, groups[i].base));
    }
    json_object_object_add(object, "request_time", document_histogram(&info->host.time));
    json_object_object_add(object, "commit_time", document_histogram(&info->gtt.commit_time));
    return object;
}

static const struct field mapping_fields[] = {
    FIELD(guests_mapping, index, "entry"),
    FIELD(guests_mapping, gfn, "gfn"),
    FIELD(guests_mapping, bfn, "bfn"),
    {0},
};

json *document_mapping(const struct guests_mapping *mapping)
{
    return document(mapping_fields, mapping);
}

/* --- an event ---------------------------------------------------------------------------- */

static const struct field event_fields[] = {
    FIELD(guests_event, number, "number"),
    FIELD(guests_event, unix_ms, "unix_ms"),
    FIELD(guests_event, domid, "domid"),
    FIELD(guests_event, name, "name"),
    FIELD(guests_event, id, "vgpu"),
    FIELD(guests_event, type, "type"),
    {0},
};

json *document_event(const struct guests_event *event, uint64_t dropped)
{
    static const char *const kinds[] = {
        [GUESTS_EVENT_ATTACHED] = "attached", [GUESTS_EVENT_DETACHED] = "detached",
        [GUESTS_EVENT_DIED] = "died",         [GUESTS_EVENT_FAILSAFE] = "failsafe",
        [GUESTS_EVENT_PAUSED] = "paused",     [GUESTS_EVENT_RESUMED] = "resumed",
        [GUESTS_EVENT_TAKEN_UP] = "taken_up",
    };
    json *object = json_object_new_object();

    json_object_object_add(object, "event", document_text(kinds[event->kind]));
    add_fields(object, event_fields, event);
    json_object_object_add(object, "reason",
                           event->reason[0] ? document_text(event->reason) : NULL);
    json_object_object_add(object, "dropped", json_object_new_uint64(dropped));
    return object;
}

/* --- types, the back end ----------------------------------------------------------------- */

static const struct field offer_fields[] = {
    FIELD(guests_type_info, available, "available_instances"),
    FIELD(guests_type_info, preset, "default"),
    {0},
};

json *document_type(const struct guests_type_info *info)
{
    const struct vgpu_type *type = info->type;
    json *object = json_object_new_object();

    json_object_object_add(object, "name", document_text(type->name));
    json_object_object_add(object, "mappable_mib",
                           json_object_new_uint64(type->mappable / GTT_ENTRIES_PER_MIB));
    json_object_object_add(object, "unmappable_mib",
                           json_object_new_uint64(type->unmappable / GTT_ENTRIES_PER_MIB));
    add_fields(object, share_fields, type);
    add_fields(object, offer_fields, info);
    return object;
}

static const struct field backend_fields[] = {
    FIELD(xengt_caps, backend_name, "name"),
    FIELD(xengt_caps, explanation, "explanation"),
    FIELD(xengt_caps, window_base, "window_base"),
    FIELD(xengt_caps, window_pages, "window_pages"),
    FIELD(xengt_caps, batch, "batch"),
    FIELD(xengt_caps, read_only, "read_only"),
    {0},
};

json *document_backend(const struct guests_shared *shared)
{
    return document(backend_fields, shared->backend);
}
