/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Address spaces: what the guest says exists, what it submits, and what is given up for others. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "gtt/state.h"

/* As many as are remembered; and of those that the guest never announced. */
#define MMS_MAX         GTT_ROOTS_MAX
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

static bool same_root(const struct gtt_root *a, const struct gtt_root *b)
{
    bool same = a->levels == b->levels;
    for (unsigned i = 0; same && i < roots_of(a); i++) {
        same = a->pdp[i] == b->pdp[i];
    }
    return same;
}

static struct mm *find_mm(struct gtt *gtt, const struct gtt_root *root)
{
    struct mm *mm;
    TAILQ_FOREACH(mm, &gtt->mms, links)
    {
        if (same_root(&mm->root, root)) {
            return mm;
        }
    }
    return NULL;
}

/* --- what is kept ------------------------------------------------------------------------ */

/* Whole before it counts: the process may end between any two stores. */
static void keep(struct gtt *gtt, struct mm *mm)
{
    struct gtt_kept *kept = gtt->cfg.kept;
    if (!kept) {
        return;
    }
    if (mm->kept == GTT_ROOTS_MAX) {
        mm->kept = kept->roots;
        gtt->kept_mm[mm->kept] = mm;
    }
    kept->root[mm->kept] = (struct gtt_kept_root){mm->root, mm->refs};
    atomic_signal_fence(memory_order_seq_cst);
    if (mm->kept == kept->roots) {
        kept->roots++;
    }
}

/* The last one takes its place: for a moment it is there twice, which is found out. */
static void forget(struct gtt *gtt, struct mm *mm)
{
    struct gtt_kept *kept = gtt->cfg.kept;
    if (mm->kept == GTT_ROOTS_MAX) {
        return;
    }
    uint32_t last = kept->roots - 1;
    kept->root[mm->kept] = kept->root[last];
    gtt->kept_mm[mm->kept] = gtt->kept_mm[last];
    gtt->kept_mm[mm->kept]->kept = mm->kept;
    atomic_signal_fence(memory_order_seq_cst);
    kept->roots = last;
    mm->kept = GTT_ROOTS_MAX;
}

/* --- one address space ------------------------------------------------------------------- */

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

/* Or will it use it next? */
static bool is_in_use(struct gtt *gtt, const struct mm *mm)
{
    bool next = false;
    for (unsigned e = 0; e < GPU_ENGINES; e++) {
        next |= gtt->next[e].mm == mm;
    }
    return next || is_running(gtt, mm);
}

static void unshadow(struct gtt *gtt, struct mm *mm)
{
    for (unsigned i = 0; i < 4; i++) {
        gtt_leave_root(gtt, mm->spt[i]);
        mm->spt[i] = NULL;
    }
    mm->shadowed = false;
}

static void drop(struct gtt *gtt, struct mm *mm)
{
    unshadow(gtt, mm);
    forget(gtt, mm);
    TAILQ_REMOVE(&gtt->mms, mm, links);
    gtt->stats.mms--;
    gtt_charge(gtt, COST_LOOK);
    free(mm);
}

bool mm_drop_all(struct gtt *gtt)
{
    for (unsigned e = 0; e < GPU_ENGINES; e++) {
        gtt->running[e] = NULL;
        gtt->next[e] = (struct preparation){0};
    }
    while (!TAILQ_EMPTY(&gtt->mms) && gtt_may_work(gtt)) {
        drop(gtt, TAILQ_FIRST(&gtt->mms));
    }
    gtt_run_batch(gtt);
    return TAILQ_EMPTY(&gtt->mms);
}

static void drop_if_destroyed(struct gtt *gtt, struct mm *mm)
{
    if (mm && mm->announced && !mm->refs && !is_in_use(gtt, mm)) {
        drop(gtt, mm);
    }
}

void mm_reap(struct gtt *gtt)
{
    for (unsigned e = 0; e < GPU_ENGINES; e++) {
        drop_if_destroyed(gtt, gtt->running[e]);
    }
    gtt_run_batch(gtt);
}

bool mm_reclaim(struct gtt *gtt)
{
    struct mm *mm;
    TAILQ_FOREACH(mm, &gtt->mms, links)
    {
        if (mm->shadowed && !is_in_use(gtt, mm)) {
            gtt->stats.reclaims++;
            unshadow(gtt, mm);
            gtt_run_batch(gtt);
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
    gtt_charge(gtt, gtt->stats.mms * COST_LOOK);
    TAILQ_FOREACH(mm, &gtt->mms, links)
    {
        unannounced += !mm->announced;
        if (!oldest && !mm->announced && !is_in_use(gtt, mm)) {
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
        mm->kept = GTT_ROOTS_MAX;
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
    if (mm) {
        mm->refs++;
        mm->announced = true;
        keep(gtt, mm);
    }
    gtt_finish(gtt); /* another one may have made room */
    return mm ? 0 : -ENOSPC;
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
    if (mm->refs) {
        keep(gtt, mm);
    } else if (is_in_use(gtt, mm)) {
        forget(gtt, mm);
    } else {
        drop(gtt, mm);
    }
    gtt_finish(gtt);
    return 0;
}

int mm_take_up(struct gtt *gtt)
{
    const struct gtt_kept *kept = gtt->cfg.kept;
    uint32_t roots = kept->roots < GTT_ROOTS_MAX ? kept->roots : GTT_ROOTS_MAX;
    uint32_t taken = 0;
    gtt->kept_mm = calloc(GTT_ROOTS_MAX, sizeof(struct mm *));
    if (!gtt->kept_mm) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < roots; i++) {
        struct gtt_kept_root one = kept->root[i];
        if (!one.refs || check_root(&one.root) || find_mm(gtt, &one.root)) {
            continue;
        }
        struct mm *mm = find_or_make(gtt, &one.root);
        if (!mm) {
            return -ENOMEM;
        }
        mm->refs = one.refs;
        mm->announced = true;
        mm->kept = taken;
        gtt->kept_mm[taken] = mm;
        gtt->cfg.kept->root[taken++] = one;
    }
    gtt->cfg.kept->roots = taken;
    return 0;
}

/* --- submission -------------------------------------------------------------------------- */

/* A guest physical address of 0 is no table, as on hardware, where it has no present bit. */
bool mm_shadow_roots(struct gtt *gtt, struct mm *mm)
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
    return any;
}

void mm_for_gpu(const struct gtt *gtt, const struct mm *mm, struct gpu_root *root)
{
    uint32_t scratch = batch_scratch_table(&gtt->batch, mm->root.levels == 4 ? 3 : 2);
    *root = (struct gpu_root){.levels = mm->root.levels};
    for (unsigned i = 0; i < roots_of(&mm->root); i++) {
        root->table[i] = mm->spt[i] ? mm->spt[i]->table : scratch;
    }
}

bool mm_is_root(const struct mm *mm, const struct gtt_root *root)
{
    return mm ? same_root(&mm->root, root) : !root->levels;
}

int mm_prepare(struct gtt *gtt, enum gpu_engine engine, const struct gtt_root *root)
{
    struct mm *mm = NULL;
    mm_unprepare(gtt, engine);
    if (root->levels) {
        int ret = check_root(root);
        if (ret) {
            return ret;
        }
        mm = find_or_make(gtt, root);
        if (!mm) {
            return -ENOSPC;
        }
        TAILQ_REMOVE(&gtt->mms, mm, links);
        TAILQ_INSERT_TAIL(&gtt->mms, mm, links);
    }
    gtt->next[engine] = (struct preparation){.mm = mm, .starved = gtt->starved};
    return 0;
}

void mm_unprepare(struct gtt *gtt, enum gpu_engine engine)
{
    struct mm *mm = gtt->next[engine].mm;
    gtt->next[engine] = (struct preparation){0};
    drop_if_destroyed(gtt, mm);
    gtt_run_batch(gtt);
}
