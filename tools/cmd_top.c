/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengt-ctl top: a line for each vGPU, again and again: what it did since the line before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "verb.h"

#define INTERVAL_S     2u
#define INTERVAL_MAX_S 3600u
#define COUNT_MAX      1000000000u /* longer than anybody looks */
#define PAGES_PER_MIB  256.0

typedef struct json_object json;

/* --- two documents of a guest ------------------------------------------------------------ */

/* A guest now, and as it was in the sample before; NULL: it was not there. */
struct pair {
    json *now;
    json *before;
    double seconds; /* from one to the other */
};

static double grown(uint64_t now, uint64_t before)
{
    return (double)(now >= before ? now - before : now);
}

static uint64_t at(json *guest, const char *group, const char *key)
{
    return member_number(member(guest, group), key);
}

/* By how much a counter grew. Of a guest that was not there nobody knows. */
static double growth(const struct pair *pair, const char *group, const char *key)
{
    return pair->before ? grown(at(pair->now, group, key), at(pair->before, group, key)) : 0;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double pages_mapped(const struct pair *pair)
{
    double pages = growth(pair, "mappings", "gets") - growth(pair, "mappings", "hits") -
                   growth(pair, "mappings", "failures");

    return pages > 0 ? pages : 0;
}

static double requests_timed(const struct pair *pair)
{
    json *counts = member(member(pair->now, "request_time"), "counts");
    json *before = member(member(pair->before, "request_time"), "counts");
    double sum = 0;

    if (!json_object_is_type(counts, json_type_array) ||
        !json_object_is_type(before, json_type_array)) {
        return 0;
    }
    for (size_t i = 0; i < json_object_array_length(counts); i++) {
        sum += grown(json_object_get_uint64(json_object_array_get_idx(counts, i)),
                     json_object_get_uint64(json_object_array_get_idx(before, i)));
    }
    return sum;
}

/* --- the columns ------------------------------------------------------------------------- */

static double requests(const struct pair *pair)
{
    return ratio(growth(pair, "access", "ioreqs"), pair->seconds);
}

static double request_us(const struct pair *pair)
{
    return ratio(growth(pair, "request_time", "total_ns") / 1e3, requests_timed(pair));
}

static double gpu_percent(const struct pair *pair)
{
    return ratio(growth(pair, "gpu", "busy_ns") / 1e7, pair->seconds);
}

static double mapped_mib(const struct pair *pair)
{
    return (double)at(pair->now, "mappings", "mapped_pages") / PAGES_PER_MIB;
}

static double batch_pages(const struct pair *pair)
{
    return ratio(pages_mapped(pair), growth(pair, "mappings", "map_calls"));
}

static double commits(const struct pair *pair)
{
    return ratio(growth(pair, "gtt", "commits"), pair->seconds);
}

static const struct column {
    const char *head;
    const char *key;
    int width;
    int digits;
    double (*of)(const struct pair *pair);
} columns[] = {
    {"REQ/S", "requests_per_second", 9, 0, requests},
    {"REQ-US", "request_mean_us", 8, 1, request_us},
    {"GPU%", "gpu_busy_percent", 6, 1, gpu_percent},
    {"MAPPED-MIB", "mapped_mib", 11, 1, mapped_mib},
    {"PAGES/MAP", "pages_per_map_call", 10, 1, batch_pages},
    {"COMMITS/S", "commits_per_second", 10, 1, commits},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* --- a sample ---------------------------------------------------------------------------- */

struct sample {
    json *stats;
    struct timespec taken;
};

static json *guests_of(json *stats)
{
    json *guests = member(stats, "guests");

    return json_object_is_type(guests, json_type_array) ? guests : NULL;
}

static size_t length(json *array)
{
    return array ? json_object_array_length(array) : 0;
}

/* The same vGPU of the same domain in another document, or NULL. */
static json *same_guest(json *stats, json *guest)
{
    json *guests = guests_of(stats);

    for (size_t i = 0; i < length(guests); i++) {
        json *other = json_object_array_get_idx(guests, i);

        if (member_number(other, "domid") == member_number(guest, "domid") &&
            member_number(other, "vgpu") == member_number(guest, "vgpu")) {
            return other;
        }
    }
    return NULL;
}

static double seconds_between(const struct timespec *from, const struct timespec *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static int take(const struct invocation *in, struct sample *sample)
{
    int status = ask(in, "stats", &sample->stats);

    clock_gettime(CLOCK_MONOTONIC, &sample->taken);
    return status;
}

/* --- showing it -------------------------------------------------------------------------- */

static void print_head(void)
{
    printf("%-16s %5s %-10s %-8s", "DOMAIN", "DOMID", "TYPE", "STATE");
    for (size_t i = 0; i < COLUMNS; i++) {
        printf(" %*s", columns[i].width, columns[i].head);
    }
    putchar('\n');
}

static void print_line(const struct pair *pair)
{
    printf("%-16s %5" PRIu64 " %-10s %-8s", member_text(pair->now, "name"),
           member_number(pair->now, "domid"), member_text(pair->now, "type"),
           member_text(pair->now, "state"));
    for (size_t i = 0; i < COLUMNS; i++) {
        printf(" %*.*f", columns[i].width, columns[i].digits, columns[i].of(pair));
    }
    putchar('\n');
}

static json *number_of(double value)
{
    char text[64];

    snprintf(text, sizeof(text), "%.3f", value);
    return json_object_new_double_s(value, text);
}

static json *document_of(const struct pair *pair)
{
    static const char *const same[] = {"domid", "name", "vgpu", "type", "state"};
    json *object = json_object_new_object();

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        json_object_object_add(object, same[i], json_object_get(member(pair->now, same[i])));
    }
    for (size_t i = 0; i < COLUMNS; i++) {
        json_object_object_add(object, columns[i].key, number_of(columns[i].of(pair)));
    }
    return object;
}

static void show_pairs(const struct sample *before, const struct sample *now, json *array)
{
    json *guests = guests_of(now->stats);

    for (size_t i = 0; i < length(guests); i++) {
        json *guest = json_object_array_get_idx(guests, i);
        const struct pair pair = {guest, same_guest(before->stats, guest),
                                  seconds_between(&before->taken, &now->taken)};

        if (array) {
            json_object_array_add(array, document_of(&pair));
        } else {
            print_line(&pair);
        }
    }
}

static void show_block(const struct invocation *in, const struct sample *before,
                       const struct sample *now)
{
    if (in->json) {
        json *document = json_object_new_object(), *array = json_object_new_array();

        json_object_object_add(document, "seconds",
                               number_of(seconds_between(&before->taken, &now->taken)));
        json_object_object_add(document, "guests", array);
        show_pairs(before, now, array);
        print_json(document);
        json_object_put(document);
        return;
    }
    if (isatty(STDOUT_FILENO)) {
        printf("\033[H\033[J"); /* to the corner, and nothing below it */
    }
    print_head();
    show_pairs(before, now, NULL);
    if (!isatty(STDOUT_FILENO)) {
        putchar('\n');
    }
}

/* --- again and again --------------------------------------------------------------------- */

/* The number that an option has, or the one it has by default; 0: it makes no sense. */
static unsigned long option_number(const struct invocation *in, const char *name,
                                   unsigned long otherwise, unsigned long most)
{
    const char *text = option_value(in, name);
    char *end;

    if (!text) {
        return otherwise;
    }
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '1' || *text > '9' || *end || value > most) {
        fprintf(stderr, "xengt-ctl: %s: --%s takes a number, 1 to %lu\n", text, name, most);
        return 0;
    }
    return value;
}

static int watch(const struct invocation *in, unsigned long interval_s, unsigned long count)
{
    struct sample before = {0}, now = {0};
    int status = take(in, &before);

    for (unsigned long n = 0; status == EXIT_OK && n < count; n++) {
        const struct timespec interval = {.tv_sec = (time_t)interval_s};

        nanosleep(&interval, NULL);
        status = take(in, &now);
        if (status == EXIT_OK) {
            show_block(in, &before, &now);
            status = fflush(stdout) ? EXIT_FAILED : EXIT_OK;
        }
        json_object_put(before.stats);
        before = now;
        now = (struct sample){0};
    }
    json_object_put(before.stats);
    return status;
}

static int run(const struct invocation *in)
{
    unsigned long interval_s = option_number(in, "interval", INTERVAL_S, INTERVAL_MAX_S);
    unsigned long count = interval_s ? option_number(in, "count", COUNT_MAX, COUNT_MAX) : 0;

    return count ? watch(in, interval_s, count) : EXIT_USAGE;
}

static const struct verb_option options[] = {
    {"interval", "SECONDS", "from one block to the next; default: 2", .local = true},
    {"count", "N", "so many blocks; default: until somebody ends it", .local = true},
    {0},
};

const struct verb verb_top = {
    .name = "top",
    .domain = VERB_NO_DOMAIN,
    .options = options,
    .summary = "show what vGPUs do, again and again",
    .description =
        "Requests and their mean time, the GPU's time, mapped memory, pages of a hypercall that\n"
        "maps, commits; since the block before. With --json a document a line. Ends when xengtd "
        "does.",
    .run = run,
};
