/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "private.h"

int gtt_ppgtt_create(struct gtt *gtt, const struct gtt_root *root)
{
    (void)gtt;
    return root->levels == 3 || root->levels == 4 ? 0 : -EINVAL;
}

int gtt_ppgtt_destroy(struct gtt *gtt, const struct gtt_root *root)
{
    (void)gtt;
    return root->levels == 3 || root->levels == 4 ? 0 : -EINVAL;
}

void gtt_table_write(struct gtt *gtt, uint64_t gpa, uint64_t value, unsigned size)
{
    (void)gtt;
    (void)gpa;
    (void)value;
    (void)size;
}

int gtt_submit(struct gtt *gtt, const struct gtt_workload *workload)
{
    gtt_commit(gtt);
    const struct gpu_workload work = {
        .context = workload->context,
        .status_page = workload->status_page,
        .buffer = workload->buffer,
        .buffers = workload->buffers,
    };
    return gtt->cfg.gpu->ops->execute(gtt->client, workload->engine, &work);
}
