/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The window: a range of this domain's frame numbers where nothing is, found or checked. */
#include "hv/xen/window.h"

#include <cpuid.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hv/xen/iomem.h"

#define PIECE_PAGES    512u /* a window starts and ends on 2 MiB: one p2m table a piece */
#define MEMMAP_MAX     16u
#define GIB_PAGES      (UINT64_C(1) << (30 - XENGT_PAGE_SHIFT))
#define FIRMWARE_END   (UINT64_C(1) << (32 - XENGT_PAGE_SHIFT)) /* below is its "Reserved" */
#define CPU_BITS_LEAF  0x80000008u
#define CPU_BITS_LEAST 36u

struct search {
    struct iomem map;
    struct iomem_range memmap[MEMMAP_MAX];
    size_t memmaps;
    uint64_t ram_end;   /* first frame above all RAM that the kernel has */
    uint64_t known_end; /* and above all RAM of the host that it knows of */
    uint64_t ceiling;
};

static bool is_named(const struct iomem_entry *e, const char *name)
{
    return strcmp(e->name, name) == 0;
}

static int search_begin(struct search *s, FILE *iomem, const struct window_rules *rules,
                        struct hv_error *error)
{
    *s = (struct search){.ceiling = rules->ceiling};
    int ret = iomem_read(iomem, &s->map);
    if (ret) {
        hv_error(error, "/proc/iomem: %s",
                 ret == -EPERM     ? "shows no addresses; that takes CAP_SYS_ADMIN"
                 : ret == -ENODATA ? "nothing in it"
                                   : strerror(-ret));
        return ret == -ENODATA ? -EINVAL : ret;
    }
    s->memmaps = iomem_reserved(rules->cmdline, s->memmap, MEMMAP_MAX);
    s->known_end = FIRMWARE_END;
    for (size_t i = 0; i < s->map.n; i++) {
        const struct iomem_entry *e = &s->map.entry[i];
        uint64_t end = e->range.last + 1;
        bool ram = is_named(e, "System RAM");
        s->ram_end = ram && end > s->ram_end ? end : s->ram_end;
        ram = ram || is_named(e, "Unusable memory");
        s->known_end = ram && end > s->known_end ? end : s->known_end;
    }
    return 0;
}

/* --- the ranges that can hold a window --------------------------------------------------- */

static struct iomem_range common(struct iomem_range a, struct iomem_range b)
{
    return (struct iomem_range){a.first > b.first ? a.first : b.first,
                                a.last < b.last ? a.last : b.last};
}

/*
 * Range number k of an entry: false, there are no more. An empty one has its end before its begin.
 */
static bool usable(const struct search *s, const struct iomem_entry *e, size_t k,
                   struct iomem_range *range)
{
    if (is_named(e, "Unusable memory")) {
        *range = e->range;
        return k == 0;
    }
    if (!is_named(e, "Reserved") || k >= s->memmaps) {
        return false;
    }
    *range = common(e->range, s->memmap[k]);
    if (s->memmap[k].first <= s->ram_end) { /* with nothing between it is a part of it */
        *range = (struct iomem_range){1, 0};
    }
    return true;
}

static bool can_hold(const struct search *s, const struct iomem_entry *e, uint64_t first,
                     uint64_t last)
{
    struct iomem_range range;
    for (size_t k = 0; !e->nested && usable(s, e, k, &range); k++) {
        if (range.first <= first && range.last >= last) {
            return true;
        }
    }
    return false;
}

/* --- what the administrator can do ------------------------------------------------------- */

/* An entry that lies in a range or touches it from below: the lowest. NULL: there is none. */
static const struct iomem_entry *obstacle(const struct search *s, uint64_t first, uint64_t end)
{
    const struct iomem_entry *lowest = NULL;
    for (size_t i = 0; i < s->map.n; i++) {
        const struct iomem_entry *e = &s->map.entry[i];
        if (e->range.first < end && e->range.last + 1 >= first &&
            (!lowest || e->range.first < lowest->range.first)) {
            lowest = e;
        }
    }
    return lowest;
}

/*
 * The highest place for so many frames that is above all RAM of the host and apart from everything
 * else, at a multiple of 1 GiB; 0: there is none. High, because kernels look for room for their own
 * needs from below.
 */
static uint64_t free_place(const struct search *s, uint64_t pages)
{
    uint64_t end = s->ceiling;
    while (end > pages) {
        uint64_t first = (end - pages) / GIB_PAGES * GIB_PAGES;
        if (first <= s->known_end) {
            return 0;
        }
        const struct iomem_entry *e = obstacle(s, first, first + pages);
        if (!e) {
            return first;
        }
        end = e->range.first;
    }
    return 0;
}

/* Says what is wrong, and a range that could be reserved on this host. */
static int refuse(const struct search *s, uint32_t pages, struct hv_error *error, const char *wrong)
{
    uint64_t wanted = pages ? pages : WINDOW_PAGES_DEFAULT;
    uint64_t gib = (wanted + GIB_PAGES - 1) / GIB_PAGES;
    uint64_t first = free_place(s, gib * GIB_PAGES);
    if (first) {
        hv_error(error,
                 "%s; reserve one on the kernel's command line: memmap=%" PRIu64 "G$0x%" PRIx64
                 " (in GRUB's configuration \\$)",
                 wrong, gib, first << XENGT_PAGE_SHIFT);
    } else {
        hv_error(error,
                 "%s, and no room for one below 0x%" PRIx64 "; give this domain less memory "
                 "(dom0_mem=): its kernel does not use what is beyond ten times that",
                 wrong, s->ceiling << XENGT_PAGE_SHIFT);
    }
    return -EINVAL;
}

/* --- the window -------------------------------------------------------------------------- */

/* An explicit window must lie within one range that can hold it, which nothing is nested in. */
static int check_explicit(const struct search *s, struct window *w, struct hv_error *error)
{
    uint64_t last = w->base + w->pages - 1;
    char wrong[160];
    if (w->base % PIECE_PAGES || w->pages % PIECE_PAGES) {
        hv_error(error,
                 "window 0x%" PRIx64 "+%u: start and size must be multiples of %u frames "
                 "(2 MiB)",
                 w->base, w->pages, PIECE_PAGES);
        return -EINVAL;
    }
    if (w->base >= s->ceiling || w->pages > s->ceiling - w->base) {
        hv_error(error, "window 0x%" PRIx64 "+%u: devices address frames below 0x%" PRIx64 " only",
                 w->base, w->pages, s->ceiling);
        return -EINVAL;
    }
    bool inside = false;
    for (size_t i = 0; i < s->map.n; i++) {
        const struct iomem_entry *e = &s->map.entry[i];
        if (e->range.last < w->base || e->range.first > last) {
            continue;
        }
        if (can_hold(s, e, w->base, last)) {
            inside = true;
            snprintf(w->where, sizeof(w->where), "%s", e->name);
            continue;
        }
        snprintf(wrong, sizeof(wrong), "window 0x%" PRIx64 "+%u overlaps '%s' of /proc/iomem",
                 w->base, w->pages, e->name);
        return refuse(s, w->pages, error, wrong);
    }
    if (!inside) {
        snprintf(wrong, sizeof(wrong),
                 "window 0x%" PRIx64 "+%u lies in no range that the kernel leaves alone", w->base,
                 w->pages);
        return refuse(s, w->pages, error, wrong);
    }
    return 0;
}

/* The part of a range that a window can have. */
static struct iomem_range aligned(const struct search *s, struct iomem_range range)
{
    uint64_t first = (range.first + PIECE_PAGES - 1) / PIECE_PAGES * PIECE_PAGES;
    uint64_t end = range.last + 1 < s->ceiling ? range.last + 1 : s->ceiling;
    return (struct iomem_range){first, end / PIECE_PAGES * PIECE_PAGES - 1};
}

/*
 * The library's choice: the largest range above 4 GiB that can hold a window, of an entry that
 * nothing is nested in.
 */
static int choose(const struct search *s, uint32_t pages, struct window *w, struct hv_error *error)
{
    uint64_t best = 0;
    for (size_t i = 0; i < s->map.n; i++) {
        const struct iomem_entry *e = &s->map.entry[i];
        struct iomem_range range;
        for (size_t k = 0; !e->nested && !e->holds && usable(s, e, k, &range); k++) {
            bool some = range.first <= range.last && range.first >= FIRMWARE_END;
            range = aligned(s, range);
            if (some && range.last + 1 > range.first + best) {
                best = range.last + 1 - range.first;
                w->base = range.first;
                snprintf(w->where, sizeof(w->where), "%s", e->name);
            }
        }
    }
    uint64_t wanted = pages ? pages : WINDOW_PAGES_DEFAULT;
    if (!best || (pages && best < pages)) {
        char wrong[96];
        snprintf(wrong, sizeof(wrong),
                 "no range of %" PRIu64 " frames that the kernel leaves alone", wanted);
        return refuse(s, pages, error, wrong);
    }
    w->pages = best < wanted ? best : wanted;
    return 0;
}

int window_choose(FILE *iomem, const struct window_rules *rules, uint64_t base, uint32_t pages,
                  struct window *window, struct hv_error *error)
{
    struct search s;
    *window = (struct window){
        .base = base,
        .pages = pages ? pages : WINDOW_PAGES_DEFAULT,
    };
    int ret = search_begin(&s, iomem, rules, error);
    if (ret) {
        return ret;
    }
    ret = base ? check_explicit(&s, window, error) : choose(&s, pages, window, error);
    iomem_free(&s.map);
    return ret;
}

/* --- on this machine --------------------------------------------------------------------- */

/* Frame numbers end where the addresses of the devices do, and those of the CPU. */
static int find_ceiling(unsigned wanted, uint64_t *ceiling, struct hv_error *error)
{
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;
    unsigned bits = wanted ? wanted : XENGT_ADDRESS_BITS_DEFAULT;
    if (bits < 32 || bits > 52) {
        hv_error(error, "devices of %u address bits: 32 to 52 can be", bits);
        return -EINVAL;
    }
    unsigned cpu = __get_cpuid(CPU_BITS_LEAF, &a, &b, &c, &d) ? a & 0xff : CPU_BITS_LEAST;
    bits = cpu < bits ? cpu : bits;
    *ceiling = UINT64_C(1) << (bits - XENGT_PAGE_SHIFT);
    return 0;
}

static FILE *open_proc(const char *path, int *err, struct hv_error *error)
{
    FILE *file = fopen(path, "re");
    *err = file ? 0 : -errno;
    if (!file) {
        hv_error(error, "%s: %s", path, strerror(-*err));
    }
    return file;
}

static int read_cmdline(char **line, struct hv_error *error)
{
    int ret;
    size_t size = 0;
    FILE *file = open_proc("/proc/cmdline", &ret, error);
    if (!file) {
        return ret;
    }
    if (getline(line, &size, file) < 0) {
        hv_error(error, "/proc/cmdline cannot be read");
        ret = -EIO;
    }
    fclose(file);
    return ret;
}

int window_find(const struct xengt_options *options, struct window *window, struct hv_error *error)
{
    struct window_rules rules = {0};
    char *cmdline = NULL;
    FILE *iomem = NULL;
    int ret = find_ceiling(options->address_bits, &rules.ceiling, error);
    ret = ret ? ret : read_cmdline(&cmdline, error);
    if (!ret) {
        iomem = open_proc("/proc/iomem", &ret, error);
    }
    if (!ret) {
        rules.cmdline = cmdline;
        ret = window_choose(iomem, &rules, options->window_base, options->window_pages, window,
                            error);
    }
    if (iomem) {
        fclose(iomem);
    }
    free(cmdline);
    return ret;
}
