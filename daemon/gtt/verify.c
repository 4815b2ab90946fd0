/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Proof at run time that the shadow GTT keeps its promises. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "private.h"
#include "pte.h"

struct findings {
    unsigned count;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 2, 3))) static void find(struct findings *f, const char *format, ...)
{
    if (f->count++ == 0 && f->error_size) {
        va_list ap;
        va_start(ap, format);
        vsnprintf(f->error, f->error_size, format, ap);
        va_end(ap);
    }
}

static int compare_frames(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;
    return (*x > *y) - (*x < *y);
}

/* Every use of a frame by an entry is one user of its mapping, and there are no others. */
static void check_users(const struct gtt *gtt, uint64_t *frame, uint32_t n, struct findings *f)
{
    uint32_t frames = 0;
    qsort(frame, n, sizeof(*frame), compare_frames);
    for (uint32_t i = 0; i < n;) {
        uint32_t uses = 1;
        while (i + uses < n && frame[i + uses] == frame[i]) {
            uses++;
        }
        uint32_t users = xengt_space_users(gtt->cfg.space, (struct xengt_bfn){frame[i]});
        if (users != uses) {
            find(f, "BFN 0x%" PRIx64 ": %u entries hold it, its mapping counts %u users", frame[i],
                 uses, users);
        }
        frames++;
        i += uses;
    }
    struct xengt_space_stats stats;
    xengt_space_get_stats(gtt->cfg.space, &stats);
    if (stats.in_use != frames) {
        find(f, "entries hold %u frames, %u mappings are in use", frames, stats.in_use);
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written to through the findings */
unsigned gtt_verify(const struct gtt *gtt, char *error, size_t error_size)
{
    struct findings f = {0, error, error_size};
    uint64_t *frame = malloc(gtt->entries * sizeof(*frame));
    uint32_t mapped = 0;
    uint32_t failed = 0;
    for (uint32_t entry = 0; entry < gtt->entries; entry++) {
        uint32_t index = gtt_index(gtt, entry);
        uint64_t pte = gtt->cfg.gpu->ops->read_pte(gtt->cfg.gpu, GPU_GGTT, index);
        if (pte != gtt->shadow[entry]) {
            find(&f, "entry %u: the GPU holds 0x%" PRIx64 ", 0x%" PRIx64 " was written", index, pte,
                 gtt->shadow[entry]);
        }
        failed += (gtt->flags[entry] & GTT_FAILED) != 0;
        if (!gtt_is_mapped(gtt, entry)) {
            continue;
        }
        if (!(gtt->flags[entry] & GTT_PENDING) && !pte_present(gtt->guest[entry])) {
            find(&f, "entry %u: holds a frame, and the guest has made it not present", index);
        }
        if (frame) {
            frame[mapped] = pte_bfn(gtt->shadow[entry]).v;
        }
        mapped++;
    }
    if (frame) {
        check_users(gtt, frame, mapped, &f);
    } else {
        find(&f, "no memory to check the users of %u frames", mapped);
    }
    if (mapped != gtt->stats.present || failed != gtt->stats.scratch) {
        find(&f, "%u entries hold frames and %u failed, the counters say %u and %u", mapped, failed,
             gtt->stats.present, gtt->stats.scratch);
    }
    free(frame);
    return f.count;
}
