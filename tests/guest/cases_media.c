/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The media workload: what a player's or a transcoder's driver does to its page tables, frame after
 * frame, without the decoding.
 *
 *   - hundreds of surfaces of 1 to 8 MiB exist; a window of them is bound. Each frame binds some
 *     that come next, which have been bound before when the workload has come round, and unbinds
 *     those that have been bound for longest. Their addresses go round, too, so that neighbours
 *     share page tables.
 *   - the target is double-buffered: two sets of pages take turns at one address.
 *   - some entries of the global GTT change.
 *   - three submissions: one writes to what is new, one copies from all that is bound to the
 *     target, one reads back what was copied.
 *
 * All of it is the same in each run. What the GPU writes is looked at, so that a page table that is
 * wrong is found.
 */

#include "cases.h"
#include "work.h"

#define SURFACES_MAX 512u
#define FRAMES_MAX   (1u << 19) /* guest pages of all surfaces */
#define MIB_PAGES    256u

#define SURFACE_VA 0x100000000000ull
#define TARGET_VA  0x200000000000ull
#define RESULT_VA  0x210000000000ull

#define BOUND      20u /* surfaces at a time */
#define BIND       2u  /* each frame */
#define MARKS      4u  /* pages of a surface that the GPU writes to and reads */
#define TARGET_MIB 4u
#define CHURN      8u /* entries of the global GTT */

#define COLUMN_WORDS (WORK_COLUMN_BYTES / 4)

struct surface {
    uint32_t first; /* in m.gfn */
    uint32_t pages;
    uint64_t va;
    uint32_t mark; /* what the GPU wrote last */
};

static GUEST_STATE struct {
    struct work work;
    struct surface surface[SURFACES_MAX];
    uint32_t surfaces;
    uint32_t next;   /* to be bound */
    uint32_t oldest; /* that is bound */
    uint64_t va;     /* for the next one */
    uint64_t va_end;
    uint32_t target_pages;
    struct surface target[2];
    uint32_t result;
    uint32_t churn_entry;
    uint32_t frame;
} m;

static uint32_t gfn_of[FRAMES_MAX];

static uint32_t scaled(uint32_t mib, uint32_t scale)
{
    uint32_t pages = mib * MIB_PAGES / scale;

    return pages < MARKS ? MARKS : pages;
}

static int surface_alloc(struct surface *s, uint32_t pages, uint32_t *used)
{
    *s = (struct surface){.first = *used, .pages = pages};
    if (*used + pages > FRAMES_MAX || frames_alloc(gfn_of + *used, pages)) {
        return -1;
    }
    *used += pages;
    return 0;
}

/* Sizes in MiB come in an order that mixes them: 1, 6, 3, 8, 5, 2, 7, 4. */
static const char *make_surfaces(uint32_t scale)
{
    uint32_t used = 0, largest = scaled(8, scale);

    m.surfaces = arg_num("surfaces", 240);
    if (m.surfaces > SURFACES_MAX || m.surfaces < BOUND + BIND) {
        return "surfaces=: 22 to 512";
    }
    for (uint32_t i = 0; i < m.surfaces; i++) {
        if (surface_alloc(&m.surface[i], scaled(1 + i * 5 % 8, scale), &used)) {
            return "out of memory";
        }
    }
    m.target_pages = scaled(TARGET_MIB, scale);
    for (uint32_t i = 0; i < 2; i++) {
        if (surface_alloc(&m.target[i], m.target_pages, &used)) {
            return "out of memory";
        }
        m.target[i].va = TARGET_VA;
    }
    m.va = SURFACE_VA;
    m.va_end = SURFACE_VA + (uint64_t)(BOUND + BIND + 1) * largest * PAGE_SIZE;
    return frames_alloc(&m.result, 1) ? "out of memory" : NULL;
}

/* --- binding -----------------------------------------------------------------------------------
 */

static struct surface *nth(uint32_t n)
{
    return &m.surface[n % m.surfaces];
}

static const char *bind_next(void)
{
    struct surface *s = nth(m.next++);

    if (m.va + (uint64_t)s->pages * PAGE_SIZE > m.va_end) {
        m.va = SURFACE_VA;
    }
    s->va = m.va;
    m.va += (uint64_t)s->pages * PAGE_SIZE;
    return ppgtt_map(&m.work.pp, s->va, gfn_of + s->first, s->pages) ? "out of page tables" : NULL;
}

static void unbind_oldest(void)
{
    struct surface *s = nth(m.oldest++);

    ppgtt_unmap(&m.work.pp, s->va, s->pages);
}

static void flip(void)
{
    const struct surface *s = &m.target[m.frame % 2];

    ppgtt_repoint(&m.work.pp, TARGET_VA, gfn_of + s->first, s->pages);
}

/* As when contexts, rings and cursors come and go. */
static void churn(void)
{
    for (uint32_t i = 0; i < CHURN; i++) {
        gtt_set(m.churn_entry + i, gfn_of[(m.frame * CHURN + i) % m.surface[0].pages]);
    }
    gtt_flush();
}

/* --- work --------------------------------------------------------------------------------------
 */

/* The pages that are written and read: spread over the surface, its first and last one included. */
static uint32_t marked_page(const struct surface *s, uint32_t mark)
{
    return mark * (s->pages - 1) / (MARKS - 1);
}

static uint32_t value_of(const struct surface *s, uint32_t mark)
{
    return s->mark * 16 + mark;
}

static const char *write_new(uint32_t from)
{
    for (uint32_t n = from; n < m.next; n++) {
        struct surface *s = nth(n);

        s->mark = m.frame * BOUND + n - from + 1;
        for (uint32_t mark = 0; mark < MARKS; mark++) {
            work_store(&m.work, s->va + (uint64_t)marked_page(s, mark) * PAGE_SIZE,
                       value_of(s, mark));
        }
    }
    return work_run(&m.work);
}

/* Each mark has a place of its own: a page, and column i % 64 of it. */
static uint32_t target_page(uint32_t i)
{
    return (i * 7 + i / 64) % m.target_pages;
}

static const char *compose(void)
{
    uint32_t i = 0;

    for (uint32_t n = m.oldest; n < m.next; n++) {
        for (uint32_t mark = 0; mark < MARKS; mark++, i++) {
            const struct surface *s = nth(n);
            uint64_t to = TARGET_VA + (uint64_t)target_page(i) * PAGE_SIZE;

            work_copy_columns(&m.work, to + i % 64 * WORK_COLUMN_BYTES,
                              s->va + (uint64_t)marked_page(s, mark) * PAGE_SIZE, 1);
        }
    }
    return work_run(&m.work);
}

static bool composed_right(void)
{
    const struct surface *target = &m.target[m.frame % 2];
    uint32_t i = 0;

    for (uint32_t n = m.oldest; n < m.next; n++) {
        for (uint32_t mark = 0; mark < MARKS; mark++, i++) {
            const volatile uint32_t *page = page_va(gfn_of[target->first + target_page(i)]);
            uint32_t got = page[i % 64 * COLUMN_WORDS];

            if (got != value_of(nth(n), mark)) {
                say("frame %u: surface %u mark %u is %x, expected %x", m.frame, n % m.surfaces,
                    mark, got, value_of(nth(n), mark));
                return false;
            }
        }
    }
    return true;
}

static const char *read_back(void)
{
    const struct surface *target = &m.target[m.frame % 2];
    const volatile uint32_t *from = page_va(gfn_of[target->first]);
    const char *error;

    work_copy(&m.work, RESULT_VA, TARGET_VA, 1);
    error = work_run(&m.work);
    for (uint32_t i = 0; !error && i < PAGE_SIZE / 4; i++) {
        if (((volatile uint32_t *)page_va(m.result))[i] != from[i]) {
            error = "what was read back is not what was composed";
        }
    }
    return error;
}

static const char *play_frame(uint32_t bind)
{
    uint32_t from = m.next;
    const char *error = NULL;

    while (m.next - m.oldest + bind > BOUND) {
        unbind_oldest();
    }
    while (!error && m.next - from < bind) {
        error = bind_next();
    }
    if (error) {
        return error;
    }
    flip();
    churn();
    error = write_new(from);
    if (!error) {
        error = compose();
    }
    if (!error) {
        error = composed_right() ? read_back() : "a surface is not what the GPU made it";
    }
    m.frame++;
    return error;
}

static const char *play(uint32_t frames)
{
    const char *error = NULL;

    for (uint32_t i = 0; !error && i < frames; i++) {
        error = play_frame(BIND);
    }
    return error;
}

/* The frames that count are those between two steps. */
const char *case_media(void)
{
    uint32_t scale = arg_num("scale", 1), frames = arg_num("frames", 120);
    uint32_t warm = arg_num("warm", 12);
    const char *error = work_begin(&m.work);

    if (!error) {
        error = scale ? make_surfaces(scale) : "scale=: 1 or more";
    }
    if (error) {
        return error;
    }
    m.churn_entry = gtt_alloc(CHURN);
    if (ppgtt_map(&m.work.pp, TARGET_VA, gfn_of + m.target[1].first, m.target_pages) ||
        ppgtt_map(&m.work.pp, RESULT_VA, &m.result, 1)) {
        return "out of page tables";
    }
    error = play_frame(BOUND);
    if (!error) {
        error = play(warm);
    }
    if (error) {
        return error;
    }
    step("media begins");
    error = play(frames);
    if (!error) {
        step("media ends after %u frames", frames);
        work_end(&m.work);
    }
    return error;
}
