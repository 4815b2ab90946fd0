/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xengt-ctl metrics: the counters as OpenMetrics 1.0 has them, or as Prometheus' text format 0.0.4,
 * which is what node_exporter reads. Each metric is a row.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "verb.h"

#define PAGE_SIZE 4096u

typedef struct json_object json;

/* What a document is for: all of stats, or a guest of it. */
typedef uint64_t of_fn(json *object);

/* One sample of a metric: from a member of a group, or computed. */
struct point {
    const char *label; /* besides the guest's, as it is printed; NULL: none */
    const char *group;
    const char *key;
    of_fn *of; /* instead */
};

struct metric {
    const char *name; /* without _total */
    enum { GAUGE, COUNTER, HISTOGRAM } kind;
    enum { PLAIN, BYTES_OF_PAGES, SECONDS_OF_NS } unit;
    const char *help;
    struct point points[8]; /* to the first without group and of */
};

/* --- values ------------------------------------------------------------------------------ */

static uint64_t number(json *object, const char *group, const char *key)
{
    return member_number(member(object, group), key);
}

/* Pages that hypercalls were made for. */
static uint64_t mapped_by_calls(json *guest)
{
    json *space = member(guest, "mappings");

    return member_number(space, "gets") - member_number(space, "hits") -
           member_number(space, "failures");
}

static uint64_t is_failed(json *guest)
{
    return !strcmp(member_text(guest, "state"), "failsafe");
}

static uint64_t is_paused(json *guest)
{
    return !strcmp(member_text(guest, "state"), "paused");
}

static uint64_t used_pages(json *stats)
{
    return number(stats, "library", "mapped_pages") - number(stats, "library", "deferred_pages");
}

static uint64_t free_pages(json *stats)
{
    uint64_t all = number(stats, "backend", "window_pages");
    uint64_t taken =
        number(stats, "library", "mapped_pages") + number(stats, "library", "leaked_pages");

    return all > taken ? all - taken : 0;
}

/* --- the metrics ------------------------------------------------------------------------- */

/* clang-format off */
static const struct metric of_all[] = {
    {"xengt_window_pages", GAUGE, PLAIN, "Pages of the window in guests' memory, by what they are used for.", {
        {"state=\"used\"", .of = used_pages},
        {"state=\"deferred\"", "library", "deferred_pages"},
        {"state=\"leaked\"", "library", "leaked_pages"},
        {"state=\"free\"", .of = free_pages}}},
    {"xengt_reclaimed_pages", GAUGE, PLAIN, "Pages of a killed predecessor that were released at the start.", {
        {NULL, "library", "reclaimed_pages"}}},
    {"xengt_library_hypercalls", COUNTER, PLAIN, "Hypercalls of the library for all guests.", {
        {"op=\"map\"", "library", "map_calls"},
        {"op=\"unmap\"", "library", "unmap_calls"}}},
    {"xengt_library_pages", COUNTER, PLAIN, "Pages in hypercalls of the library.", {
        {"op=\"map\"", "library", "map_pages"},
        {"op=\"unmap\"", "library", "unmap_pages"}}},
    {"xengt_library_failures", COUNTER, PLAIN, "Pages that Xen refused to map or to unmap.", {
        {"op=\"map\"", "library", "map_failures"},
        {"op=\"unmap\"", "library", "unmap_failures"}}},
    {0},
};

static const struct metric of_guests[] = {
    {"xengt_failsafe", GAUGE, PLAIN, "1: the guest broke its vGPU, which is stopped.", {
        {NULL, .of = is_failed}}},
    {"xengt_paused", GAUGE, PLAIN, "1: the vGPU is paused.", {
        {NULL, .of = is_paused}}},
    {"xengt_mapped_bytes", GAUGE, BYTES_OF_PAGES, "Guest memory that the GPU may reach, or could until lately.", {
        {NULL, "mappings", "mapped_pages"}}},
    {"xengt_mapped_high_water_bytes", GAUGE, BYTES_OF_PAGES, "Most guest memory mapped at a time.", {
        {NULL, "mappings", "high_water_pages"}}},
    {"xengt_map_pages", COUNTER, PLAIN, "Pages mapped by hypercalls.", {
        {NULL, .of = mapped_by_calls}}},
    {"xengt_map_hits", COUNTER, PLAIN, "Pages that were mapped already when they were asked for.", {
        {NULL, "mappings", "hits"}}},
    {"xengt_map_failures", COUNTER, PLAIN, "Pages that Xen refused to map.", {
        {NULL, "mappings", "failures"}}},
    {"xengt_hypercalls", COUNTER, PLAIN, "Hypercalls made for the guest.", {
        {"op=\"map\"", "mappings", "map_calls"},
        {"op=\"unmap\"", "mappings", "unmap_calls"},
        {"op=\"track\"", "ppgtt", "track_calls"}}},
    {"xengt_requests", COUNTER, PLAIN, "Requests of the guest, by what they were for.", {
        {"kind=\"register_read\"", "access", "register_reads"},
        {"kind=\"register_write\"", "access", "register_writes"},
        {"kind=\"aperture_read\"", "vgpu_events", "aperture_reads"},
        {"kind=\"aperture_write\"", "vgpu_events", "aperture_writes"},
        {"kind=\"table_write\"", "ppgtt", "table_writes"},
        {"kind=\"invalidate\"", "access", "invalidates"},
        {"kind=\"odd\"", "access", "odd"}}},
    {"xengt_request_duration_seconds", HISTOGRAM, SECONDS_OF_NS, "From when a request is taken to its answer.", {
        {NULL, "request_time", NULL}}},
    {"xengt_commits", COUNTER, PLAIN, "Batches of changes of the guest's page tables.", {
        {NULL, "gtt", "commits"}}},
    {"xengt_commit_duration_seconds", HISTOGRAM, SECONDS_OF_NS, "Of a commit, hypercalls included.", {
        {NULL, "commit_time", NULL}}},
    {"xengt_ptes_written", COUNTER, PLAIN, "Page table entries of the GPU written for the guest.", {
        {NULL, "gtt", "ptes_written"}}},
    {"xengt_gtt_entries", GAUGE, PLAIN, "Entries that the guest made present, by what they point to.", {
        {"state=\"present\"", "gtt", "present_entries"},
        {"state=\"scratch\"", "gtt", "scratch_entries"}}},
    {"xengt_shadow_tables", GAUGE, PLAIN, "Page tables of the guest that are shadowed.", {
        {NULL, "ppgtt", "tables"}}},
    {"xengt_interrupts", COUNTER, PLAIN, "Interrupts given to the guest.", {
        {NULL, "access", "interrupts"}}},
    {"xengt_workloads", COUNTER, PLAIN, "Workloads given to the GPU.", {
        {NULL, "vgpu_events", "workloads"}}},
    {"xengt_engine_resets", COUNTER, PLAIN, "Engines reset by the guest.", {
        {NULL, "vgpu_events", "resets"}}},
    {"xengt_engine_errors", COUNTER, PLAIN, "Engines that stopped on a command.", {
        {NULL, "vgpu_events", "engine_errors"}}},
    {"xengt_refusals", COUNTER, PLAIN, "Privileged commands that the audit refused.", {
        {NULL, "vgpu_events", "refusals"}}},
    {"xengt_gpu_busy_seconds", COUNTER, SECONDS_OF_NS, "How long the GPU worked for the guest.", {
        {NULL, "gpu", "busy_ns"}}},
    {"xengt_gpu_commands", COUNTER, PLAIN, "Commands the GPU executed for the guest.", {
        {NULL, "gpu", "commands"}}},
    {"xengt_gpu_dma_bytes", COUNTER, PLAIN, "Bytes of guest memory the GPU read and wrote.", {
        {NULL, "gpu", "dma_bytes"}}},
    {"xengt_gpu_dma_faults", COUNTER, PLAIN, "Transfers of the GPU that failed.", {
        {NULL, "gpu", "dma_faults"}}},
    {"xengt_gpu_denied", COUNTER, PLAIN, "What the GPU did not do for want of privilege.", {
        {NULL, "gpu", "denied"}}},
    {0},
};
/* clang-format on */

/* --- text -------------------------------------------------------------------------------- */

/* OpenMetrics; else Prometheus' format, which has fewer types and other names of families. */
static bool open_metrics;

static void print_label(const char *name, const char *value, const char *end)
{
    printf("%s=\"", name);
    for (; *value; value++) {
        switch (*value) {
        case '\n':
            fputs("\\n", stdout);
            break;
        case '"':
        case '\\':
            putchar('\\');
            putchar(*value);
            break;
        default:
            putchar(*value);
        }
    }
    printf("\"%s", end);
}

/* Labels that say which guest; NULL: none. more: others, or NULL. */
static void print_labels(json *guest, const char *more)
{
    if (!guest && !more) {
        return;
    }
    putchar('{');
    if (guest) {
        print_label("domain", member_text(guest, "name"), ",");
        print_label("domid", member_text(guest, "domid"), ",");
        print_label("type", member_text(guest, "type"), more ? "," : "");
    }
    printf("%s}", more ? more : "");
}

static void print_head(const char *name, const char *suffix, const char *type, const char *unit,
                       const char *help)
{
    const char *in_name = open_metrics ? "" : suffix;

    printf("# HELP %s%s %s\n# TYPE %s%s %s\n", name, in_name, help, name, in_name, type);
    if (open_metrics && unit) {
        printf("# UNIT %s %s\n", name, unit);
    }
}

static void print_seconds(uint64_t ns)
{
    printf(" %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000u, ns % 1000000000u);
}

static void print_value(const struct metric *metric, uint64_t value)
{
    if (metric->unit == SECONDS_OF_NS) {
        print_seconds(value);
    } else {
        printf(" %" PRIu64 "\n", metric->unit == BYTES_OF_PAGES ? value * PAGE_SIZE : value);
    }
}

static void print_histogram(const struct metric *metric, json *guest)
{
    json *histogram = member(guest, metric->points[0].group);
    json *bounds = member(histogram, "up_to_ns"), *counts = member(histogram, "counts");
    size_t n = json_object_is_type(bounds, json_type_array) ? json_object_array_length(bounds) : 0;
    uint64_t sum = 0;

    if (!json_object_is_type(counts, json_type_array) ||
        json_object_array_length(counts) != n + 1) {
        return; /* of an xengtd that does not count this */
    }
    for (size_t i = 0; i <= n; i++) {
        char le[32] = "le=\"+Inf\"";

        if (i < n) {
            snprintf(le, sizeof(le), "le=\"%g\"",
                     (double)json_object_get_uint64(json_object_array_get_idx(bounds, i)) / 1e9);
        }
        sum += json_object_get_uint64(json_object_array_get_idx(counts, i));
        printf("%s_bucket", metric->name);
        print_labels(guest, le);
        printf(" %" PRIu64 "\n", sum);
    }
    printf("%s_sum", metric->name);
    print_labels(guest, NULL);
    print_seconds(member_number(histogram, "total_ns"));
    printf("%s_count", metric->name);
    print_labels(guest, NULL);
    printf(" %" PRIu64 "\n", sum);
}

/* --- samples ----------------------------------------------------------------------------- */

/* Of one guest, or with guest NULL of all. */
static void print_points(const struct metric *metric, json *from, json *guest)
{
    if (metric->kind == HISTOGRAM) {
        print_histogram(metric, guest);
        return;
    }
    for (const struct point *p = metric->points; p->group || p->of; p++) {
        printf("%s%s", metric->name, metric->kind == COUNTER ? "_total" : "");
        print_labels(guest, p->label);
        print_value(metric, p->of ? p->of(from) : number(from, p->group, p->key));
    }
}

static const char *unit_of(const struct metric *metric)
{
    switch (metric->unit) {
    case SECONDS_OF_NS:
        return "seconds";
    case BYTES_OF_PAGES:
        return "bytes";
    case PLAIN:
        break;
    }
    return NULL;
}

/* All samples of a metric stand together. guests NULL: it is none of guests. */
static void print_metrics(const struct metric *metric, json *stats, json *guests)
{
    static const char *const types[] = {
        [GAUGE] = "gauge", [COUNTER] = "counter", [HISTOGRAM] = "histogram"};

    for (; metric->name; metric++) {
        print_head(metric->name, metric->kind == COUNTER ? "_total" : "", types[metric->kind],
                   unit_of(metric), metric->help);
        if (!guests) {
            print_points(metric, stats, NULL);
            continue;
        }
        for (size_t i = 0; i < json_object_array_length(guests); i++) {
            json *guest = json_object_array_get_idx(guests, i);

            print_points(metric, guest, guest);
        }
    }
}

static void print_info_head(const char *name, const char *help)
{
    print_head(name, "_info", open_metrics ? "info" : "gauge", NULL, help);
}

static void print_build(json *version)
{
    print_info_head("xengt_build", "The xengtd that answers.");
    printf("xengt_build_info{");
    print_label("version", member_text(version, "version"), ",");
    print_label("protocol", member_text(version, "protocol"), ",");
    print_label("backend", member_text(member(version, "backend"), "name"), "} 1\n");
}

static void print_infos(json *guests)
{
    print_info_head("xengt_vgpu", "A guest's vGPU.");
    for (size_t i = 0; i < json_object_array_length(guests); i++) {
        json *guest = json_object_array_get_idx(guests, i);
        char vgpu[48];

        snprintf(vgpu, sizeof(vgpu), "vgpu=\"%" PRIu64 "\"", member_number(guest, "vgpu"));
        printf("xengt_vgpu_info");
        print_labels(guest, vgpu);
        printf(" 1\n");
    }
    print_info_head("xengt_failsafe_reason", "How a guest broke its vGPU.");
    for (size_t i = 0; i < json_object_array_length(guests); i++) {
        json *guest = json_object_array_get_idx(guests, i);

        if (is_failed(guest)) {
            printf("xengt_failsafe_reason_info{");
            print_label("domain", member_text(guest, "name"), ",");
            print_label("domid", member_text(guest, "domid"), ",");
            print_label("type", member_text(guest, "type"), ",");
            print_label("reason", member_text(guest, "failsafe_reason"), "} 1\n");
        }
    }
}

static int print_all(json *version, json *stats)
{
    json *guests = member(stats, "guests");

    if (!json_object_is_type(guests, json_type_array)) {
        return EXIT_FAILED;
    }
    print_build(version);
    print_infos(guests);
    print_metrics(of_all, stats, NULL);
    print_metrics(of_guests, stats, guests);
    if (open_metrics) {
        printf("# EOF\n");
    }
    return EXIT_OK;
}

static int run(const struct invocation *in)
{
    json *version = NULL, *stats = NULL;
    int status = ask(in, "version", &version);

    if (status == EXIT_OK) {
        status = ask(in, "stats", &stats);
    }
    if (status == EXIT_OK && in->json) {
        print_json(stats);
    } else if (status == EXIT_OK) {
        open_metrics = !has_option(in, "prometheus");
        status = print_all(version, stats);
    }
    json_object_put(version);
    json_object_put(stats);
    return status;
}

static const struct verb_option options[] = {
    {"prometheus", NULL, "in Prometheus' text format, for node_exporter's textfile collector",
     .local = true},
    {0},
};

const struct verb verb_metrics = {
    .name = "metrics",
    .domain = VERB_NO_DOMAIN,
    .options = options,
    .summary = "show counters as OpenMetrics",
    .description = "For a monitoring system. With --json the document that they are made from.",
    .run = run,
};
