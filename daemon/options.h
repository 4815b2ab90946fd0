/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengtd's options: a row for each, and what they are set to. */
#ifndef XENGT_OPTIONS_H
#define XENGT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xengt/xengt.h>

#include "gpu/open.h"
#include "guests/guests.h"

#define OPTIONS_SIM_DOMAINS_MAX 16u

struct options_sim_domain {
    char name[64];
    uint32_t pages;
};

/* xengtd's options: each a row of options.c, of the same name on the command line and in the file.
 */
struct options {
    enum xengt_backend backend;
    char gpu[16];
    enum gpu_dma dma;
    uint64_t window_base; /* GFN; 0: xengtd looks for one */
    uint32_t window_pages;
    uint64_t mmio_base;
    char state_dir[256];
    char socket[108];
    bool share_socket; /* with the members of a group, who may read */
    gid_t socket_group;
    char type[32];         /* of vGPUs, where nobody says which */
    uint32_t mappable_mib; /* of a custom one */
    uint32_t unmappable_mib;
    bool lazy_ggtt;
    bool confine;
    bool vdispl;       /* xl's vdispl devices are vGPUs */
    bool leave_guests; /* to the next xengtd, when this one ends in order */
    enum guests_gtt_mode gtt_mode;
    uint32_t track_after;
    uint32_t defer_pages;
    uint32_t defer_ms;
    uint32_t quota;
    uint32_t batch;
    int log_level;
    char config[256];
    struct options_sim_domain sim_domains[OPTIONS_SIM_DOMAINS_MAX];
    unsigned sim_domains_n;
    struct rules rules; /* of the file alone */
};

/* When what is changed in the file holds: at the next start, or at once, without one. */
enum options_when { OPTIONS_AT_START, OPTIONS_AT_ONCE };

struct option_row {
    const char *name;
    const char *value; /* what to give it, for people */
    /* Takes the value, or answers false: it makes no sense. */
    bool (*set)(struct options *options, const char *value);
    size_t offset; /* of its member */
    size_t size;
    enum options_when when;
    const char *help;
};

/* The defaults. */
void options_init(struct options *options);

#define OPTIONS_MAX 32u
size_t options_count(void); /* less than that */
const struct option_row *options_row(size_t i);

/* An option by its name; NULL: there is none. */
const struct option_row *options_find(const char *name);

/* The option that is called most like it, or NULL: none is. */
const char *options_nearest(const char *name);

/* False: the value makes no sense; error says what would. */
bool options_set(struct options *options, const struct option_row *row, const char *value,
                 char *error, size_t error_size);

/*
 * What of fresh can change while the daemon runs becomes so; changed gets the names of these, and
 * fixed those of others, each as "a, b".
 */
void options_renew(struct options *options, const struct options *fresh, char *changed, char *fixed,
                   size_t size);

#endif
