/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengtd's options: a row for each, its value, its default, its help. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <json-c/json.h>

#include "text.h"

#define DEFAULT_MMIO_BASE      UINT64_C(0xe0000000)
#define MMIO_ALIGNMENT         (16u << 20) /* it is a BAR */
#define DEFAULT_MAPPABLE_MIB   16u
#define DEFAULT_UNMAPPABLE_MIB 64u

/* --- values ------------------------------------------------------------------------------ */

/* Takes the value, or answers false: it makes no sense. */
typedef bool set_fn(struct options *options, const char *value);

static bool number(const char *value, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;

    if (!isdigit((unsigned char)*value)) {
        return false; /* strtoull would take "-1" */
    }
    errno = 0;
    *out = strtoull(value, &end, 0);
    return !errno && !*end && *out >= min && *out <= max;
}

static bool number32(const char *value, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t wide;

    if (!number(value, min, max, &wide)) {
        return false;
    }
    *out = (uint32_t)wide;
    return true;
}

static bool text(const char *value, char *out, size_t size)
{
    return *value && (size_t)snprintf(out, size, "%s", value) < size;
}

/* The index of value in a NULL-terminated list of words. */
static bool word(const char *value, const char *const *words, int *out)
{
    for (*out = 0; words[*out]; (*out)++) {
        if (!strcmp(value, words[*out])) {
            return true;
        }
    }
    return false;
}

static bool set_backend(struct options *options, const char *value)
{
    static const char *const words[] = {"auto", "physmap", "grant", "pviommu", "sim", NULL};
    static const enum xengt_backend backends[] = {
        XENGT_BACKEND_AUTO,    XENGT_BACKEND_PHYSMAP, XENGT_BACKEND_GRANT,
        XENGT_BACKEND_PVIOMMU, XENGT_BACKEND_SIM,
    };
    int i;

    if (!word(value, words, &i)) {
        return false;
    }
    options->backend = backends[i];
    return true;
}

static bool set_gpu(struct options *options, const char *value)
{
    return text(value, options->gpu, sizeof(options->gpu));
}

static bool set_dma(struct options *options, const char *value)
{
    static const char *const words[] = {"auto", "cpu", "edu", "sim", NULL};
    int i;

    if (!word(value, words, &i)) {
        return false;
    }
    options->dma = (enum gpu_dma)i;
    return true;
}

static bool set_window_base(struct options *options, const char *value)
{
    return number(value, 0, XENGT_GFN_MAX, &options->window_base);
}

static bool set_window_pages(struct options *options, const char *value)
{
    return number32(value, 0, UINT32_MAX, &options->window_pages);
}

static bool set_mmio_base(struct options *options, const char *value)
{
    return number(value, MMIO_ALIGNMENT, UINT64_C(1) << 47, &options->mmio_base) &&
           !(options->mmio_base % MMIO_ALIGNMENT);
}

static bool set_state_dir(struct options *options, const char *value)
{
    return text(value, options->state_dir, sizeof(options->state_dir));
}

static bool set_socket(struct options *options, const char *value)
{
    return text(value, options->socket, sizeof(options->socket));
}

static bool set_type(struct options *options, const char *value)
{
    return text(value, options->type, sizeof(options->type));
}

static bool set_mappable(struct options *options, const char *value)
{
    return number32(value, 1, 4096, &options->mappable_mib);
}

static bool set_unmappable(struct options *options, const char *value)
{
    return number32(value, 0, 4096, &options->unmappable_mib);
}

static bool truth(const char *value, bool *out)
{
    static const char *const words[] = {"false", "true", NULL};
    int i;

    if (!word(value, words, &i)) {
        return false;
    }
    *out = i;
    return true;
}

static bool set_lazy_ggtt(struct options *options, const char *value)
{
    return truth(value, &options->lazy_ggtt);
}

static bool set_vdispl(struct options *options, const char *value)
{
    return truth(value, &options->vdispl);
}

static bool set_on_exit(struct options *options, const char *value)
{
    static const char *const words[] = {"detach", "leave", NULL};
    int i;

    if (!word(value, words, &i)) {
        return false;
    }
    options->leave_guests = i;
    return true;
}

static bool set_track_after(struct options *options, const char *value)
{
    return number32(value, 0, 1u << 20, &options->track_after);
}

static bool set_gtt_mode(struct options *options, const char *value)
{
    static const char *const words[] = {"sync", "trap", "trap-each", NULL};
    int i;

    if (!word(value, words, &i)) {
        return false;
    }
    options->gtt_mode = (enum guests_gtt_mode)i;
    return true;
}

static bool set_defer_pages(struct options *options, const char *value)
{
    return number32(value, 0, UINT32_MAX, &options->defer_pages);
}

static bool set_defer_ms(struct options *options, const char *value)
{
    return number32(value, 0, 60000, &options->defer_ms);
}

static bool set_quota(struct options *options, const char *value)
{
    return number32(value, 0, UINT32_MAX, &options->quota);
}

static bool set_batch(struct options *options, const char *value)
{
    return number32(value, 1, XENGT_BATCH_MAX, &options->batch);
}

static bool set_log_level(struct options *options, const char *value)
{
    static const char *const words[] = {"emerg",  "alert", "crit",  "err", "warning",
                                        "notice", "info",  "debug", NULL};

    return word(value, words, &options->log_level);
}

static bool set_config(struct options *options, const char *value)
{
    return text(value, options->config, sizeof(options->config));
}

/* NAME:PAGES */
static bool set_sim_domain(struct options *options, const char *value)
{
    const char *colon = strrchr(value, ':');

    if (!colon || options->sim_domains_n == OPTIONS_SIM_DOMAINS_MAX) {
        return false;
    }
    struct options_sim_domain *domain = &options->sim_domains[options->sim_domains_n];
    size_t len = (size_t)(colon - value);
    if (!len || len >= sizeof(domain->name) || !number32(colon + 1, 1, 1u << 24, &domain->pages)) {
        return false;
    }
    memcpy(domain->name, value, len);
    domain->name[len] = '\0';
    options->sim_domains_n++;
    return true;
}

/* --- the options ------------------------------------------------------------------------- */

static const struct spec {
    const char *name;
    const char *value; /* what to give it, for people */
    set_fn *set;
    const char *help;
} specs[] = {
    {"backend", "auto|physmap|grant|pviommu|sim", set_backend,
     "how Xen is asked; sim: no Xen (auto)"},
    {"gpu", "NAME", set_gpu, "the GPU behind the vGPUs: soft, the only one so far (soft)"},
    {"dma", "auto|cpu|edu|sim", set_dma, "how the GPU reaches memory (auto: cpu, or sim)"},
    {"window-base", "GFN", set_window_base, "where mappings go; 0: look for a range (0)"},
    {"window-pages", "N", set_window_pages, "mappings at a time; 0: fit for the machine (0)"},
    {"mmio-base", "ADDRESS", set_mmio_base,
     "guest physical address of GTTMMADR, unless RAM is there (0xe0000000)"},
    {"state-dir", "DIR", set_state_dir, "lock and journal, on a tmpfs (" XENGT_STATE_DIR ")"},
    {"socket", "PATH", set_socket, "control socket (" XENGT_STATE_DIR "/control)"},
    {"type", "NAME", set_type, "type of vGPU that attach gives without --type (custom)"},
    {"mappable-mib", "MIB", set_mappable, "mappable window of a custom vGPU (16)"},
    {"unmappable-mib", "MIB", set_unmappable, "unmappable window of a custom vGPU (64)"},
    {"vdispl", "true|false", set_vdispl,
     "guests whose configuration for xl has \"vdispl=\" get a vGPU by it (true)"},
    {"lazy-ggtt", "true|false", set_lazy_ggtt,
     "guests write their GTT to RAM; it is compared, not trapped (true)"},
    {"gtt-mode", "sync|trap|trap-each", set_gtt_mode,
     "sync; the others trap each store, for comparison (sync)"},
    {"track-after", "N", set_track_after,
     "comparisons of a quiet page table before stores into it are trapped; 0: default (256)"},
    {"defer-pages", "N", set_defer_pages, "pages kept after their last use; 0: default (1024)"},
    {"defer-ms", "MS", set_defer_ms, "time they are kept; 0: default (100)"},
    {"quota", "N", set_quota, "mappings one guest may have; 0: a share (0)"},
    {"on-exit", "leave|detach", set_on_exit,
     "leave: guests wait for the next xengtd, which takes them up; detach: they lose their vGPUs "
     "(leave)"},
    {"batch", "N", set_batch, "pages per hypercall (256)"},
    {"log-level", "LEVEL", set_log_level, "err, warning, notice, info or debug (info)"},
    {"config", "FILE", set_config, "options as a JSON object; the command line wins"},
    {"sim-domain", "NAME:PAGES", set_sim_domain, "a domain of the simulator; repeatable"},
};
#define SPECS (sizeof(specs) / sizeof(specs[0]))

static const struct spec *find_spec(const char *name)
{
    for (size_t i = 0; i < SPECS; i++) {
        if (!strcmp(specs[i].name, name)) {
            return &specs[i];
        }
    }
    return NULL;
}

static bool apply(struct options *options, const struct spec *spec, const char *value, char *error,
                  size_t error_size)
{
    if (spec->set(options, value)) {
        return true;
    }
    text_line(error, error_size, "%s: \"%s\" makes no sense; give %s", spec->name, value,
              spec->value);
    return false;
}

static void print_help(void)
{
    char left[64];

    printf("Usage: xengtd [OPTION]...\n"
           "Gives Xen guests virtual GPUs on one real one. Runs in the foreground.\n\n");
    for (size_t i = 0; i < SPECS; i++) {
        snprintf(left, sizeof(left), "--%s %s", specs[i].name, specs[i].value);
        printf("  %-28s %s\n", left, specs[i].help);
    }
    printf("  %-28s %s\n", "--foreground", "the default, for scripts that like to say so");
    printf("  %-28s %s\n", "--version", "print the version and exit");
    printf("  %-28s %s\n", "--help", "print this and exit");
}

/* --- the file ---------------------------------------------------------------------------- */

static bool apply_scalar(struct options *options, const struct spec *spec,
                         struct json_object *value, char *error, size_t error_size)
{
    const char *text = value ? json_object_get_string(value) : NULL;

    return apply(options, spec, text ? text : "null", error, error_size);
}

/* One key; an array gives its elements one after the other. */
static bool apply_json(struct options *options, const char *key, struct json_object *value,
                       char *error, size_t error_size)
{
    const struct spec *spec = find_spec(key);

    if (!spec || spec->set == set_config) {
        text_line(error, error_size, "%s: unknown key \"%s\"", options->config, key);
        return false;
    }
    if (!json_object_is_type(value, json_type_array)) {
        return apply_scalar(options, spec, value, error, error_size);
    }
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        if (!apply_scalar(options, spec, json_object_array_get_idx(value, i), error, error_size)) {
            return false;
        }
    }
    return true;
}

static bool read_file(struct options *options, char *error, size_t error_size)
{
    struct json_object *root = json_object_from_file(options->config);
    bool ok = true;

    if (!json_object_is_type(root, json_type_object)) {
        const char *why = root ? "not a JSON object" : json_util_get_last_err();
        size_t len = strcspn(why, "\n");

        text_line(error, error_size, "%s: %.*s", options->config, (int)len, why);
        json_object_put(root);
        return false;
    }
    json_object_object_foreach(root, key, value)
    {
        ok = ok && apply_json(options, key, value, error, error_size);
    }
    json_object_put(root);
    return ok;
}

/* --- the command line -------------------------------------------------------------------- */

enum { OPT_HELP = SPECS, OPT_VERSION, OPT_FOREGROUND, OPTS };

static void fill_getopt(struct option getopt[OPTS + 1])
{
    for (int i = 0; i < (int)SPECS; i++) {
        getopt[i] = (struct option){specs[i].name, required_argument, NULL, i};
    }
    getopt[OPT_HELP] = (struct option){"help", no_argument, NULL, OPT_HELP};
    getopt[OPT_VERSION] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    getopt[OPT_FOREGROUND] = (struct option){"foreground", no_argument, NULL, OPT_FOREGROUND};
    getopt[OPTS] = (struct option){0};
}

/* Only --config in the first pass: the file's values come before the others. */
static enum options_result pass(struct options *options, int argc, char **argv, bool first,
                                char *error, size_t error_size)
{
    struct option getopt[OPTS + 1];
    int i;

    fill_getopt(getopt);
    optind = 0;
    opterr = 0;
    while ((i = getopt_long(argc, argv, ":", getopt, NULL)) != -1) {
        if (i == ':' || i == '?') {
            text_line(error, error_size, "%s %s; see xengtd --help", argv[optind - 1],
                      i == ':' ? "needs a value" : "is not an option");
            return OPTIONS_WRONG;
        }
        if (i == OPT_HELP) {
            print_help();
            return OPTIONS_DONE;
        }
        if (i == OPT_VERSION) {
            printf("xengtd %s\n", XENGT_VERSION);
            return OPTIONS_DONE;
        }
        if (i < (int)SPECS && (specs[i].set == set_config) == first &&
            !apply(options, &specs[i], optarg, error, error_size)) {
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) {
        text_line(error, error_size, "%s: no such option; see xengtd --help", argv[optind]);
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}

enum options_result options_read(struct options *options, int argc, char **argv, char *error,
                                 size_t error_size)
{
    *options = (struct options){
        .gpu = "soft",
        .mmio_base = DEFAULT_MMIO_BASE,
        .state_dir = XENGT_STATE_DIR,
        .socket = XENGT_STATE_DIR "/control",
        .vdispl = true,
        .lazy_ggtt = true,
        .leave_guests = true,
        .type = VGPU_TYPE_CUSTOM,
        .mappable_mib = DEFAULT_MAPPABLE_MIB,
        .unmappable_mib = DEFAULT_UNMAPPABLE_MIB,
        .log_level = LOG_INFO,
    };
    enum options_result result = pass(options, argc, argv, true, error, error_size);
    if (result != OPTIONS_RUN) {
        return result;
    }
    if (options->config[0] && !read_file(options, error, error_size)) {
        return OPTIONS_WRONG;
    }
    result = pass(options, argc, argv, false, error, error_size);
    if (result == OPTIONS_RUN && options->sim_domains_n && options->backend != XENGT_BACKEND_SIM) {
        text_line(error, error_size, "sim-domain needs --backend sim");
        return OPTIONS_WRONG;
    }
    return result;
}
