/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The window: a range of this domain's frame numbers where nothing is, found or checked. */
#include "hv/xen/window.h"

#include <errno.h>
#include <string.h>

#define PIECE_PAGES 512u /* a window starts and ends on 2 MiB: one p2m table a piece */

#define REMEDY "reserve one on the kernel's command line, for instance memmap=1G$0x4000000000"

struct entry {
    uint64_t first; /* frames, inclusive */
    uint64_t last;
    bool nested;
    char name[64];
};

/* "100000000-13fffffff : Unusable memory", indented by two for each level. */
static bool read_entry(FILE *iomem, struct entry *e)
{
    char line[256];
    unsigned long long start;
    unsigned long long end;
    int name;
    while (fgets(line, sizeof(line), iomem)) {
        if (sscanf(line, " %llx-%llx : %n", &start, &end, &name) != 2) {
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        e->nested = line[0] == ' ';
        e->first = start >> XENGT_PAGE_SHIFT;
        e->last = end >> XENGT_PAGE_SHIFT;
        snprintf(e->name, sizeof(e->name), "%.63s", line + name);
        return true;
    }
    return false;
}

static bool can_hold_window(const struct entry *e, const struct window_rules *rules)
{
    if (strcmp(e->name, "Reserved") == 0) {
        return true;
    }
    return rules->unusable_is_free && strcmp(e->name, "Unusable memory") == 0;
}

/* An explicit window must lie within one entry that can hold it, which nothing is nested in. */
static int check_explicit(FILE *iomem, const struct window_rules *rules, struct window *w,
                          struct hv_error *error)
{
    uint64_t last = w->base + w->pages - 1;
    if (w->base % PIECE_PAGES || w->pages % PIECE_PAGES) {
        hv_error(error, "window 0x%llx+%u: start and size must be multiples of %u frames (2 MiB)",
                 (unsigned long long)w->base, w->pages, PIECE_PAGES);
        return -EINVAL;
    }
    if (last >= rules->ceiling) {
        hv_error(error, "window 0x%llx+%u: devices address frames below 0x%llx only",
                 (unsigned long long)w->base, w->pages, (unsigned long long)rules->ceiling);
        return -EINVAL;
    }
    bool inside = false;
    struct entry e;
    while (read_entry(iomem, &e)) {
        if (e.last < w->base || e.first > last) {
            continue;
        }
        if (can_hold_window(&e, rules) && !e.nested && e.first <= w->base && e.last >= last) {
            inside = true;
            snprintf(w->where, sizeof(w->where), "%s", e.name);
            continue;
        }
        hv_error(error, "window 0x%llx+%u overlaps '%s' of /proc/iomem",
                 (unsigned long long)w->base, w->pages, e.name);
        return -EINVAL;
    }
    if (!inside) {
        hv_error(error, "window 0x%llx+%u lies in no range that the kernel leaves alone; " REMEDY,
                 (unsigned long long)w->base, w->pages);
        return -EINVAL;
    }
    return 0;
}

static uint64_t align_up(uint64_t frame)
{
    return (frame + PIECE_PAGES - 1) / PIECE_PAGES * PIECE_PAGES;
}

/*
 * The library's choice: the largest entry above 4 GiB that can hold a window and that nothing is
 * nested in. Below 4 GiB "Reserved" is the firmware's, and not ours to take.
 */
static int choose(FILE *iomem, const struct window_rules *rules, uint32_t pages, struct window *w,
                  struct hv_error *error)
{
    uint64_t best_first = 0;
    uint64_t best_count = 0;
    struct entry e;
    bool more = read_entry(iomem, &e);
    while (more) {
        struct entry next;
        more = read_entry(iomem, &next);
        bool holds_something = more && next.nested && next.first >= e.first && next.last <= e.last;
        uint64_t first = align_up(e.first);
        uint64_t end = e.last + 1 < rules->ceiling ? e.last + 1 : rules->ceiling;
        end = end / PIECE_PAGES * PIECE_PAGES;
        if (!e.nested && !holds_something && can_hold_window(&e, rules) &&
            e.first >= UINT64_C(1) << 20 && end > first && end - first > best_count) {
            best_first = first;
            best_count = end - first;
            snprintf(w->where, sizeof(w->where), "%s", e.name);
        }
        e = next;
    }
    uint64_t wanted = pages ? pages : WINDOW_PAGES_DEFAULT;
    if (!best_count || (pages && best_count < pages)) {
        hv_error(error, "no range of %llu frames that the kernel leaves alone; " REMEDY,
                 (unsigned long long)wanted);
        return -EINVAL;
    }
    w->base = best_first;
    w->pages = best_count < wanted ? best_count : wanted;
    return 0;
}

int window_choose(FILE *iomem, const struct window_rules *rules, uint64_t base, uint32_t pages,
                  struct window *window, struct hv_error *error)
{
    *window = (struct window){0};
    if (base) {
        window->base = base;
        window->pages = pages ? pages : WINDOW_PAGES_DEFAULT;
        return check_explicit(iomem, rules, window, error);
    }
    return choose(iomem, rules, pages, window, error);
}
