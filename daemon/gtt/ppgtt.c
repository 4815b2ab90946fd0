/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Address spaces: what the guest says exists, what it submits, and what is given up for others. */
#include <errno.h>
#include <stdlib.h>

#include "gtt/state.h"

/* As many as are remembered; and of those that the guest never announced. */
#define MMS_MAX         4096u
#define UNANNOUNCED_MAX 16u

static unsigned roots_of(const struct gtt_root *root)
{
    return root->levels == 4 ? 1 : 4;
}

static int check_root(const struct gtt_root *root)
{
    if (root->levels != 3 && root->levels != 4) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < roots_of(root); i++) {
        if (root->pdp[i] % XENGT_PAGE_SIZE) {
            return -EINVAL;
        }
    }
    return 0;
}

static struct mm *find_mm(struct gtt *gtt, const struct gtt_root *root)
{
    struct mm *mm;
    TAILQ_FOREACH(mm, &gtt->mms, links)
    {
        bool same = mm->root.levels == root->levels;
        for (unsigned i = 0; same && i < roots_of(root); i++) {
            same = mm->root.pdp[i] == root->pdp[i];
        }
        if (same) {
            return mm;
        }
    }
    return NULL;
}

/* Does an engine use it? One that is idle does not any more. */
static bool is_running(struct gtt *gtt, const struct mm *mm)
{
    bool running = false;
    for (unsigned e = 0; e < GPU_ENGINES; e++) {
        struct gpu_engine_state state;
        if (gtt->running[e] != mm) {
            continue;
        }
        gtt->cfg.gpu->ops->engine_state(gtt->client, e, &state);
        if (state.idle) {
            gtt->running[e] = NULL;
        } else {
            running = true;
        }
    }
    return running;
}

/* The roots are not in any table: the GPU must have forgotten them before their tables go. */
static void unshadow(struct gtt *gtt, struct mm *mm)
{
    if (!mm->shadowed) {
        return;
    }
    gtt_run_batch(gtt);
    gtt->cfg.gpu->ops->invalidate(gtt->cfg.gpu);
    for (unsigned i = 0; i < 4; i++) {
        if (mm->spt[i]) {
            spt_put(gtt, mm->spt[i]);
            mm->spt[i] = NULL;
        }
    }
    mm->shadowed = false;
}

static void drop(struct gtt *gtt, struct mm *mm)
{
    unshadow(gtt, mm);
    TAILQ_REMOVE(&gtt->mms, mm, links);
    gtt->stats.mms--;
    free(mm);
}

void mm_drop_all(struct gtt *gtt)
{
    for (unsigned e = 0; e < GPU_ENGINES; e++) {
        gtt->running[e] = NULL;
    }
    while (!TAILQ_EMPTY(&gtt->mms)) {
        drop(gtt, TAILQ_FIRST(&gtt->mms));
    }
    spt_untrack_flush(gtt);
}

void mm_reap(struct gtt *gtt)
{
    for (unsigned e = 0; e < GPU_ENGINES; e++) {
        struct mm *mm = gtt->running[e];
        if (mm && mm != gtt->current && mm->announced && !mm->refs && !is_running(gtt, mm)) {
            drop(gtt, mm);
        }
    }
}

bool mm_reclaim(struct gtt *gtt)
{
    struct mm *mm;
    TAILQ_FOREACH(mm, &gtt->mms, links)
    {
        if (mm->shadowed && mm != gtt->current && !is_running(gtt, mm)) {
            gtt->stats.reclaims++;
            unshadow(gtt, mm);
            return true;
        }
    }
    return false;
}

/* Makes room for one more: of those that were never announced the oldest that is not in use. */
static bool room_for_one(struct gtt *gtt)
{
    struct mm *mm;
    struct mm *oldest = NULL;
    uint32_t unannounced = 0;
    TAILQ_FOREACH(mm, &gtt->mms, links)
    {
        unannounced += !mm->announced;
        if (!oldest && !mm->announced && !is_running(gtt, mm)) {
            oldest = mm;
        }
    }
    if (oldest && unannounced >= UNANNOUNCED_MAX) {
        drop(gtt, oldest);
    }
    return gtt->stats.mms < MMS_MAX;
}

static struct mm *find_or_make(struct gtt *gtt, const struct gtt_root *root)
{
    struct mm *mm = find_mm(gtt, root);
    if (mm || !room_for_one(gtt)) {
        return mm;
    }
    mm = calloc(1, sizeof(*mm));
    if (mm) {
        mm->root = *root;
        TAILQ_INSERT_TAIL(&gtt->mms, mm, links);
        gtt->stats.mms++;
    }
    return mm;
}

int gtt_ppgtt_create(struct gtt *gtt, const struct gtt_root *root)
{
    int ret = check_root(root);
    if (ret) {
        return ret;
    }
    struct mm *mm = find_or_make(gtt, root);
    if (!mm) {
        return -ENOSPC;
    }
    mm->refs++;
    mm->announced = true;
    return 0;
}

int gtt_ppgtt_destroy(struct gtt *gtt, const struct gtt_root *root)
{
    int ret = check_root(root);
    struct mm *mm = ret ? NULL : find_mm(gtt, root);
    if (!ret && (!mm || !mm->refs)) {
        ret = -ENOENT;
    }
    if (ret) {
        return ret;
    }
    mm->refs--;
    if (!mm->refs && !is_running(gtt, mm)) {
        drop(gtt, mm);
        spt_untrack_flush(gtt);
    }
    return 0;
}

/* --- submission -------------------------------------------------------------------------- */

/* A guest physical address of 0 is no table, as on hardware, where it has no present bit. */
static int shadow_roots(struct gtt *gtt, struct mm *mm)
{
    enum spt_kind kind = mm->root.levels == 4 ? SPT_PML4 : SPT_PD;
    bool any = false;
    for (unsigned i = 0; i < roots_of(&mm->root); i++) {
        struct xengt_gfn gfn = {mm->root.pdp[i] >> XENGT_PAGE_SHIFT};
        if (gfn.v && !mm->spt[i]) {
            mm->spt[i] = spt_get(gtt, kind, gfn);
        }
        any |= mm->spt[i] != NULL;
    }
    mm->shadowed = any;
    return any ? 0 : -EFAULT;
}

static void root_for_gpu(const struct gtt *gtt, const struct mm *mm, struct gpu_root *root)
{
    uint32_t scratch = gtt->scratch_table[mm->root.levels == 4 ? 3 : 2];
    *root = (struct gpu_root){.levels = mm->root.levels};
    for (unsigned i = 0; i < roots_of(&mm->root); i++) {
        root->table[i] = mm->spt[i] ? mm->spt[i]->table : scratch;
    }
}

static int prepare_mm(struct gtt *gtt, const struct gtt_root *root, struct mm **out)
{
    int ret = check_root(root);
    struct mm *mm = ret ? NULL : find_or_make(gtt, root);
    if (ret) {
        return ret;
    }
    if (!mm) {
        return -ENOSPC;
    }
    gtt->current = mm;
    gtt->starved = false;
    ret = shadow_roots(gtt, mm);
    gtt_commit(gtt);
    gtt->current = NULL;
    TAILQ_REMOVE(&gtt->mms, mm, links);
    TAILQ_INSERT_TAIL(&gtt->mms, mm, links);
    if (gtt->starved) {
        ret = -ENOSPC;
    }
    *out = mm;
    return ret;
}

int gtt_submit(struct gtt *gtt, const struct gtt_workload *workload)
{
    struct gpu_workload work = {
        .context = workload->context,
        .status_page = workload->status_page,
        .buffer = workload->buffer,
        .buffers = workload->buffers,
    };
    struct mm *mm = NULL;
    if (workload->root.levels) {
        int ret = prepare_mm(gtt, &workload->root, &mm);
        if (ret) {
            return ret;
        }
        root_for_gpu(gtt, mm, &work.root);
    } else {
        gtt_commit(gtt);
    }
    gtt->running[workload->engine] = mm;
    return gtt->cfg.gpu->ops->execute(gtt->client, workload->engine, &work);
}
