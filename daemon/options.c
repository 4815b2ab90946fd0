/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengtd's options: a row for each, its value, its default, its help. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "text.h"

#define DEFAULT_MMIO_BASE      UINT64_C(0xe0000000)
#define MMIO_ALIGNMENT         (16u << 20) /* it is a BAR */
#define DEFAULT_MAPPABLE_MIB   16u
#define DEFAULT_UNMAPPABLE_MIB 64u

/* --- values ------------------------------------------------------------------------------ */

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

static bool set_socket_group(struct options *options, const char *value)
{
    const struct group *group = getgrnam(value);

    if (!group) {
        return false;
    }
    options->share_socket = true;
    options->socket_group = group->gr_gid;
    return true;
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

static bool set_confine(struct options *options, const char *value)
{
    return truth(value, &options->confine);
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

#define MEMBER(name) offsetof(struct options, name), sizeof(((struct options *)0)->name)

static const struct option_row rows[] = {
    {"backend", "auto|physmap|grant|pviommu|sim", set_backend, MEMBER(backend), OPTIONS_AT_START,
     "how Xen is asked; sim: no Xen (auto)"},
    {"gpu", "NAME", set_gpu, MEMBER(gpu), OPTIONS_AT_START,
     "the GPU behind the vGPUs: soft, the only one so far (soft)"},
    {"dma", "auto|cpu|edu|sim", set_dma, MEMBER(dma), OPTIONS_AT_START,
     "how the GPU reaches memory (auto: cpu, or sim)"},
    {"window-base", "GFN", set_window_base, MEMBER(window_base), OPTIONS_AT_START,
     "where mappings go; 0: look for a range (0)"},
    {"window-pages", "0-4294967295", set_window_pages, MEMBER(window_pages), OPTIONS_AT_START,
     "mappings at a time; 0: fit for the machine (0)"},
    {"mmio-base", "ADDRESS", set_mmio_base, MEMBER(mmio_base), OPTIONS_AT_START,
     "guest physical address of GTTMMADR, a multiple of 16 MiB, unless RAM is there (0xe0000000)"},
    {"state-dir", "DIR", set_state_dir, MEMBER(state_dir), OPTIONS_AT_START,
     "lock and journal, on a tmpfs (" XENGT_STATE_DIR ")"},
    {"socket", "PATH", set_socket, MEMBER(socket), OPTIONS_AT_START,
     "control socket (" XENGT_STATE_DIR "/control)"},
    {"socket-group", "GROUP", set_socket_group, MEMBER(socket_group), OPTIONS_AT_START,
     "a group of this host whose members may ask, and change nothing (none)"},
    {"type", "NAME", set_type, MEMBER(type), OPTIONS_AT_ONCE,
     "type of vGPU that attach gives without --type (custom)"},
    {"mappable-mib", "1-4096", set_mappable, MEMBER(mappable_mib), OPTIONS_AT_ONCE,
     "mappable window of a custom vGPU (16)"},
    {"unmappable-mib", "0-4096", set_unmappable, MEMBER(unmappable_mib), OPTIONS_AT_ONCE,
     "unmappable window of a custom vGPU (64)"},
    {"lazy-ggtt", "true|false", set_lazy_ggtt, MEMBER(lazy_ggtt), OPTIONS_AT_START,
     "guests write their GTT to RAM; it is compared, not trapped (true)"},
    {"gtt-mode", "sync|trap|trap-each", set_gtt_mode, MEMBER(gtt_mode), OPTIONS_AT_START,
     "sync; the others trap each store, for comparison (sync)"},
    {"track-after", "0-1048576", set_track_after, MEMBER(track_after), OPTIONS_AT_START,
     "comparisons of a quiet page table before stores into it are trapped; 0: default (256)"},
    {"defer-pages", "0-4294967295", set_defer_pages, MEMBER(defer_pages), OPTIONS_AT_START,
     "pages kept after their last use; 0: default (1024)"},
    {"defer-ms", "0-60000", set_defer_ms, MEMBER(defer_ms), OPTIONS_AT_START,
     "time they are kept; 0: default (100)"},
    {"quota", "0-4294967295", set_quota, MEMBER(quota), OPTIONS_AT_ONCE,
     "mappings one guest may have; 0: a share (0)"},
    {"on-exit", "leave|detach", set_on_exit, MEMBER(leave_guests), OPTIONS_AT_ONCE,
     "leave: guests wait for the next xengtd, which takes them up; detach: they lose their vGPUs "
     "(leave)"},
    {"vdispl", "true|false", set_vdispl, MEMBER(vdispl), OPTIONS_AT_START,
     "guests whose configuration for xl has \"vdispl=\" get a vGPU by it (true)"},
    {"confine", "true|false", set_confine, MEMBER(confine), OPTIONS_AT_START,
     "give up what is not needed after the start, by seccomp and capabilities (true)"},
    {"batch", "1-4096", set_batch, MEMBER(batch), OPTIONS_AT_START, "pages per hypercall (256)"},
    {"log-level", "err|warning|notice|info|debug", set_log_level, MEMBER(log_level),
     OPTIONS_AT_ONCE, "what is logged (info)"},
    {"config", "FILE", set_config, MEMBER(config), OPTIONS_AT_START,
     "a file of options, types and domains; the command line wins"},
    {"sim-domain", "NAME:PAGES", set_sim_domain, MEMBER(sim_domains), OPTIONS_AT_START,
     "a domain of the simulator; repeatable"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(ROWS < OPTIONS_MAX, "more options than there is room for");

void options_init(struct options *options)
{
    *options = (struct options){
        .gpu = "soft",
        .mmio_base = DEFAULT_MMIO_BASE,
        .state_dir = XENGT_STATE_DIR,
        .socket = XENGT_STATE_DIR "/control",
        .vdispl = true,
        .lazy_ggtt = true,
        .confine = true,
        .leave_guests = true,
        .type = VGPU_TYPE_CUSTOM,
        .mappable_mib = DEFAULT_MAPPABLE_MIB,
        .unmappable_mib = DEFAULT_UNMAPPABLE_MIB,
        .log_level = LOG_INFO,
    };
}

size_t options_count(void)
{
    return ROWS;
}

const struct option_row *options_row(size_t i)
{
    return &rows[i];
}

const struct option_row *options_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!strcmp(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *options_nearest(const char *name)
{
    const char *names[ROWS];

    for (size_t i = 0; i < ROWS; i++) {
        names[i] = rows[i].name;
    }
    return text_nearest(name, names, ROWS);
}

bool options_set(struct options *options, const struct option_row *row, const char *value,
                 char *error, size_t error_size)
{
    if (row->set(options, value)) {
        return true;
    }
    text_line(error, error_size, "%s: \"%s\" makes no sense; give %s", row->name, value,
              row->value);
    return false;
}

/* --- while the daemon runs --------------------------------------------------------------- */

static void add_name(char *names, size_t size, const char *name)
{
    size_t len = strlen(names);

    snprintf(names + len, size - len, "%s%s", len ? ", " : "", name);
}

void options_renew(struct options *options, const struct options *fresh, char *changed, char *fixed,
                   size_t size)
{
    changed[0] = fixed[0] = '\0';
    for (size_t i = 0; i < ROWS; i++) {
        char *now = (char *)options + rows[i].offset;
        const char *wanted = (const char *)fresh + rows[i].offset;

        if (!memcmp(now, wanted, rows[i].size)) {
            continue;
        }
        add_name(rows[i].when == OPTIONS_AT_ONCE ? changed : fixed, size, rows[i].name);
        if (rows[i].when == OPTIONS_AT_ONCE) {
            memcpy(now, wanted, rows[i].size);
        }
    }
    if (memcmp(&options->rules, &fresh->rules, sizeof(options->rules)) != 0) {
        add_name(changed, size, "types and domains");
        options->rules = fresh->rules;
    }
}
