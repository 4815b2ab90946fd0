/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengtd's options: from the command line and from a file, checked alike. */
#ifndef XENGT_OPTIONS_H
#define XENGT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xengt/xengt.h>

#include "gpu/open.h"
#include "guests/guests.h"

#define OPTIONS_SIM_DOMAINS_MAX 16u

struct options_sim_domain {
    char name[64];
    uint32_t pages;
};

struct options {
    enum xengt_backend backend;
    char gpu[16];
    enum gpu_dma dma;
    uint64_t window_base; /* GFN; 0: xengtd looks for one */
    uint32_t window_pages;
    uint64_t mmio_base;
    char state_dir[256];
    char socket[108];
    char type[32];         /* of vGPUs, where nobody says which */
    uint32_t mappable_mib; /* of a custom one */
    uint32_t unmappable_mib;
    bool lazy_ggtt;
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
};

enum options_result {
    OPTIONS_RUN,
    OPTIONS_DONE,  /* --help or --version: printed, nothing else to do */
    OPTIONS_WRONG, /* error has one line */
};

/* The command line wins over the file. */
enum options_result options_read(struct options *options, int argc, char **argv, char *error,
                                 size_t error_size);

#endif
