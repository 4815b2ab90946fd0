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
    /* The record is damaged; what is held may be right, and Xen may be able to judge it. */
    return xg->hv->held_is_proof && slots_handle(old, s) ? LEFT_PLAIN : LEFT_NOTHING;
}

/* The next slot of a predecessor's from s on; he may have none of which anything is known. */
static uint32_t next_left(const struct xengt *xg, const struct slots_found *found, uint32_t s)
{
    if (found->readable) {
        return slots_next(&xg->slots, s);
    }
    return s < xg->hv->slots ? s : SLOT_NONE;
}

static bool is_same_kind(const struct xengt *xg, const struct slots_found *found, uint32_t one,
                         uint32_t other)
{
    return !found->readable || slots_kind_of(&xg->slots, one) == slots_kind_of(&xg->slots, other);
}

/* Unmaps the slots of a predecessor, a batch at a time. Returns how many could not be. */
static uint32_t sweep(struct xengt *xg, const struct slots_found *found, enum leftover what)
{
    const struct hv_ops *ops = xg->hv->ops;
    uint32_t *slot = xg->batch.entry;
    int *err = xg->batch.err;
    uint32_t failed = 0;
    for (uint32_t s = 0; s != SLOT_NONE;) {
        size_t n = 0;
        while (n < xg->hv->batch && (s = next_left(xg, found, s)) != SLOT_NONE) {
            if (leftover(xg, found, s) == what) {
                if (n && !is_same_kind(xg, found, slot[0], s)) {
                    break;
                }
                slot[n++] = s;
            }
            s++;
        }
        if (!n) {
            break;
        }
        if (what == LEFT_PLAIN) {
            ops->unmap(xg->hv, slot, err, n);
        } else {
            ops->unmap_offered(xg->hv, slot, err, n);
        }
        for (size_t i = 0; i < n; i++) {
            xg->stats.reclaimed += err[i] == 0;
            failed += err[i] && err[i] != -ENOENT;
        }
    }
    return failed;
}

static bool nothing_left(const struct xengt *xg)
{
    for (uint32_t s = 0; (s = slots_next(&xg->slots, s)) != SLOT_NONE; s++) {
        if (xg->slots.record[s].what) {
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
    if (found->readable) {
        hv->window_base = found->kind.window_base;
    }
    if (hv->ops->recover) {
        hv->ops->recover(hv, true);
    }
    uint32_t stuck = sweep(xg, found, LEFT_PLAIN);
    if (hv->ops->unmap_offered) {
        stuck += sweep(xg, found, LEFT_OFFERED);
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
        if (!found->damaged && nothing_left(xg)) {
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

static struct slots_kind kind_of(const struct hv *hv)
{
    return (struct slots_kind){
        .window_base = hv->window_base,
        .count = hv->pools ? hv->pools * hv->stride : hv->slots,
        .stride = hv->pools ? hv->stride : 0,
        .backend = hv->backend,
        .area_size = (uint32_t)hv->area_size,
    };
}

/* Only a journal without any doubt about it can be gone on with, and in the same place. */
static bool can_go_on(const struct xengt *xg, const struct slots_found *found)
{
    const struct slots_kind ours = kind_of(xg->hv);
    return found->readable && !found->damaged && found->kind.backend == ours.backend &&
           found->kind.area_size == ours.area_size && found->kind.count == ours.count &&
           found->kind.stride == ours.stride && found->kind.window_base == ours.window_base;
}

/*
 * What was on its way is not believed to be there, and not to be gone: as what is leaked it is
 * unmapped in any case, by us or the next one.
 */
static void land(struct slots *slots, struct flight *flight)
{
    uint32_t leaked = slots->leaked; /* it is not counted as that before it has been tried */
    for (uint32_t i = 0; i < flight->n && i < XENGT_BATCH_MAX; i++) {
        uint32_t s = flight->slot[i];
        if (s < slots->count && slots_next(slots, s) == s && slots_state(slots, s) == SLOT_MAPPED) {
            slots_give_up(slots, s, SLOT_LEAKED);
        }
    }
    slots->leaked = leaked;
    flight_set(flight, 0);
}

/* What was mapped is the caller's from now on. */
static void keep_mapped(struct xengt *xg)
{
    struct slots *slots = &xg->slots;
    for (uint32_t s = 0; (s = slots_next(slots, s)) != SLOT_NONE; s++) {
        if (slots_state(slots, s) == SLOT_MAPPED) {
            mapper_name(xg, s);
            xg->stats.adopted++;
            if (xg->hv->one_pin) {
                bfns_insert(&xg->bfns, s);
            }
        }
    }
}

/* What is kept has a name by now. */
static bool is_left(const struct xengt *xg, uint32_t s)
{
    enum slot_state state = slots_state(&xg->slots, s);
    return (state == SLOT_MAPPED || state == SLOT_LEAKED) && !xg->slots.slot[s].use;
}

/* What was on its way is unmapped, and what was mapped unless it is kept. */
static void unmap_rest(struct xengt *xg)
{
    for (uint32_t s = 0; s != SLOT_NONE;) {
        size_t n = mapper_gather(xg, &s, is_left);
        mapper_unmap(xg, xg->batch.unmap_err, n);
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
    ret = ret || !hv->one_pin ? ret : mapper_need_bfns(xg);
    if (ret) {
        return ret;
    }
    if (hv->ops->recover) {
        hv->ops->recover(hv, true);
    }
    land(&xg->slots, xg->slots.maps);
    land(&xg->slots, xg->slots.unmaps);
    if (keep) {
        keep_mapped(xg);
    }
    unmap_rest(xg);
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
    const struct slots_kind kind = kind_of(xg->hv);
    return slots_begin(&xg->slots, &kind);
}

int take_over(struct xengt *xg, bool adopt, struct hv_error *error)
{
    struct slots_found found;
    int ret = slots_open(&xg->slots, xg->state_dir, &found, error);
    if (ret) {
        return ret;
    }
    xg->hv->journal = &xg->slots;
    xg->slots.serial = (uint32_t)(xg->hash_key >> 32); /* no cookie of another handle is one here */
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
