/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The mappings of a predecessor: found in its journal and released, or taken over on request.
 */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "mapper.h"

/*
 * What a predecessor's journal makes of a slot. Without a journal that can be read all slots of a
 * window count as used, and none elsewhere.
 */
enum leftover {
    LEFT_NOTHING,
    LEFT_PLAIN,
    LEFT_OFFERED,
};

static enum leftover leftover(const struct xengt *xg, const struct slots_found *found, uint32_t s)
{
    const struct slots *old = &xg->slots;
    if (!found->readable) {
        return xg->hv->windowed ? LEFT_PLAIN : LEFT_NOTHING;
    }
    if (slots_sound(old, s)) {
        enum slot_state state = slots_state(old, s);
        return state == SLOT_FREE || state == SLOT_TAKEN ? LEFT_NOTHING
               : slots_offered(old, s)                   ? LEFT_OFFERED
                                                         : LEFT_PLAIN;
    }
    if (xg->hv->windowed) {
        return LEFT_PLAIN;
    }
    /* The record is damaged; what is held may be sound, and Xen may be able to judge it. */
    return xg->hv->held_is_proof && !held_empty(old, s) ? LEFT_PLAIN : LEFT_NOTHING;
}

/* Unmaps the slots of a predecessor, a batch at a time. Returns how many could not be. */
static uint32_t sweep(struct xengt *xg, const struct slots_found *found, uint32_t count,
                      enum leftover what)
{
    const struct hv_ops *ops = xg->hv->ops;
    struct batch *b = &xg->batch;
    uint32_t failed = 0;
    for (uint32_t s = 0; s < count;) {
        size_t n = 0;
        for (; s < count && n < xg->hv->batch; s++) {
            if (leftover(xg, found, s) == what) {
                b->slot[n++] = s;
            }
        }
        if (!n) {
            break;
        }
        if (what == LEFT_PLAIN) {
            ops->unmap(xg->hv, b->slot, b->err, n);
        } else {
            ops->unmap_offered(xg->hv, b->slot, b->err, n);
        }
        for (size_t i = 0; i < n; i++) {
            if (b->err[i] == 0) {
                xg->stats.reclaimed++;
            } else if (b->err[i] != -ENOENT) {
                failed++;
            }
        }
    }
    return failed;
}

static bool nothing_left(const struct xengt *xg, const struct slots_found *found)
{
    for (uint32_t s = 0; s < found->kind.count; s++) {
        if (xg->slots.record[s]) {
            return false;
        }
    }
    return true;
}

static void log_damage(struct xengt *xg, const struct slots_found *found)
{
    if (xg->hv->windowed) {
        handle_log(xg, LOG_WARNING, "journal in '%s' is damaged: sweeping the whole window",
                   xg->state_dir);
    } else if (!found->readable) {
        handle_log(xg, LOG_ERR,
                   "journal in '%s' is damaged: what a predecessor held is lost; a "
                   "domain it had mapped stays a zombie until the host reboots",
                   xg->state_dir);
    } else {
        handle_log(xg, LOG_ERR,
                   "journal in '%s' is damaged: releasing what can be proved; a "
                   "domain of a lost mapping stays a zombie until the host reboots",
                   xg->state_dir);
    }
}

/*
 * What is held of a slot is believed or forgotten: whoever uses it later need not ask again.
 * Returns how many were not sound.
 */
static uint32_t scrub_held(struct xengt *xg, uint32_t count)
{
    uint32_t unsound = 0;
    for (uint32_t s = 0; s < count; s++) {
        if (!held_sound(&xg->slots, s)) {
            held_clear(&xg->slots, s);
            unsound++;
        }
    }
    return unsound;
}

static void show_stuck(struct xengt *xg, uint64_t n)
{
    if (n) {
        handle_log(xg, LOG_ERR,
                   "%llu mappings of a predecessor cannot be released and are leaked; their "
                   "domains stay zombies until the host reboots; see 'xl dmesg'",
                   (unsigned long long)n);
    }
}

/* The slots of a journal that is not gone on with, in its own place. */
static void release(struct xengt *xg, const struct slots_found *found)
{
    struct hv *hv = xg->hv;
    uint64_t window_base = hv->window_base;
    uint32_t count = hv->slots;
    if (found->readable) {
        hv->window_base = found->kind.window_base;
        count = found->kind.count;
        scrub_held(xg, count);
    }
    if (hv->ops->recover) {
        hv->ops->recover(hv, true);
    }
    uint32_t stuck = sweep(xg, found, count, LEFT_PLAIN);
    if (hv->ops->unmap_offered) {
        stuck += sweep(xg, found, count, LEFT_OFFERED);
    }
    if (hv->ops->recover) {
        hv->ops->recover(hv, false);
    }
    hv->window_base = window_base;
    show_stuck(xg, stuck);
}

/* Releases what a predecessor held. Its window may have been another: the journal says which. */
static int reclaim(struct xengt *xg, const struct slots_found *found, struct hv_error *error)
{
    struct hv *hv = xg->hv;
    bool ours = found->kind.backend == hv->backend && found->kind.area_size == hv->area_size;
    if (found->damaged) {
        log_damage(xg, found);
    }
    if (found->readable && !ours) {
        if (!found->damaged && nothing_left(xg, found)) {
            return 0;
        }
        hv_error(error,
                 "journal in '%s' was written by another back end, or another version of "
                 "this one; open it with that once, so that its mappings are released",
                 xg->state_dir);
        return -EINVAL;
    }
    if (found->readable && hv->ops->claim) {
        int ret = hv->ops->claim(hv, found->kind.window_base, found->kind.count, error);
        if (ret) {
            return ret;
        }
    }
    release(xg, found);
    if (xg->stats.reclaimed) {
        handle_log(xg, LOG_NOTICE, "released %llu mappings of a process that was killed",
                   (unsigned long long)xg->stats.reclaimed);
    }
    return 0;
}

/* --- going on ---------------------------------------------------------------------------- */

/* Only a journal without any doubt about it can be gone on with, and in the same place. */
static bool can_go_on(struct xengt *xg, const struct slots_found *found)
{
    const struct hv *hv = xg->hv;
    return found->readable && !found->damaged && found->kind.backend == hv->backend &&
           found->kind.area_size == hv->area_size && found->kind.count == hv->slots &&
           found->kind.window_base == hv->window_base && scrub_held(xg, found->kind.count) == 0;
}

/* What was mapped is the caller's from now on. */
static void keep_mapped(struct xengt *xg)
{
    struct slots *slots = &xg->slots;
    for (uint32_t s = 0; s < slots->fresh; s++) {
        if (slots_state(slots, s) == SLOT_MAPPED) {
            slots->slot[s].raw = 1;
            xg->stats.adopted++;
            if (!xg->hv->windowed) {
                bfns_insert(&xg->bfns, s);
            }
        }
    }
}

/* What was on its way is unmapped, and what was mapped unless it is kept. */
static void unmap_rest(struct xengt *xg, bool keep)
{
    struct slots *slots = &xg->slots;
    struct batch *b = &xg->batch;
    for (uint32_t s = 0; s < slots->fresh;) {
        size_t n = 0;
        for (; s < slots->fresh && n < xg->hv->batch; s++) {
            enum slot_state state = slots_state(slots, s);
            if (state != SLOT_FREE && state != SLOT_TAKEN && !(keep && state == SLOT_MAPPED)) {
                mapper_leave(xg, s);
                b->slot[n++] = s;
            }
        }
        mapper_unmap(xg, b->slot, b->err, n);
    }
    show_stuck(xg, xg->stats.unmap_failures);
    xg->stats.reclaimed = xg->stats.unmap_pages;
    xg->stats.unmap_calls = xg->stats.unmap_pages = xg->stats.unmap_failures = 0;
}

/*
 * The predecessor's journal goes on: what cannot be unmapped stays in it, and a kill in here leaves
 * it to the next one.
 */
static int go_on(struct xengt *xg, bool keep)
{
    struct hv *hv = xg->hv;
    int ret = slots_continue(&xg->slots);
    if (!ret && !hv->windowed) {
        ret = bfns_init(&xg->bfns, &xg->slots);
    }
    if (ret) {
        return ret;
    }
    if (hv->ops->recover) {
        hv->ops->recover(hv, true);
    }
    if (keep) {
        keep_mapped(xg);
    }
    unmap_rest(xg, keep);
    if (hv->ops->recover) {
        hv->ops->recover(hv, false);
    }
    if (keep || xg->stats.reclaimed) {
        handle_log(xg, LOG_NOTICE, "took over %llu mappings of a predecessor, released %llu",
                   (unsigned long long)xg->stats.adopted, (unsigned long long)xg->stats.reclaimed);
    }
    return 0;
}

static int start_afresh(struct xengt *xg)
{
    int ret = slots_begin(&xg->slots, &(struct slots_kind){
                                          .window_base = xg->hv->window_base,
                                          .count = xg->hv->slots,
                                          .backend = xg->hv->backend,
                                          .area_size = xg->hv->area_size,
                                      });
    return ret || xg->hv->windowed ? ret : bfns_init(&xg->bfns, &xg->slots);
}

int take_over(struct xengt *xg, bool adopt, struct hv_error *error)
{
    struct slots_found found;
    int ret = slots_open(&xg->slots, xg->state_dir, &found, error);
    if (ret) {
        return ret;
    }
    xg->hv->journal = &xg->slots;
    if (found.exists && found.other_boot) {
        handle_log(xg, LOG_INFO, "journal in '%s' is from before a reboot: nothing to release",
                   xg->state_dir);
        found.exists = false;
    }
    bool same = found.exists && can_go_on(xg, &found);
    ret = found.exists && !same ? reclaim(xg, &found, error) : 0;
    if (ret) {
        return ret;
    }
    ret = same ? go_on(xg, adopt) : start_afresh(xg);
    if (ret) {
        hv_error(error, "slot table of %u entries: %s", xg->hv->slots, strerror(-ret));
    }
    return ret;
}
