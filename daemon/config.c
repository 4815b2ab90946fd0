/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration file, line by line. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "guests/types.h"
#include "options.h"
#include "text.h"

/* A key may be given once in its section; this many are kept track of. */
#define KEYS_MAX 512u
/* Of what is between brackets: the parser cuts off what is longer by more than one. */
#define SECTION_MAX 48u

struct reader {
    struct options *options;
    FILE *file;
    unsigned line;    /* the one that is read; the first is 1 */
    char section[96]; /* in which seen[] were given */
    char seen[KEYS_MAX][32];
    unsigned seen_n;
    char *error; /* its first byte is 0 until something is wrong */
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct reader *r, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    text_vline(what, sizeof(what), format, args);
    va_end(args);
    if (!r->error[0]) {
        text_line(r->error, r->error_size, "%s:%u: %s", r->options->config, r->line, what);
    }
    return 0;
}

/* --- keys of a section ------------------------------------------------------------------- */

struct key {
    const char *name;
    uint32_t min, max;
    bool number; /* between these two */
};

enum type_key { TYPE_MAPPABLE, TYPE_UNMAPPABLE, TYPE_FENCES, TYPE_WEIGHT };
static const struct key type_keys[] = {
    [TYPE_MAPPABLE] = {"mappable-mib", 1, 4096, true},
    [TYPE_UNMAPPABLE] = {"unmappable-mib", 0, 4096, true},
    [TYPE_FENCES] = {"fences", 1, 32, true},
    [TYPE_WEIGHT] = {"weight", 1, 1000, true},
};

enum domain_key { DOMAIN_TYPE, DOMAIN_WEIGHT, DOMAIN_QUOTA };
static const struct key domain_keys[] = {
    [DOMAIN_TYPE] = {"type", 0, 0, false},
    [DOMAIN_WEIGHT] = {"weight", 1, 1000, true},
    [DOMAIN_QUOTA] = {"quota", 1, UINT32_MAX, true},
};

/* The index of the key, whose number is in range; negative: refused. */
static int find_key(struct reader *r, const struct key *keys, size_t n, const char *name,
                    const char *value, uint32_t *number)
{
    const char *names[8];
    char *end;

    for (size_t i = 0; i < n; i++) {
        names[i] = keys[i].name;
        if (strcmp(keys[i].name, name) != 0) {
            continue;
        }
        errno = 0;
        unsigned long long wide = strtoull(value, &end, 0);
        if (keys[i].number && (*value < '0' || *value > '9' || *end || errno ||
                               wide < keys[i].min || wide > keys[i].max)) {
            refuse(r, "%s: \"%s\" makes no sense; give %u-%u", name, value, keys[i].min,
                   keys[i].max);
            return -1;
        }
        *number = (uint32_t)wide;
        return (int)i;
    }
    const char *nearest = text_nearest(name, names, n);
    refuse(r, "%s: unknown in a section [%.*s ...]%s%s", name, (int)strcspn(r->section, " "),
           r->section, nearest ? "; did you mean " : "", nearest ? nearest : "");
    return -1;
}

static int set_option(struct reader *r, const char *name, const char *value)
{
    char why[256];
    const struct option_row *row = options_find(name);

    if (!row || !strcmp(name, "config")) {
        const char *nearest = row ? NULL : options_nearest(name);

        return refuse(r, "%s: %s%s%s", name,
                      row ? "a file cannot name another one" : "there is no such option",
                      nearest ? "; did you mean " : "", nearest ? nearest : "");
    }
    return options_set(r->options, row, value, why, sizeof(why)) || refuse(r, "%s", why);
}

/* --- types ------------------------------------------------------------------------------- */

static bool is_built_in(const char *name)
{
    struct vgpu_types types;

    types_init(&types, 0, 0);
    return types_find(&types, name);
}

/* The type of the section: GVT-g's of that name, or a new one, which begins as custom does. */
static struct vgpu_type *section_type(struct reader *r, const char *name)
{
    struct rules *rules = &r->options->rules;
    struct vgpu_types known;

    for (unsigned i = 0; i < rules->types_n; i++) {
        if (!strcmp(rules->types[i].name, name)) {
            return &rules->types[i];
        }
    }
    if (rules->types_n == VGPU_TYPES_MAX || strlen(name) >= VGPU_TYPE_NAME_MAX) {
        refuse(r, "type %.32s: %s", name,
               rules->types_n == VGPU_TYPES_MAX ? "there are as many types as can be"
                                                : "the name is too long; 31 bytes at most");
        return NULL;
    }
    types_init(&known, r->options->mappable_mib * GTT_ENTRIES_PER_MIB,
               r->options->unmappable_mib * GTT_ENTRIES_PER_MIB);
    const struct vgpu_type *like = types_find(&known, name);
    like = like ? like : types_find(&known, VGPU_TYPE_CUSTOM);
    struct vgpu_type *type = &rules->types[rules->types_n++];
    *type = *like;
    snprintf(type->name, sizeof(type->name), "%s", name);
    return type;
}

static int set_type_key(struct reader *r, const char *name, const char *key, const char *value)
{
    uint32_t number = 0;
    int which =
        find_key(r, type_keys, sizeof(type_keys) / sizeof(type_keys[0]), key, value, &number);
    struct vgpu_type *type = which < 0 ? NULL : section_type(r, name);

    if (!type) {
        return 0;
    }
    if (which <= TYPE_UNMAPPABLE && is_built_in(name)) {
        return refuse(r, "%s: a %s is of the size it is; %s", key, name,
                      strcmp(name, VGPU_TYPE_CUSTOM) != 0 ? "give a type of your own another name"
                                                          : "outside of sections it has a key");
    }
    switch ((enum type_key)which) {
    case TYPE_MAPPABLE:
        type->mappable = number * GTT_ENTRIES_PER_MIB;
        break;
    case TYPE_UNMAPPABLE:
        type->unmappable = number * GTT_ENTRIES_PER_MIB;
        break;
    case TYPE_FENCES:
        type->fences = number;
        break;
    case TYPE_WEIGHT:
        type->weight = number;
        break;
    }
    return 1;
}

/* --- domains ----------------------------------------------------------------------------- */

static struct rules_domain *section_domain(struct reader *r, const char *name)
{
    struct rules *rules = &r->options->rules;

    for (unsigned i = 0; i < rules->domains_n; i++) {
        if (!strcmp(rules->domains[i].name, name)) {
            return &rules->domains[i];
        }
    }
    if (rules->domains_n == RULES_DOMAINS_MAX || strlen(name) >= sizeof(rules->domains[0].name)) {
        refuse(r, "domain %.64s: %s", name,
               rules->domains_n == RULES_DOMAINS_MAX ? "64 domains at most have sections"
                                                     : "the name is too long; 63 bytes at most");
        return NULL;
    }
    struct rules_domain *domain = &rules->domains[rules->domains_n++];
    snprintf(domain->name, sizeof(domain->name), "%s", name);
    return domain;
}

static int set_domain_key(struct reader *r, const char *name, const char *key, const char *value)
{
    uint32_t number = 0;
    int which =
        find_key(r, domain_keys, sizeof(domain_keys) / sizeof(domain_keys[0]), key, value, &number);
    struct rules_domain *domain = which < 0 ? NULL : section_domain(r, name);

    if (!domain) {
        return 0;
    }
    switch ((enum domain_key)which) {
    case DOMAIN_TYPE:
        if (!*value || strlen(value) >= sizeof(domain->type)) {
            return refuse(r, "type: \"%s\" makes no sense; give the name of a type", value);
        }
        snprintf(domain->type, sizeof(domain->type), "%s", value);
        break;
    case DOMAIN_WEIGHT:
        domain->weight = number;
        break;
    case DOMAIN_QUOTA:
        domain->quota = number;
        break;
    }
    return 1;
}

/* --- the lines --------------------------------------------------------------------------- */

static bool given_before(struct reader *r, const char *section, const char *key)
{
    if (strcmp(section, r->section) != 0) {
        snprintf(r->section, sizeof(r->section), "%s", section);
        r->seen_n = 0;
    }
    for (unsigned i = 0; i < r->seen_n; i++) {
        if (!strcmp(r->seen[i], key)) {
            return true;
        }
    }
    if (r->seen_n < KEYS_MAX) {
        snprintf(r->seen[r->seen_n++], sizeof(r->seen[0]), "%s", key);
    }
    return false;
}

static int on_key(void *arg, const char *section, const char *key, const char *value)
{
    struct reader *r = arg;

    if (r->error[0]) {
        return 0;
    }
    if (strlen(section) > SECTION_MAX) {
        return refuse(r, "[%s...]: the name is too long; %u bytes at most", section, SECTION_MAX);
    }
    if (given_before(r, section, key) && strcmp(key, "sim-domain") != 0) {
        return refuse(r, "%s: is given twice; remove one of them", key);
    }
    if (!*section || !strcmp(section, "xengtd")) {
        return set_option(r, key, value);
    }
    if (!strncmp(section, "type ", 5)) {
        return set_type_key(r, section + 5, key, value);
    }
    if (!strncmp(section, "domain ", 7)) {
        return set_domain_key(r, section + 7, key, value);
    }
    return refuse(r, "[%s]: there is no such section; [xengtd], [type NAME] and [domain NAME] are",
                  section);
}

/* A line of the file. A longer one than the parser has room for would be two to it. */
static char *next_line(char *line, int size, void *arg)
{
    struct reader *r = arg;

    if (r->error[0] || !fgets(line, size, r->file)) {
        return NULL;
    }
    r->line++;
    if (strlen(line) == (size_t)size - 1 && line[size - 2] != '\n') {
        refuse(r, "the line is too long; %d bytes at most", size - 3);
        return NULL;
    }
    return line;
}

/* The parser takes what is between brackets as it is. A stream has one argument: the reader. */
bool config_read(struct options *options, char *error, size_t error_size)
{
    struct reader *r = calloc(1, sizeof(*r));
    bool fine = false;

    error[0] = '\0';
    if (!r) {
        text_line(error, error_size, "out of memory");
        return false;
    }
    *r = (struct reader){.options = options, .error = error, .error_size = error_size};
    r->file = fopen(options->config, "re");
    if (!r->file) {
        text_line(error, error_size, "%s: %s", options->config, strerror(errno));
        goto out;
    }
    int wrong = ini_parse_stream(next_line, r, on_key, r);
    if (!error[0] && wrong) {
        r->line = wrong > 0 ? (unsigned)wrong : r->line;
        refuse(r, "neither KEY = VALUE nor [SECTION] nor a comment, which begins with #");
    }
    if (!error[0] && ferror(r->file)) {
        text_line(error, error_size, "%s: cannot be read", options->config);
    }
    fine = !error[0];
    fclose(r->file);

out:
    free(r);
    return fine;
}

/* --- types that are named ---------------------------------------------------------------- */

static bool check_type(const struct vgpu_types *types, const char *who, const char *name,
                       char *error, size_t error_size)
{
    char names[VGPU_TYPES_MAX * (VGPU_TYPE_NAME_MAX + 2)];

    if (types_find(types, name)) {
        return true;
    }
    types_names(types, names, sizeof(names));
    text_line(error, error_size, "%stype: there is no '%s', only %s", who, name, names);
    return false;
}

bool config_check_types(const struct options *options, char *error, size_t error_size)
{
    const struct rules *rules = &options->rules;
    struct vgpu_types types;

    types_init(&types, options->mappable_mib * GTT_ENTRIES_PER_MIB,
               options->unmappable_mib * GTT_ENTRIES_PER_MIB);
    const struct vgpu_type *surplus = rules_add_types(rules, &types);
    if (surplus) {
        text_line(error, error_size, "type %s: there are as many types as can be, %u",
                  surplus->name, VGPU_TYPES_MAX);
        return false;
    }
    for (unsigned i = 0; i < rules->domains_n; i++) {
        const struct rules_domain *domain = &rules->domains[i];

        char who[96];

        snprintf(who, sizeof(who), "domain %s: ", domain->name);
        if (domain->type[0] && !check_type(&types, who, domain->type, error, error_size)) {
            return false;
        }
    }
    return check_type(&types, "", options->type, error, error_size);
}
