/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entries in a guest's grant table, and the batches that map by them, against a fake of both. */
#include <errno.h>
#include <string.h>

#include "hv/xen/grant_ops.h"
#include "hv/xen/grant_table.h"
#include "support/test.h"

#define DOMID  3u
#define SELF   0u
#define FRAMES 8u

static struct hv_error no_words;

struct fixture {
    grant_entry_v1_t table[FRAMES][SEED_ENTRIES];
    unsigned mapped; /* frames the library has mapped */
    uint32_t limit;
    int fail;
    int version; /* what is said of it */
    struct seed_frames from;
    struct seed_table *t;
};

static int limit(void *arg, uint32_t domid, uint32_t *frames)
{
    struct fixture *f = arg;
    (void)domid;
    *frames = f->limit;
    return f->fail;
}

static int version(void *arg, uint32_t domid)
{
    struct fixture *f = arg;
    (void)domid;
    return f->version;
}

static int map(void *arg, uint32_t domid, uint32_t frame, void **page, void **cookie)
{
    struct fixture *f = arg;
    assert_int_equal(domid, DOMID);
    assert_true(frame < f->limit);
    if (f->fail) {
        return f->fail;
    }
    f->mapped++;
    *cookie = *page = f->table[frame];
    return 0;
}

static void unmap(void *arg, void *cookie)
{
    struct fixture *f = arg;
    assert_non_null(cookie);
    f->mapped--;
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    f->limit = FRAMES;
    f->from = (struct seed_frames){f, version, limit, map, unmap};
    *state = f;
    return seed_open(&f->from, DOMID, SELF, 2, &f->t);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    seed_close(f->t);
    int bad = f->mapped != 0;
    test_free(f);
    return bad;
}

static grant_entry_v1_t *entry(struct fixture *f, uint32_t ref)
{
    return &f->table[ref / SEED_ENTRIES][ref % SEED_ENTRIES];
}

static const struct xengt_gfn gfn = {0x1234};

#define TEST(name) TEST_WITH(name, set_up, tear_down)

/* What a caller does for each entry: looks at it, writes it. */
static int take(struct seed_table *t, uint32_t place, bool read_only)
{
    int ret = seed_look(t, place, 0);
    return ret ? ret : seed_write(t, place, 0, gfn, read_only);
}

TEST(an_entry_grants_the_frame_to_us)
{
    struct fixture *f = *state;
    uint32_t ref = seed_ref(f->t->kept, 3);
    assert_int_equal(ref, (FRAMES - 1) * SEED_ENTRIES + 3); /* of the last frame */
    assert_int_equal(take(f->t, 3, false), 0);
    assert_int_equal(entry(f, ref)->flags, GTF_permit_access);
    assert_int_equal(entry(f, ref)->domid, SELF);
    assert_int_equal(entry(f, ref)->frame, gfn.v);
    assert_int_equal(seed_state(f->t, 3, gfn), SEED_UNUSED);
    assert_true(seed_clear(f->t, 3, gfn, false));
    assert_int_equal(entry(f, ref)->flags, 0);
    assert_int_equal(entry(f, ref)->frame, 0);
    assert_int_equal(take(f->t, 3, true), 0);
    assert_int_equal(entry(f, ref)->flags, GTF_permit_access | GTF_readonly);
    assert_true(seed_clear(f->t, 3, gfn, true));
}

TEST(what_the_guest_uses_is_not_touched)
{
    struct fixture *f = *state;
    grant_entry_v1_t before[SEED_ENTRIES];
    for (uint32_t i = 0; i < SEED_ENTRIES; i++) {
        if (i % 3) {
            f->table[FRAMES - 1][i] = (grant_entry_v1_t){GTF_permit_access, 9, i};
        }
    }
    f->table[FRAMES - 1][0].domid = 1; /* not a grant, but not zero either */
    memcpy(before, f->table[FRAMES - 1], sizeof(before));
    for (uint32_t i = 0; i < SEED_ENTRIES; i++) {
        bool theirs = i % 3 || i == 0;
        assert_int_equal(seed_look(f->t, i, 0), theirs ? -EEXIST : 0);
        assert_int_equal(seed_write(f->t, i, 0, gfn, false), theirs ? -EACCES : 0);
        if (theirs) {
            assert_memory_equal(&before[i], &f->table[FRAMES - 1][i], sizeof(before[i]));
        }
    }
}

TEST(the_table_is_used_up_to_the_bound)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 2 * SEED_ENTRIES; i++) {
        assert_int_equal(take(f->t, i, false), 0);
    }
    assert_int_equal(f->mapped, 2);
    assert_int_equal(seed_look(f->t, 2 * SEED_ENTRIES, 0), -ENOSPC);
    assert_int_equal(seed_look(f->t, SEED_PLACES - 1, 0), -ENOSPC);
    assert_true(seed_clear(f->t, 7, gfn, false));
    assert_int_equal(take(f->t, 7, false), 0);
}

TEST(an_entry_in_use_or_changed_stays_as_it_is)
{
    struct fixture *f = *state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(take(f->t, i, false), 0);
    }
    entry(f, seed_ref(f->t->kept, 0))->flags |= GTF_reading | GTF_writing;
    entry(f, seed_ref(f->t->kept, 1))->frame++;
    entry(f, seed_ref(f->t->kept, 2))->domid = 5;
    assert_int_equal(seed_state(f->t, 0, gfn), SEED_IN_USE);
    assert_int_equal(seed_state(f->t, 1, gfn), SEED_CHANGED);
    assert_int_equal(seed_state(f->t, 2, gfn), SEED_CHANGED);
    grant_entry_v1_t before = *entry(f, seed_ref(f->t->kept, 1));
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(seed_clear(f->t, i, gfn, false));
        assert_int_equal(seed_look(f->t, i, 0), -EEXIST); /* nor is it used again */
    }
    assert_memory_equal(&before, entry(f, seed_ref(f->t->kept, 1)), sizeof(before));
}

TEST(what_a_predecessor_wrote_is_cleared)
{
    struct fixture *f = *state;
    uint32_t place = SEED_ENTRIES + 17; /* its frame is not mapped yet */
    uint32_t ref = seed_ref(f->t->kept, place);
    *entry(f, ref) = (grant_entry_v1_t){GTF_permit_access | GTF_readonly, SELF, gfn.v};
    *entry(f, ref + 1) = (grant_entry_v1_t){GTF_permit_access, SELF, gfn.v + 1};
    *entry(f, 20) = (grant_entry_v1_t){GTF_permit_access, SELF, gfn.v};
    assert_true(seed_clear(f->t, place, gfn, true));
    /* Grants another frame; in a frame that is the guest's; beyond its table. */
    assert_false(seed_clear(f->t, place + 1, gfn, false));
    assert_false(seed_clear(f->t, (FRAMES - 1) * SEED_ENTRIES + 20, gfn, false));
    assert_false(seed_clear(f->t, FRAMES * SEED_ENTRIES, gfn, false));
    assert_false(seed_clear(f->t, SEED_PLACES - 1, gfn, false));
    assert_int_equal(entry(f, ref)->flags, 0);
    assert_int_equal(entry(f, ref + 1)->flags, GTF_permit_access);
    assert_int_equal(entry(f, 20)->flags, GTF_permit_access);
}

/* While nothing of it is mapped a guest may change its table to version 2. */
TEST(the_version_is_asked_for_again)
{
    struct fixture *f = *state;
    assert_int_equal(seed_ready(f->t), 0);
    f->t->ours = 1;
    f->version = -EOPNOTSUPP;
    assert_int_equal(seed_ready(f->t), 0); /* an entry is in use: Xen does not let it */
    f->t->ours = 0;
    assert_int_equal(seed_ready(f->t), -EOPNOTSUPP);
}

TEST(a_table_of_one_frame_keeps_the_reserved_entries)
{
    struct fixture *f = *state;
    struct seed_table *t;
    f->limit = 1;
    assert_int_equal(seed_open(&f->from, DOMID, SELF, 16, &t), 0);
    for (uint32_t i = 0; i < SEED_ENTRIES; i++) {
        assert_int_equal(seed_look(t, i, 0), i < 8 ? -EEXIST : 0);
    }
    assert_int_equal(seed_look(t, SEED_ENTRIES, 0), -ENOSPC);
    seed_close(t);
}

TEST(no_frame_is_an_answer)
{
    struct fixture *f = *state;
    struct seed_table *t;
    f->fail = -ENOMEM;
    assert_int_equal(seed_look(f->t, 0, 0), -ENOMEM);
    f->fail = -EOPNOTSUPP;
    assert_int_equal(seed_open(&f->from, DOMID, SELF, 2, &t), -EOPNOTSUPP);
    f->fail = 0;
    assert_int_equal(take(f->t, 0, false), 0);
}

/* --- batches ----------------------------------------------------------------------------- */

/* A Xen that maps reference r with handle r + base at frame r + 1000, except as told. */
struct fake_xen {
    int fault_at;   /* the call ends with -EFAULT at this entry; -1: never */
    bool after;     /* ... after it took effect */
    uint32_t base;  /* of its handles */
    bool alive[64]; /* by reference */
    unsigned held;
};

static int fake_call(void *arg, unsigned op, uint64_t cmd, uint64_t array, uint64_t n)
{
    struct fake_xen *xen = arg;
    assert_int_equal(op, __HYPERVISOR_grant_table_op);
    for (uint64_t i = 0; i < n; i++) {
        bool fault = (int)i == xen->fault_at;
        if (fault) {
            xen->fault_at = -1;
        }
        if (fault && !xen->after) {
            return -EFAULT;
        }
        if (cmd == GNTTABOP_map_grant_ref) {
            struct gnttab_map_grant_ref *m = (void *)(uintptr_t)array;
            xen->alive[m[i].ref] = m[i].ref != 13;
            xen->held += m[i].ref != 13;
            if (!fault) {
                m[i].handle = m[i].ref + xen->base;
                m[i].dev_bus_addr = (uint64_t)(m[i].ref + 1000) << XENGT_PAGE_SHIFT;
                m[i].status = m[i].ref == 13 ? GNTST_bad_page : GNTST_okay;
            }
        } else {
            struct gnttab_unmap_grant_ref *u = (void *)(uintptr_t)array;
            uint32_t ref = u[i].handle - xen->base;
            bool right =
                ref < 64 && xen->alive[ref] && u[i].dev_bus_addr >> XENGT_PAGE_SHIFT == ref + 1000;
            xen->held -= right;
            if (right) {
                xen->alive[ref] = false;
            }
            if (!fault) {
                u[i].status = right ? GNTST_okay : GNTST_bad_handle;
            }
        }
        if (fault) {
            return -EFAULT;
        }
    }
    return 0;
}

/* A journal, and slots in flight for what a domain offers. */
static const uint32_t *begin(struct slots *slots, const uint32_t *ref, uint32_t n)
{
    struct slots_found found;
    const struct slots_kind kind = {.count = 16, .area_size = sizeof(struct gnt_area)};
    assert_int_equal(slots_open(slots, NULL, &found, &no_words), 0);
    assert_int_equal(slots_begin(slots, &kind), 0);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t s = slots_take(slots, &slots->pool[0]);
        slots_set(slots, s, record_kind(DOMID, SLOT_MAPPED, true, false) | ref[i]);
        slots->maps->slot[i] = s;
    }
    flight_set(slots->maps, n);
    return slots->maps->slot;
}

PLAIN_TEST(answers_are_taken_entry_by_entry)
{
    (void)state;
    struct slots slots;
    struct fake_xen xen = {.fault_at = -1};
    const struct hv_calls calls = {&xen, fake_call};
    const uint32_t ref[3] = {11, 13, 12};
    int err[3];
    const uint32_t *slot = begin(&slots, ref, 3);
    gnt_map_offered(&calls, &slots, 0, DOMID, slot, err, 3, XENGT_PROT_RW);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -EINVAL);
    assert_int_equal(err[2], 0);
    assert_true(slots_bfn(&slots, slot[2]) == 1012);
    assert_true(slots_handle(&slots, slot[1]) == 0);
    gnt_unmap(&calls, &slots, 0, slot, err, 3);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], -ENOENT);
    assert_int_equal(err[2], 0);
    assert_int_equal(xen.held, 0);
    slots_close(&slots, true, NULL);
}

PLAIN_TEST(only_the_entry_that_faulted_is_in_doubt)
{
    (void)state;
    struct slots slots;
    struct fake_xen xen = {.fault_at = 1, .after = true};
    const struct hv_calls calls = {&xen, fake_call};
    const uint32_t ref[3] = {11, 12, 14};
    int err[3];
    const uint32_t *slot = begin(&slots, ref, 3);
    gnt_map_offered(&calls, &slots, 0, DOMID, slot, err, 3, XENGT_PROT_RW);
    assert_int_equal(err[0], 0);
    assert_int_equal(err[1], HV_DOUBT);
    assert_int_equal(err[2], -EFAULT);
    xen.fault_at = 0;
    gnt_unmap(&calls, &slots, 0, slot, err, 1); /* asked again */
    assert_int_equal(err[0], -ENOENT);
    slots_close(&slots, true, NULL);
}

/* Killed at each point between the hypercall and the last store after it. */
PLAIN_TEST(a_kill_after_the_hypercall_loses_no_handle)
{
    (void)state;
    const uint32_t ref[3] = {11, 13, 12};
    for (int kept = 0; kept <= 3; kept++) {
        struct slots slots;
        struct fake_xen xen = {.fault_at = -1};
        const struct hv_calls calls = {&xen, fake_call};
        int err[3];
        const uint32_t *slot = begin(&slots, ref, 3);
        gnt_map_offered(&calls, &slots, 0, DOMID, slot, err, 3, XENGT_PROT_RW);
        for (int i = kept; i < 3; i++) {
            uint64_t held = slots.record[slot[i]].held;
            slots_set(&slots, slot[i], slots.record[slot[i]].what & RECORD_BODY_MASK);
            slots.record[slot[i]].held = i == kept ? held : 0; /* cut short in the middle of it */
        }
        ((struct gnt_area *)slots.area)->n = 3;
        gnt_recover(&slots);
        for (int i = 0; i < 3; i++) {
            assert_true(slots_sound(&slots, slot[i]));
        }
        gnt_unmap(&calls, &slots, 0, slot, err, 3);
        assert_int_equal(xen.held, 0);
        slots_close(&slots, true, NULL);
    }
}

/* Xen's table of mappings may be larger than a record can say. */
PLAIN_TEST(a_handle_that_does_not_fit_is_not_kept)
{
    (void)state;
    struct slots slots;
    struct fake_xen xen = {.fault_at = -1, .base = HELD_HANDLE_MAX - 12};
    const struct hv_calls calls = {&xen, fake_call};
    const uint32_t ref[3] = {11, 12, 14};
    int err[3];
    const uint32_t *slot = begin(&slots, ref, 3);
    gnt_map_offered(&calls, &slots, 0, DOMID, slot, err, 3, XENGT_PROT_RW);
    assert_true(err[0] == 0 && err[1] == -ENOSPC && err[2] == -ENOSPC);
    assert_int_equal(xen.held, 1);
    assert_int_equal(slots_handle(&slots, slot[0]), HELD_HANDLE_MAX);
    slots_close(&slots, true, NULL);
}
