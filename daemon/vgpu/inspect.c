/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of a vGPU, for people: counters, mappings, the proof that its GTT keeps the rules. */
#include <errno.h>

#include "vgpu/device.h"
#include "vgpu/vgpu.h"

void vgpu_get_stats(const struct vgpu *vgpu, struct vgpu_stats *stats)
{
    *stats = vgpu->stats;
}

void vgpu_get_gtt_stats(const struct vgpu *vgpu, struct gtt_stats *stats)
{
    gtt_get_stats(vgpu->gtt, stats);
}

void vgpu_get_gpu_stats(const struct vgpu *vgpu, struct gpu_stats *stats)
{
    gtt_get_gpu_stats(vgpu->gtt, stats);
}

unsigned vgpu_verify(const struct vgpu *vgpu, char *error, size_t error_size)
{
    return gtt_verify(vgpu->gtt, error, error_size);
}

int vgpu_verify_some(struct vgpu *vgpu, uint32_t units, char *error, size_t error_size)
{
    int ret = vgpu->verify ? 0 : gtt_verify_begin(vgpu->gtt, &vgpu->verify);
    if (ret) {
        return ret;
    }
    if (!gtt_verify_some(vgpu->verify, units)) {
        return -EAGAIN;
    }
    unsigned found = gtt_verify_end(vgpu->verify, error, error_size);
    vgpu->verify = NULL;
    return (int)found;
}

bool vgpu_next_mapping(const struct vgpu *vgpu, uint32_t *index, uint64_t *gfn, uint64_t *bfn)
{
    return gtt_next_mapping(vgpu->gtt, index, gfn, bfn);
}
