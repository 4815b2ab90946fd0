/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The chooser of the GPU: a row for each there is. */
#include "gpu/open.h"

#include <errno.h>
#include <string.h>

#include <xengt/map.h>

#include "gpu/dma/dma.h"
#include "gpu/soft/open.h"
#include "text.h"

/* --- the software GPU -------------------------------------------------------------------- */

static int view(void *arg, uint64_t frame, void **page)
{
    return xengt_view(arg, (struct xengt_bfn){frame}, page);
}

static int open_port(const struct gpu_options *options, struct dma_port **port, char *error,
                     size_t error_size)
{
    const struct dma_memory memory = dma_memory_of(options->xengt);
    enum gpu_dma dma = options->dma;

    if (dma == GPU_DMA_AUTO) {
        dma = options->sim ? GPU_DMA_SIM : GPU_DMA_CPU;
    }
    switch (dma) {
    case GPU_DMA_SIM:
        return options->sim
                   ? dma_sim_open(options->sim, port)
                   : text_error(error, error_size, -EINVAL, "--dma sim needs --backend sim");
    case GPU_DMA_EDU:
        return dma_edu_open(NULL, &memory, port, error, error_size);
    default:
        return dma_cpu_open(view, options->xengt, port);
    }
}

/* Before the simulator it is eager: a mistake of order shows, instead of being lucky. */
static int open_soft(const struct gpu_options *options, struct gpu **out, char *error,
                     size_t error_size)
{
    const struct gpu_soft_options soft = {
        .gtt_entries = options->gtt_entries,
        .eager = options->sim != NULL,
        .clock = options->clock,
    };
    struct dma_port *port = NULL;
    int ret = open_port(options, &port, error, error_size);

    return ret ? ret : gpu_soft_open(port, &soft, out);
}

/* --- the GPUs there are ------------------------------------------------------------------ */

static const struct {
    const char *name;
    int (*open)(const struct gpu_options *options, struct gpu **out, char *error,
                size_t error_size);
} gpus[] = {
    {"soft", open_soft},
};

int gpu_open(const struct gpu_options *options, struct gpu **out, char *error, size_t error_size)
{
    *out = NULL;
    text_line(error, error_size, "%s", "");
    for (size_t i = 0; i < sizeof(gpus) / sizeof(gpus[0]); i++) {
        if (strcmp(gpus[i].name, options->name) != 0) {
            continue;
        }
        int ret = gpus[i].open(options, out, error, error_size);
        if (ret && error_size && !error[0]) {
            text_line(error, error_size, "the GPU cannot be opened: %s", strerror(-ret));
        }
        return ret;
    }
    return text_error(error, error_size, -ENOENT, "gpu: there is no \"%s\", only soft",
                      options->name);
}
