/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The commit: recorded stores become the GPU's page table. Nothing else writes GPU PTEs, and the
 * order below is what keeps the GPU out of memory that is not the guest's:
 *
 *   1 map         the new frames, one batch: from here on Xen holds them
 *   2 write       the GPU's PTEs, with bus frame numbers, or scratch where the map failed
 *   3 invalidate  the GPU's TLB, once: from here on the GPU has forgotten the old frames
 *   4 release     the old frames; only now may Xen be asked to let go of them
 *   5 forward     the access that made the commit due (gtt_forward)
 */
#include "private.h"
#include "pte.h"

/* Step 1's input: which of the pending entries point to a frame of the guest. */
static bool wants_frame(const struct gtt *gtt, uint32_t entry)
{
    return !(gtt->flags[entry] & GTT_HALF) && pte_present(gtt->guest[entry]);
}

static size_t map_new_frames(struct gtt *gtt)
{
    size_t n = 0;
    for (uint32_t i = 0; i < gtt->pending_count; i++) {
        if (wants_frame(gtt, gtt->pending[i])) {
            gtt->room.gfn[n++] = pte_gfn(gtt->guest[gtt->pending[i]]);
        }
    }
    if (n) {
        /* With err given, the call itself does not fail: every entry has its answer. */
        xengt_space_get(gtt->cfg.space, gtt->room.gfn, gtt->room.bfn, gtt->room.err, n);
    }
    return n;
}

/* Fills in the GPU's new entries and notes what the old ones held. Returns how many held a frame.
 */
static size_t make_ptes(struct gtt *gtt)
{
    size_t answer = 0;
    size_t old = 0;
    for (uint32_t i = 0; i < gtt->pending_count; i++) {
        uint32_t entry = gtt->pending[i];
        uint64_t pte = gtt->cfg.gpu->scratch_pte;
        bool failed = false;
        if (wants_frame(gtt, entry)) {
            failed = gtt->room.err[answer] != 0;
            if (!failed) {
                pte = pte_to_bfn(gtt->room.bfn[answer]);
                gtt->stats.present++;
            }
            answer++;
        }
        if (gtt_is_mapped(gtt, entry)) {
            gtt->room.old[old++] = pte_bfn(gtt->shadow[entry]);
            gtt->stats.present--;
        }
        gtt->stats.scratch -= (gtt->flags[entry] & GTT_FAILED) != 0;
        gtt->stats.scratch += failed;
        gtt->stats.map_failures += failed;
        gtt->flags[entry] = (gtt->flags[entry] & GTT_HALF) | (failed ? GTT_FAILED : 0);
        gtt->shadow[entry] = pte;
        gtt->room.write[i] =
            (struct gpu_pte_write){.table = GPU_GGTT, .index = gtt_index(gtt, entry), .pte = pte};
    }
    return old;
}

void gtt_commit(struct gtt *gtt)
{
    if (!gtt->pending_count) {
        return;
    }
    const struct gpu_ops *gpu = gtt->cfg.gpu->ops;

    map_new_frames(gtt);
    size_t old = make_ptes(gtt);
    gpu->write_ptes(gtt->cfg.gpu, gtt->room.write, gtt->pending_count);
    gpu->invalidate(gtt->cfg.gpu);
    xengt_space_put(gtt->cfg.space, gtt->room.old, old);

    gtt->stats.ptes += gtt->pending_count;
    gtt->stats.commits++;
    gtt->pending_count = 0;
}

void gtt_forward(struct gtt *gtt, const struct gtt_access *access)
{
    gtt_commit(gtt);
    if (access->kind == GTT_ACCESS_SUBMIT) {
        gtt->cfg.gpu->ops->submit(gtt->client, access->engine, &access->ring);
    }
}

void gtt_mark_pending(struct gtt *gtt, uint32_t entry)
{
    if (gtt->flags[entry] & GTT_PENDING) {
        return;
    }
    if (gtt->pending_count == GTT_PENDING_MAX) {
        gtt_commit(gtt);
    }
    gtt->flags[entry] |= GTT_PENDING;
    gtt->pending[gtt->pending_count++] = entry;
}
