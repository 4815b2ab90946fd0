/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control/documents.h"

#include <json-c/json.h>

#include <xengt/xengt.h>

typedef struct json_object json;

static void put_text(json *object, const char *key, const char *text)
{
    json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void put_number(json *object, const char *key, uint64_t number)
{
    json_object_object_add(object, key, json_object_new_uint64(number));
}

static void put_bool(json *object, const char *key, bool value)
{
    json_object_object_add(object, key, json_object_new_boolean(value));
}

static json *window(const struct gpu_range *range)
{
    json *object = json_object_new_object();

    put_number(object, "first_entry", range->first);
    put_number(object, "entries", range->count);
    return object;
}

static const char *state_of(const struct guest_info *info)
{
    if (info->failsafe) {
        return "failsafe";
    }
    return info->paused ? "paused" : "running";
}

json *document_guest(const struct guest_info *info)
{
    json *object = json_object_new_object();

    put_number(object, "domid", info->domid);
    put_text(object, "name", info->name);
    put_number(object, "vgpu", info->id);
    put_text(object, "type", info->type->name);
    put_text(object, "state", state_of(info));
    put_text(object, "failsafe_reason", info->failsafe);
    json_object_object_add(object, "mappable", window(&info->mappable));
    json_object_object_add(object, "unmappable", window(&info->unmappable));
    put_number(object, "fences", info->type->fences);
    put_number(object, "weight", info->type->weight);
    put_number(object, "mapped_pages", info->space.mapped);
    return object;
}

static json *access_counters(const struct guest_info *info)
{
    json *object = json_object_new_object();

    put_number(object, "ioreqs", info->host.ioreqs);
    put_number(object, "turns", info->host.turns);
    put_number(object, "invalidates", info->host.invalidates);
    put_number(object, "odd", info->host.odd);
    put_number(object, "register_reads", info->vgpu.reads);
    put_number(object, "register_writes", info->vgpu.writes);
    put_number(object, "unknown_registers", info->vgpu.unknown);
    put_number(object, "submissions", info->vgpu.submissions);
    put_number(object, "interrupts", info->host.interrupts);
    return object;
}

static json *gtt_counters(const struct gtt_stats *stats)
{
    json *object = json_object_new_object();

    put_number(object, "present_entries", stats->present);
    put_number(object, "scratch_entries", stats->scratch);
    put_number(object, "pending_stores", stats->pending);
    put_number(object, "stores", stats->writes);
    put_number(object, "dropped_stores", stats->dropped);
    put_number(object, "commits", stats->commits);
    put_number(object, "ptes_written", stats->ptes);
    put_number(object, "map_failures", stats->map_failures);
    return object;
}

static json *vgpu_counters(const struct vgpu_stats *stats)
{
    json *object = json_object_new_object();

    put_number(object, "workloads", stats->submissions);
    put_number(object, "execlists", stats->execlists);
    put_number(object, "context_switches", stats->context_switches);
    put_number(object, "interrupts", stats->interrupts);
    put_number(object, "notifications", stats->notifications);
    put_number(object, "resets", stats->resets);
    put_number(object, "engine_errors", stats->engine_errors);
    put_number(object, "refusals", stats->refusals);
    put_number(object, "ppgtt_failures", stats->ppgtt_failures);
    put_number(object, "aperture_reads", stats->aperture_reads);
    put_number(object, "aperture_writes", stats->aperture_writes);
    put_number(object, "dropped_stores", stats->dropped);
    return object;
}

/* By the names of GVT-g's trace points where there is one. */
static json *ppgtt_counters(const struct gtt_stats *stats)
{
    json *object = json_object_new_object();

    put_number(object, "address_spaces", stats->mms);
    put_number(object, "tables", stats->spt_tables);
    put_number(object, "oos_tables", stats->oos_tables);
    put_number(object, "spt_alloc", stats->spt_allocs);
    put_number(object, "spt_change", stats->spt_changes);
    put_number(object, "oos_sync", stats->oos_syncs);
    put_number(object, "oos_change", stats->oos_changes);
    put_number(object, "table_writes", stats->table_writes);
    put_number(object, "odd_writes", stats->odd_writes);
    put_number(object, "bad_tables", stats->bad_tables);
    put_number(object, "track_calls", stats->track_calls);
    put_number(object, "reclaims", stats->reclaims);
    return object;
}

static json *space_counters(const struct xengt_space_stats *stats)
{
    json *object = json_object_new_object();

    put_number(object, "mapped_pages", stats->mapped);
    put_number(object, "in_use_pages", stats->in_use);
    put_number(object, "deferred_pages", stats->deferred);
    put_number(object, "high_water_pages", stats->high_water);
    put_number(object, "gets", stats->gets);
    put_number(object, "hits", stats->hits);
    put_number(object, "failures", stats->failures);
    put_number(object, "map_calls", stats->map_calls);
    put_number(object, "unmap_calls", stats->unmap_calls);
    return object;
}

json *document_gpu(const struct gpu_stats *stats)
{
    json *object = json_object_new_object();

    put_number(object, "commands", stats->commands);
    put_number(object, "submissions", stats->submissions);
    put_number(object, "tlb_invalidates", stats->invalidates);
    put_number(object, "ptes_written", stats->ptes_written);
    put_number(object, "dma_reads", stats->dma_reads);
    put_number(object, "dma_writes", stats->dma_writes);
    put_number(object, "dma_bytes", stats->dma_bytes);
    put_number(object, "dma_faults", stats->dma_faults);
    put_number(object, "denied", stats->denied);
    return object;
}

json *document_guest_stats(const struct guest_info *info)
{
    json *object = document_guest(info);

    json_object_object_add(object, "access", access_counters(info));
    json_object_object_add(object, "vgpu_events", vgpu_counters(&info->vgpu));
    json_object_object_add(object, "gtt", gtt_counters(&info->gtt));
    json_object_object_add(object, "ppgtt", ppgtt_counters(&info->gtt));
    json_object_object_add(object, "mappings", space_counters(&info->space));
    json_object_object_add(object, "gpu", document_gpu(&info->gpu));
    return object;
}

json *document_type(const struct guests_type_info *info)
{
    json *object = json_object_new_object();

    put_text(object, "name", info->type->name);
    put_number(object, "mappable_mib", info->type->mappable / GTT_ENTRIES_PER_MIB);
    put_number(object, "unmappable_mib", info->type->unmappable / GTT_ENTRIES_PER_MIB);
    put_number(object, "fences", info->type->fences);
    put_number(object, "weight", info->type->weight);
    put_number(object, "available_instances", info->available);
    put_bool(object, "default", info->preset);
    return object;
}

json *document_mapping(const struct guests_mapping *mapping)
{
    json *object = json_object_new_object();

    put_number(object, "entry", mapping->index);
    put_number(object, "gfn", mapping->gfn);
    put_number(object, "bfn", mapping->bfn);
    return object;
}

json *document_backend(struct guests *guests)
{
    const struct xengt_caps *caps = xengt_get_caps(guests_xengt(guests));
    json *object = json_object_new_object();

    put_text(object, "name", caps->backend_name);
    put_text(object, "explanation", caps->explanation);
    put_number(object, "window_base", caps->window_base);
    put_number(object, "window_pages", caps->window_pages);
    put_number(object, "batch", caps->batch);
    put_bool(object, "read_only", caps->read_only);
    return object;
}

json *document_library(struct guests *guests)
{
    json *object = json_object_new_object();
    struct xengt_stats stats;

    xengt_get_stats(guests_xengt(guests), &stats);
    put_number(object, "mapped_pages", stats.mapped);
    put_number(object, "deferred_pages", stats.deferred);
    put_number(object, "leaked_pages", stats.leaked);
    put_number(object, "reclaimed_pages", stats.reclaimed);
    put_number(object, "map_calls", stats.map_calls);
    put_number(object, "map_pages", stats.map_pages);
    put_number(object, "map_failures", stats.map_failures);
    put_number(object, "unmap_calls", stats.unmap_calls);
    put_number(object, "unmap_pages", stats.unmap_pages);
    put_number(object, "unmap_failures", stats.unmap_failures);
    put_number(object, "hits", stats.hits);
    return object;
}
