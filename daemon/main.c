/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xengtd, put together: each part opened in the order they need each other, closed in reverse. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include <event2/event.h>

#include <xengt/sim.h>
#include <xengt/xengt.h>

#include "command_line.h"
#include "confine.h"
#include "control/control.h"
#include "gpu/gpu.h"
#include "gpu/open.h"
#include "guests/guests.h"
#include "guests/wake.h"
#include "guests/windows.h"
#include "host/host.h"
#include "log.h"
#include "notify.h"
#include "options.h"
#include "text.h"

/* 4 GiB of GPU addresses: what GTTMMADR has room for. */
#define GTT_ENTRIES (1u << 20)

/* Everything that lives as long as the daemon, in the order it is made. */
struct daemon {
    int argc; /* for the options, which are read again */
    char **argv;
    struct options options;
    struct log log;
    struct event_base *base;
    struct event *signals[3];
    struct event *alive; /* when systemd is to hear of it */
    unsigned vgpus;      /* as systemd heard last */
    struct event *hold;  /* until the GPU has no work, before the end */
    unsigned holds;
    struct xengt_sim *sim; /* with --backend sim */
    struct xengt *xengt;
    struct gpu *gpu;
    struct host *host;
    struct guests *guests;
    struct control *control;
    char error[256]; /* why it could not be made */
};

static int out_of_memory(struct daemon *d)
{
    snprintf(d->error, sizeof(d->error), "out of memory");
    return -ENOMEM;
}

/* --- what systemd is told --------------------------------------------------------------- */

static void tell_status(struct daemon *d)
{
    struct guest_info info;
    unsigned n = 0, failed = 0;
    char state[96];

    for (; guests_list(d->guests, n, &info); n++) {
        failed += info.failsafe != NULL;
    }
    if (n + (failed << 16) != d->vgpus) {
        d->vgpus = n + (failed << 16);
        snprintf(state, sizeof(state), "STATUS=%u vGPU%s, %u in failsafe", n, n == 1 ? "" : "s",
                 failed);
        notify_systemd(state);
    }
}

/* A loop that comes here is not stuck. */
static void on_alive(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    tell_status(arg);
    notify_systemd("WATCHDOG=1");
}

/* Twice as often as it must be, and the status in any case. */
static int start_telling(struct daemon *d)
{
    uint64_t us = notify_watchdog_us() / 2;

    us = us && us < 5000000 ? us : 5000000;
    const struct timeval interval = {
        .tv_sec = (time_t)(us / 1000000),
        .tv_usec = (suseconds_t)(us % 1000000),
    };
    if (!getenv("NOTIFY_SOCKET")) {
        return 0;
    }
    d->vgpus = ~0u;
    d->alive = event_new(d->base, -1, EV_PERSIST, on_alive, d);
    return !d->alive || event_add(d->alive, &interval) ? out_of_memory(d) : 0;
}

/* --- the parts --------------------------------------------------------------------------- */

/* How often to look whether the GPU is through, and how often at most: 2 s. */
static const struct timeval hold_time = {.tv_usec = 2000};
#define HOLDS_MAX 1000u

/* What the GPU has when the process ends is lost to its guest. */
static void on_hold(evutil_socket_t fd, short what, void *arg)
{
    struct daemon *d = arg;

    (void)fd;
    (void)what;
    if (guests_hold(d->guests) || ++d->holds > HOLDS_MAX || event_add(d->hold, &hold_time)) {
        event_base_loopbreak(d->base);
    }
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct daemon *d = arg;

    (void)number;
    (void)what;
    if (d->holds) {
        event_base_loopbreak(d->base); /* the second time nobody waits */
        return;
    }
    log_line(&d->log, LOG_INFO, "shutting down");
    if (d->guests && d->options.leave_guests) {
        on_hold(-1, EV_TIMEOUT, d);
    } else {
        event_base_loopbreak(d->base);
    }
}

static struct guests_config guests_config_of(struct daemon *d)
{
    return (struct guests_config){
        .base = d->base,
        .xengt = d->xengt,
        .gpu = d->gpu,
        .host = d->host,
        .mmio_base = d->options.mmio_base,
        .state_dir = d->sim ? NULL : d->options.state_dir,
        .lazy_ggtt = d->options.lazy_ggtt,
        .gtt_mode = d->options.gtt_mode,
        .track_after = d->options.track_after,
        .type = d->options.type,
        .mappable_pages = d->options.mappable_mib * GTT_ENTRIES_PER_MIB,
        .unmappable_pages = d->options.unmappable_mib * GTT_ENTRIES_PER_MIB,
        .rules = &d->options.rules,
        .space =
            {
                .quota = d->options.quota,
                .defer_pages = d->options.defer_pages,
                .defer_ms = d->options.defer_ms,
            },
        .log = log_line,
        .log_arg = &d->log,
    };
}

/* What guests_create() and guests_configure() do not say of a type that is to be the default. */
static void explain_type(struct daemon *d, int ret)
{
    const struct windows_gpu gpu = windows_of_gpu(GTT_ENTRIES);

    if (ret == -E2BIG) {
        snprintf(d->error, sizeof(d->error),
                 "there are more types than can be, %u; those of before stay until a restart",
                 VGPU_TYPES_MAX);
        return;
    }
    if (ret != -ENOSPC) {
        out_of_memory(d);
        return;
    }
    snprintf(d->error, sizeof(d->error),
             "type %s does not fit the GPU, which has %u MiB mappable and %u MiB besides",
             d->options.type, gpu.aperture / GTT_ENTRIES_PER_MIB,
             (gpu.gtt_entries - gpu.aperture) / GTT_ENTRIES_PER_MIB);
}

/* What was given at the start is read anew. What is wrong with it leaves everything as it was. */
static int reload(struct daemon *d)
{
    struct options *fresh = calloc(2, sizeof(*fresh));
    char changed[256], fixed[256];
    int ret = 0;

    if (!fresh) {
        return out_of_memory(d);
    }
    struct options *before = &fresh[1];
    if (command_line_read(fresh, d->argc, d->argv, d->error, sizeof(d->error)) !=
        COMMAND_LINE_RUN) {
        ret = -EINVAL;
        goto out;
    }
    *before = d->options;
    options_renew(&d->options, fresh, changed, fixed, sizeof(changed));
    const struct guests_config config = guests_config_of(d);
    ret = guests_configure(d->guests, &config);
    if (ret) {
        explain_type(d, ret);
        d->options = *before;
        goto out;
    }
    d->log.level = d->options.log_level;
    text_log(log_line, &d->log, LOG_NOTICE, "reload: changed: %s%s%s",
             changed[0] ? changed : "nothing", fixed[0] ? "; as before until a restart: " : "",
             fixed);

out:
    free(fresh);
    return ret;
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
    struct daemon *d = arg;

    (void)number;
    (void)what;
    notify_reloading();
    if (reload(d)) {
        text_log(log_line, &d->log, LOG_ERR, "reload: %s; everything is as before", d->error);
    }
    notify_systemd("READY=1");
}

static int open_events(struct daemon *d)
{
    static const struct {
        int number;
        event_callback_fn fn;
    } signals[] = {{SIGTERM, on_signal}, {SIGINT, on_signal}, {SIGHUP, on_hangup}};

    signal(SIGPIPE, SIG_IGN); /* a client that went away is an error of its socket */
    d->base = event_base_new();
    if (!d->base) {
        return out_of_memory(d);
    }
    d->hold = evtimer_new(d->base, on_hold, d);
    if (!d->hold) {
        return out_of_memory(d);
    }
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        d->signals[i] = evsignal_new(d->base, signals[i].number, signals[i].fn, d);
        if (!d->signals[i] || event_add(d->signals[i], NULL)) {
            return out_of_memory(d);
        }
    }
    return 0;
}

static int open_sim(struct daemon *d)
{
    if (d->options.backend != XENGT_BACKEND_SIM) {
        return 0;
    }
    d->sim = xengt_sim_new();
    if (!d->sim) {
        return out_of_memory(d);
    }
    for (unsigned i = 0; i < d->options.sim_domains_n; i++) {
        const struct options_sim_domain *domain = &d->options.sim_domains[i];
        const struct xengt_sim_domain config = {.name = domain->name, .pages = domain->pages};
        uint32_t domid;
        int ret = xengt_sim_domain_create(d->sim, &config, &domid);

        if (ret) {
            snprintf(d->error, sizeof(d->error), "sim-domain '%s': %s", domain->name,
                     strerror(-ret));
            return ret;
        }
    }
    return 0;
}

static int open_xengt(struct daemon *d)
{
    const struct xengt_options options = {
        .backend = d->options.backend,
        .window_base = d->options.window_base,
        .window_pages = d->options.window_pages,
        .batch = d->options.batch,
        .state_dir = d->sim ? NULL : d->options.state_dir,
        .log = log_line,
        .log_arg = &d->log,
        .sim = d->sim,
    };

    return xengt_open(&d->xengt, &options, d->error, sizeof(d->error));
}

/* The simulator asks at each unmap: a page the GPU still reaches is a breach it counts. */
static bool gpu_holds(void *arg, struct xengt_bfn bfn)
{
    struct gpu *gpu = arg;

    return gpu->ops->holds(gpu, bfn.v);
}

static int open_gpu(struct daemon *d)
{
    const struct gpu_options options = {
        .name = d->options.gpu,
        .dma = d->options.dma,
        .gtt_entries = GTT_ENTRIES,
        .clock = wake_now_ns,
        .xengt = d->xengt,
        .sim = d->sim,
    };
    int ret = gpu_open(&options, &d->gpu, d->error, sizeof(d->error));

    if (!ret && d->sim) {
        xengt_sim_on_unmap(d->sim, gpu_holds, d->gpu);
    }
    return ret;
}

static int open_host(struct daemon *d)
{
    const struct host_xen_config config = {
        .base = d->base,
        .state_dir = d->options.state_dir,
        .vdispl = d->options.vdispl,
        .log = log_line,
        .log_arg = &d->log,
    };

    if (!d->sim) {
        return host_xen_open(&config, &d->host, d->error, sizeof(d->error));
    }
    return host_sim_open(d->sim, &d->host) ? out_of_memory(d) : 0;
}

static int open_server(struct daemon *d)
{
    const struct guests_config config = guests_config_of(d);
    int ret = guests_create(&config, &d->guests);

    if (ret) {
        explain_type(d, ret);
    }
    return ret;
}

/* Nothing of a guest's has been looked at so far. */
static int enter_prison(struct daemon *d)
{
    return d->options.confine ? confine(d->error, sizeof(d->error)) : 0;
}

static int take_guests_up(struct daemon *d)
{
    guests_take_up(d->guests);
    return 0;
}

static int open_control(struct daemon *d)
{
    const struct control_config config = {
        .base = d->base,
        .guests = d->guests,
        .path = d->options.socket,
        .fd = notify_listening(),
        .group = d->options.share_socket ? &d->options.socket_group : NULL,
        .log = log_line,
        .log_arg = &d->log,
    };

    return control_open(&config, &d->control, d->error, sizeof(d->error));
}

/* --- together ---------------------------------------------------------------------------- */

/*
 * Nobody asks any more, then every guest is detached, or left to the next xengtd, and then nothing
 * needs the rest.
 */
static void close_all(struct daemon *d)
{
    control_close(d->control);
    if (d->guests && !d->sim && d->options.leave_guests) {
        guests_hand_over(d->guests);
    } else {
        guests_destroy(d->guests);
    }
    if (d->host) {
        d->host->ops->close(d->host);
    }
    if (d->sim) {
        xengt_sim_on_unmap(d->sim, NULL, NULL);
    }
    if (d->gpu) {
        d->gpu->ops->close(d->gpu);
    }
    xengt_close(d->xengt);
    if (d->sim) {
        xengt_sim_free(d->sim);
    }
    for (size_t i = 0; i < sizeof(d->signals) / sizeof(d->signals[0]); i++) {
        if (d->signals[i]) {
            event_free(d->signals[i]);
        }
    }
    if (d->alive) {
        event_free(d->alive);
    }
    if (d->hold) {
        event_free(d->hold);
    }
    if (d->base) {
        event_base_free(d->base);
    }
}

static int open_all(struct daemon *d)
{
    static int (*const parts[])(struct daemon * d) = {
        open_events, open_sim,     open_xengt,     open_gpu,     open_host,
        open_server, enter_prison, take_guests_up, open_control, start_telling,
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int ret = parts[i](d);

        if (ret) {
            return ret;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct daemon d = {.argc = argc, .argv = argv};
    int status = 1;

    switch (command_line_read(&d.options, argc, argv, d.error, sizeof(d.error))) {
    case COMMAND_LINE_DONE:
        return 0;
    case COMMAND_LINE_WRONG:
        fprintf(stderr, "xengtd: %s\n", d.error);
        return 1;
    case COMMAND_LINE_RUN:
        break;
    }
    log_init(&d.log, d.options.log_level);
    if (open_all(&d)) {
        log_line(&d.log, LOG_ERR, d.error);
        goto out;
    }
    log_line(&d.log, LOG_INFO, "ready");
    notify_systemd("READY=1");
    status = event_base_dispatch(d.base) < 0;
    notify_systemd("STOPPING=1");
out:
    close_all(&d);
    return status;
}
