/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Windows, the vGPUs' shares of the GPU: what fits beside what, and where. */
#include <errno.h>
#include <string.h>

#include "guests/share.h"
#include "guests/windows.h"
#include "support/test.h"

#define MAX 16u
#define MIB GTT_ENTRIES_PER_MIB

struct shared {
    struct windows_gpu gpu;
    struct vgpu_types types;
    struct windows taken[MAX];
    unsigned n;
};

static void begin(struct shared *s)
{
    *s = (struct shared){.gpu = windows_of_gpu(4096 * MIB)};
    types_init(&s->types, 16 * MIB, 64 * MIB);
}

static const struct vgpu_type *type_of(const struct shared *s, const char *name)
{
    const struct vgpu_type *type = types_find(&s->types, name);

    assert_non_null(type);
    return type;
}

static bool apart(const struct gpu_range *a, const struct gpu_range *b)
{
    return a->first + a->count <= b->first || b->first + b->count <= a->first;
}

/* The one that was placed last: in its parts, and on nobody else's. */
static void check_last(const struct shared *s, const struct vgpu_type *type)
{
    const struct windows *w = &s->taken[s->n - 1];
    unsigned fences = 0;

    assert_int_equal(w->mappable.count, type->mappable);
    assert_int_equal(w->unmappable.count, type->unmappable);
    assert_int_equal(w->fences, type->fences);
    assert_true(w->mappable.first + w->mappable.count <= s->gpu.aperture);
    assert_true(w->unmappable.first >= s->gpu.aperture);
    assert_true(w->unmappable.first + w->unmappable.count <= s->gpu.gtt_entries);
    for (unsigned i = 0; i < s->n; i++) {
        fences += s->taken[i].fences;
        if (i < s->n - 1) {
            assert_true(apart(&w->mappable, &s->taken[i].mappable));
            assert_true(apart(&w->unmappable, &s->taken[i].unmappable));
        }
    }
    assert_true(fences <= s->gpu.fences);
}

static int place(struct shared *s, const char *name)
{
    const struct vgpu_type *type = type_of(s, name);
    int ret = windows_place(&s->gpu, s->taken, s->n, type, &s->taken[s->n]);

    if (!ret) {
        s->n++;
        check_last(s, type);
    }
    return ret;
}

static void take_away(struct shared *s, unsigned i)
{
    s->n--;
    memmove(&s->taken[i], &s->taken[i + 1], (s->n - i) * sizeof(s->taken[0]));
}

static unsigned available(const struct shared *s, const char *name)
{
    struct windows taken[MAX];

    memcpy(taken, s->taken, sizeof(taken));
    return windows_available(&s->gpu, taken, s->n, type_of(s, name), MAX);
}

/* --- types ------------------------------------------------------------------------------- */

/* GVT-g's numbers: drivers and administrators know them. */
PLAIN_TEST(test_types)
{
    static const struct {
        const char *name;
        unsigned mappable, unmappable, fences, weight;
    } expected[] = {
        {"GVTg_V4_1", 512, 2048, 4, 16}, {"GVTg_V4_2", 256, 1024, 4, 8},
        {"GVTg_V4_4", 128, 512, 4, 4},   {"GVTg_V4_8", 64, 384, 4, 2},
        {"custom", 16, 64, 2, 1},
    };
    struct shared s;
    char names[64];

    (void)state;
    begin(&s);
    assert_int_equal(sizeof(expected) / sizeof(expected[0]), s.types.n);
    for (unsigned i = 0; i < s.types.n; i++) {
        const struct vgpu_type *type = type_of(&s, expected[i].name);

        assert_int_equal(type->mappable, expected[i].mappable * MIB);
        assert_int_equal(type->unmappable, expected[i].unmappable * MIB);
        assert_int_equal(type->fences, expected[i].fences);
        assert_int_equal(type->weight, expected[i].weight);
    }
    assert_null(types_find(&s.types, "GVTg_V4_"));
    assert_null(types_find(&s.types, ""));
    types_names(&s.types, names, sizeof(names));
    assert_string_equal(names, "GVTg_V4_1, GVTg_V4_2, GVTg_V4_4, GVTg_V4_8, custom");
    types_names(&s.types, names, 12); /* cut short, not overrun */
    assert_string_equal(names, "GVTg_V4_1, ");
}

/* The number in the name is how many there can be, and placing them one by one comes to that. */
PLAIN_TEST(names_keep_their_promise)
{
    static const struct {
        const char *name;
        unsigned n;
    } expected[] = {
        {"GVTg_V4_1", 1}, {"GVTg_V4_2", 2}, {"GVTg_V4_4", 4}, {"GVTg_V4_8", 8}, {"custom", 16},
    };
    struct shared s;

    (void)state;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        begin(&s);
        for (unsigned left = expected[i].n; left > 0; left--) {
            assert_int_equal(available(&s, expected[i].name), left);
            assert_int_equal(place(&s, expected[i].name), 0);
        }
        assert_int_equal(available(&s, expected[i].name), 0);
        if (s.n < MAX) {
            assert_int_equal(place(&s, expected[i].name), -ENOSPC);
        }
    }
}

/* --- places ------------------------------------------------------------------------------ */

PLAIN_TEST(mixed)
{
    struct shared s;

    (void)state;
    begin(&s);
    assert_int_equal(place(&s, "GVTg_V4_2"), 0);
    assert_int_equal(place(&s, "GVTg_V4_8"), 0);
    assert_int_equal(place(&s, "custom"), 0);
    assert_int_equal(s.taken[2].mappable.first, (256 + 64) * MIB);
    assert_int_equal(s.taken[2].unmappable.first, (512 + 1024 + 384) * MIB);
    assert_int_equal(available(&s, "GVTg_V4_1"), 0);
    assert_int_equal(available(&s, "GVTg_V4_2"), 0);
    assert_int_equal(available(&s, "GVTg_V4_4"), 1);
    assert_int_equal(available(&s, "GVTg_V4_8"), 2);
    assert_int_equal(available(&s, "custom"), 11);
    assert_int_equal(place(&s, "GVTg_V4_2"), -ENOSPC);
}

/* A hole is filled by what fits into it, and passed over by what does not. */
PLAIN_TEST(holes)
{
    struct shared s;

    (void)state;
    begin(&s);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(place(&s, "GVTg_V4_8"), 0);
    }
    take_away(&s, 1);
    assert_int_equal(place(&s, "GVTg_V4_4"), 0);
    assert_int_equal(s.taken[4].mappable.first, 5 * 64 * MIB);
    assert_int_equal(place(&s, "custom"), 0);
    assert_int_equal(s.taken[5].mappable.first, 64 * MIB);
    assert_int_equal(place(&s, "custom"), 0);
    assert_int_equal(s.taken[6].mappable.first, (64 + 16) * MIB);
    take_away(&s, 5);
    assert_int_equal(place(&s, "GVTg_V4_8"), 0); /* what is left of the hole is too small */
    assert_int_equal(s.taken[6].mappable.first, (5 * 64 + 128) * MIB);
}

/* Enough in all, but not in one piece: windows are not split. */
PLAIN_TEST(pieces)
{
    struct windows left;
    struct shared s;

    (void)state;
    begin(&s);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(place(&s, "GVTg_V4_8"), 0);
    }
    take_away(&s, 6);
    take_away(&s, 1);
    windows_free(&s.gpu, s.taken, s.n, &left);
    assert_int_equal(left.mappable.count, 64 * MIB);
    assert_int_equal(left.unmappable.first, (512 + 8 * 384) * MIB);
    assert_int_equal(left.unmappable.count, 512 * MIB);
    assert_int_equal(left.fences, 8);
    assert_int_equal(place(&s, "GVTg_V4_4"), -ENOSPC);
    take_away(&s, 1); /* two that were neighbours are one piece */
    windows_free(&s.gpu, s.taken, s.n, &left);
    assert_int_equal(left.mappable.first, 64 * MIB);
    assert_int_equal(left.mappable.count, 128 * MIB);
    assert_int_equal(place(&s, "GVTg_V4_4"), 0);
}

PLAIN_TEST(fences_run_out)
{
    struct windows left;
    struct shared s;

    (void)state;
    begin(&s);
    types_init(&s.types, MIB, MIB);
    for (unsigned i = 0; i < 15; i++) {
        assert_int_equal(place(&s, "custom"), 0);
    }
    windows_free(&s.gpu, s.taken, s.n, &left);
    assert_true(left.mappable.count > 64 * MIB && left.unmappable.count > 384 * MIB);
    assert_int_equal(left.fences, 2);
    assert_int_equal(place(&s, "GVTg_V4_8"), -ENOSPC);
    assert_int_equal(place(&s, "custom"), 0);
}

/* Where only the unmappable part is full. */
PLAIN_TEST(unmappable_runs_out)
{
    struct shared s;

    (void)state;
    begin(&s);
    types_init(&s.types, 16 * MIB, 1024 * MIB);
    assert_int_equal(available(&s, "custom"), 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(place(&s, "custom"), 0);
    }
    assert_int_equal(place(&s, "custom"), -ENOSPC);
    assert_int_equal(place(&s, "GVTg_V4_4"), 0);
    assert_int_equal(place(&s, "GVTg_V4_8"), -ENOSPC);
}

/* Nothing but mappable memory, all of it, none at all, more than there is. */
PLAIN_TEST(odd_sizes)
{
    struct shared s;

    (void)state;
    begin(&s);
    types_init(&s.types, 512 * MIB, 0);
    assert_int_equal(place(&s, "custom"), 0);
    assert_int_equal(place(&s, "custom"), -ENOSPC);
    begin(&s);
    types_init(&s.types, 512 * MIB, 3584 * MIB);
    assert_int_equal(place(&s, "custom"), 0);
    assert_int_equal(available(&s, "custom"), 0);
    begin(&s);
    types_init(&s.types, 512 * MIB + 1, 1);
    assert_int_equal(place(&s, "custom"), -ENOSPC);
    types_init(&s.types, UINT32_MAX, UINT32_MAX);
    assert_int_equal(place(&s, "custom"), -ENOSPC);
}

/* --- the window of mappings -------------------------------------------------------------- */

/* One that takes all it can get leaves to every other what it is promised. */
PLAIN_TEST(a_greedy_vgpu_leaves_all_promises_untouched)
{
    (void)state;
    static const uint32_t windows[] = {1u << 18, 1u << 17, 1000, 17, 1, 0};

    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        for (unsigned n = 1; n <= MAX; n++) {
            struct share share = share_of(windows[i], n, 0);

            assert_true(share.reserve <= share.quota);
            assert_true(share.quota + (n - 1) * share.reserve <= windows[i]);
            assert_true(share.quota >= windows[i] / 2);
        }
    }
}

PLAIN_TEST(a_quota_that_is_said_is_the_quota)
{
    (void)state;
    assert_int_equal(share_of(1u << 18, 4, 1000).quota, 1000);
    assert_int_equal(share_of(1u << 18, 4, 1000).reserve, 1000);
    assert_int_equal(share_of(1u << 18, 4, 1u << 18).quota, 1u << 18);
    assert_int_equal(share_of(1u << 18, 4, 1u << 18).reserve, 1u << 15);
}
